package awskms

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/strict"
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
	if w.enable {
		if err := guardEnable(live, good, q.Key); err != nil {
			return err
		}
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
	g := guarded{key: q.Key, now: now, before: before, next: next, was: Judge(good, q).Findings}
	if q.Key.Restore == core.WholeSnapshot && verified && g.isSnapshot() == nil {
		return nil
	}
	return g.isPatch()
}

// writes is what the steps would write, read off their bodies.
type writes struct {
	policy *string
	enable bool
}

func readSteps(steps []core.Step, key string) (writes, error) {
	var w writes
	if !keyARN.MatchString(key) {
		return w, errors.New("the key's ID is not a key ARN")
	}
	if len(steps) == 0 {
		return w, errors.New("no step")
	}
	for i, s := range steps {
		var err error
		switch {
		case s.ID != key:
			err = fmt.Errorf("it writes %q", s.ID)
		case s.Op == opPutKeyPolicy && w.policy == nil:
			err = w.readPut(s, key)
		case s.Op == opEnableKey && !w.enable:
			err = w.readEnable(s, key)
		default:
			err = fmt.Errorf("operation %q is unknown here or comes twice", s.Op)
		}
		if err != nil {
			return w, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return w, nil
}

func (w *writes) readPut(s core.Step, key string) error {
	var b putBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return err
	}
	w.policy = &b.Policy
	line, err := command(key, "put-key-policy", putOptions)
	switch {
	case err != nil:
		return err
	case b.KeyId != key:
		return fmt.Errorf("its body names the key %q", b.KeyId)
	case b.PolicyName != "default":
		return fmt.Errorf("its body names the policy %q", b.PolicyName)
	case b.BypassPolicyLockoutSafetyCheck:
		return errors.New("its body skips KMS's lockout check")
	case s.Command != line:
		return errors.New("its command is not that of its body")
	}
	return nil
}

func (w *writes) readEnable(s core.Step, key string) error {
	var b enableBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return err
	}
	w.enable = true
	line, err := command(key, "enable-key", "")
	switch {
	case err != nil:
		return err
	case b.KeyId != key:
		return fmt.Errorf("its body names the key %q", b.KeyId)
	case s.Command != line:
		return errors.New("its command is not that of its body")
	}
	return nil
}

func guardEnable(live, good core.Policy, k core.Key) error {
	if k.KeyState != core.CareRestore {
		return errors.New("enabling the key was not opted in to")
	}
	now, err := readMetadata(live)
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	before, err := readMetadata(good)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if now.KeyState != "Disabled" || before.KeyState != "Enabled" || !before.Enabled {
		return fmt.Errorf("the key is %q and was %q in the snapshot; it may only be enabled from Disabled, where it was Enabled", now.KeyState, before.KeyState)
	}
	return nil
}

// guardResult checks that the result is live with what the steps write, and
// nothing else.
func guardResult(live, result core.Policy, w writes, key string) error {
	if len(live) != len(result) {
		return errors.New("its result has other documents than live")
	}
	for i, was := range live {
		is := result[i]
		text := is.Text
		is.Text = was.Text
		if is != was || was.ID != key {
			return fmt.Errorf("document %d of its result is another one than in live", i)
		}
		switch {
		case was.Kind == core.KeyPolicy && w.policy != nil:
			if text != *w.policy {
				return errors.New("its result is not the policy that it writes")
			}
		case was.Kind == core.KeyMetadata && w.enable:
			if err := onlyEnabled(was.Text, text); err != nil {
				return err
			}
		case text != was.Text:
			return fmt.Errorf("its result changes %s, its steps do not", was.Kind)
		}
	}
	return nil
}

// onlyEnabled checks that key metadata differ in nothing but the state.
func onlyEnabled(was, is string) error {
	var a, b struct{ KeyMetadata map[string]any }
	if err := errors.Join(strict.Unmarshal([]byte(was), &a), strict.Unmarshal([]byte(is), &b)); err != nil {
		return fmt.Errorf("key metadata: %w", err)
	}
	want := maps.Clone(a.KeyMetadata)
	if want == nil {
		return errors.New("key metadata: empty")
	}
	want["Enabled"], want["KeyState"] = true, "Enabled"
	if !reflect.DeepEqual(want, b.KeyMetadata) {
		return errors.New("its result changes more of the key than that it is enabled")
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
			!patternWithin(lower(f.Permission), c.what.text) {
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
			b.who.except && !strings.Contains(b.who.text, quote(c.who.text)) && !strings.Contains(b.who.text, quote(whoAWS(role.account)))
		what := !b.what.except && patternWithin(lower(r.Permission), b.what.text) ||
			b.what.except && !strings.Contains(b.what.text, "*") && !strings.Contains(b.what.text, "?") && !strings.Contains(b.what.text, quote(lower(r.Permission)))
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
			if patternWithin(pattern, lower(a)) {
				return true
			}
		}
	}
	return false
}

