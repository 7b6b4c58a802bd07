package azurekv

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/rawjson"
)

// writes is what a restore writes, whatever the steps that do so.
type writes struct {
	grants   []grant  // role assignments at the vault
	keys     []string // key permissions for Confluent's access policy
	opening  opening
	versions []string // of the key, to be enabled
}

// opening is what changes of the vault's firewall. "" leaves a value as it is.
type opening struct{ bypass, action, public string }

// scene is what a restore writes on: a live policy and its vault's description,
// for one key and principal.
type scene struct {
	live      core.Policy
	at        address
	principal string // Confluent's
	vault     sheet
}

func newScene(live core.Policy, k core.Key) (scene, error) {
	s := scene{live: live}
	var err error
	if s.at, err = addressOf(k); err != nil {
		return s, err
	}
	if s.principal, err = principalOf(k); err != nil {
		return s, err
	}
	if s.vault, err = sheetOf(live, s.at.vaultID); err != nil {
		return s, fmt.Errorf("live: %w", err)
	}
	return s, nil
}

// with is the policy as it reads once all is written.
func (s scene) with(w writes) (core.Policy, error) {
	out := s.live
	if len(w.grants) > 0 {
		id := core.AssignedTo(s.at.id, s.principal)
		l, err := ledgerOf(s.live, id)
		if err != nil {
			return nil, err
		}
		list := l.list
		for _, g := range w.grants {
			list = list.Add(l.assigned(s.at, g, s.principal))
		}
		out = withText(out, core.RoleAssignments, id, l.with(list))
	}
	if len(w.keys) > 0 || w.opening != (opening{}) {
		vault, err := s.vault.added(s.principal, w.keys)
		if err != nil {
			return nil, err
		}
		out = withText(out, core.Vault, s.at.vaultID, vault.opened(w.opening).text())
	}
	return enabled(out, s.at, w.versions)
}

// steps are the calls that write it: access first, so that nothing that may be
// refused comes before it.
func (s scene) steps(w writes) ([]core.Step, error) {
	var out []core.Step
	var failed error
	add := func(step core.Step, err error) {
		out = append(out, step)
		if failed == nil {
			failed = err
		}
	}
	for _, g := range w.grants {
		add(s.at.assignStep(g, s.principal))
	}
	if len(w.keys) > 0 {
		add(s.at.policyStep(s.vault.tenant(), s.principal, w.keys, s.vault.keys(s.principal)))
	}
	if w.opening != (opening{}) {
		add(s.at.vaultStep(w.opening, s.vault.rulesFor(w.opening)))
	}
	for _, v := range w.versions {
		add(s.at.versionStep(v))
	}
	if failed != nil {
		return nil, failed
	}
	return out, nil
}

// assigned is the text of a new role assignment as az lists it, spaced like the
// last one of the list.
func (l ledger) assigned(at address, g grant, principal string) string {
	optional := func(s string) string {
		if s == "" {
			return "null"
		}
		return rawjson.Quote(s)
	}
	o := l.blank()
	for _, m := range [][2]string{
		{"condition", optional(g.when.text)}, {"conditionVersion", optional(g.when.version)},
		{"id", rawjson.Quote(assignmentID(at.vaultID, g.name))}, {"name", rawjson.Quote(g.name)},
		{"principalId", rawjson.Quote(principal)}, {"principalType", rawjson.Quote(servicePrincipal)},
		{"roleDefinitionId", rawjson.Quote(at.definition(g.role))}, {"scope", rawjson.Quote(at.vaultID)},
		{"type", `"Microsoft.Authorization/roleAssignments"`},
	} {
		o.Members = append(o.Members, l.member(len(o.Members), m[0], m[1]))
	}
	return o.String()
}

// blank is an object without members that ends like the last one of the list.
func (l ledger) blank() rawjson.Object {
	if n := len(l.list.Elements); n > 0 {
		if model, err := rawjson.CutObject(l.list.Elements[n-1].Value); err == nil {
			return rawjson.Object{Tail: model.Tail}
		}
	}
	return rawjson.Object{}
}

// member is a member spaced like the first one of the list's last object.
func (l ledger) member(i int, name, value string) rawjson.Member {
	m := rawjson.Member{Name: rawjson.Quote(name), Colon: ": ", Value: value}
	if n := len(l.list.Elements); n > 0 {
		if model, err := rawjson.CutObject(l.list.Elements[n-1].Value); err == nil && len(model.Members) > 0 {
			m.Gap, m.Colon = model.Members[0].Gap, model.Members[0].Colon
		}
	}
	if m.Gap == "" && i > 0 {
		m.Gap = " "
	}
	return m
}

