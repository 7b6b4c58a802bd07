package gcpkms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
)

// grant is one binding of an IAM policy: who has which role under which
// condition. Its text stays as it was written.
type grant struct {
	object    jsonObject
	role      string
	condition string // the JSON text, "" where there is none
	members   []string
}

// sheet is an IAM policy that can be edited without touching what the edit does
// not name.
type sheet struct {
	object jsonObject
	list   jsonList // of bindings, in step with grants
	grants []grant
}

// readSheet reads the text of an IAM policy. A policy whose conditions were
// left out by an old form of reading is an error: to write it back would lose
// them.
//
// Sources: https://cloud.google.com/iam/docs/reference/rest/v1/Policy,
// https://cloud.google.com/iam/docs/troubleshoot-withcond
func readSheet(text string) (sheet, error) {
	var s sheet
	var err error
	if s.object, err = readObject(text); err != nil {
		return s, fmt.Errorf("IAM policy: %w", err)
	}
	bindings := s.object.get("bindings")
	if bindings == "" || bindings == "null" {
		return s, nil
	}
	if s.list, err = cutList(bindings); err != nil {
		return s, fmt.Errorf("bindings: %w", err)
	}
	for i, e := range s.list.elements {
		g, err := readGrant(e.value)
		if err != nil {
			return s, fmt.Errorf("binding %d: %w", i, err)
		}
		s.grants = append(s.grants, g)
	}
	return s, nil
}

func readGrant(text string) (grant, error) {
	o, err := cutObject(text)
	if err != nil {
		return grant{}, err
	}
	g := grant{object: o, role: unquote(o.get("role")), condition: o.get("condition")}
	if g.condition == "null" {
		g.condition = ""
	}
	switch {
	case g.role == "":
		return g, errors.New("it names no role")
	case strings.Contains(g.role, "_withcond_"):
		return g, fmt.Errorf("role %q stands for one with a condition that was not read: the policy must be read in version 3", g.role)
	case g.condition != "" && g.condition[0] != '{':
		return g, errors.New("its condition is not an object")
	}
	members := o.get("members")
	if members == "" || members == "null" {
		return g, nil
	}
	l, err := cutList(members)
	if err != nil {
		return g, fmt.Errorf("members: %w", err)
	}
	for _, e := range l.elements {
		m := unquote(e.value)
		if m == "" {
			return g, errors.New("a member is not a text")
		}
		g.members = append(g.members, m)
	}
	return g, nil
}

// etag is what a write of the policy must name; "" where none was read.
func (s sheet) etag() string { return unquote(s.object.get("etag")) }

// addition is what a restore may add for Confluent's group: a role under a
// condition.
type addition struct{ role, condition string }

func (g grant) is(a addition) bool {
	return g.role == a.role && sameCondition(g.condition, a.condition)
}

// sameCondition compares two conditions as a whole: their titles are what
// people know them by.
func sameCondition(a, b string) bool {
	return a == b || a != "" && b != "" && sameJSON(a, b)
}

// has says that the group already has what an addition would give.
func (s sheet) has(a addition, group string) bool {
	return slices.ContainsFunc(s.grants, func(g grant) bool {
		return g.is(a) && slices.ContainsFunc(g.members, func(m string) bool { return isGroup(m, group) })
	})
}

// dead says that the policy names the group as one that was deleted.
func (s sheet) dead(group string) bool {
	return slices.ContainsFunc(s.grants, func(g grant) bool {
		return slices.ContainsFunc(g.members, func(m string) bool { return isDeadGroup(m, group) })
	})
}

// given is the policy's text once the group has the additions: everybody else's
// bindings to the byte, version 3, the etag that was read. Where the policy
// names the group as deleted, it takes that member's place, since IAM refuses a
// policy that names it both ways.
//
// Sources: https://cloud.google.com/iam/docs/reference/rest/v1/Policy,
// https://github.com/GoogleCloudPlatform/k8s-config-connector/issues/279
func (s sheet) given(additions []addition, group string) (string, error) {
	if s.etag() == "" {
		return "", errors.New("the policy has no etag, without which a write could undo somebody else's")
	}
	left := slices.DeleteFunc(slices.Clone(additions), func(a addition) bool { return s.has(a, group) })
	out := jsonList{tail: s.list.tail}
	for i, e := range s.list.elements {
		g := s.grants[i]
		wanted := slices.IndexFunc(left, g.is)
		text, err := g.revived(group, wanted >= 0)
		if err != nil {
			return "", err
		}
		if wanted >= 0 {
			left = slices.Delete(left, wanted, wanted+1)
		}
		if text != "" {
			out.elements = append(out.elements, jsonElement{e.gap, text})
		}
	}
	for _, a := range left {
		out = out.add(s.binding(a, group))
	}
	return s.written(out), nil
}

