package azurekv

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/rawjson"
)

// The names of candidates, for the log and the record: access comes back by a
// patch, with what else is repaired behind it.
const (
	namePatch    = "patch"
	nameNetwork  = "network rules"
	nameVersions = "key versions"
)

// replacing is how long a lost role assignment must have been gone: Terraform
// replaces one by deleting it and creating another.
const replacing = 60 * time.Second

// Candidates lists the ways to give back what was lost, the best first. All of
// them add to what live has, and take nothing from it:
//   - under Azure RBAC, those of the two roles that Confluent asks for which bring
//     something back, assigned to Confluent's own principal at the vault: each
//     only if the snapshot gave all that Confluent needs of it, by whatever role,
//     scope or group, and under the snapshot's condition if only so;
//   - under access policies, key permissions that the snapshot's own entry had;
//   - with network: restore, as few as possible of the three values that open the
//     vault's firewall, to those of the snapshot;
//   - with key_state: restore, versions that the snapshot had enabled and that are
//     disabled are enabled.
//
// Each part of a candidate brings something back; after it come those without
// one or the other part, should Azure refuse that, and one that makes its
// assignments under new names. What gives access goes first.
//
// There is none for a revoked key, for a vault or key that is deleted or moved
// to another tenant, and for a key that nobody can use only where that is
// repaired as well. The switch between Azure RBAC and access policies is never
// turned, what is assigned under another condition never assigned anew, and a
// deny assignment is Azure's own: [Unlock] has the commands.
func Candidates(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error) {
	b, err := newBench(live, good, q, lost)
	if err != nil || !b.open() {
		return nil, err
	}
	if err := b.findParts(); err != nil {
		return nil, err
	}
	ways, err := b.ways()
	if err != nil {
		return nil, err
	}
	var out []core.Candidate
	last := 0 // behind all that give the whole of the access
	for _, w := range ways {
		c, err := b.candidate(b.name(w.set, ways[0].set), b.joined(w.set))
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		if b.access(w.set) == b.access(ways[0].set) {
			last = len(out)
		}
	}
	// Somebody may have given the snapshot's name to another assignment.
	if fresh, differ := b.renamed(ways); differ {
		c, err := b.candidate(out[0].Name+" under new names", fresh)
		if err != nil {
			return nil, err
		}
		out = slices.Insert(out, last, c)
	}
	return out, nil
}

// bench is the restore of one key.
type bench struct {
	scene
	q      core.Question
	good   core.Policy
	lost   []core.Requirement
	now    core.Judgement
	was    map[core.Requirement]core.Finding
	before sheet // the vault in the snapshot
	parts  []part
}

// part is one thing that candidates may write or leave.
type part struct {
	name   string
	access bool
	writes
}

func newBench(live, good core.Policy, q core.Question, lost []core.Requirement) (bench, error) {
	b := bench{q: q, good: good, lost: lost, was: map[core.Requirement]core.Finding{}}
	var err error
	if b.scene, err = newScene(live, q.Key); err != nil {
		return b, fmt.Errorf("policy of %s: %w", q.Key.ID, err)
	}
	if b.before, err = sheetOf(good, b.at.vaultID); err != nil {
		return b, fmt.Errorf("snapshot of %s: %w", q.Key.ID, err)
	}
	if b.now = Judge(live, q); b.now.Digest == "" {
		return b, fmt.Errorf("live policy of %s: something that decides can't be read or does not parse", q.Key.ID)
	}
	before := Judge(good, q)
	if before.Digest == "" {
		return b, fmt.Errorf("snapshot of %s: something that decides is missing or does not parse", q.Key.ID)
	}
	for _, f := range before.Findings {
		b.was[f.Requirement] = f
	}
	return b, nil
}

// open says that anything may be restored at all.
func (b bench) open() bool { return barred(b.live, b.now, b.vault, b.before, b.at) == nil }

// barred is why nothing at all may be written.
func barred(live core.Policy, now core.Judgement, vault, before sheet, at address) error {
	doc, err := documentOf(live, core.VaultKey, at.id)
	if err != nil {
		return err
	}
	key, err := rawjson.ReadObject(doc.Text)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", called(doc), err)
	case now.Revoked:
		return errRevoked
	case vault.deleted || before.deleted:
		return errGone
	case now.Deleting, key.Get("error") != "":
		return errGone
	case vault.tenant() != before.tenant():
		return errMoved
	}
	return nil
}

