package gcpkms

import (
	"errors"
	"fmt"
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/rawjson"
)

// Guard is the last thing before any step. It trusts nothing that [Candidates]
// says: it reads the steps themselves, and returns an error unless
//   - they write this key, to what the candidate's Result says, and nothing
//     else: bindings and etag of its IAM policy, with the etag of live and in
//     version 3, and the state of its versions;
//   - every binding of live is still there, in its order, with its role,
//     condition, members and whatever else it holds; only members that say that
//     Confluent's own group is deleted may go, and a binding that names no one
//     else with them;
//   - whatever is new names Confluent's configured group and nobody else, and
//     is a binding that the snapshot has on this key for it, condition and all,
//     whose custom role gives no more than then; or one of the predefined roles
//     that Confluent documents, all of whose required permissions the snapshot
//     gave without conditions or under this very one;
//   - a version is enabled only where its owner opted in, from disabled, and
//     the snapshot shows it enabled;
//   - somebody can use the key, or the steps see to it.
//
// A revoked key is never written. verified is of no use: the snapshot is never
// written as a whole.
func Guard(live, good core.Policy, c core.Candidate, q core.Question, verified bool) error {
	if err := guard(live, good, c, q); err != nil {
		return fmt.Errorf("write guard: candidate %s for %s: %w", c.Name, q.Key.ID, err)
	}
	return nil
}

func guard(live, good core.Policy, c core.Candidate, q core.Question) error {
	w, err := readSteps(c.Steps, q.Key.ID)
	if err != nil {
		return err
	}
	if Judge(live, q).Revoked {
		return errors.New("the key is revoked")
	}
	if err := guardVersions(live, good, w, q.Key); err != nil {
		return err
	}
	if err := guardResult(live, good, c.Result, w, q); err != nil {
		return err
	}
	if w.policy == "" {
		return nil
	}
	was, err := ownSheet(live, q.Key.ID)
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	next, err := readSheet(w.policy)
	if err != nil {
		return fmt.Errorf("new policy: %w", err)
	}
	g := guarded{live: live, good: good, q: q, was: was, next: next}
	if err := g.sameFrame(); err != nil {
		return err
	}
	return g.onlyGivesBack()
}

// guarded is what the rules on the new policy look at.
type guarded struct {
	live, good core.Policy
	q          core.Question
	was, next  sheet
}

// sameFrame checks all of the policy but its bindings.
func (g guarded) sameFrame() error {
	switch {
	case g.was.etag() == "":
		return errors.New("live has no etag, so that the write could undo somebody else's")
	case g.next.etag() != g.was.etag():
		return fmt.Errorf("it names the etag %q, live has %q", g.next.etag(), g.was.etag())
	case g.next.object.Get("version") != "3":
		return errors.New("it is not written in version 3, which could lose conditions")
	}
	frame := func(s sheet) string { return s.object.Without("bindings").Without("version").Without("etag").String() }
	if !rawjson.Same(frame(g.was), frame(g.next)) {
		return errors.New("it changes more of the policy than bindings and version")
	}
	return nil
}

// onlyGivesBack walks both lists of bindings in step: those of live, then what
// is new.
func (g guarded) onlyGivesBack() error {
	group := g.q.Key.Needs.Group
	if !groupGrammar.MatchString(group) {
		return errors.New("the configured group is no address")
	}
	had := givers(g.good, g.q)
	rest := g.next.grants
	for i, was := range g.was.grants {
		kept := slices.DeleteFunc(slices.Clone(was.members), func(m string) bool { return isDeadGroup(m, group) })
		here := len(rest) > 0 && sameGrant(was, rest[0])
		gives := here && g.extends(kept, rest[0].members)
		switch {
		case gives || here && (slices.Equal(was.members, rest[0].members) || slices.Equal(kept, rest[0].members)):
		case len(kept) == 0 && len(was.members) > 0:
			continue // nobody but a deleted group was in it
		default:
			return fmt.Errorf("binding %d of live, of %s, is gone or changes otherwise than by Confluent's group", i, was.role)
		}
		next := rest[0]
		rest = rest[1:]
		if !gives {
			continue
		}
		if err := g.givenBack(addition{next.role, next.condition}, had); err != nil {
			return err
		}
	}
	for i, next := range rest {
		extra := next.object.Without("role").Without("members").Without("condition")
		if len(extra.Members) > 0 || !slices.Equal(next.members, []string{"group:" + group}) {
			return fmt.Errorf("new binding %d, of %s, is not for Confluent's group alone", i, next.role)
		}
		if err := g.givenBack(addition{next.role, next.condition}, had); err != nil {
			return err
		}
	}
	return nil
}

// sameGrant says that two bindings are one but for their members.
func sameGrant(a, b grant) bool {
	return rawjson.Same(a.object.Without("members").String(), b.object.Without("members").String())
}

// extends says that next is kept with Confluent's group put in, once, at any
// place.
func (g guarded) extends(kept, next []string) bool {
	member := "group:" + g.q.Key.Needs.Group
	at := slices.Index(next, member)
	return at >= 0 && !slices.Contains(kept, member) && slices.Equal(kept, slices.Delete(slices.Clone(next), at, at+1))
}

// givenBack checks one role under one condition that the group is to get.
func (g guarded) givenBack(a addition, had []giver) error {
	own := slices.ContainsFunc(had, func(o giver) bool {
		return o.named && o.level == g.q.Key.ID && o.role == a.role && sameCondition(o.condition, a.condition) && o.givesSomething()
	})
	if own {
		err := roleAsBefore(g.live, g.good, a.role)
		if err == nil {
			return nil
		}
		return fmt.Errorf("it gives %s back: %w", a.role, err)
	}
	i := slices.IndexFunc(confluent.GCPRoles(), func(r confluent.Role) bool { return r.Name == a.role })
	if i < 0 {
		return fmt.Errorf("it gives %s, which the snapshot does not have on the key under this condition and which is not a role that Confluent documents", a.role)
	}
	for _, p := range confluent.GCPRoles()[i].Permissions {
		if !slices.ContainsFunc(had, func(o giver) bool { return within(a.condition, o.condition) && o.gives(p) }) {
			return fmt.Errorf("it gives %s wider than the snapshot gave %s, or gives what that did not", a.role, p)
		}
	}
	return nil
}
