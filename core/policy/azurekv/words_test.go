package azurekv

import (
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/policytest"
	"byokwatch/core/rawjson"
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	policytest.Golden(t, *updateRestores, name, got)
}

// rigNeeds are requirements as a question has them, by the ends of their names;
// ! marks a right of the watchdog.
func rigNeeds(t *testing.T, needs []core.Requirement, names ...string) []core.Requirement {
	t.Helper()
	var out []core.Requirement
	for _, n := range names {
		end, own := strings.CutSuffix(n, "!")
		i := slices.IndexFunc(needs, func(r core.Requirement) bool {
			return strings.HasSuffix(r.Permission, end) && own == (r.Aspect == core.Own)
		})
		if i < 0 {
			t.Fatalf("nothing needed is called %q", n)
		}
		out = append(out, needs[i])
	}
	return out
}

// shellWords reads a command as a POSIX shell does, as far as commands here may
// go: words, 'quotes' and \'. What else a shell would act on is an error, but for
// a text read from a file and an answer kept in one.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	command = strings.TrimSuffix(command, " > role.json")
	command = strings.TrimSuffix(command, ` --condition "$(cat condition.txt)"`)
	var words []string
	word, in, begun := "", false, false
	for i := 0; i < len(command); i++ {
		switch c := command[i]; {
		case c == '\'':
			in, begun = !in, true
		case in:
			word += command[i : i+1]
		case c == '\\' && i+1 < len(command) && command[i+1] == '\'':
			word += "'"
			i++
		case c == ' ':
			if begun {
				words = append(words, word)
			}
			word, begun = "", false
		case strings.ContainsRune("\"`$;&|<>()\\\n*?[]{}!~#^%", rune(c)) || c < ' ' || c == 0x7f:
			t.Fatalf("a shell reads more than words in %q", command)
		default:
			word, begun = word+command[i:i+1], true
		}
	}
	if in {
		t.Fatalf("a quote is open in %q", command)
	}
	if begun {
		words = append(words, word)
	}
	return words
}

// option is the word behind an option.
func option(words []string, name string) string {
	if i := slices.Index(words, name); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}

// checkCommands reads every line as a shell would.
func checkCommands(t *testing.T, lines []string) [][]string {
	t.Helper()
	var out [][]string
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "# "):
			if strings.ContainsAny(l, "\n\r") {
				t.Errorf("a comment of two lines: %q", l)
			}
		default:
			words := shellWords(t, l)
			if words[0] != "az" {
				t.Errorf("%q is not a command of az", l)
			}
			out = append(out, words)
		}
	}
	return out
}

func TestFragments(t *testing.T) {
	policies := rigPolicies()
	for name, x := range map[string]struct {
		live    core.Policy
		missing []string
	}{
		"fragment-both":   {rig(rigGiven()), []string{"keys/unwrap/action", "keys/wrap/action", "keys/read", "vaults/read"}},
		"fragment-crypto": {rig(rigGiven(rigAssign(rigReader, rigVault))), []string{"keys/unwrap/action"}},
		"fragment-reader": {rig(rigGiven(rigAssign(rigCrypto, rigVault))), []string{"vaults/read", "key:enabled"}},
		"fragment-policy": {rig(policies, rigGiven()), []string{"keys/unwrap/action", "keys/wrap/action", "keys/read"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := rigAsked(rigAsks(), x.live, nil)
			missing := rigNeeds(t, q.Needs, x.missing...)
			text := Fragment(q, missing)
			golden(t, name, text)
			// What a person adds by it gives what is missing.
			live := deployed(t, x.live, text)
			for _, f := range Judge(live, q).Findings {
				if f.Aspect == core.Access && slices.Contains(missing, f.Requirement) && f.Result != core.Met {
					t.Errorf("%s is %s: %s", f.Permission, f.Result, f.Reason)
				}
			}
		})
	}
	other := rigAsked(rigAsks(), rig(policies), nil)
	for name, x := range map[string]struct {
		q       core.Question
		missing []core.Requirement
	}{
		"nothing is missing":                    {rigAsks(), nil},
		"only the watchdog's own rights":        {rigAsks(), rigNeeds(t, rigAsked(rigAsks(), rig(), nil).Needs, "roleAssignments/write!")},
		"another principal":                     {rigAsks(func(k *core.Key) { k.Needs.Principal = rigMallory }), rigNeeds(t, rigAsked(rigAsks(), rig(), nil).Needs, "keys/unwrap/action")},
		"a principal that is no GUID":           {rigAsks(func(k *core.Key) { k.Needs.Principal = `x"` }), rigNeeds(t, rigAsked(rigAsks(), rig(), nil).Needs, "keys/unwrap/action")},
		"a key without a proper ID":             {rigAsks(func(k *core.Key) { k.ID = "payments" }), rigNeeds(t, rigAsked(rigAsks(), rig(), nil).Needs, "keys/unwrap/action")},
		"what no access policy gives":           {other, rigNeeds(t, other.Needs, "vaults/read")},
		"a property of the key, and the tenant": {other, rigNeeds(t, other.Needs, "key:enabled", "vault:tenant")},
	} {
		t.Run(name, func(t *testing.T) {
			if text := Fragment(x.q, x.missing); text != "" {
				t.Errorf("%s", text)
			}
		})
	}
}

