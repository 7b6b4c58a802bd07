package gcpkms

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/rawjson"
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
	bindings := rawjson.List{Tail: s.list.Tail}
	for i, g := range s.grants {
		l, err := rawjson.CutList(g.object.Get("members"))
		if err != nil {
			continue // without members
		}
		members := rawjson.List{Tail: l.Tail}
		for j, m := range g.members {
			if reaches(m, group) {
				members.Elements = append(members.Elements, l.Elements[j])
			}
		}
		if len(members.Elements) > 0 {
			roles[g.role] = true
			bindings.Elements = append(bindings.Elements, rawjson.Element{Gap: s.list.Elements[i].Gap, Value: g.object.With("members", members.String()).String()})
		}
	}
	o := s.object.Only("bindings", "etag", "version")
	if s.object.Get("bindings") != "" {
		o = o.With("bindings", bindings.String())
	}
	return o.String()
}

func trimVersions(text string) string {
	l, err := rawjson.ReadList(text)
	if err != nil {
		return text
	}
	for i, e := range l.Elements {
		o, err := rawjson.CutObject(e.Value)
		if err != nil {
			return text
		}
		l.Elements[i].Value = o.Only("name", "state", "algorithm", "protectionLevel", "destroyTime").String()
	}
	return l.String()
}

func trimRole(text string) string {
	o, err := rawjson.ReadObject(text)
	if err != nil || custom(rawjson.Unquote(o.Get("name"))) {
		return text
	}
	l, err := rawjson.CutList(o.Get("includedPermissions"))
	if err != nil {
		return text
	}
	needed := rawjson.List{Tail: l.Tail}
	for _, e := range l.Elements {
		if slices.ContainsFunc(confluent.GCPPermissions(), func(p confluent.Permission) bool { return p.Name == rawjson.Unquote(e.Value) }) {
			needed.Elements = append(needed.Elements, e)
		}
	}
	return o.With("includedPermissions", needed.String()).String()
}
