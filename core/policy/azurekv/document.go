package azurekv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// roster is one list of role assignments.
type roster struct {
	doc core.Document
	// of is the principal whom every assignment of the list reaches, itself or
	// through a group, as Azure resolved it; "" where the list is a file's, which
	// names everybody and resolves no group.
	of    string
	items []assignment
}

// assignment is one role assignment. Lower-case members are folded for
// comparison, the others are as they are spelled.
//
// Source: https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
type assignment struct {
	ID, Name, Scope, RoleName   string
	PrincipalID, PrincipalType  string
	Condition, ConditionVersion string
	Delegated                   string // delegatedManagedIdentityResourceId

	scope, principal, role string // role is the GUID of the definition
	index, start, end      int    // in the list, and the byte span within the document's text
}

// role is a role definition: what it gives wherever it is assigned.
//
// Source: https://learn.microsoft.com/rest/api/authorization/role-definitions/get
type role struct {
	doc         core.Document // empty for a built-in role that was not given
	ID          string        // GUID, folded
	Name        string
	Custom      bool
	Permissions []permission
	gone        bool // somebody deleted it: assignments of it give nothing
	// veiled says that it may have conditions that its definition does not show.
	veiled     bool
	index      int
	start, end int
}

// permission is one entry of a role's or deny assignment's permissions. Actions
// are folded.
type permission struct {
	Actions, NotActions, DataActions, NotDataActions []string
	Condition, ConditionVersion                      string
}

// barrier is the deny assignments of one document.
type barrier struct {
	doc   core.Document
	items []denial
}

// denial is one deny assignment.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/deny-assignments#deny-assignment-properties
type denial struct {
	ID, Name, Scope      string
	ScopeOnly            bool // doNotApplyToChildScopes
	Permissions          []permission
	Principals, Excluded []principal

	scope             string // folded
	index, start, end int
}

// principal is whom a deny assignment names; both members are folded.
type principal struct{ id, kind string }

// everyone is the object ID that stands for all principals in a deny assignment.
const everyone = "00000000-0000-0000-0000-000000000000"

// file is everything of a policy that was read.
type file struct {
	key      string // ID of the key asked about, folded; "" for any
	vaultID  string // its vault's, folded
	vault    *vault // nil where there is none
	item     *vaultKey
	versions *versionList
	rosters  []roster
	barriers []barrier
	roles    map[string]role // given definitions, by GUID
	// hidden says of roles, by GUID, why their definition can't be read.
	hidden map[string]string
	// blind lists documents that can't be read and are not decisive.
	blind []core.Document
}

// errUnread marks a document that decides and that can't be read.
var errUnread = errors.New("can't be read")

// FromFile begins the ID of a document that was read from a file and does not
// tell which resource it is about; the file's name follows.
const FromFile = "file:"

// nameless says that a document does not tell which resource it is about: it
// counts as being about the key that is asked about.
func nameless(id string) bool { return id == "" || strings.HasPrefix(id, FromFile) }

