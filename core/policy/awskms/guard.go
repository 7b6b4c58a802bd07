package awskms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// Guard is the last thing before any step. It trusts nothing that [Candidates]
// says: it reads the steps themselves, and returns an error unless
//   - they write this key, to what the candidate's Result says, and keep KMS's
//     lockout check;
//   - each allow of the new policy is in live, or gives a configured Confluent
//     principal a permission that Confluent asks for and that the snapshot had,
//     no wider and under no fewer conditions than there;
//   - nobody loses an allow but principals that IAM no longer knows;
//   - each Deny of live is still there, changed at most by exempting Confluent
//     or dropping such principals; only one that names nobody else may go, and
//     one that the snapshot has too stays as it is;
//   - or, with restore: snapshot and good's signature verified, the new policy
//     is the snapshot, whole, but for principals that KMS no longer takes;
//   - somebody can use the key, or the steps see to it;
//   - the key is enabled only where its owner opted in, from disabled, and the
//     snapshot shows it enabled.
//
// A revoked key is never written.
func Guard(live, good core.Policy, c core.Candidate, q core.Question, verified bool) error {
	if err := guard(live, good, c, q, verified); err != nil {
		return fmt.Errorf("write guard: candidate %s for %s: %w", c.Name, q.Key.ID, err)
	}
	return nil
}

func guard(live, good core.Policy, c core.Candidate, q core.Question, verified bool) error {
	w, err := readSteps(c.Steps, q.Key.ID)
	if err != nil {
		return err
	}
	now, err := parsed(live)
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	before, err := parsed(good)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if marker(now) != "" {
		return errors.New("the key is revoked")
	}
	if err := guardState(live, good, w, q.Key); err != nil {
		return err
	}
	if err := guardResult(live, c.Result, w, q.Key.ID); err != nil {
		return err
	}
	if w.policy == nil {
		return nil
	}
	next, err := parse(*w.policy)
	if err != nil {
		return fmt.Errorf("new policy: %w", err)
	}
	g := guarded{key: q.Key, was: Judge(good, q).Findings}
	// In a key policy the key's own ARN and "*" are the same Resource.
	g.now, _ = now.starred(q.Key.ID)
	g.before, _ = before.starred(q.Key.ID)
	g.next, _ = next.starred(q.Key.ID)
	err = g.isPatch()
	if err == nil || q.Key.Restore != core.WholeSnapshot || !verified {
		return err
	}
	if whole := g.isSnapshot(); whole != nil {
		return fmt.Errorf("neither a patch (%w) nor the snapshot (%w)", err, whole)
	}
	return nil
}

// guarded is what the rules on the new policy look at.
type guarded struct {
	key               core.Key
	now, before, next policy
	was               []core.Finding
}

// isPatch checks the rules of restore: patch.
func (g guarded) isPatch() error {
	if g.next.language() != g.now.language() {
		return errors.New("the policy's Version changes")
	}
	if marker(g.next) != "" {
		return errors.New("it would mark the key as revoked")
	}
	now, next := g.now.allows(), g.next.allows()
	for _, c := range next {
		if !c.withinAny(now) && !g.givenBack(c) {
			return fmt.Errorf("it allows %s %s, which live does not and which is not a permission of Confluent's that the snapshot had", c.who.text, c.what.text)
		}
	}
	if c, lost := g.loses(g.now, nil); lost {
		return fmt.Errorf("it takes %s from %s", c.what.text, c.who.text)
	}
	return g.keepsDenies(g.now, true)
}

// isSnapshot checks that the new policy is the whole snapshot, but for dead IDs
// and Confluent's own roles that KMS does not take.
func (g guarded) isSnapshot() error {
	if g.next.language() != g.before.language() || marker(g.next) != "" {
		return errors.New("it is not the snapshot")
	}
	for _, c := range g.next.allows() {
		if !c.withinAny(g.before.allows()) {
			return fmt.Errorf("it allows %s %s, which the snapshot does not", c.who.text, c.what.text)
		}
	}
	if c, lost := g.loses(g.before, g.key.Needs.Roles); lost {
		return fmt.Errorf("it lacks %s for %s, which the snapshot has", c.what.text, c.who.text)
	}
	return g.keepsDenies(g.before, false)
}

// loses finds an allow of from that the new policy lacks, other than those of
// dead IDs and of whom it may leave out.
func (g guarded) loses(from policy, leave []string) (clause, bool) {
	next := g.next.allows()
	for _, s := range from.Statements {
		s, some := s.without(func(id string) bool { return deadID(id) || slices.Contains(leave, id) })
		if s.Effect != "Allow" || !some {
			continue
		}
		for _, c := range from.spread(s) {
			if !c.withinAny(next) {
				return c, true
			}
		}
	}
	return clause{}, false
}

// givenBack says that an allow is for a configured Confluent principal, within
// what Confluent asks for, and that the snapshot had it: every permission that
// it covers was met there through an allow at least as wide, or it stands there
// word for word and nothing was known to take it away.
func (g guarded) givenBack(c clause) bool {
	if c.who.except || c.what.except || !askedFor(c.what.text) {
		return false
	}
	some := false
	for _, f := range g.was {
		if f.Aspect != core.Access || whoAWS(f.Principal) != c.who.text || !slices.Contains(configured(g.key), f.Principal) ||
			!patternWithin(wording.Lower(f.Permission), c.what.text) {
			continue
		}
		some = true
		switch {
		case f.Result == core.Met && g.hadThrough(c, f.Requirement):
		case f.Result == core.Undetermined && c.withinAny(g.before.allows()):
		default:
			return false
		}
	}
	return some
}

// hadThrough finds the allow of the snapshot that a permission of one principal
// came through, no narrower than c.
func (g guarded) hadThrough(c clause, r core.Requirement) bool {
	role, _ := parseARN(r.Principal)
	for _, b := range g.before.allows() {
		who := b.who == c.who || b.who == everyone || b.who == term{text: whoAWS(role.account)} ||
			b.who.except && !strings.Contains(b.who.text, rawjson.Quote(c.who.text)) && !strings.Contains(b.who.text, rawjson.Quote(whoAWS(role.account)))
		what := !b.what.except && patternWithin(wording.Lower(r.Permission), b.what.text) ||
			b.what.except && !strings.Contains(b.what.text, "*") && !strings.Contains(b.what.text, "?") && !strings.Contains(b.what.text, rawjson.Quote(wording.Lower(r.Permission)))
		if who && what && c.on == b.on && conditionsWithin(c.when, b.when) {
			return true
		}
	}
	return false
}

// askedFor says that an action pattern is no wider than one of Confluent's.
func askedFor(pattern string) bool {
	for _, s := range confluent.AWSStatements() {
		for _, a := range s.Actions {
			if patternWithin(pattern, wording.Lower(a)) {
				return true
			}
		}
	}
	return false
}
