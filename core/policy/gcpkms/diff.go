package gcpkms

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/compare"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// Diff lists what changes between two policies by what they mean: who has which
// role under which condition on which resource, what the roles give, what is
// denied, the state of key and versions. Order, spelling and how members are
// divided among bindings are nothing. What goes comes before what is new. A
// document that only one side has is compared with nothing where it is a
// policy, and left out where it is a role, since roles are read with the
// bindings that name them.
func Diff(from, to core.Policy) []core.Difference {
	name := func(ref core.Ref) string { return fmt.Sprintf("%s of %s", ref.Kind, ref.ID) }
	return compare.Policies(from, to, name, func(d compare.Pair) ([]core.Difference, error) {
		switch {
		case d.Kind == core.IAMPolicy:
			return diffPolicies(d.ID, d.Was.Text, d.Is.Text)
		case d.Kind == core.DenyPolicies:
			return diffDenies(d.ID, d.Was.Text, d.Is.Text)
		case d.Kind == core.Role && d.Both:
			return diffRoles(d.ID, from, to)
		case d.Kind == core.CryptoKeyVersions && d.Both:
			return diffVersions(d.ID, from, to)
		case d.Kind == core.CryptoKey && d.Both:
			return diffKeys(d.Was.Text, d.Is.Text)
		}
		return nil, nil
	})
}

// share is one member's part of a binding. Conditions are compared by what they
// say, members without regard to the case of their address.
type share struct{ role, expression, member string }

// shares lists the parts of a policy in order, and how each member is written.
func shares(text string) ([]share, map[share]string, error) {
	written := map[share]string{}
	if text == "" {
		return nil, written, nil
	}
	s, err := readSheet(text)
	if err != nil {
		return nil, nil, err
	}
	var out []share
	for _, g := range s.grants {
		expression := ""
		if g.condition != "" {
			o, err := rawjson.ReadObject(g.condition)
			if err != nil {
				return nil, nil, err
			}
			expression = rawjson.Unquote(o.Get("expression"))
		}
		for _, m := range g.members {
			sh := share{g.role, expression, foldMember(m)}
			if written[sh] == "" {
				written[sh] = m
				out = append(out, sh)
			}
		}
	}
	return out, written, nil
}

// foldMember folds what IAM folds: the address of a person, group or service
// account. The names of principal sets keep their case.
func foldMember(m string) string {
	if strings.HasPrefix(m, "principal") {
		return m
	}
	return wording.Lower(m)
}

func diffPolicies(level, was, is string) ([]core.Difference, error) {
	before, spelledBefore, err := shares(was)
	if err != nil {
		return nil, err
	}
	after, spelled, err := shares(is)
	if err != nil {
		return nil, err
	}
	var out []core.Difference
	for _, s := range before {
		if spelled[s] != "" {
			continue
		}
		d := core.Difference{Change: core.Withdraws, Text: fmt.Sprintf("%s no longer has %s on %s%s", person(spelledBefore[s]), s.role, level, s.where())}
		if strings.HasPrefix(spelledBefore[s], "deleted:") {
			d = compare.Other("%s, which IAM knows as deleted, no longer stands with %s on %s%s", spelledBefore[s], s.role, level, s.where())
		}
		out = append(out, d)
	}
	for _, s := range after {
		if spelledBefore[s] != "" {
			continue
		}
		d := core.Difference{Change: core.Admits, Text: fmt.Sprintf("%s has %s on %s%s", person(spelled[s]), s.role, level, s.where()), Principal: person(spelled[s])}
		if strings.HasPrefix(spelled[s], "deleted:") {
			d = compare.Other("%s, which IAM knows as deleted, stands with %s on %s and gets nothing by it%s", spelled[s], s.role, level, s.where())
		}
		out = append(out, d)
	}
	return out, nil
}

func (s share) where() string {
	if s.expression == "" {
		return ""
	}
	return " where " + s.expression
}

// person is a member as people say it.
func person(member string) string {
	switch member {
	case "allUsers":
		return "everybody (allUsers)"
	case "allAuthenticatedUsers":
		return "everybody with a Google account (allAuthenticatedUsers)"
	}
	return member
}

// diffRoles tells what a role that both sides know gives more or less.
func diffRoles(name string, from, to core.Policy) ([]core.Difference, error) {
	was, err := readRole(from, name)
	if err != nil {
		return nil, err
	}
	is, err := readRole(to, name)
	if err != nil {
		return nil, err
	}
	var out []core.Difference
	before, after := was.gives(), is.gives()
	if less := missingFrom(before, after); len(less) > 0 {
		out = append(out, core.Difference{Change: core.Withdraws, Text: fmt.Sprintf("role %s%s no longer gives %s", name, is.condition(), strings.Join(less, ", "))})
	}
	if more := missingFrom(after, before); len(more) > 0 {
		out = append(out, core.Difference{Change: core.Admits, Text: fmt.Sprintf("role %s now gives %s", name, strings.Join(more, ", ")), Principal: "whoever has " + name})
	}
	if len(out) == 0 && was.condition() != is.condition() {
		out = append(out, compare.Other("role %s was%s and is%s", name, orAlive(was), orAlive(is)))
	}
	return out, nil
}

// gives lists what the role gives now: nothing while disabled or deleted.
// Source: https://cloud.google.com/iam/docs/creating-custom-roles
func (r roleText) gives() []string {
	if r.condition() != "" {
		return nil
	}
	return r.IncludedPermissions
}

func (r roleText) condition() string {
	switch {
	case r.Deleted:
		return " (deleted)"
	case r.Stage == "DISABLED":
		return " (disabled)"
	}
	return ""
}

func orAlive(r roleText) string {
	if c := r.condition(); c != "" {
		return c
	}
	return " in use"
}

func missingFrom(list, other []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(other, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}