// read parses all documents that are about the key. It fails if one that decides
// can't be read, or if any does not parse, because whoever reads a policy
// otherwise than the cloud does would judge another one than that in force. Of a
// vault that is deleted nothing else decides.
func read(p core.Policy, k core.Key) (file, error) {
	f := newFile(k)
	confluent := wording.Lower(k.Needs.Principal)
	for turn := range 3 {
		for _, d := range p {
			if readIn(d.Kind) != turn {
				continue
			}
			if err := f.add(d, confluent); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// readIn puts first what says which other documents decide: the vault with its
// permission model, and whether vault and key are there at all.
func readIn(kind core.Kind) int {
	switch kind {
	case core.Vault:
		return 0
	case core.VaultKey:
		return 1
	}
	return 2
}

func newFile(k core.Key) file {
	return file{key: wording.Lower(k.ID), vaultID: vaultOf(k), roles: map[string]role{}, hidden: map[string]string{}}
}

// vaultOf is the ID of a key's vault, folded.
func vaultOf(k core.Key) string {
	if k.Vault != "" {
		return wording.Lower(k.Vault)
	}
	id, _, _ := strings.Cut(wording.Lower(k.ID), "/keys/")
	return id
}

// rbac says which permission model is in force: Azure RBAC, or the vault's access
// policies. Without the vault's description RBAC is assumed.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/rbac-guide
func (f *file) rbac() bool { return f.vault == nil || f.vault.RBAC }

// deleted says that the vault is soft-deleted.
func (f *file) deleted() bool { return f.vault != nil && f.vault.Deleted }

// watched says that the policy was read by the watchdog, which asks Azure for
// what is assigned to one principal, and not from files.
func (f *file) watched() bool {
	return slices.ContainsFunc(f.rosters, func(r roster) bool { return r.of != "" })
}

// gone says that the vault has no such key.
func (f *file) gone() bool { return f.item != nil && f.item.Gone }

func (f *file) add(d core.Document, confluent string) error {
	if !f.about(d) {
		return nil
	}
	if d.Unreadable != "" {
		return f.addUnread(d, confluent)
	}
	var err error
	switch d.Kind {
	case core.Vault:
		err = f.addVault(d)
	case core.VaultKey:
		err = f.addKey(d)
	case core.VaultKeyVersions:
		err = f.addVersions(d)
	case core.RoleAssignments:
		r := roster{doc: d, of: assignedTo(d.ID)}
		r.items, err = parseAssignments(d.Text)
		f.rosters = append(f.rosters, r)
	case core.RoleDefinitions:
		err = f.addRoles(d)
	case core.DenyAssignments:
		b := barrier{doc: d}
		b.items, err = parseDenials(d.Text)
		f.barriers = append(f.barriers, b)
	}
	if err != nil {
		return fmt.Errorf("%s can't be used: %w", called(d), err)
	}
	return nil
}

// addUnread takes a document that can't be read. Role definitions and deny
// assignments are not decisive, nor are lists of others' assignments. In a vault
// with access policies assignments decide next to nothing.
func (f *file) addUnread(d core.Document, confluent string) error {
	switch {
	case d.Kind == core.RoleDefinitions:
		f.hidden[roleOf(d.ID)] = d.Unreadable
		return nil
	case d.Kind == core.DenyAssignments, f.deleted(), d.Kind == core.VaultKeyVersions && f.gone(),
		d.Kind == core.RoleAssignments && (!f.rbac() || assignedTo(d.ID) != "" && assignedTo(d.ID) != confluent):
		f.blind = append(f.blind, d)
		return nil
	}
	return fmt.Errorf("%s %w: %s", called(d), errUnread, d.Unreadable)
}

// assignedTo is the principal, folded, whom a list of assignments is about; ""
// if it is about everybody.
func assignedTo(id string) string {
	const mark = "?assignedTo="
	if i := strings.LastIndex(id, mark); i >= 0 {
		return wording.Lower(id[i+len(mark):])
	}
	return ""
}

// about says whether a document is about the key, its vault or something above.
func (f *file) about(d core.Document) bool {
	if nameless(d.ID) || f.key == "" {
		return true
	}
	id := wording.Lower(d.ID)
	switch d.Kind {
	case core.Vault:
		return id == f.vaultID
	case core.VaultKey, core.VaultKeyVersions:
		return id == f.key
	case core.RoleAssignments:
		scope, _, _ := strings.Cut(id, "?")
		return reaches(scope, f.key)
	case core.DenyAssignments:
		return reaches(id, f.key)
	case "": // stands for all documents of a key of which nothing could be read
		return id == f.key
	}
	return d.Kind == core.RoleDefinitions
}

// roleOf is the GUID within a role definition's ID, folded.
func roleOf(id string) string { return wording.Lower(lastSegment(id)) }

// placeOf is how people call a scope.
func (f *file) placeOf(scope string) string {
	parts := strings.Split(strings.TrimRight(scope, "/"), "/")
	switch folded := wording.Lower(scope); {
	case strings.TrimRight(folded, "/") == "":
		return "the tenant's root"
	case f.key != "" && folded == f.key:
		return "the key"
	case f.vaultID != "" && folded == f.vaultID:
		return "the vault"
	case strings.HasPrefix(folded, managementGroups):
		return "management group " + wording.Abridge(parts[len(parts)-1], 80)
	case len(parts) == 3 && strings.HasPrefix(folded, "/subscriptions/"):
		return "the subscription"
	case len(parts) == 5 && strings.HasPrefix(folded, "/subscriptions/"):
		return "resource group " + wording.Abridge(parts[4], 90)
	}
	return wording.Abridge(scope, 200)
}

// called names a document for people.
func called(d core.Document) string {
	what := map[core.Kind]string{
		core.Vault: "the description of the vault", core.VaultKey: "the description of the key", core.VaultKeyVersions: "the list of the key's versions",
		core.RoleAssignments: "a list of role assignments", core.RoleDefinitions: "a role definition", core.DenyAssignments: "the list of deny assignments",
		"": "what decides about the key",
	}[d.Kind]
	switch {
	case d.Kind == core.RoleAssignments && assignedTo(d.ID) != "":
		return "the list of what is assigned to " + wording.Abridge(assignedTo(d.ID), 80)
	case d.Kind == core.RoleDefinitions && !nameless(d.ID):
		return "the definition of role " + wording.Abridge(roleOf(d.ID), 80)
	case strings.HasPrefix(d.ID, FromFile):
		return what + " in " + strings.TrimPrefix(d.ID, FromFile)
	}
	return what
}
