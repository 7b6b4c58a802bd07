package gcpkms

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
)

// Trim is what a snapshot keeps of a Google Cloud key: what reaches Confluent,
// and what a restore and a digest need. Of an IAM policy that is the bindings
// of Confluent's group and of everybody, without their other members: who else
// may do what on a key or in a project changes all the time, and is nobody's
// business here. Then the roles of those bindings, predefined ones with the
// permissions that Confluent needs and no others, since Google adds to them as
// it likes; the deny policies; the key and the state of its versions.
//
// What is kept keeps its text. A document that can't be read or does not parse
// stays as it is, so that its digest stays empty. Trim of a trimmed policy is
// that policy.
func Trim(p core.Policy, q core.Question) core.Policy {
	roles := map[string]bool{}
	out := make(core.Policy, 0, len(p))
	for _, d := range p {
		if d.Kind == core.IAMPolicy && d.Unreadable == "" {
			d.Text = trimPolicy(d.Text, q.Key.Needs.Group, roles)
		}
		if d.Kind == core.CryptoKeyVersions && d.Unreadable == "" {
			d.Text = trimVersions(d.Text)
		}
		out = append(out, d)
	}
	kept := out[:0]
	for _, d := range out {
		if d.Kind == core.Role && d.Unreadable == "" {
			if d.ID != "" && !roles[d.ID] {
				continue
			}
			d.Text = trimRole(d.Text)
		}
		kept = append(kept, d)
	}
	return kept
}

// reaches says that a binding's member stands for Confluent: the group, dead or
// alive, or everybody.
func reaches(member, group string) bool { return covers(member, group) || isDeadGroup(member, group) }

func trimPolicy(text, group string, roles map[string]bool) string {
	s, err := readSheet(text)
	if err != nil {
		return text
	}
	bindings := jsonList{tail: s.list.tail}
	for i, g := range s.grants {
		l, err := cutList(g.object.get("members"))
		if err != nil {
			continue // without members
		}
		members := jsonList{tail: l.tail}
		for j, m := range g.members {
			if reaches(m, group) {
				members.elements = append(members.elements, l.elements[j])
			}
		}
		if len(members.elements) > 0 {
			roles[g.role] = true
			bindings.elements = append(bindings.elements, jsonElement{s.list.elements[i].gap, g.object.with("members", members.String()).String()})
		}
	}
	o := s.object.only("bindings", "etag", "version")
	if s.object.get("bindings") != "" {
		o = o.with("bindings", bindings.String())
	}
	return o.String()
}

func trimVersions(text string) string {
	l, err := readList(text)
	if err != nil {
		return text
	}
	for i, e := range l.elements {
		o, err := cutObject(e.value)
		if err != nil {
			return text
		}
		l.elements[i].value = o.only("name", "state", "algorithm", "protectionLevel", "destroyTime").String()
	}
	return l.String()
}

func trimRole(text string) string {
	o, err := readObject(text)
	if err != nil || custom(unquote(o.get("name"))) {
		return text
	}
	l, err := cutList(o.get("includedPermissions"))
	if err != nil {
		return text
	}
	needed := jsonList{tail: l.tail}
	for _, e := range l.elements {
		if slices.ContainsFunc(confluent.GCPPermissions(), func(p confluent.Permission) bool { return p.Name == unquote(e.value) }) {
			needed.elements = append(needed.elements, e)
		}
	}
	return o.with("includedPermissions", needed.String()).String()
}
