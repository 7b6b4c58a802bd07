package azurekv

import (
	"errors"
	"fmt"
	"slices"

	"byokwatch/core"
)

var (
	errRevoked = errors.New("the key is revoked")
	errGone    = errors.New("the vault or the key is deleted")
	errMoved   = errors.New("the vault is in another tenant than in the snapshot")
)

// Guard is the last thing before any step. It trusts nothing that [Candidates]
// says: it reads the steps and the documents themselves, and returns an error
// unless
//   - each step is one that may be, to the letter of its ID, body and command, on
//     this key or its vault, and none comes twice;
//   - a role assignment is one of the two roles that Confluent asks for, at the
//     vault, to Confluent's configured principal, under its name of the snapshot
//     or a derived one; the snapshot gave all that Confluent needs of the role
//     under this very condition of its own, or without any; and live has no
//     assignment of the role there, under whatever condition;
//   - an access policy is the configured principal's own and gains only key
//     permissions that its entry in the snapshot had and live has not, of those
//     that stand in for the two roles;
//   - either stands under the permission model that both live and snapshot have;
//   - of the vault's firewall, where its owner opted in, only the three values that
//     open it change, to those of the snapshot that open it, and all its rules stay;
//   - a version is enabled only where its owner opted in, from disabled, and the
//     snapshot shows it enabled;
//   - the result is live with exactly that, and somebody can use the key.
//
// A key that is revoked, deleted or moved to another tenant is never written.
// verified is of no use: the snapshot is never written as a whole.
func Guard(live, good core.Policy, c core.Candidate, q core.Question, verified bool) error {
	if err := guard(live, good, c, q); err != nil {
		return fmt.Errorf("write guard: candidate %s for %s: %w", c.Name, q.Key.ID, err)
	}
	return nil
}

func guard(live, good core.Policy, c core.Candidate, q core.Question) error {
	g := guarded{good: good, q: q}
	if err := g.begin(live); err != nil {
		return err
	}
	w, err := readSteps(c.Steps, g.scene)
	if err != nil {
		return err
	}
	for _, rule := range []func(writes) error{g.grants, g.keys, g.opening, g.versions} {
		if err := rule(w); err != nil {
			return err
		}
	}
	return g.result(w, c.Result)
}

// guarded is what the rules look at.
type guarded struct {
	scene
	good   core.Policy
	q      core.Question
	before sheet // the vault in the snapshot
}

// begin refuses what may not be written at all.
func (g *guarded) begin(live core.Policy) error {
	var err error
	if g.scene, err = newScene(live, g.q.Key); err != nil {
		return err
	}
	if g.before, err = sheetOf(g.good, g.at.vaultID); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	now := Judge(g.live, g.q)
	switch {
	case now.Digest == "":
		return errors.New("live can't be judged")
	case Judge(g.good, g.q).Digest == "":
		return errors.New("the snapshot can't be judged")
	case g.vault.revokes(g.at.key):
		return errRevoked
	}
	return barred(g.live, now, g.vault, g.before, g.at)
}

// grants are the rules on role assignments.
func (g *guarded) grants(w writes) error {
	if len(w.grants) == 0 {
		return nil
	}
	if !g.vault.rbac() || !g.before.rbac() {
		return errors.New("it assigns roles, and the vault does not use Azure RBAC both now and in the snapshot")
	}
	now, err := ledgerOf(g.live, core.AssignedTo(g.at.id, g.principal))
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	had, err := givers(g.good, g.q, g.principal)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	for _, n := range w.grants {
		role, ok := documented(n.role)
		_, there := now.find(g.at.vaultID, g.principal, n.role)
		switch {
		case !ok:
			return fmt.Errorf("it assigns %s, which is not a role that Confluent asks for", n.role)
		case there:
			return fmt.Errorf("live has %s there already", role.Name)
		case n.name != nameFor(had, g.at, g.principal, n.role) && n.name != derivedName(g.at.vaultID, g.principal, n.role):
			return fmt.Errorf("it calls the assignment %s", n.name)
		case !gaveUnder(had, role, n.when):
			return fmt.Errorf("it assigns %s wider than the snapshot gave what is in it, under a condition that is not the snapshot's, or gives what that did not", role.Name)
		}
	}
	return nil
}

// keys are the rules on the access policy.
func (g *guarded) keys(w writes) error {
	if len(w.keys) == 0 {
		return nil
	}
	if g.vault.rbac() || g.before.rbac() {
		return errors.New("it adds to access policies, and the vault does not use those both now and in the snapshot")
	}
	may, has := permitted(g.before, g.principal), g.vault.keys(g.principal)
	for i, p := range w.keys {
		switch {
		case !slices.Contains(may, p):
			return fmt.Errorf("it adds the key permission %q, which the snapshot's own access policy has not, or Confluent does not ask for", p)
		case holds(has, p) || holds(has, allPermissions) || slices.Contains(w.keys[:i], p):
			return fmt.Errorf("it adds the key permission %q, which is there", p)
		}
	}
	return nil
}

// opening are the rules on the vault's firewall. That its rules stay follows
// from the step, which is made of live's.
func (g *guarded) opening(w writes) error {
	if w.opening == (opening{}) {
		return nil
	}
	if g.q.Key.Network != core.CareRestore {
		return errors.New("changing network rules was not opted in to")
	}
	now, before := g.vault.gate(), g.before.gate()
	for _, v := range []struct {
		name, next, now, before string
		values                  []string
	}{
		{"bypass", w.opening.bypass, now.bypass, before.bypass, bypasses},
		{"defaultAction", w.opening.action, now.action, before.action, actions},
		{"publicNetworkAccess", w.opening.public, now.public, before.public, publics},
	} {
		if v.next != "" && (v.next != v.before || !opens(v.now, v.next, v.values)) {
			return fmt.Errorf("it sets %s to %q, which is not to let in again what the snapshot let in", v.name, v.next)
		}
	}
	return nil
}

// versions are the rules on the versions of the key.
func (g *guarded) versions(w writes) error {
	if len(w.versions) == 0 {
		return nil
	}
	if g.q.Key.KeyState != core.CareRestore {
		return errors.New("enabling key versions was not opted in to")
	}
	now, _, err := editionsOf(g.live, g.at)
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	before, _, err := editionsOf(g.good, g.at)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	for _, v := range w.versions {
		if !slices.Contains(now, edition{v, "false"}) || !slices.Contains(before, edition{v, "true"}) {
			return fmt.Errorf("version %s may only be enabled where it is disabled and was enabled in the snapshot", v)
		}
	}
	return nil
}

// result checks that the result is live with what the steps write and nothing
// else. Of documents that no step writes it compares the meaning: live may have
// been read again since.
func (g *guarded) result(w writes, result core.Policy) error {
	want, err := g.with(w)
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	if !slices.EqualFunc(result, want, func(a, b core.Document) bool {
		return a.Ref() == b.Ref() && (a.Unreadable == "") == (b.Unreadable == "")
	}) {
		return errors.New("its result has other documents than live")
	}
	is, then := Judge(result, g.q), Judge(want, g.q)
	switch {
	case is.Digest == "" || is.Digest != then.Digest:
		return errors.New("its result is not live with what its steps write")
	case is.Disabled:
		return errors.New("nobody could use the key")
	}
	return nil
}
