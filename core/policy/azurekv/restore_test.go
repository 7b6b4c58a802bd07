package azurekv

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
	"byokwatch/core/rawjson"
)

var updateRestores = flag.Bool("update", false, "rewrite the golden files of restores")

// The key of the restores' tests, and who is about it.
const (
	rigSub       = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333"
	rigGroupID   = rigSub + "/resourcegroups/kafka-prod"
	rigVault     = rigGroupID + "/providers/microsoft.keyvault/vaults/acme-vault"
	rigKey       = rigVault + "/keys/payments"
	rigTenant    = "7d0d5fbb-b0ff-4e6d-9b3a-2fd5f1c4a111"
	rigPrincipal = "aaaaaaaa-1111-4aaa-8aaa-aaaaaaaaaaaa"
	rigSelf      = "bbbbbbbb-2222-4bbb-8bbb-bbbbbbbbbbbb"
	rigMallory   = "eeeeeeee-6666-4eee-8eee-eeeeeeeeeeee"
	rigTeam      = "cccccccc-3333-4ccc-8ccc-cccccccccccc" // a group that Confluent is in
	rigCrypto    = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
	rigReader    = "21090545-7ca7-4776-b22c-e363652d74d2"
	rigOfficer   = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603"
	rigCustom    = "dddddddd-4444-4ddd-8ddd-dddddddddddd"
	rigOwn       = "dddddddd-5555-4ddd-8ddd-dddddddddddd" // the watchdog's
	rigOne       = "11111111111111111111111111111111"     // versions of the key
	rigTwo       = "22222222222222222222222222222222"
	rigTrue      = "@Environment[UtcNow] DateTimeGreaterThan '2026-01-01T00:00:00.0Z'"
	rigLater     = "@Environment[UtcNow] DateTimeGreaterThan '2027-01-01T00:00:00.0Z'"
	rigOpaque    = "@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Team_Name] StringEquals 'kafka'"
	rigNonsense  = "nonsense {"
)

var (
	rigConfluents = core.AssignedTo(rigKey, rigPrincipal)
	rigSelfs      = core.AssignedTo(rigKey, rigSelf)
)

// rigDefaults are the documents of a key with which all is well.
func rigDefaults() core.Policy {
	return core.Policy{
		{Kind: core.Vault, ID: rigVault, Text: rigVaultText()},
		{Kind: core.VaultKey, ID: rigKey, Text: rigKeyText(rigTwo, true)},
		{Kind: core.VaultKeyVersions, ID: rigKey, Text: rigVersions("enabled", "enabled")},
		{Kind: core.RoleAssignments, ID: rigConfluents, Text: rigList(rigAssign(rigCrypto, rigVault), rigAssign(rigReader, rigVault))},
		{Kind: core.RoleAssignments, ID: rigSelfs, Text: rigList(rigAssign(rigOwn, rigGroupID, rigSelf))},
		rigRole(rigOwn, []string{rightVaultRead, rightKeyRead, rightListKeys, "Microsoft.Authorization/*/read", rightAssign, rightPolicies, rightVaultWrite}, []string{rightKeyUpdate}),
		rigRole(rigCustom, []string{rightVaultRead}, []string{"Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/wrap/action", "Microsoft.KeyVault/vaults/keys/unwrap/action"}),
		{Kind: core.DenyAssignments, ID: rigKey, Text: `[]`},
	}
}

// rigVaultText is the vault's description, with members of its properties, or its
// tags, put in the place of the defaults.
func rigVaultText(members ...string) string {
	o, err := rawjson.ReadObject(`{"id": "` + strings.Replace(rigVault, "microsoft.keyvault", "Microsoft.KeyVault", 1) + `", "name": "acme-vault", "type": "Microsoft.KeyVault/vaults", "location": "westus2", "tags": {"team": "kafka"}, "properties": {` +
		`"sku": {"family": "A", "name": "premium"}, "tenantId": "` + strings.ToUpper(rigTenant) + `", "accessPolicies": [], "enableRbacAuthorization": true, "enableSoftDelete": true, "enablePurgeProtection": true, ` +
		`"vaultUri": "https://acme-vault.vault.azure.net/", "provisioningState": "Succeeded", "publicNetworkAccess": "Enabled"}}`)
	if err != nil {
		panic(err)
	}
	properties, err := rawjson.CutObject(o.Get("properties"))
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(members); i += 2 {
		if members[i] == "tags" {
			o = o.With("tags", members[i+1])
			continue
		}
		properties = properties.With(members[i], members[i+1])
	}
	return o.With("properties", properties.String()).String()
}

