package azurekv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// Restores, and the guard over them, take documents apart by themselves, to the
// byte: they do not take the judge's word for what a document holds, nor the
// judge theirs.

var errNoDocument = errors.New("it is missing")

// documentOf finds a document that could be read. One that is not there at all
// is errNoDocument.
func documentOf(p core.Policy, kind core.Kind, id string) (core.Document, error) {
	for _, d := range p {
		if d.Kind != kind || d.ID != id {
			continue
		}
		if d.Unreadable != "" {
			return d, fmt.Errorf("%s: %s", called(d), d.Unreadable)
		}
		return d, nil
	}
	d := core.Document{Kind: kind, ID: id}
	return d, fmt.Errorf("%s: %w", called(d), errNoDocument)
}

// withText is p with another text in one of its documents.
func withText(p core.Policy, kind core.Kind, id, text string) core.Policy {
	return p.With(core.Document{Kind: kind, ID: id, Text: text})
}

// sheet is the description of a vault that can be edited without touching what
// the edit does not name.
type sheet struct {
	object, properties rawjson.Object
	list               rawjson.List // of access policies, in step with entries
	entries            []entry
	deleted            bool
}

// entry is one access policy. IDs are folded, key permissions as they are
// written.
type entry struct {
	object                         rawjson.Object
	tenant, principal, application string
	keys                           []string
}

func sheetOf(p core.Policy, vaultID string) (sheet, error) {
	doc, err := documentOf(p, core.Vault, vaultID)
	if err != nil {
		return sheet{}, err
	}
	s, err := readSheet(doc.Text)
	if err != nil {
		return s, fmt.Errorf("%s: %w", called(doc), err)
	}
	return s, nil
}

// Sources: https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get,
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get-deleted
func readSheet(text string) (sheet, error) {
	var s sheet
	var err error
	if s.object, err = rawjson.ReadObject(text); err != nil {
		return s, err
	}
	if s.properties, err = rawjson.CutObject(s.object.Get("properties")); err != nil {
		return s, fmt.Errorf("properties: %w", err)
	}
	s.deleted = textOf(s.properties, "vaultId") != ""
	if none(s.properties.Get("accessPolicies")) {
		return s, nil
	}
	if s.list, err = rawjson.CutList(s.properties.Get("accessPolicies")); err != nil {
		return s, fmt.Errorf("access policies: %w", err)
	}
	for i, e := range s.list.Elements {
		entry, err := readEntry(e.Value)
		if err != nil {
			return s, fmt.Errorf("access policy %d: %w", i, err)
		}
		s.entries = append(s.entries, entry)
	}
	return s, nil
}

func readEntry(text string) (entry, error) {
	o, err := rawjson.CutObject(text)
	if err != nil {
		return entry{}, err
	}
	e := entry{object: o, tenant: wording.Lower(textOf(o, "tenantId")), principal: wording.Lower(textOf(o, "objectId")), application: wording.Lower(textOf(o, "applicationId"))}
	if none(o.Get("permissions")) {
		return e, nil
	}
	permissions, err := rawjson.CutObject(o.Get("permissions"))
	if err != nil {
		return e, fmt.Errorf("permissions: %w", err)
	}
	e.keys, err = wordsOf(permissions.Get("keys"))
	return e, err
}

// none says that a member is not there, or null.
func none(value string) bool { return value == "" || value == "null" }

// textOf is the text of a member that is a string, "" for any other value.
func textOf(o rawjson.Object, name string) string { return rawjson.Unquote(o.Get(name)) }

// wordsOf reads a list of strings.
func wordsOf(list string) ([]string, error) {
	if none(list) {
		return nil, nil
	}
	l, err := rawjson.CutList(list)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range l.Elements {
		s := rawjson.Unquote(e.Value)
		if s == "" {
			return nil, errors.New("a list of words holds something else")
		}
		out = append(out, s)
	}
	return out, nil
}

// rbac is the permission model that is in force.
func (s sheet) rbac() bool { return s.properties.Get("enableRbacAuthorization") == "true" }

func (s sheet) tenant() string { return wording.Lower(textOf(s.properties, "tenantId")) }

// own lists the access policies of a principal by itself, as opposed to those
// for an application that acts for somebody.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/authentication
func (s sheet) own(principal string) []entry {
	var out []entry
	for _, e := range s.entries {
		if e.is(s.tenant(), principal) {
			out = append(out, e)
		}
	}
	return out
}

func (e entry) is(tenant, principal string) bool {
	return e.principal == principal && e.tenant == tenant && e.application == ""
}

// keys lists the key permissions of a principal's own access policies.
func (s sheet) keys(principal string) []string {
	var out []string
	for _, e := range s.own(principal) {
		out = append(out, e.keys...)
	}
	return out
}

// ledger is a list of role assignments that can be edited.
type ledger struct {
	frame   rawjson.Object // what the list is the value of; without members where it stands by itself
	list    rawjson.List   // in step with rows
	rows    []row
	wrapped bool
}

// row is one role assignment. IDs are folded, the condition is as it is written.
type row struct {
	id, scope, principal, kind, role string
	when                             clause
}

func ledgerOf(p core.Policy, id string) (ledger, error) {
	doc, err := documentOf(p, core.RoleAssignments, id)
	if err != nil {
		return ledger{}, err
	}
	l, err := readLedger(doc.Text)
	if err != nil {
		return l, fmt.Errorf("%s: %w", called(doc), err)
	}
	return l, nil
}

