package azurekv

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/stored"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

var errNotAzure = errors.New("this is neither a vault (az keyvault show), nor a key (az keyvault key show) or its versions (az keyvault key list-versions), nor role assignments (az role assignment list), nor role definitions (az role definition list), nor deny assignments, nor a snapshot (byokwatch snapshot show)")

// Recognise reads a file as one document of an Azure key, told by its shape: what
// az prints as JSON, or what Azure Resource Manager answers, for
//   - a vault: `az keyvault show`, and of one that is deleted `az keyvault
//     show-deleted`;
//   - a key: `az keyvault key show`; its versions: `az keyvault key
//     list-versions`;
//   - role assignments and role definitions: `az role assignment list`, `az role
//     definition list`, or one of them alone;
//   - deny assignments: `az rest` on …/providers/Microsoft.Authorization/denyAssignments;
//
// and a snapshot or one of its documents, as `byokwatch snapshot show` prints
// them. Of a snapshot this is what is assigned to Confluent, else the vault;
// [RecogniseAll] has the rest.
//
// The document's ID is what the file tells of it, and "" for lists, which do not
// say about which key they are asked, and for what az prints of a key, which has
// its address and not its ID. A byte order mark and space around it are ignored;
// anything else is an error that says what the file may be.
func Recognise(file []byte) (core.Document, error) {
	docs, err := RecogniseAll(file)
	if err != nil {
		return core.Document{}, err
	}
	for _, kind := range []core.Kind{core.RoleAssignments, core.Vault} {
		if doc, ok := core.Policy(docs).Find(kind); ok {
			return doc, nil
		}
	}
	return docs[0], nil
}

// RecogniseAll is [Recognise] for files that hold more than one document, in
// the order of the file.
func RecogniseAll(file []byte) ([]core.Document, error) {
	data := bytes.TrimSpace(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")))
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	if err := strict.Check(data); err != nil {
		return nil, fmt.Errorf("not one well-formed JSON value: %w", err)
	}
	switch data[0] {
	case '{':
		return recogniseObject(string(data))
	case '[':
		return recogniseList(string(data), string(data))
	}
	return nil, errNotAzure
}

// shape is what of an object tells what it is.
type shape struct {
	object, properties rawjson.Object
	id                 string // folded
}

func shapeOf(text string) (shape, error) {
	o, err := rawjson.CutObject(text)
	if err != nil {
		return shape{}, errNotAzure
	}
	s := shape{object: o, id: wording.Lower(rawjson.Unquote(o.Get("id")))}
	if p, err := rawjson.CutObject(o.Get("properties")); err == nil {
		s.properties = p
	}
	return s, nil
}

// has says that an object has all of these members, flat or among its
// properties.
func (s shape) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return s.object.Get(n) == "" && s.properties.Get(n) == "" })
}

// listed is the kind of document that lists such objects; "" for none.
func (s shape) listed() core.Kind {
	switch {
	case s.has("principalId", "roleDefinitionId"):
		return core.RoleAssignments
	case s.has("denyAssignmentName"), s.has("excludePrincipals", "permissions"):
		return core.DenyAssignments
	case s.has("permissions", "assignableScopes"), s.has("permissions", "roleName"):
		return core.RoleDefinitions
	}
	return ""
}

func recogniseObject(text string) ([]core.Document, error) {
	s, err := shapeOf(text)
	if err != nil {
		return nil, err
	}
	switch kind := s.listed(); {
	case s.has("kind", "text"), s.has("kind", "unreadable"):
		return storedDocuments("[" + text + "]")
	case strings.HasPrefix(s.object.Get("policy"), "["):
		return storedDocuments(s.object.Get("policy"))
	case strings.HasPrefix(s.object.Get("value"), "["):
		return recogniseList(s.object.Get("value"), text)
	case kind != "":
		return checked(core.Document{Kind: kind, Text: "[" + text + "]"})
	case s.properties.Get("vaultId") != "":
		return checked(core.Document{Kind: core.Vault, ID: wording.Lower(rawjson.Unquote(s.properties.Get("vaultId"))), Text: text})
	case isKey(s.id), s.object.Get("key") != "" && s.object.Get("attributes") != "":
		return checked(core.Document{Kind: core.VaultKey, ID: s.id, Text: text})
	case s.properties.Get("vaultUri") != "", isVault(s.id):
		return checked(core.Document{Kind: core.Vault, ID: s.id, Text: text})
	case s.object.Get("kid") != "", strings.Contains(s.id, "/versions/"):
		return nil, errors.New("this is one version of a key; all are needed: az keyvault key list-versions")
	}
	return nil, errNotAzure
}

// isVault and isKey tell by the ID of Azure Resource Manager.
func isVault(id string) bool {
	_, rest, ok := strings.Cut(id, "/providers/microsoft.keyvault/vaults/")
	return ok && !strings.Contains(rest, "/")
}

func isKey(id string) bool {
	_, rest, ok := strings.Cut(id, "/providers/microsoft.keyvault/vaults/")
	parts := strings.Split(rest, "/")
	return ok && len(parts) == 3 && parts[1] == "keys"
}

// recogniseList tells what a list is by its first element. whole is the text that
// holds it.
func recogniseList(list, whole string) ([]core.Document, error) {
	l, err := rawjson.CutList(list)
	if err != nil {
		return nil, errNotAzure
	}
	if len(l.Elements) == 0 {
		return nil, errors.New("an empty list says nothing about a key")
	}
	first, err := shapeOf(l.Elements[0].Value)
	if err != nil {
		return nil, err
	}
	kind := first.listed()
	id, _, versions := strings.Cut(first.id, "/versions/")
	switch {
	case first.has("kind", "text"), first.has("kind", "unreadable"):
		return storedDocuments(list)
	case kind != "":
		return checked(core.Document{Kind: kind, Text: whole})
	case versions:
		return checked(core.Document{Kind: core.VaultKeyVersions, ID: id, Text: whole})
	case first.object.Get("kid") != "":
		if _, _, number := cutAddress(rawjson.Unquote(first.object.Get("kid"))); number == "" {
			return nil, errors.New("these are the keys of a vault; one is needed: az keyvault key show")
		}
		return checked(core.Document{Kind: core.VaultKeyVersions, Text: whole})
	case len(l.Elements) == 1 && l.Elements[0].Value != "" && list == whole:
		return recogniseObject(l.Elements[0].Value)
	}
	return nil, errNotAzure
}

// checked is a document that parses.
func checked(d core.Document) ([]core.Document, error) {
	if err := check(d); err != nil {
		return nil, err
	}
	return []core.Document{d}, nil
}

func check(d core.Document) error {
	f := newFile(core.Key{})
	return f.add(d, "")
}

// storedDocuments reads documents as core writes them.
func storedDocuments(text string) ([]core.Document, error) {
	kinds := []core.Kind{core.Vault, core.VaultKey, core.VaultKeyVersions, core.RoleAssignments, core.RoleDefinitions, core.DenyAssignments}
	return stored.Documents([]byte(text), "an Azure key", kinds, check)
}
