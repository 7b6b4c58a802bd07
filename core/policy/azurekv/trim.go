package azurekv

import (
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// Trim is what a snapshot keeps of an Azure key: what reaches Confluent, and what
// a restore and a digest need. Of the vault that is its place, its permission
// model, the entry of Confluent's service principal, what the firewall does but
// for single addresses, and the owner's mark; of the key and its versions their
// state; of role assignments those to Confluent, with the definitions of their
// roles; and the deny assignments that may hit it. Who else may do what changes
// all the time, and is nobody's business here; the watchdog's own assignments
// are not kept either.
//
// What is kept keeps its text. A policy of which something that decides can't be
// read or does not parse stays as it is, so that its digest stays empty. Trim of
// a trimmed policy is that policy.
func Trim(p core.Policy, q core.Question) core.Policy {
	f, err := read(p, q.Key)
	if err != nil {
		return p
	}
	t := trimmer{court: newCourt(&f, q), roles: map[string]bool{}}
	for _, g := range t.confluent.gifts {
		t.roles[g.item.role] = true
	}
	out := make(core.Policy, 0, len(p))
	for _, d := range p {
		if !f.about(d) {
			continue
		}
		if text, keep := t.trimmed(d); keep {
			d.Text = text
			out = append(out, d)
		}
	}
	return out
}

type trimmer struct {
	*court
	roles map[string]bool // of Confluent's assignments, by GUID
}

// trimmed is the text of a document that is kept, and whether it is at all.
func (t trimmer) trimmed(d core.Document) (string, bool) {
	principal := t.confluent.subject.id
	if d.Kind == core.RoleAssignments && assignedTo(d.ID) != "" && assignedTo(d.ID) != principal {
		return "", false
	}
	if d.Kind == core.RoleDefinitions && !nameless(d.ID) && !t.roles[roleOf(d.ID)] {
		return "", false
	}
	if d.Unreadable != "" {
		return d.Text, true
	}
	text := strings.TrimSpace(d.Text)
	switch d.Kind {
	case core.Vault:
		return t.vault(text), true
	case core.VaultKey:
		return keptKey(text), true
	case core.VaultKeyVersions:
		return eachElement(text, func(_ int, e string) string { return keptKey(e) }), true
	case core.RoleAssignments:
		kept := map[int]bool{}
		for _, g := range t.confluent.gifts {
			if g.roster.doc == d {
				kept[g.item.index] = true
			}
		}
		return eachElement(text, keeping(kept, keptAssignment)), true
	case core.RoleDefinitions:
		return t.definitions(d, text), true
	case core.DenyAssignments:
		return t.denials(d, text), true
	}
	return d.Text, true
}

// keeping drops elements of a list but for some, and trims those.
func keeping(kept map[int]bool, trim func(string) string) func(int, string) string {
	return func(i int, e string) string {
		if !kept[i] {
			return ""
		}
		return trim(e)
	}
}

// eachElement rewrites the elements of a list, also of one that Azure Resource
// Manager wraps; those that become empty go.
func eachElement(text string, rewrite func(i int, element string) string) string {
	if o, err := rawjson.CutObject(text); err == nil {
		return o.Only("value").With("value", eachElement(o.Get("value"), rewrite)).String()
	}
	l, err := rawjson.CutList(text)
	if err != nil {
		return text
	}
	out := rawjson.List{Tail: l.Tail}
	for i, e := range l.Elements {
		if e.Value = rewrite(i, e.Value); e.Value != "" {
			out.Elements = append(out.Elements, e)
		}
	}
	return out.String()
}

// member rewrites a member of an object, if it is there and not null.
func member(o rawjson.Object, name string, rewrite func(rawjson.Object) rawjson.Object) rawjson.Object {
	inner, err := rawjson.CutObject(o.Get(name))
	if err != nil {
		return o
	}
	return o.With(name, rewrite(inner).String())
}

func (t trimmer) vault(text string) string {
	o, err := rawjson.CutObject(text)
	if err != nil {
		return text
	}
	tags := func(o rawjson.Object) rawjson.Object {
		out := rawjson.Object{Tail: o.Tail}
		for _, m := range o.Members {
			if name := rawjson.Unquote(m.Name); wording.Same(name, revocationTag) || wording.Same(name, reasonTag) {
				out.Members = append(out.Members, m)
			}
		}
		return out
	}
	o = o.Only("id", "name", "location", "tags", "properties")
	o = member(o, "tags", tags)
	return member(o, "properties", func(p rawjson.Object) rawjson.Object {
		p = p.Only("tenantId", "vaultUri", "enableRbacAuthorization", "accessPolicies", "networkAcls", "publicNetworkAccess", "enablePurgeProtection",
			"enableSoftDelete", "vaultId", "location", "deletionDate", "scheduledPurgeDate", "purgeProtectionEnabled", "tags")
		if p.Get("accessPolicies") != "" {
			kept := map[int]bool{}
			for _, e := range t.confluent.policies {
				kept[e.index] = true
			}
			p = p.With("accessPolicies", eachElement(p.Get("accessPolicies"), keeping(kept, keptPolicy)))
		}
		p = member(p, "networkAcls", func(a rawjson.Object) rawjson.Object { return a.Only("bypass", "defaultAction") })
		return member(p, "tags", tags)
	}).String()
}

// keptPolicy drops permissions on secrets, certificates and storage.
func keptPolicy(text string) string {
	o, err := rawjson.CutObject(text)
	if err != nil {
		return text
	}
	return member(o, "permissions", func(p rawjson.Object) rawjson.Object { return p.Only("keys") }).String()
}

func keptKey(text string) string {
	o, err := rawjson.CutObject(text)
	if err != nil {
		return text
	}
	attributes := func(a rawjson.Object) rawjson.Object { return a.Only("enabled", "nbf", "exp", "expires", "notBefore") }
	o = member(o.Only("id", "name", "kid", "key", "attributes", "properties", "error"), "attributes", attributes)
	o = member(o, "key", func(k rawjson.Object) rawjson.Object { return k.Only("kid", "kty", "keyOps", "key_ops") })
	return member(o, "properties", func(p rawjson.Object) rawjson.Object {
		return member(p.Only("attributes", "kty", "keyOps", "keySize", "keyUri", "keyUriWithVersion"), "attributes", attributes)
	}).String()
}

func keptAssignment(text string) string {
	members := []string{"scope", "principalId", "principalType", "roleDefinitionId", "roleDefinitionName", "condition", "conditionVersion", "delegatedManagedIdentityResourceId"}
	o, err := rawjson.CutObject(text)
	if err != nil {
		return text
	}
	o = o.Only(append([]string{"id", "name", "type", "properties"}, members...)...)
	return member(o, "properties", func(p rawjson.Object) rawjson.Object { return p.Only(members...) }).String()
}

func (t trimmer) definitions(d core.Document, text string) string {
	kept := map[int]bool{}
	for guid, r := range t.file.roles {
		kept[r.index] = kept[r.index] || r.doc == d && t.roles[guid]
	}
	members := []string{"roleName", "roleType", "permissions", "assignableScopes", "type"}
	return eachElement(text, keeping(kept, func(text string) string {
		o, err := rawjson.CutObject(text)
		if err != nil {
			return text
		}
		o = o.Only(append([]string{"id", "name", "properties"}, members...)...)
		return member(o, "properties", func(p rawjson.Object) rawjson.Object { return p.Only(members...) }).String()
	}))
}

// denials keeps the deny assignments that may take something needed, by whatever
// permission model.
func (t trimmer) denials(d core.Document, text string) string {
	kept := map[int]bool{}
	for _, x := range t.confluent.bans {
		if x.barrier.doc == d && t.takes(x) {
			kept[x.item.index] = true
		}
	}
	return eachElement(text, keeping(kept, func(text string) string { return text }))
}
