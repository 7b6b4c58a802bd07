package azurekv

import (
	"crypto/sha1" // RFC 4122 names by it; it proves nothing
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/pattern"
	"byokwatch/core/policy/wording"
)

// The operations of a Step on Azure; the names are Azure's own, as its events
// spell them. The function runs the first four, the command line alone the rest.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations
const (
	opAssign   = "Microsoft.Authorization/roleAssignments/write"
	opPolicies = "Microsoft.KeyVault/vaults/accessPolicies/write"
	opVault    = "Microsoft.KeyVault/vaults/write"
	opKey      = "Microsoft.KeyVault/vaults/keys/update/action"
	opUnassign = "Microsoft.Authorization/roleAssignments/delete"
	opTags     = "Microsoft.Resources/tags/write"
)

// The grammars of all that enters a command or an ID. A resource group is the
// only name that may hold what a shell reads; it is quoted.
//
// Sources: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules,
// https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers
var (
	keyGrammar = pattern.New(`^(/subscriptions/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/resourcegroups/([\pL\pN_().-]{0,89}[\pL\pN_()-])` +
		`/providers/microsoft\.keyvault/vaults/([a-z][a-z0-9-]{1,22}[a-z0-9]))/keys/([a-z0-9-]{1,127})$`)
	plainWord = pattern.New(`^[A-Za-z0-9/_.:=@,-]+$`)
)

// address is a key's ID in parts that passed their grammar.
type address struct{ id, vaultID, subscription, group, vault, key string }

// addressOf takes the ID of a key apart. The vault that the configuration names
// must be the one that the key is in.
func addressOf(k core.Key) (address, error) {
	m := keyGrammar.FindStringSubmatch(k.ID)
	if m == nil {
		return address{}, fmt.Errorf("%q is not the ID of a vault's key", k.ID)
	}
	if k.Vault != "" && k.Vault != m[1] {
		return address{}, fmt.Errorf("the key is not in the vault %q", k.Vault)
	}
	return address{m[0], m[1], m[2], m[3], m[4], m[5]}, nil
}

// principalOf is the object ID of Confluent's service principal.
func principalOf(k core.Key) (string, error) {
	if !guidGrammar.MatchString(k.Needs.Principal) {
		return "", fmt.Errorf("%q is not the object ID of a service principal", k.Needs.Principal)
	}
	return k.Needs.Principal, nil
}

// line is a command with each of its words quoted as far as a shell needs it.
func line(words ...string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if !plainWord.MatchString(w) {
			out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// az writes a command on the vault itself.
func (a address) az(verb string, options ...string) string {
	return line(append([]string{"az", "keyvault", verb, "--name", a.vault, "--subscription", a.subscription}, options...)...)
}

// azKey writes a command on the key. The = keeps a name that begins with - from
// being read as an option.
func (a address) azKey(verb string, options ...string) string {
	name := []string{"--name", a.key}
	if strings.HasPrefix(a.key, "-") {
		name = []string{"--name=" + a.key}
	}
	return line(slices.Concat([]string{"az", "keyvault", "key", verb, "--vault-name", a.vault}, name, options)...)
}

// azAssign writes the command that assigns a role at the vault.
func (a address) azAssign(role, principal string, options ...string) string {
	return line(append([]string{"az", "role", "assignment", "create", "--role", role, "--scope", a.vaultID,
		"--assignee-object-id", principal, "--assignee-principal-type", servicePrincipal}, options...)...)
}

const servicePrincipal = "ServicePrincipal"

// grant is a role assignment that a restore makes at the vault, for Confluent.
type grant struct {
	name, role string // GUIDs
	when       clause
}

// clause is the condition of a role assignment; none where its text is empty.
type clause struct{ text, version string }

// conditionVersion is the only version of a condition's syntax that Azure takes.
//
// Source: https://learn.microsoft.com/rest/api/authorization/role-assignments/create
const conditionVersion = "2.0"

// newClause knows which version a condition is in where nothing else is said.
func newClause(text, version string) clause {
	switch {
	case text == "":
		return clause{}
	case version == "":
		return clause{text, conditionVersion}
	}
	return clause{text, version}
}

// assignBody is the body of a role assignment's write.
//
// Source: https://learn.microsoft.com/rest/api/authorization/role-assignments/create
type assignBody struct {
	Properties struct {
		RoleDefinitionID string `json:"roleDefinitionId"`
		PrincipalID      string `json:"principalId"`
		PrincipalType    string `json:"principalType"`
		Condition        string `json:"condition,omitempty"`
		ConditionVersion string `json:"conditionVersion,omitempty"`
	} `json:"properties"`
}

func (a address) definition(role string) string {
	return "/subscriptions/" + a.subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + role
}

// assignment is the ID of a role assignment at a scope.
func assignmentID(scope, name string) string {
	return scope + "/providers/Microsoft.Authorization/roleAssignments/" + name
}

// assignStep makes one role assignment at the vault. A condition is text of a
// policy, which never enters a command: that reads it from a file.
func (a address) assignStep(g grant, principal string) (core.Step, error) {
	if !guidGrammar.MatchString(g.name) || !guidGrammar.MatchString(g.role) || !guidGrammar.MatchString(principal) {
		return core.Step{}, errors.New("a role assignment needs GUIDs for its name, its role and its principal")
	}
	var b assignBody
	p := &b.Properties
	p.RoleDefinitionID, p.PrincipalID, p.PrincipalType = a.definition(g.role), principal, servicePrincipal
	p.Condition, p.ConditionVersion = g.when.text, g.when.version
	command := a.azAssign(g.role, principal)
	if g.when.text != "" {
		command += ` --condition "$(cat condition.txt)"`
	}
	return newStep(opAssign, assignmentID(a.vaultID, g.name), b, command)
}

func newStep(op, id string, body any, command string) (core.Step, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return core.Step{}, fmt.Errorf("write the body of %s: %w", op, err)
	}
	return core.Step{Op: op, ID: id, Body: data, Command: command}, nil
}

// policiesBody is the body of a step that adds to the vault's access policies.
//
// Source: https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy
type policiesBody struct {
	Properties struct {
		AccessPolicies []policyBody `json:"accessPolicies"`
	} `json:"properties"`
}

type policyBody struct {
	TenantID    string `json:"tenantId"`
	ObjectID    string `json:"objectId"`
	Permissions struct {
		Keys []string `json:"keys"`
	} `json:"permissions"`
}

func newPolicyBody(tenant, principal string, keys []string) policyBody {
	b := policyBody{TenantID: tenant, ObjectID: principal}
	b.Permissions.Keys = keys
	return b
}

// policyStep adds key permissions to Confluent's access policy. The command line
// has no add: it sets all key permissions of the policy, those that stay as
// well.
//
// Source: https://learn.microsoft.com/cli/azure/keyvault#az-keyvault-set-policy
func (a address) policyStep(tenant, principal string, keys, stay []string) (core.Step, error) {
	if !guidGrammar.MatchString(tenant) || !guidGrammar.MatchString(principal) {
		return core.Step{}, errors.New("an access policy needs GUIDs for its tenant and its principal")
	}
	var b policiesBody
	b.Properties.AccessPolicies = []policyBody{newPolicyBody(tenant, principal, keys)}
	return newStep(opPolicies, a.vaultID+"/accessPolicies/add", b, a.setPolicy(principal, keys, stay))
}

// setPolicy writes the command that sets key permissions of a principal.
func (a address) setPolicy(principal string, keys, stay []string) string {
	var all []string
	for _, p := range keyPermissions {
		if holds(keys, p) || holds(stay, p) {
			all = append(all, p)
		}
	}
	return a.az("set-policy", append([]string{"--object-id", principal, "--key-permissions"}, all...)...)
}

// keyPermissions are all that an access policy can give on keys. Nothing else
// enters a command.
//
// Source: https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#keypermissions
var keyPermissions = []string{
	allPermissions, "backup", "create", "decrypt", "delete", "encrypt", "get", "getrotationpolicy", "import", "list", "purge", "recover", "release",
	"restore", "rotate", "setrotationpolicy", "sign", "unwrapKey", "update", "verify", "wrapKey",
}

const allPermissions = "all"

// holds says that a list has a word, without regard to case.
func holds(list []string, word string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return wording.Same(s, word) })
}