// text is the vault's description again.
func (s sheet) text() string { return s.object.With("properties", s.properties.String()).String() }

// added is the vault once Confluent's own access policy has more key
// permissions: in the entry that it has, else in a new one.
func (s sheet) added(principal string, keys []string) (sheet, error) {
	if len(keys) == 0 {
		return s, nil
	}
	i := slices.IndexFunc(s.entries, func(e entry) bool { return e.is(s.tenant(), principal) })
	list := rawjson.List{Elements: slices.Clone(s.list.Elements), Tail: s.list.Tail}
	if i < 0 {
		list = list.Add(newEntry(s.tenant(), principal, keys))
	} else {
		e, err := s.entries[i].with(keys)
		if err != nil {
			return s, fmt.Errorf("access policy %d: %w", i, err)
		}
		list.Elements[i].Value = e
	}
	s.properties = s.properties.With("accessPolicies", list.String())
	return s, nil
}

func newEntry(tenant, principal string, keys []string) string {
	return `{"tenantId": ` + rawjson.Quote(tenant) + `, "objectId": ` + rawjson.Quote(principal) + `, "permissions": {"keys": ` + quotedList(keys) + `}}`
}

func quotedList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = rawjson.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// with is the entry's text with more key permissions.
func (e entry) with(keys []string) (string, error) {
	permissions, list := rawjson.Object{}, rawjson.List{}
	var err error
	if text := e.object.Get("permissions"); !none(text) {
		if permissions, err = rawjson.CutObject(text); err != nil {
			return "", err
		}
	}
	if text := permissions.Get("keys"); !none(text) {
		if list, err = rawjson.CutList(text); err != nil {
			return "", err
		}
	}
	for _, k := range keys {
		list = list.Add(rawjson.Quote(k))
	}
	return e.object.With("permissions", permissions.With("keys", list.String()).String()).String(), nil
}

// opened is the vault once its firewall is changed.
func (s sheet) opened(o opening) sheet {
	if rules := s.rulesFor(o); rules != "" {
		s.properties = s.properties.With("networkAcls", rules)
	}
	if o.public != "" {
		s.properties = s.properties.With("publicNetworkAccess", rawjson.Quote(o.public))
	}
	return s
}

// rules is the vault's networkAcls, without members where it has none.
func (s sheet) rules() rawjson.Object {
	o, err := rawjson.CutObject(s.properties.Get("networkAcls"))
	if err != nil {
		return rawjson.Object{}
	}
	return o
}

// rulesFor is all of networkAcls once the firewall is changed, "" where that
// does not touch them.
func (s sheet) rulesFor(o opening) string {
	rules := s.rules()
	if o.bypass == "" && o.action == "" {
		return ""
	}
	if o.bypass != "" {
		rules = rules.With("bypass", rawjson.Quote(o.bypass))
	}
	if o.action != "" {
		rules = rules.With("defaultAction", rawjson.Quote(o.action))
	}
	return rules.String()
}

// enabled is the policy as it reads once these versions are enabled: the list of
// versions, and the key itself, which repeats its current one.
func enabled(p core.Policy, at address, versions []string) (core.Policy, error) {
	if len(versions) == 0 {
		return p, nil
	}
	editions, l, err := editionsOf(p, at)
	if err != nil {
		return nil, err
	}
	for i, e := range editions {
		if slices.Contains(versions, e.number) {
			if l.Elements[i].Value, err = turnedOn(l.Elements[i].Value); err != nil {
				return nil, fmt.Errorf("version %s: %w", e.number, err)
			}
		}
	}
	out := withText(p, core.VaultKeyVersions, at.id, l.String())
	doc, err := documentOf(p, core.VaultKey, at.id)
	if err != nil {
		return nil, err
	}
	o, err := rawjson.ReadObject(doc.Text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", called(doc), err)
	}
	if !slices.Contains(versions, at.versionIn(o)) {
		return out, nil
	}
	text, err := turnedOn(doc.Text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", called(doc), err)
	}
	return withText(out, core.VaultKey, at.id, text), nil
}

// turnedOn is a key's or a version's text once it is enabled.
func turnedOn(text string) (string, error) {
	o, err := rawjson.ReadObject(text)
	if err != nil {
		return "", err
	}
	within, attributes := attributesOf(o)
	attributes = attributes.With("enabled", "true")
	if within == "" {
		return o.With("attributes", attributes.String()).String(), nil
	}
	inner, err := rawjson.CutObject(o.Get(within))
	if err != nil {
		return "", err
	}
	return o.With(within, inner.With("attributes", attributes.String()).String()).String(), nil
}
