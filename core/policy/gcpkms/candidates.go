package gcpkms

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
)

// The names of candidates, for the log and the record. One that also enables
// key versions has withVersions at its end.
const (
	namePatch    = "patch"                      // the snapshot's own bindings
	nameMixed    = "patch and predefined roles" // those, and roles for what they no longer give
	nameRoles    = "predefined roles"           // roles in the place of the snapshot's
	nameVersions = "key versions"               // nothing but key versions
	withVersions = " with key versions"
)

// Candidates lists the ways to give back what was lost, the best first. All of
// them add to the live IAM policy of the key itself, and take nothing from it:
// the bindings that the snapshot has there for Confluent's group, as far as
// their roles still carry what was lost and their conditions still hold; for
// the rest, because a custom role was gutted, disabled or deleted or the access
// came from above the key, the predefined roles that Confluent documents, under
// the same conditions. With key_state: restore, versions that the snapshot had
// enabled and that are disabled are enabled as well.
//
// A custom role that live does not show, since nothing refers to it any more,
// is taken to be as in the snapshot. If it is not, IAM refuses the write or the
// next look shows it, and the predefined roles follow.
//
// Every candidate brings back something lost, makes no finding worse than live,
// and leaves the watchdog its right to write. There is none for a revoked key,
// and for one that nobody can use only where its versions may be enabled; one
// that is scheduled for destruction stays so. Deny policies, roles and the
// levels above the key are never written: [Unlock] has the commands.
func Candidates(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error) {
	b, err := newBench(live, good, q, lost)
	if err != nil {
		return nil, err
	}
	if b.now.Revoked {
		return nil, nil
	}
	ways, err := b.ways()
	if err != nil {
		return nil, err
	}
	var out []core.Candidate
	back := map[string]int{}
	for _, w := range ways {
		c, err := b.candidate(w.name, w.additions, w.versions)
		if err != nil {
			return nil, err
		}
		gained, ok := b.improves(Judge(c.Result, q))
		same := slices.ContainsFunc(out, func(o core.Candidate) bool { return slices.EqualFunc(o.Steps, c.Steps, sameStep) })
		if ok && !same {
			back[c.Name] = gained
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(x, y core.Candidate) int { return cmp.Compare(back[y.Name], back[x.Name]) })
	return out, nil
}

// way is what a candidate writes.
type way struct {
	name      string
	additions []addition
	versions  []string
}

// ways lists what candidates may write, whether it helps or not. Each way with
// key versions is followed by the one without: enabling may be refused.
func (b bench) ways() ([]way, error) {
	own, err := b.own()
	if err != nil {
		return nil, err
	}
	roles, err := b.roles(nil)
	if err != nil {
		return nil, err
	}
	more, err := b.roles(own)
	if err != nil {
		return nil, err
	}
	var mixed []addition
	if len(own) > 0 && len(more) > 0 {
		mixed = append(slices.Clone(own), more...)
	}
	var out []way
	for _, w := range []way{{namePatch, own, nil}, {nameMixed, mixed, nil}, {nameRoles, roles, nil}} {
		if len(w.additions) > 0 && len(b.versions) > 0 {
			out = append(out, way{w.name + withVersions, w.additions, b.versions})
		}
		out = append(out, w)
	}
	return append(out, way{nameVersions, nil, b.versions}), nil
}

func sameStep(a, b core.Step) bool {
	return a.Op == b.Op && a.ID == b.ID && string(a.Body) == string(b.Body)
}

// bench is the restore of one key.
type bench struct {
	q          core.Question
	group      string
	live, good core.Policy
	lost       []core.Requirement
	now        core.Judgement
	was        map[core.Requirement]core.Finding
	policy     sheet    // of the key, live
	before     sheet    // of the key, in the snapshot
	versions   []string // of the key, to be enabled
}

func newBench(live, good core.Policy, q core.Question, lost []core.Requirement) (bench, error) {
	b := bench{q: q, group: q.Key.Needs.Group, live: live, good: good, lost: lost, was: map[core.Requirement]core.Finding{}}
	if _, err := resourceOf(q.Key.ID); err != nil {
		return b, err
	}
	if !groupGrammar.MatchString(b.group) {
		return b, fmt.Errorf("%q is not the address of a group", b.group)
	}
	var err error
	if b.policy, err = ownSheet(live, q.Key.ID); err != nil {
		return b, fmt.Errorf("live policy of %s: %w", q.Key.ID, err)
	}
	if b.before, err = ownSheet(good, q.Key.ID); err != nil {
		return b, fmt.Errorf("snapshot of %s: %w", q.Key.ID, err)
	}
	if b.now = Judge(live, q); b.now.Digest == "" {
		return b, fmt.Errorf("live policy of %s: something that decides can't be read or does not parse", q.Key.ID)
	}
	for _, f := range Judge(good, q).Findings {
		b.was[f.Requirement] = f
	}
	if q.Key.KeyState == core.CareRestore && slices.ContainsFunc(lost, func(r core.Requirement) bool { return r.Aspect == core.Property }) {
		b.versions = repairable(live, good, q.Key.ID)
	}
	return b, nil
}

func ownSheet(p core.Policy, key string) (sheet, error) {
	doc, err := documentOf(p, core.IAMPolicy, key)
	if err != nil {
		return sheet{}, err
	}
	return readSheet(doc.Text)
}

// own lists the snapshot's bindings for the group that live lacks and that
// bring something back.
func (b bench) own() ([]addition, error) {
	var out []addition
	for _, g := range b.before.grants {
		a := addition{g.role, g.condition}
		if !slices.ContainsFunc(g.members, func(m string) bool { return isGroup(m, b.group) }) || b.policy.has(a, b.group) || slices.ContainsFunc(out, g.is) {
			continue
		}
		if roleAsBefore(b.live, b.good, a.role) != nil {
			continue
		}
		helps, err := b.helps(nil, a)
		if err != nil {
			return nil, err
		}
		if helps {
			out = append(out, a)
		}
	}
	return out, nil
}

// roles lists the predefined roles for what given leaves lost, each under the
// conditions under which the snapshot gave all of it.
func (b bench) roles(given []addition) ([]addition, error) {
	var out []addition
	for _, role := range confluent.GCPRoles() {
		for _, condition := range b.conditions(role) {
			a := addition{role.Name, condition}
			if b.policy.has(a, b.group) {
				continue
			}
			helps, err := b.helps(append(slices.Clone(given), out...), a)
			if err != nil {
				return nil, err
			}
			if helps {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

// conditions lists those under which the snapshot gave all that Confluent needs
// of a role; just "" if it gave it without any.
func (b bench) conditions(role confluent.Role) []string {
	var out []string
	gives := givers(b.good, b.q)
	for _, g := range gives {
		all := len(role.Permissions) > 0
		for _, p := range role.Permissions {
			all = all && slices.ContainsFunc(gives, func(o giver) bool {
				return within(g.condition, o.condition) && o.gives(p)
			})
		}
		switch {
		case all && g.condition == "":
			return []string{""}
		case all && !slices.ContainsFunc(out, func(c string) bool { return sameCondition(c, g.condition) }):
			out = append(out, g.condition)
		}
	}
	return out
}

// helps says that an addition brings back something that the others do not.
func (b bench) helps(given []addition, a addition) (bool, error) {
	without, err := b.result(given, b.versions)
	if err != nil {
		return false, err
	}
	with, err := b.result(append(slices.Clone(given), a), b.versions)
	if err != nil {
		return false, err
	}
	x, _ := b.improves(Judge(without, b.q))
	y, ok := b.improves(Judge(with, b.q))
	return ok && y > x, nil
}

// result is the policy once the additions are made and the versions enabled.
func (b bench) result(additions []addition, versions []string) (core.Policy, error) {
	out, err := enabled(b.live, b.q.Key.ID, versions)
	if err != nil {
		return nil, fmt.Errorf("key versions of %s: %w", b.q.Key.ID, err)
	}
	if len(additions) == 0 {
		return out, nil
	}
	text, err := b.policy.given(additions, b.group)
	if err != nil {
		return nil, fmt.Errorf("live policy of %s: %w", b.q.Key.ID, err)
	}
	out = withText(out, core.IAMPolicy, b.q.Key.ID, text)
	for _, a := range additions {
		if _, err := documentOf(b.live, core.Role, a.role); errors.Is(err, errNoDocument) {
			if doc, err := documentOf(b.good, core.Role, a.role); err == nil {
				out = out.With(doc)
			}
		}
	}
	return out, nil
}

// improves counts what of the lost is back, and says whether that may be
// written: something is, no finding is worse, and the watchdog keeps its
// rights.
func (b bench) improves(then core.Judgement) (gained int, ok bool) {
	if then.Writable.WorseThan(b.now.Writable) || len(then.Findings) != len(b.now.Findings) || then.Disabled {
		return 0, false
	}
	for i, f := range then.Findings {
		before := b.now.Findings[i].Result
		if f.Result.WorseThan(before) {
			return 0, false
		}
		was, known := b.was[f.Requirement]
		back := f.Result == core.Met || known && f.Result == was.Result
		if back && f.Result != before && slices.Contains(b.lost, f.Requirement) {
			gained++
		}
	}
	return gained, gained > 0
}

// candidate makes the steps: the policy first, since it is what may be refused.
func (b bench) candidate(name string, additions []addition, versions []string) (core.Candidate, error) {
	c := core.Candidate{Name: name}
	var err error
	if c.Result, err = b.result(additions, versions); err != nil {
		return c, err
	}
	if len(additions) > 0 {
		doc, err := documentOf(c.Result, core.IAMPolicy, b.q.Key.ID)
		if err != nil {
			return c, err
		}
		s, err := policyStep(b.q.Key.ID, doc.Text)
		if err != nil {
			return c, err
		}
		c.Steps = append(c.Steps, s)
	}
	for _, number := range versions {
		s, err := versionStep(b.q.Key.ID, number)
		if err != nil {
			return c, err
		}
		c.Steps = append(c.Steps, s)
	}
	c.Left, err = b.left(c.Result, additions)
	return c, err
}