// findParts lists what may be written, whether it helps or not.
func (b *bench) findParts() error {
	switch {
	case !slices.ContainsFunc(b.lost, func(r core.Requirement) bool { return r.Aspect == core.Access }):
	case b.vault.rbac() && b.before.rbac():
		if err := b.findGrants(); err != nil {
			return err
		}
	case !b.vault.rbac() && !b.before.rbac():
		has := b.vault.keys(b.principal)
		add := slices.DeleteFunc(permitted(b.before, b.principal), func(p string) bool { return holds(has, p) || holds(has, allPermissions) })
		if len(add) > 0 {
			b.parts = append(b.parts, part{namePatch, true, writes{keys: add}})
		}
	}
	versions := b.findVersions()
	if b.q.Key.Network == core.CareRestore && b.lacks(func(name string) bool { return name == vaultNetwork }) {
		if err := b.findOpening(versions); err != nil {
			return err
		}
	}
	if len(versions) > 0 {
		b.parts = append(b.parts, part{nameVersions, false, writes{versions: versions}})
	}
	return nil
}

// findVersions lists the versions of the key that may be enabled.
func (b bench) findVersions() []string {
	ofKey := func(name string) bool { return name == keyEnabled || strings.HasPrefix(name, versionPrefix) }
	if b.q.Key.KeyState != core.CareRestore || !b.lacks(ofKey) {
		return nil
	}
	return repairable(b.live, b.good, b.at)
}

// findOpening adds the least change of the vault's firewall that helps.
func (b *bench) findOpening(versions []string) error {
	without, _, err := b.try(writes{versions: versions})
	if err != nil {
		return err
	}
	for _, o := range openings(b.vault.gate(), b.before.gate()) {
		with, _, err := b.try(writes{opening: o, versions: versions})
		if err != nil {
			return err
		}
		if with > without {
			b.parts = append(b.parts, part{nameNetwork, false, writes{opening: o}})
			return nil
		}
	}
	return nil
}

// lacks says that a property is among the lost.
func (b bench) lacks(is func(permission string) bool) bool {
	return slices.ContainsFunc(b.lost, func(r core.Requirement) bool { return r.Aspect == core.Property && is(r.Permission) })
}

// findGrants adds those of the two roles that live lacks at the vault and the
// snapshot justifies, each under one condition: an assignment can have no more.
func (b *bench) findGrants() error {
	now, err := ledgerOf(b.live, core.AssignedTo(b.at.id, b.principal))
	if err != nil {
		return fmt.Errorf("live policy of %s: %w", b.q.Key.ID, err)
	}
	had, err := givers(b.good, b.q, b.principal)
	if err != nil {
		return fmt.Errorf("snapshot of %s: %w", b.q.Key.ID, err)
	}
	for _, role := range confluent.AzureRoles() {
		if _, there := now.find(b.at.vaultID, b.principal, role.ID); there {
			continue
		}
		best, most := grant{}, -1
		for _, c := range conditionsOf(had, role) {
			g := grant{nameFor(had, b.at, b.principal, role.ID), role.ID, c}
			gained, _, err := b.try(writes{grants: []grant{g}})
			if err != nil {
				return err
			}
			if gained > most {
				best, most = g, gained
			}
		}
		if most >= 0 {
			b.parts = append(b.parts, part{role.Name, true, writes{grants: []grant{best}}})
		}
	}
	return nil
}

// try counts what of the lost comes back by writing something, and says whether
// that may be written.
func (b bench) try(w writes) (gained int, ok bool, err error) {
	result, err := b.with(w)
	if err != nil {
		return 0, false, fmt.Errorf("live policy of %s: %w", b.q.Key.ID, err)
	}
	gained, ok = b.improves(Judge(result, b.q))
	return gained, ok, nil
}

// improves counts what of the lost is back, and says whether that may be
// written: something is, no finding is worse, the watchdog keeps its rights, and
// somebody can use the key.
func (b bench) improves(then core.Judgement) (gained int, ok bool) {
	if rank(then.Writable) < rank(b.now.Writable) || len(then.Findings) != len(b.now.Findings) || then.Disabled {
		return 0, false
	}
	for i, f := range then.Findings {
		before := b.now.Findings[i].Result
		if rank(f.Result) < rank(before) {
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

// rank orders results from worst to best.
func rank(r core.Result) int {
	switch r {
	case core.Met:
		return 2
	case core.Undetermined:
		return 1
	}
	return 0
}

// candidate makes the steps that write something.
func (b bench) candidate(name string, what writes) (core.Candidate, error) {
	c := core.Candidate{Name: name}
	if len(what.grants) > 0 {
		c.After = replacing
	}
	var err error
	if c.Result, err = b.with(what); err != nil {
		return c, err
	}
	if c.Steps, err = b.steps(what); err != nil {
		return c, err
	}
	c.Left, err = b.left(c.Result, what)
	return c, err
}