// Sources: https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope,
// https://learn.microsoft.com/cli/azure/role/assignment#az-role-assignment-list
func readLedger(text string) (ledger, error) {
	var l ledger
	var err error
	if l.list, err = rawjson.ReadList(text); err != nil {
		frame, wrapped := rawjson.ReadObject(text)
		if wrapped != nil || !none(frame.Get("nextLink")) {
			return l, err
		}
		if l.list, err = rawjson.CutList(frame.Get("value")); err != nil {
			return l, err
		}
		l.frame, l.wrapped = frame, true
	}
	for i, e := range l.list.Elements {
		r, err := readRow(e.Value)
		if err != nil {
			return l, fmt.Errorf("role assignment %d: %w", i, err)
		}
		l.rows = append(l.rows, r)
	}
	return l, nil
}

func readRow(text string) (row, error) {
	o, err := rawjson.CutObject(text)
	if err != nil {
		return row{}, err
	}
	inner := rawjson.Object{}
	if !none(o.Get("properties")) {
		if inner, err = rawjson.CutObject(o.Get("properties")); err != nil {
			return row{}, err
		}
	}
	get := func(name string) string {
		if s := textOf(o, name); s != "" {
			return s
		}
		return textOf(inner, name)
	}
	r := row{
		id: wording.Lower(get("id")), scope: strings.TrimRight(wording.Lower(get("scope")), "/"), principal: wording.Lower(get("principalId")), kind: get("principalType"),
		role: roleOf(get("roleDefinitionId")), when: newClause(get("condition"), get("conditionVersion")),
	}
	if r.principal == "" || r.role == "" {
		return r, errors.New("it names no principal or no role")
	}
	return r, nil
}

// name is the assignment's own, "" where it is no GUID.
func (r row) name() string {
	if n := lastSegment(r.id); guidGrammar.MatchString(n) {
		return n
	}
	return ""
}

// at says that a row assigns a role to a principal at a scope, whatever its
// condition. Azure lets only one do so.
func (r row) at(scope, principal, role string) bool {
	return r.scope == scope && r.principal == principal && r.role == role
}

// find returns the row that assigns a role to a principal at a scope.
func (l ledger) find(scope, principal, role string) (row, bool) {
	i := slices.IndexFunc(l.rows, func(r row) bool { return r.at(scope, principal, role) })
	if i < 0 {
		return row{}, false
	}
	return l.rows[i], true
}

// with is the text with other elements.
func (l ledger) with(list rawjson.List) string {
	if l.wrapped {
		return l.frame.With("value", list.String()).String()
	}
	return list.String()
}

// alone is the text with just one of its rows.
func (l ledger) alone(i int) string {
	return l.with(rawjson.List{Elements: l.list.Elements[i : i+1], Tail: l.list.Tail})
}

// edition is one version of the key as its list has it.
type edition struct {
	number string
	state  string // "true", "false" or ""
}

func (e edition) disabled() bool { return e.state == "false" }

// editionsOf lists the versions of the key in the order of the document.
// Versions of another key are an error: nothing of them may reach a command.
func editionsOf(p core.Policy, at address) ([]edition, rawjson.List, error) {
	doc, err := documentOf(p, core.VaultKeyVersions, at.id)
	if err != nil {
		return nil, rawjson.List{}, err
	}
	l, err := rawjson.ReadList(doc.Text)
	if err != nil {
		return nil, l, fmt.Errorf("%s: %w", called(doc), err)
	}
	var out []edition
	for i, e := range l.Elements {
		o, err := rawjson.CutObject(e.Value)
		if err != nil {
			return nil, l, fmt.Errorf("version %d of the list: %w", i, err)
		}
		number := at.versionIn(o)
		if number == "" {
			return nil, l, fmt.Errorf("version %d of the list is not one of this key", i)
		}
		if slices.ContainsFunc(out, func(e edition) bool { return e.number == number }) {
			return nil, l, fmt.Errorf("version %s is listed twice", number)
		}
		_, attributes := attributesOf(o)
		out = append(out, edition{number, attributes.Get("enabled")})
	}
	return out, l, nil
}

// versionIn is the version that an object of this key is about, in either form;
// "" where it is another key's, or tells none.
func (a address) versionIn(o rawjson.Object) string {
	inner, err := rawjson.CutObject(o.Get("properties"))
	if err != nil {
		inner = rawjson.Object{}
	}
	bundle, err := rawjson.CutObject(o.Get("key"))
	if err != nil {
		bundle = rawjson.Object{}
	}
	found := ""
	see := func(version string) bool {
		if !versionGrammar.MatchString(version) || found != "" && found != version {
			return false
		}
		found = version
		return true
	}
	for _, kid := range []string{textOf(o, "kid"), textOf(bundle, "kid"), textOf(inner, "keyUriWithVersion")} {
		if kid == "" {
			continue
		}
		host, name, version := cutAddress(kid)
		if vault, _, _ := strings.Cut(host, "."); vault != a.vault || name != a.key || !see(version) {
			return ""
		}
	}
	id, version, versioned := strings.Cut(wording.Lower(textOf(o, "id")), "/versions/")
	switch {
	case id != "" && id != a.id, versioned && !see(version):
		return ""
	}
	return found
}

// attributesOf is where a key or a version says whether it is enabled, and in
// which member of the object that is.
func attributesOf(o rawjson.Object) (within string, attributes rawjson.Object) {
	if a, err := rawjson.CutObject(o.Get("attributes")); err == nil {
		return "", a
	}
	inner, err := rawjson.CutObject(o.Get("properties"))
	if err != nil {
		return "", rawjson.Object{}
	}
	a, err := rawjson.CutObject(inner.Get("attributes"))
	if err != nil {
		return "", rawjson.Object{}
	}
	return "properties", a
}