func rigKeyText(version string, enabled bool) string {
	return fmt.Sprintf(`{"id": %q, "name": "payments", "properties": {"attributes": {"enabled": %t, "created": 1700000000}, "kty": "RSA-HSM", "keyOps": ["wrapKey", "unwrapKey"], "keySize": 3072, "keyUri": "https://acme-vault.vault.azure.net/keys/payments", "keyUriWithVersion": "https://acme-vault.vault.azure.net/keys/payments/%s"}}`,
		rigKey, enabled, version)
}

// rigVersions lists versions 111…, 222…, … in these states.
func rigVersions(states ...string) string {
	var out []string
	for i, s := range states {
		out = append(out, fmt.Sprintf(`{"id": "%s/versions/%s", "properties": {"attributes": {"enabled": %t, "created": 1700000000}}}`, rigKey, strings.Repeat(fmt.Sprint(i+1), 32), s == "enabled"))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// rigAssign is one role assignment as az lists it: to Confluent, unless options
// name another principal; a condition holds a bracket.
func rigAssign(role, scope string, options ...string) string {
	principal, kind, condition, version := rigPrincipal, "ServicePrincipal", "null", "null"
	for _, o := range options {
		switch {
		case strings.ContainsAny(o, "[{"):
			condition, version = rawjson.Quote(o), `"2.0"`
		default:
			principal = o
			if o == rigTeam {
				kind = "Group"
			}
		}
	}
	name := derivedName(scope, principal+"/"+condition, role+" of a person")
	return fmt.Sprintf(`{"condition": %s, "conditionVersion": %s, "createdBy": "%s", "createdOn": "2025-01-01T00:00:00Z", "id": %q, "name": %q, "principalId": %q, "principalType": %q, "roleDefinitionId": "%s/providers/Microsoft.Authorization/roleDefinitions/%s", "scope": %q, "type": "Microsoft.Authorization/roleAssignments"}`,
		condition, version, rigMallory, assignmentID(scope, name), name, principal, kind, rigSub, role, scope)
}

func rigList(items ...string) string { return "[" + strings.Join(items, ", ") + "]" }

func rigRole(guid string, actions, dataActions []string) core.Document {
	id := "/providers/microsoft.authorization/roledefinitions/" + guid
	return core.Document{Kind: core.RoleDefinitions, ID: id, Text: fmt.Sprintf(
		`[{"id": "%s%s", "name": %q, "roleName": "role %s", "roleType": "CustomRole", "assignableScopes": [%q], "permissions": [{"actions": %s, "notActions": [], "dataActions": %s, "notDataActions": []}], "type": "Microsoft.Authorization/roleDefinitions"}]`,
		rigSub, id, guid, guid[:13], rigSub, quotedList(actions), quotedList(dataActions))}
}

// rigDeny is a deny assignment of data actions to everybody.
func rigDeny(name string, actions ...string) string {
	return fmt.Sprintf(`{"id": "%s/providers/Microsoft.Authorization/denyAssignments/%s", "name": %q, "properties": {"denyAssignmentName": "Deny assignment of a stack", "permissions": [{"actions": [], "notActions": [], "dataActions": %s, "notDataActions": []}], "scope": %q, "doNotApplyToChildScopes": false, "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}], "excludePrincipals": [], "isSystemProtected": true}}`,
		rigVault, name, name, quotedList(actions), rigVault)
}

// rigEntry is an access policy on keys.
func rigEntry(principal string, keys ...string) string {
	return `{"tenantId": "` + rigTenant + `", "objectId": "` + principal + `", "permissions": {"keys": ` + quotedList(keys) + `, "secrets": [], "certificates": []}}`
}

// rig is the default key with other texts in its documents.
func rig(docs ...core.Document) core.Policy { return rigDefaults().With(docs...) }

func rigGiven(items ...string) core.Document {
	return core.Document{Kind: core.RoleAssignments, ID: rigConfluents, Text: rigList(items...)}
}

func rigVaultDoc(members ...string) core.Document {
	return core.Document{Kind: core.Vault, ID: rigVault, Text: rigVaultText(members...)}
}

// rigPolicies is a vault with these access policies.
func rigPolicies(entries ...string) core.Document {
	return rigVaultDoc("enableRbacAuthorization", "false", "accessPolicies", rigList(entries...))
}

func rigKeyDoc(version string, enabled bool) core.Document {
	return core.Document{Kind: core.VaultKey, ID: rigKey, Text: rigKeyText(version, enabled)}
}

func rigVersionsDoc(states ...string) core.Document {
	return core.Document{Kind: core.VaultKeyVersions, ID: rigKey, Text: rigVersions(states...)}
}

func rigDenies(items ...string) core.Document {
	return core.Document{Kind: core.DenyAssignments, ID: rigKey, Text: rigList(items...)}
}

func rigAsks(change ...func(*core.Key)) core.Question {
	k := core.Key{ID: rigKey, Vault: rigVault, Cloud: core.Azure, Label: "payments", Mode: core.Enforce, Restore: core.Patch, KeyState: core.CareAlert, Network: core.CareAlert,
		Needs: core.Confluent{Tenant: rigTenant, Principal: rigPrincipal, Cluster: "dedicated"}}
	for _, c := range change {
		c(&k)
	}
	return core.Question{Key: k, Self: rigSelf, At: time.Date(2026, 8, 20, 3, 2, 0, 0, time.UTC)}
}

func rigNetwork(k *core.Key)  { k.Network = core.CareRestore }
func rigKeyState(k *core.Key) { k.KeyState = core.CareRestore }

// rigAsked is the question with its needs, as the watchdog asks it.
func rigAsked(q core.Question, live, good core.Policy) core.Question {
	q.Needs = Needs(q.Key, live, good)
	return q
}

// rigLost is what was lost.
func rigLost(live, good core.Policy, q core.Question) []core.Requirement {
	return policytest.Lost(Judge, live, good, q)
}

// TestRestores plays every archive of testdata/restore: from live and snapshot
// to each candidate. A section live/…, snapshot/… or both/… is a document that
// differs from the defaults, in the words that rigSection reads; "options" are
// words that change the question. Where there is no candidate, it shows what a
// person is told to do.
func TestRestores(t *testing.T) {
	policytest.Restores{
		Update: *updateRestores, Least: 30, Judge: Judge, Candidates: Candidates, Guard: Guard, Describe: rigTold,
		Open: func(t *testing.T, inputs []policytest.Section) policytest.Restore {
			live, good, q := rigDefaults(), rigDefaults(), rigAsks()
			for _, in := range inputs {
				switch side, name, _ := strings.Cut(in.Name, "/"); {
				case side == "live":
					live = rigSection(t, live, name, in.Text)
				case side == "snapshot":
					good = rigSection(t, good, name, in.Text)
				case side == "both":
					live, good = rigSection(t, live, name, in.Text), rigSection(t, good, name, in.Text)
				case in.Name == "options":
					q = rigOptions(t, in.Text)
				default:
					t.Fatalf("unknown section %q", in.Name)
				}
			}
			q = rigAsked(q, live, good)
			return policytest.Restore{Live: live, Good: Trim(good, q), Q: q}
		},
		None: func(r policytest.Restore) string {
			var b strings.Builder
			for _, l := range Unlock(r.Live, r.Q, r.Lost) {
				fmt.Fprintf(&b, "unlock: %s\n", l)
			}
			return rigShort.Replace(b.String())
		},
	}.Run(t)
}

// rigSection reads one document of an archive:
//   - vault: a JSON object of properties, or tags, that differ
//   - confluent, self: "ROLE at SCOPE [through GROUP] [where CONDITION]", one line each
//   - key: "VERSION enabled|disabled"; versions: their states in order
//   - custom: the data actions of the custom role, by their last words
//   - deny: the data actions that a deny assignment takes
//
// "gone" is a document that is not there, "[]" and other JSON stands for itself.
func rigSection(t *testing.T, p core.Policy, name, text string) core.Policy {
	t.Helper()
	d := core.Document{Kind: core.RoleAssignments, Text: text}
	switch name {
	case "vault":
		d = core.Document{Kind: core.Vault, ID: rigVault, Text: text}
		if !strings.Contains(text, `"vaultId"`) {
			o, err := rawjson.ReadObject(text)
			if err != nil {
				t.Fatal(err)
			}
			var members []string
			for _, m := range o.Members {
				members = append(members, rawjson.Unquote(m.Name), m.Value)
			}
			d.Text = rigVaultText(members...)
		}
	case "confluent", "self":
		d.ID = map[string]string{"confluent": rigConfluents, "self": rigSelfs}[name]
		if !strings.HasPrefix(text, "[") && text != "gone" {
			d.Text = rigLines(t, text, map[string]string{"confluent": rigPrincipal, "self": rigSelf}[name])
		}
	case "key":
		d = core.Document{Kind: core.VaultKey, ID: rigKey, Text: text}
		if version, state, ok := strings.Cut(text, " "); ok && !strings.HasPrefix(text, "{") {
			d.Text = rigKeyText(version, state == "enabled")
		}
	case "versions":
		d = core.Document{Kind: core.VaultKeyVersions, ID: rigKey, Text: text}
		if !strings.HasPrefix(text, "[") && text != "gone" {
			d.Text = rigVersions(strings.Fields(text)...)
		}
	case "custom":
		var data []string
		for _, w := range strings.Fields(text) {
			data = append(data, "Microsoft.KeyVault/vaults/"+w)
		}
		role := rigRole(rigCustom, []string{rightVaultRead}, data)
		d.Kind, d.ID = role.Kind, role.ID
		if text != "gone" && text != "[]" {
			d = role
		}
	case "deny":
		d = core.Document{Kind: core.DenyAssignments, ID: rigKey, Text: rigList(rigDeny("99999999-9999-4999-8999-999999999999", strings.Fields(text)...))}
	default:
		t.Fatalf("unknown document %q", name)
	}
	if text == "gone" {
		return slices.DeleteFunc(slices.Clone(p), func(o core.Document) bool { return o.Ref() == d.Ref() })
	}
	return p.With(d)
}

func rigLines(t *testing.T, text, principal string) string {
	t.Helper()
	roles := map[string]string{"crypto": rigCrypto, "reader": rigReader, "officer": rigOfficer, "custom": rigCustom, "own": rigOwn}
	scopes := map[string]string{"key": rigKey, "vault": rigVault, "group": rigGroupID, "subscription": rigSub, "root": "/", "management-group": "/providers/Microsoft.Management/managementGroups/acme"}
	conditions := map[string]string{"true": rigTrue, "later": rigLater, "opaque": rigOpaque}
	var items []string
	for l := range strings.Lines(text) {
		words := strings.Fields(l)
		options := []string{principal}
		for i := 3; i+1 < len(words); i += 2 {
			switch {
			case words[i] == "through":
				options[0] = rigTeam
			case words[i] == "where" && conditions[words[i+1]] != "":
				options = append(options, conditions[words[i+1]])
			default:
				t.Fatalf("unknown words in %q", l)
			}
		}
		if len(words) < 3 || roles[words[0]] == "" || words[1] != "at" || scopes[words[2]] == "" {
			t.Fatalf("unknown words in %q", l)
		}
		items = append(items, rigAssign(roles[words[0]], scopes[words[2]], options...))
	}
	return rigList(items...)
}

func rigOptions(t *testing.T, text string) core.Question {
	return rigAsks(func(k *core.Key) {
		for _, o := range strings.Fields(text) {
			switch o {
			case "key_state:restore":
				rigKeyState(k)
			case "network:restore":
				rigNetwork(k)
			case "enterprise":
				k.Needs.Cluster = "enterprise"
			default:
				t.Fatalf("unknown option %q", o)
			}
		}
	})
}

func rigTold(t *testing.T, r policytest.Restore, c core.Candidate) string {
	var b strings.Builder
	if c.After > 0 {
		fmt.Fprintf(&b, "after: %s\n", c.After)
	}
	for _, l := range c.Left {
		fmt.Fprintf(&b, "left: %s\n", l)
	}
	for _, s := range c.Steps {
		fmt.Fprintf(&b, "step: %s\n%s %s\n", s.Command, strings.TrimPrefix(s.ID, rigVault), s.Body)
	}
	back := 0
	for _, f := range Judge(c.Result, r.Q).Findings {
		switch {
		case !slices.Contains(r.Lost, f.Requirement):
		case f.Result != core.Missing:
			back++
		default:
			fmt.Fprintf(&b, "still %s: %s\n", f.Result, f.Permission)
		}
	}
	fmt.Fprintf(&b, "gives back %d of %d\n", back, len(r.Lost))
	for _, d := range Diff(r.Live, c.Result) {
		fmt.Fprintf(&b, "than live: %s: %s\n", d.Change, d.Text)
	}
	return rigShort.Replace(b.String())
}

// rigShort keeps what is in every line out of goldens.
var rigShort = strings.NewReplacer(rigVault, "<vault>", rigSub, "<subscription>", strings.TrimPrefix(rigSub, "/subscriptions/"), "<id>", rigPrincipal, "<confluent>")