// keepsDenies checks both ways: no Deny of from is gone or narrower for anybody
// but Confluent, and the new policy has no Deny of its own.
func (g guarded) keepsDenies(from policy, exempting bool) error {
	for i, d := range from.Statements {
		if d.Effect != "Deny" || effectless(d) || g.mayGo(from, d, exempting) {
			continue
		}
		if !slices.ContainsFunc(g.next.Statements, func(n statement) bool { return g.stays(from, d, n, exempting) }) {
			return fmt.Errorf("it takes away or narrows the Deny in statement %d", i)
		}
	}
	for i, n := range g.next.Statements {
		if n.Effect == "Deny" && !slices.ContainsFunc(from.Statements, func(d statement) bool { return g.stays(from, d, n, exempting) }) {
			return fmt.Errorf("its statement %d is a Deny that is not there now", i)
		}
	}
	return nil
}

// mayGo says that a Deny names nobody but dead IDs and, unless the snapshot has
// it too, Confluent.
func (g guarded) mayGo(from policy, d statement, exempting bool) bool {
	d, some := d.without(deadID)
	return !some || d.namesOnly(configured(g.key)) && !(exempting && g.inSnapshot(from, d))
}

func (g guarded) inSnapshot(from policy, d statement) bool {
	return from.language() == g.before.language() && slices.ContainsFunc(g.before.Statements, func(b statement) bool {
		b, _ = b.without(deadID)
		return b.canonical(partition(g.key.ID)) == d.canonical(partition(g.key.ID))
	})
}

// stays says that n is what is left of the Deny d of from: the same but for dead
// IDs and, where that is allowed, an exemption of Confluent.
func (g guarded) stays(from policy, d, n statement, exempting bool) bool {
	part := partition(g.key.ID)
	d, some := d.without(deadID)
	n, _ = n.without(deadID)
	if !some || n.Effect != "Deny" {
		return false
	}
	if d.canonical(part) == n.canonical(part) {
		return true
	}
	leave := func(id string) bool { return slices.Contains(g.key.Needs.Roles, id) }
	if exempting && g.inSnapshot(from, d) {
		return false
	}
	if !exempting {
		d, _ = d.without(leave)
		n, _ = n.without(leave)
		return d.canonical(part) == n.canonical(part)
	}
	was, is := from.plain(d.Conditions), g.next.plain(n.Conditions)
	d.Conditions, n.Conditions = nil, nil
	return d.canonical(part) == n.canonical(part) && g.onlyExempts(was, is)
}

// onlyExempts says that conditions differ in nothing but configured Confluent
// principals that are added to, or make up, a negated condition on who calls.
func (g guarded) onlyExempts(was, is []condition) bool {
	for _, w := range was {
		if !slices.ContainsFunc(is, func(c condition) bool { return c.Operator == w.Operator && c.Key == w.Key }) {
			return false
		}
	}
	for _, c := range is {
		added := c.Values
		if i := slices.IndexFunc(was, func(w condition) bool { return c.Operator == w.Operator && c.Key == w.Key }); i >= 0 {
			if !subset(was[i].Values, c.Values) {
				return false
			}
			added = slices.DeleteFunc(slices.Clone(c.Values), func(v string) bool { return slices.Contains(was[i].Values, v) })
		} else if len(added) == 0 {
			return false
		}
		if len(added) > 0 && !subset(added, g.exempt(c)) {
			return false
		}
	}
	return true
}

// exempt lists the values that may be added to a condition.
func (g guarded) exempt(c condition) []string {
	var out []string
	switch c.Operator + " " + c.Key {
	case "arnnotlike aws:principalarn", "arnnotequals aws:principalarn":
		for _, role := range g.key.Needs.Roles {
			if m := roleARN.FindStringSubmatch(role); m != nil {
				out = append(out, role, confluent.AWSBlockStorageRole(m[1], m[2]))
			}
		}
	case "stringnotequals aws:principalaccount":
		for _, root := range g.key.Needs.Principals {
			if m := rootARN.FindStringSubmatch(root); m != nil {
				out = append(out, m[1])
			}
		}
	}
	return out
}