// written is the policy's text with other bindings.
func (s sheet) written(bindings jsonList) string {
	return s.object.with("bindings", bindings.String()).with("version", "3").String()
}

// revived is the binding's text without the deleted members of the group and,
// if wanted, with the group itself: in the place of the first of them, else at
// the end. It is "" if nobody is left.
func (g grant) revived(group string, wanted bool) (string, error) {
	if !wanted && !slices.ContainsFunc(g.members, func(m string) bool { return isDeadGroup(m, group) }) {
		return g.object.String(), nil
	}
	var l jsonList
	if len(g.members) > 0 {
		var err error
		if l, err = cutList(g.object.get("members")); err != nil {
			return "", fmt.Errorf("members: %w", err)
		}
	}
	out := jsonList{tail: l.tail}
	for i, e := range l.elements {
		if isDeadGroup(g.members[i], group) {
			if !wanted {
				continue
			}
			e.value, wanted = quoted("group:"+group), false
		}
		out.elements = append(out.elements, e)
	}
	if wanted {
		out = out.add(quoted("group:" + group))
	}
	if len(out.elements) == 0 {
		return "", nil
	}
	return g.object.with("members", out.String()).String(), nil
}

// binding is the text of a new binding, spaced like the last one of the policy.
func (s sheet) binding(a addition, group string) string {
	model := jsonObject{members: []jsonMember{{colon: ": "}}}
	list := jsonList{elements: []jsonElement{{}}}
	if n := len(s.grants); n > 0 && len(s.grants[n-1].object.members) > 0 {
		model = s.grants[n-1].object
		if l, err := cutList(model.get("members")); err == nil && len(l.elements) > 0 {
			list = l
		}
	}
	out := jsonObject{tail: model.tail}
	add := func(name, value string) {
		gap := model.members[0].gap
		if gap == "" && len(out.members) > 0 {
			gap = " "
		}
		out.members = append(out.members, jsonMember{gap, quoted(name), model.members[0].colon, value})
	}
	if a.condition != "" {
		add("condition", a.condition)
	}
	add("members", jsonList{[]jsonElement{{list.elements[0].gap, quoted("group:" + group)}}, list.tail}.String())
	add("role", quoted(a.role))
	return out.String()
}

// isGroup says that a member is the group. Addresses are compared without
// regard to case, of ASCII alone.
// Source: https://github.com/hashicorp/terraform-provider-google/issues/5107
func isGroup(member, group string) bool {
	address, ok := strings.CutPrefix(member, "group:")
	return ok && foldASCII(address) == foldASCII(group)
}

// isDeadGroup says that a member is what IAM makes of the group's name once it
// is deleted: deleted:group:ADDRESS?uid=NUMBER.
// Source: https://cloud.google.com/iam/docs/reference/rest/v1/Policy#binding
func isDeadGroup(member, group string) bool {
	rest, ok := strings.CutPrefix(member, "deleted:group:")
	address, uid, found := strings.Cut(rest, "?uid=")
	return ok && found && uid != "" && strings.Trim(uid, "0123456789") == "" && foldASCII(address) == foldASCII(group)
}

// covers says that what a member is given, the group has: it is the group
// itself or everybody.
// Source: https://cloud.google.com/iam/docs/principals-overview
func covers(member, group string) bool {
	return isGroup(member, group) || member == "allUsers" || member == "allAuthenticatedUsers"
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// withText is p with another text in one of its documents.
func withText(p core.Policy, kind core.Kind, id, text string) core.Policy {
	return p.With(core.Document{Kind: kind, ID: id, Text: text})
}