// deployed is a policy once a fragment is deployed.
func deployed(t *testing.T, p core.Policy, text string) core.Policy {
	t.Helper()
	if l, err := rawjson.ReadList(text); err == nil {
		doc, err := documentOf(p, core.RoleAssignments, rigConfluents)
		if err != nil {
			t.Fatal(err)
		}
		list, err := rawjson.ReadList(doc.Text)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range l.Elements {
			o, err := rawjson.CutObject(e.Value)
			if err != nil || textOf(o, "type") != "Microsoft.Authorization/roleAssignments" || textOf(o, "scope") != "Microsoft.KeyVault/vaults/acme-vault" {
				t.Fatalf("%v: %s", err, e.Value)
			}
			properties, err := rawjson.CutObject(o.Get("properties"))
			if err != nil {
				t.Fatal(err)
			}
			list = list.Add(o.Only("name").With("properties", properties.With("scope", rawjson.Quote(rigVault)).String()).String())
		}
		return withText(p, core.RoleAssignments, rigConfluents, list.String())
	}
	s, err := sheetOf(p, rigVault)
	if err != nil {
		t.Fatal(err)
	}
	s.properties = s.properties.With("accessPolicies", s.list.Add(strings.TrimSpace(text)).String())
	return withText(p, core.Vault, rigVault, s.text())
}

func TestUnlocks(t *testing.T) {
	role := rigAssign(rigCustom, rigVault)
	access := []string{"keys/unwrap/action", "keys/wrap/action", "keys/read", "vaults/read"}
	whole := rig()
	for name, x := range map[string]struct {
		live, good core.Policy
		asks       func(*core.Key)
		self       string
		missing    []string
	}{
		"unlock-assignments": {live: rig(rigGiven()), missing: access},
		"unlock-half":        {live: rig(rigGiven(rigAssign(rigCrypto, rigVault))), missing: []string{"vaults/read"}},
		"unlock-policy":      {live: rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "Verify", "$(id)"))), missing: access},
		"unlock-role-narrowed": {live: rig(rigGiven(role), rigRole(rigCustom, nil, []string{"Microsoft.KeyVault/vaults/keys/wrap/action"})),
			missing: access},
		"unlock-role-deleted": {live: rig(rigGiven(role), core.Document{Kind: core.RoleDefinitions, ID: "/providers/microsoft.authorization/roledefinitions/" + rigCustom, Text: "[]"}), missing: access},
		"unlock-condition":    {live: rig(rigGiven(rigAssign(rigCrypto, rigVault, rigLater), rigAssign(rigReader, rigVault))), missing: access[:2]},
		"unlock-switched":     {live: rig(rigPolicies(rigEntry(rigPrincipal, "list"))), good: whole, missing: access[:3]},
		"unlock-switched-to-rbac": {live: rig(rigGiven()), good: rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey"))),
			missing: access[:3]},
		"unlock-deny": {live: rig(rigDenies(rigDeny("x; rm -rf /", "Microsoft.KeyVault/*"))), missing: access[:3]},
		"unlock-deny-self": {live: rig(denyingActions(rigDenies(rigDeny("9", rightAssign)))),
			missing: []string{"roleAssignments/write!"}},
		"unlock-network":            {live: rig(rigVaultDoc("networkAcls", `{"bypass": "None", "defaultAction": "Deny"}`)), missing: []string{"vault:network"}},
		"unlock-network-enterprise": {live: rig(rigVaultDoc("publicNetworkAccess", `"Disabled"`)), asks: func(k *core.Key) { k.Needs.Cluster = "enterprise" }, missing: []string{"vault:network"}},
		"unlock-network-unknown":    {live: rig(rigVaultDoc("publicNetworkAccess", `"Disabled"`)), asks: func(k *core.Key) { k.Needs.Cluster = "" }, missing: []string{"vault:network"}},
		"unlock-perimeter":          {live: rig(rigVaultDoc("publicNetworkAccess", `"SecuredByPerimeter"`)), missing: []string{"vault:network"}},
		"unlock-tenant":             {live: rig(rigVaultDoc("tenantId", `"99999999-b0ff-4e6d-9b3a-2fd5f1c4a111"`)), missing: []string{"vault:tenant"}},
		"unlock-versions":           {live: rig(rigKeyDoc(rigTwo, false), rigVersionsDoc("disabled", "disabled")), good: rig(rigVersionsDoc("enabled", "enabled", "enabled")), missing: []string{"key:enabled", rigOne + ":enabled", rigTwo + ":enabled", "333:enabled"}},
		"unlock-key-deleted":        {live: rig(core.Document{Kind: core.VaultKey, ID: rigKey, Text: `{"error": {"code": "KeyNotFound"}}`}, core.Document{Kind: core.VaultKeyVersions, ID: rigKey, Text: `[]`}), good: whole, missing: []string{"key:enabled", rigOne + ":enabled"}},
		"unlock-key-itself": {live: rig(core.Document{Kind: core.VaultKey, ID: rigKey, Text: `{"key": {"kid": "https://acme-vault.vault.azure.net/keys/payments/` + rigTwo + `", "kty": "EC", "keyOps": ["Sign", "encrypt", "$(id)"]}, "attributes": {"enabled": true, "expires": "2026-01-01T00:00:00+00:00"}}`}, rigVaultDoc("enablePurgeProtection", "null")),
			missing: []string{"key:type", "key:operations", "key:validity", "vault:purge-protection"}},
		"unlock-vault-deleted": {live: rig(core.Document{Kind: core.Vault, ID: rigVault, Text: `{"name": "acme-vault", "properties": {"vaultId": "` + rigVault + `", "location": "westus2; id"}}`}), good: whole, missing: access},
		"unlock-rights":        {live: whole, asks: rigNetwork, missing: []string{"vaults/read!", "roleAssignments/read!", "roleAssignments/write!", "vaults/write!"}},
		"unlock-rights-policies": {live: rig(rigPolicies(rigEntry(rigSelf, "Get", "$(id)"))), asks: func(k *core.Key) { rigNetwork(k); rigKeyState(k) },
			missing: []string{"accessPolicies/write!", "vaults/write!", "keys/update/action!"}},
		"unlock-rights-keys":          {live: whole, asks: rigKeyState, missing: []string{"keys/update/action!"}},
		"unlock-rights-nobody":        {live: whole, self: "evil; rm -rf /", missing: []string{"roleAssignments/write!", "vaults/read!"}},
		"unlock-rights-before-access": {live: rig(rigGiven()), missing: append([]string{"roleAssignments/write!"}, access...)},
	} {
		t.Run(name, func(t *testing.T) {
			q := rigAsks()
			if x.asks != nil {
				q = rigAsks(x.asks)
			}
			q = rigAsked(q, x.live, x.good)
			if x.self != "" {
				q.Self = x.self
			}
			lines := Unlock(x.live, q, rigNeeds(t, q.Needs, x.missing...))
			checkCommands(t, lines)
			golden(t, name, rigShort.Replace(strings.Join(lines, "\n"))+"\n")
		})
	}
}

