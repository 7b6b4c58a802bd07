package awskms

import (
	"errors"
	"fmt"
	"slices"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// The names of candidates, for the log and the record.
const (
	namePatch    = "patch"
	nameSnapshot = "snapshot"
	nameEnable   = "enable"
)

// Candidates lists the ways to give back what was lost, the best first: with
// restore: snapshot the whole snapshot, then in any case the live policy plus
// what Confluent lost. KMS refuses a policy that names a principal which IAM no
// longer knows, without saying which, so that each way is followed by variants
// that leave out one Confluent role after the other.
//
// Every candidate brings something lost back to what the snapshot had, makes no finding worse than
// live, and leaves the watchdog its right to write. There is none for a revoked
// key, and for one that nobody can use only where its state may be restored.
// An error means that a policy can't be read or that KMS would not take any way
// back.
func Candidates(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error) {
	b, err := newBench(live, good, q, lost)
	if err != nil {
		return nil, err
	}
	j := Judge(live, q)
	if j.Revoked || j.Deleting {
		return nil, nil
	}
	enable := false
	if j.Disabled {
		if enable = enableAllowed(live, good, q.Key); !enable {
			return nil, nil
		}
	}
	targets, err := b.targets()
	out := make([]core.Candidate, 0, len(targets))
	for _, t := range targets {
		c, made := b.candidate(t, enable)
		if made != nil {
			return nil, made
		}
		if len(c.Steps) > 0 && b.improves(j, Judge(c.Result, q)) && !slices.ContainsFunc(out, func(o core.Candidate) bool { return sameResult(o, c) }) {
			out = append(out, c)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

func newBench(live, good core.Policy, q core.Question, lost []core.Requirement) (bench, error) {
	b := bench{q: q, live: live, lost: lost, was: map[core.Requirement]core.Finding{}}
	if !keyARN.MatchString(q.Key.ID) {
		return b, fmt.Errorf("%q is not a KMS key ARN", q.Key.ID)
	}
	var err error
	if b.now, err = parsed(live); err != nil {
		return b, fmt.Errorf("live policy of %s: %w", q.Key.ID, err)
	}
	if b.before, err = parsed(good); err != nil {
		return b, fmt.Errorf("snapshot of %s: %w", q.Key.ID, err)
	}
	doc, _ := good.Find(core.KeyPolicy)
	b.verbatim = doc.Text
	for _, f := range Judge(good, q).Findings {
		b.was[f.Requirement] = f
	}
	return b, nil
}

// target is a policy text that a restore may aim at.
type target struct {
	name, text string
	left       []string
}

// targets lists the policy texts, the best first, and why a way is missing.
func (b bench) targets() ([]target, error) {
	var out []target
	if b.q.Key.Restore == core.WholeSnapshot && len(b.outsiders()) == 0 {
		out = b.snapshots()
	}
	first, err := b.patched(nil)
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, err
	}
	if err == nil {
		out = append(out, first)
	}
	if now, changed := b.now.starred(b.q.Key.ID); changed {
		b.now = now
		if t, err := b.patched(nil); err == nil {
			t.left = append(t.left, "The key's own ARN as Resource is written as *, which says the same in a key policy; KMS may take nothing else.")
			out = append(out, t)
		}
	}
	for _, leave := range b.ladder(first.text) {
		if t, err := b.patched(leave); err == nil {
			out = append(out, t)
		}
	}
	live, _ := b.live.Find(core.KeyPolicy)
	return append(out, target{nameEnable, live.Text, nil}), err
}

func (b bench) patched(leave []string) (target, error) {
	text, left, err := b.patch(leave)
	return target{namePatch, text, append(left, leftOut(leave)...)}, err
}

// snapshots lists the whole snapshot to the byte, then as KMS would take it.
func (b bench) snapshots() []target {
	out := []target{{nameSnapshot, b.verbatim, nil}}
	add := func(leave []string) {
		d, left := clean(b.before)
		d.leave(leave)
		if text, err := d.text(); err == nil {
			out = append(out, target{nameSnapshot, text, append(left, leftOut(leave)...)})
		}
	}
	if !fit(b.before) {
		add(nil)
	}
	for _, leave := range b.ladder(b.verbatim) {
		add(leave)
	}
	return out
}

// fit says that KMS would take the policy's own text.
func fit(p policy) bool {
	d, left := clean(p)
	return len(left) == 0 && !slices.ContainsFunc(d.statements, func(s statement) bool { return s.raw == nil })
}

// leave drops Confluent principals from every Principal.
func (d *draft) leave(leave []string) {
	var kept []statement
	for _, s := range d.statements {
		if s, some := s.without(func(id string) bool { return slices.Contains(leave, id) }); some {
			kept = append(kept, s)
		}
	}
	d.statements = kept
}

// ladder lists which of the Confluent roles that a text newly names to leave
// out: each one, all but one, all. What live names exists, as KMS shows an ID
// in its place otherwise.
func (b bench) ladder(text string) [][]string {
	p, err := parse(text)
	if err != nil {
		return nil
	}
	named, known := p.named(), b.now.named()
	var doubtful []string
	for _, principal := range b.q.Key.Needs.Roles {
		if who := whoAWS(principal); slices.Contains(named, who) && !slices.Contains(known, who) {
			doubtful = append(doubtful, principal)
		}
	}
	var out [][]string
	for i := range doubtful {
		out = append(out, doubtful[i:i+1])
	}
	if len(doubtful) > 2 {
		for i := range doubtful {
			out = append(out, slices.Delete(slices.Clone(doubtful), i, i+1))
		}
	}
	if len(doubtful) > 1 {
		out = append(out, doubtful)
	}
	return out
}

// named lists who stands in a Principal or NotPrincipal of the policy.
func (p policy) named() []string {
	var out []string
	for _, s := range p.Statements {
		for _, who := range []*principals{s.Principal, s.NotPrincipal} {
			if who != nil {
				out = append(out, whoOf(*who)...)
			}
		}
	}
	return out
}

func leftOut(leave []string) []string {
	var out []string
	for _, role := range leave {
		out = append(out, fmt.Sprintf("%s is left out: KMS refused the policy that names it, so IAM may no longer know it.", role))
	}
	return out
}

// outsiders lists AWS principals outside the key's account that live lets in,
// the snapshot does not, and nobody configured. One of them may be Confluent's
// new role, which putting the whole snapshot back would cut off.
func (b bench) outsiders() []string {
	own, _ := parseARN(b.q.Key.ID)
	ours := whoAll(configured(b.q.Key))
	before := b.before.admitted()
	var out []string
	for _, who := range b.now.admitted() {
		a, isARN := parseARN(who[len("AWS "):])
		account := a.account
		if !isARN {
			account = who[len("AWS "):]
		}
		if isAccount(account) && account != own.account && !slices.Contains(ours, who) && !slices.Contains(before, who) {
			out = append(out, who)
		}
	}
	return out
}

// admitted lists the AWS principals that an Allow names, be it in Principal or
// in a condition under Principal "*".
func (p policy) admitted() []string {
	var out []string
	for _, s := range p.Statements {
		if s.Effect != "Allow" || s.Principal == nil || effectless(s) {
			continue
		}
		ids := slices.Clone(s.Principal.AWS)
		for _, c := range s.Conditions {
			if key := canonicalKey(c.Key); (key == "aws:principalarn" || key == "aws:principalaccount" || key == "kms:calleraccount") && !negated(wording.Lower(c.Operator)) {
				ids = append(ids, c.Values...)
			}
		}
		out = append(out, whoAll(ids)...)
	}
	return sortedSet(out)
}

// candidate makes the steps from live to a target; none if there is nothing to
// write.
func (b bench) candidate(t target, enable bool) (core.Candidate, error) {
	c := core.Candidate{Name: t.name, Result: b.with(t.text), Left: t.left}
	live, _ := b.live.Find(core.KeyPolicy)
	if t.text != live.Text {
		s, err := putStep(b.q.Key.ID, t.text)
		if err != nil {
			return c, err
		}
		c.Steps = append(c.Steps, s)
	}
	if !enable {
		return c, nil
	}
	if len(c.Steps) == 0 {
		c.Name = nameEnable
	}
	s, err := enableStep(b.q.Key.ID)
	if err != nil {
		return c, err
	}
	c.Steps = append(c.Steps, s)
	doc, _ := b.live.Find(core.KeyMetadata)
	if doc, err = enabled(doc); err != nil {
		return c, err
	}
	c.Result = c.Result.With(doc)
	return c, nil
}

// enableAllowed says that the key is disabled, was enabled in the snapshot, and
// that its owner wants it enabled again. A key that is scheduled for deletion
// or lacks its material is never touched.
func enableAllowed(live, good core.Policy, k core.Key) bool {
	now, err := readMetadata(live)
	if err != nil {
		return false
	}
	before, err := readMetadata(good)
	return err == nil && k.KeyState == core.CareRestore && now.KeyState == "Disabled" && before.KeyState == "Enabled"
}

// improves says that a candidate may be written: something lost is what it was
// in the snapshot, no finding is worse, and the watchdog keeps its rights.
func (b bench) improves(now, then core.Judgement) bool {
	if then.Writable.WorseThan(now.Writable) || len(now.Findings) != len(then.Findings) {
		return false
	}
	gained := false
	for i, f := range then.Findings {
		before := now.Findings[i].Result
		if f.Result.WorseThan(before) {
			return false
		}
		was, known := b.was[f.Requirement]
		back := f.Result == core.Met || known && f.Result == was.Result
		gained = gained || back && f.Result != before && slices.Contains(b.lost, f.Requirement)
	}
	return gained
}

func sameResult(a, b core.Candidate) bool {
	x, _ := a.Result.Find(core.KeyPolicy)
	y, _ := b.Result.Find(core.KeyPolicy)
	return x.Text == y.Text
}
