package gcpkms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// grant is one binding of an IAM policy: who has which role under which
// condition. Its text stays as it was written.
type grant struct {
	object    rawjson.Object
	role      string
	condition string // the JSON text, "" where there is none
	members   []string
}

// sheet is an IAM policy that can be edited without touching what the edit does
// not name.
type sheet struct {
	object rawjson.Object
	list   rawjson.List // of bindings, in step with grants
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
	if s.object, err = rawjson.ReadObject(text); err != nil {
		return s, fmt.Errorf("IAM policy: %w", err)
	}
	bindings := s.object.Get("bindings")
	if bindings == "" || bindings == "null" {
		return s, nil
	}
	if s.list, err = rawjson.CutList(bindings); err != nil {
		return s, fmt.Errorf("bindings: %w", err)
	}
	for i, e := range s.list.Elements {
		g, err := readGrant(e.Value)
		if err != nil {
			return s, fmt.Errorf("binding %d: %w", i, err)
		}
		s.grants = append(s.grants, g)
	}
	return s, nil
}

func readGrant(text string) (grant, error) {
	o, err := rawjson.CutObject(text)
	if err != nil {
		return grant{}, err
	}
	g := grant{object: o, role: rawjson.Unquote(o.Get("role")), condition: o.Get("condition")}
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
	members := o.Get("members")
	if members == "" || members == "null" {
		return g, nil
	}
	l, err := rawjson.CutList(members)
	if err != nil {
		return g, fmt.Errorf("members: %w", err)
	}
	for _, e := range l.Elements {
		m := rawjson.Unquote(e.Value)
		if m == "" {
			return g, errors.New("a member is not a text")
		}
		g.members = append(g.members, m)
	}
	return g, nil
}

// etag is what a write of the policy must name; "" where none was read.
func (s sheet) etag() string { return rawjson.Unquote(s.object.Get("etag")) }

// addition is what a restore may add for Confluent's group: a role under a
// condition.
type addition struct{ role, condition string }

func (g grant) is(a addition) bool {
	return g.role == a.role && sameCondition(g.condition, a.condition)
}

// sameCondition compares two conditions as a whole: their titles are what
// people know them by.
func sameCondition(a, b string) bool {
	return a == b || a != "" && b != "" && rawjson.Same(a, b)
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
	out := rawjson.List{Tail: s.list.Tail}
	for i, e := range s.list.Elements {
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
			out.Elements = append(out.Elements, rawjson.Element{Gap: e.Gap, Value: text})
		}
	}
	for _, a := range left {
		out = out.Add(s.binding(a, group))
	}
	return s.written(out), nil
}

// written is the policy's text with other bindings.
func (s sheet) written(bindings rawjson.List) string {
	return s.object.With("bindings", bindings.String()).With("version", "3").String()
}

// revived is the binding's text without the deleted members of the group and,
// if wanted, with the group itself: in the place of the first of them, else at
// the end. It is "" if nobody is left.
func (g grant) revived(group string, wanted bool) (string, error) {
	if !wanted && !slices.ContainsFunc(g.members, func(m string) bool { return isDeadGroup(m, group) }) {
		return g.object.String(), nil
	}
	var l rawjson.List
	if len(g.members) > 0 {
		var err error
		if l, err = rawjson.CutList(g.object.Get("members")); err != nil {
			return "", fmt.Errorf("members: %w", err)
		}
	}
	out := rawjson.List{Tail: l.Tail}
	for i, e := range l.Elements {
		if isDeadGroup(g.members[i], group) {
			if !wanted {
				continue
			}
			e.Value, wanted = rawjson.Quote("group:"+group), false
		}
		out.Elements = append(out.Elements, e)
	}
	if wanted {
		out = out.Add(rawjson.Quote("group:" + group))
	}
	if len(out.Elements) == 0 {
		return "", nil
	}
	return g.object.With("members", out.String()).String(), nil
}

// binding is the text of a new binding, spaced like the last one of the policy.
func (s sheet) binding(a addition, group string) string {
	model := rawjson.Object{Members: []rawjson.Member{{Colon: ": "}}}
	list := rawjson.List{Elements: []rawjson.Element{{}}}
	if n := len(s.grants); n > 0 && len(s.grants[n-1].object.Members) > 0 {
		model = s.grants[n-1].object
		if l, err := rawjson.CutList(model.Get("members")); err == nil && len(l.Elements) > 0 {
			list = l
		}
	}
	out := rawjson.Object{Tail: model.Tail}
	add := func(name, value string) {
		gap := model.Members[0].Gap
		if gap == "" && len(out.Members) > 0 {
			gap = " "
		}
		out.Members = append(out.Members, rawjson.Member{Gap: gap, Name: rawjson.Quote(name), Colon: model.Members[0].Colon, Value: value})
	}
	if a.condition != "" {
		add("condition", a.condition)
	}
	add("members", rawjson.List{Elements: []rawjson.Element{{Gap: list.Elements[0].Gap, Value: rawjson.Quote("group:" + group)}}, Tail: list.Tail}.String())
	add("role", rawjson.Quote(a.role))
	return out.String()
}

// isGroup says that a member is the group. Addresses are compared without
// regard to case, of ASCII alone.
// Source: https://github.com/hashicorp/terraform-provider-google/issues/5107
func isGroup(member, group string) bool {
	address, ok := strings.CutPrefix(member, "group:")
	return ok && wording.Same(address, group)
}

// isDeadGroup says that a member is what IAM makes of the group's name once it
// is deleted: deleted:group:ADDRESS?uid=NUMBER.
// Source: https://cloud.google.com/iam/docs/reference/rest/v1/Policy#binding
func isDeadGroup(member, group string) bool {
	rest, ok := strings.CutPrefix(member, "deleted:group:")
	address, uid, found := strings.Cut(rest, "?uid=")
	return ok && found && uid != "" && strings.Trim(uid, "0123456789") == "" && wording.Same(address, group)
}

// covers says that what a member is given, the group has: it is the group
// itself or everybody.
// Source: https://cloud.google.com/iam/docs/principals-overview
func covers(member, group string) bool {
	return isGroup(member, group) || member == "allUsers" || member == "allAuthenticatedUsers"
}

// withText is p with another text in one of its documents.
func withText(p core.Policy, kind core.Kind, id, text string) core.Policy {
	return p.With(core.Document{Kind: kind, ID: id, Text: text})
}