// denyingActions turns the deny assignments of a document to management actions.
func denyingActions(d core.Document) core.Document {
	d.Text = strings.NewReplacer(`"actions": []`, `"dataActions": []`, `"dataActions"`, `"actions"`).Replace(d.Text)
	return d
}

// TestWhatAPersonUnlocksIsUnlocked makes the assignments that the commands make,
// and asks again.
func TestWhatAPersonUnlocksIsUnlocked(t *testing.T) {
	live := rig(rigGiven(), core.Document{Kind: core.RoleAssignments, ID: rigSelfs, Text: "[]"})
	q := rigAsked(rigAsks(func(k *core.Key) { rigNetwork(k); rigKeyState(k) }), live, nil)
	var missing []core.Requirement
	for _, f := range Judge(live, q).Findings {
		if f.Result == core.Missing {
			missing = append(missing, f.Requirement)
		}
	}
	if len(missing) != len(confluent.AzurePermissions())+len(ownRights(q.Key, true)) {
		t.Fatalf("missing are %v", missing)
	}
	named := map[string]string{}
	for _, words := range checkCommands(t, Unlock(live, q, missing)) {
		switch strings.Join(words[:4], " ") {
		case "az role definition create":
			o, err := rawjson.ReadObject(option(words, "--role-definition"))
			if err != nil {
				t.Fatal(err)
			}
			actions, err := wordsOf(o.Get("Actions"))
			if err != nil {
				t.Fatal(err)
			}
			data, err := wordsOf(o.Get("DataActions"))
			if err != nil {
				t.Fatal(err)
			}
			named[textOf(o, "Name")] = rigCustom
			live = live.With(rigRole(rigCustom, actions, data))
		case "az role assignment create":
			role, principal := option(words, "--role"), option(words, "--assignee-object-id")
			if named[role] != "" {
				role = named[role]
			}
			options := []string{principal}
			if c := option(words, "--condition"); c != "" {
				options = append(options, c)
			}
			id := core.AssignedTo(rigKey, principal)
			doc, err := documentOf(live, core.RoleAssignments, id)
			if err != nil {
				t.Fatal(err)
			}
			l, err := rawjson.ReadList(doc.Text)
			if err != nil {
				t.Fatal(err)
			}
			live = withText(live, core.RoleAssignments, id, l.Add(rigAssign(role, option(words, "--scope"), options...)).String())
		default:
			t.Errorf("%q", words)
		}
	}
	for _, f := range Judge(live, q).Findings {
		if f.Result != core.Met {
			t.Errorf("%s is %s: %s", f.Permission, f.Result, f.Reason)
		}
	}
}