// vaultBody is the body of a step that changes the vault's firewall: a PATCH,
// which leaves what it does not name. Of the rules it must name all, since they
// are replaced as a whole.
//
// Source: https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update
type vaultBody struct {
	Properties struct {
		PublicNetworkAccess string          `json:"publicNetworkAccess,omitempty"`
		NetworkAcls         json.RawMessage `json:"networkAcls,omitempty"`
	} `json:"properties"`
}

// vaultStep changes the vault's firewall. rules is all of its networkAcls as
// they shall be, "" where they stay.
func (a address) vaultStep(o opening, rules string) (core.Step, error) {
	var b vaultBody
	b.Properties.PublicNetworkAccess = o.public
	if rules != "" {
		b.Properties.NetworkAcls = json.RawMessage(rules)
	}
	return newStep(opVault, a.vaultID, b, a.open(o))
}

func (a address) open(o opening) string {
	var options []string
	for _, v := range []struct{ option, value string }{{"--bypass", o.bypass}, {"--default-action", o.action}, {"--public-network-access", o.public}} {
		if v.value != "" {
			options = append(options, v.option, v.value)
		}
	}
	return a.az("update", options...)
}

// keyBody is the body of a step that enables a version of the key.
//
// Source: https://learn.microsoft.com/rest/api/keyvault/keys/update-key/update-key
type keyBody struct {
	Attributes struct {
		Enabled bool `json:"enabled"`
	} `json:"attributes"`
}

func (a address) versionStep(version string) (core.Step, error) {
	if !versionGrammar.MatchString(version) {
		return core.Step{}, fmt.Errorf("%q is not the version of a key", version)
	}
	var b keyBody
	b.Attributes.Enabled = true
	return newStep(opKey, a.versionID(version), b, a.enable(version))
}

func (a address) versionID(version string) string { return a.id + "/versions/" + version }

func (a address) enable(version string) string {
	return a.azKey("set-attributes", "--version", version, "--enabled", "true")
}

// derivedName is the GUID of a new role assignment: the same for the same scope,
// principal and role, so that who makes it twice makes it once.
//
// Source: RFC 4122 §4.3, in its namespace for URLs
func derivedName(scope, principal, role string) string {
	namespace := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	h := sha1.Sum(append(namespace, "byokwatch:"+scope+"|"+principal+"|"+role...))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	s := hex.EncodeToString(h[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// documented is one of the two roles that Confluent asks for.
func documented(role string) (confluent.AzureRole, bool) {
	for _, r := range confluent.AzureRoles() {
		if r.ID == role {
			return r, true
		}
	}
	return confluent.AzureRole{}, false
}
