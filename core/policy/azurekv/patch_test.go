package azurekv

import (
	"errors"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/rawjson"
)

func rigAddress(t testing.TB) address {
	t.Helper()
	at, err := addressOf(rigAsks().Key)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// onto is what a policy becomes once all is written, whatever it has of a vault.
func onto(t testing.TB, p core.Policy, w writes) (core.Policy, error) {
	t.Helper()
	on := scene{live: p, at: rigAddress(t), principal: rigPrincipal}
	var err error
	if on.vault, err = sheetOf(p, rigVault); err != nil && !errors.Is(err, errNoDocument) {
		return nil, err
	}
	return on.with(w)
}

// rigAssigned shortens what every new assignment has.
func rigAssigned(text string) string {
	return strings.NewReplacer(
		`"condition"`, `"c"`, `"conditionVersion"`, `"v"`, assignmentID(rigVault, rigMallory), "ID", rigMallory, "N", rigPrincipal, "P", servicePrincipal, "S",
		rigSub+"/providers/Microsoft.Authorization/roleDefinitions/"+rigCrypto, "R", rigVault, "V", "Microsoft.Authorization/roleAssignments", "T").Replace(text)
}

func TestAnAssignmentIsAppendedInTheListsOwnStyle(t *testing.T) {
	for name, x := range map[string]struct{ was, is string }{
		"an empty list":         {`[]`, `[{"c": null, "v": null, "id": "ID", "name": "N", "principalId": "P", "principalType": "S", "roleDefinitionId": "R", "scope": "V", "type": "T"}]`},
		"an empty list, spaced": {"[ ]", `[{"c": null, "v": null, "id": "ID", "name": "N", "principalId": "P", "principalType": "S", "roleDefinitionId": "R", "scope": "V", "type": "T"} ]`},
		"a list of one":         {`[{"principalId":"a","roleDefinitionId":"b"}]`, `[{"principalId":"a","roleDefinitionId":"b"}, {"c":null, "v":null, "id":"ID", "name":"N", "principalId":"P", "principalType":"S", "roleDefinitionId":"R", "scope":"V", "type":"T"}]`},
		"lines": {"[\n  {\n    \"principalId\": \"a\",\n    \"roleDefinitionId\": \"b\"\n  }\n]",
			"[\n  {\n    \"principalId\": \"a\",\n    \"roleDefinitionId\": \"b\"\n  },\n  {\n    \"c\": null,\n    \"v\": null,\n    \"id\": \"ID\",\n    \"name\": \"N\",\n    \"principalId\": \"P\",\n    \"principalType\": \"S\",\n    \"roleDefinitionId\": \"R\",\n    \"scope\": \"V\",\n    \"type\": \"T\"\n  }\n]"},
		"what Azure wraps":    {`{"value":[],"x":1}`, `{"value":[{"c": null, "v": null, "id": "ID", "name": "N", "principalId": "P", "principalType": "S", "roleDefinitionId": "R", "scope": "V", "type": "T"}],"x":1}`},
		"escapes and numbers": {`[{"principalId":"\u0061","roleDefinitionId":"b","n":1.00e2}]`, `[{"principalId":"\u0061","roleDefinitionId":"b","n":1.00e2}, {"c":null, "v":null, "id":"ID", "name":"N", "principalId":"P", "principalType":"S", "roleDefinitionId":"R", "scope":"V", "type":"T"}]`},
		"what Azure nests":    {`[{"properties":{"principalId":"a","roleDefinitionId":"b","scope":"/"}}]`, `[{"properties":{"principalId":"a","roleDefinitionId":"b","scope":"/"}}, {"c":null, "v":null, "id":"ID", "name":"N", "principalId":"P", "principalType":"S", "roleDefinitionId":"R", "scope":"V", "type":"T"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			p := core.Policy{{Kind: core.RoleAssignments, ID: rigConfluents, Text: x.was}}
			got, err := onto(t, p, writes{grants: []grant{{rigMallory, rigCrypto, clause{}}}})
			if err != nil {
				t.Fatal(err)
			}
			if text := rigAssigned(got[0].Text); text != x.is {
				t.Errorf("got\n%s\nwant\n%s", text, x.is)
			}
			if p[0].Text != x.was {
				t.Error("the policy that was given changed")
			}
		})
	}
}

// TestWhatIsWrittenIsWhatALaterReadJudges: Azure answers in its own words, and
// with members of its own.
func TestWhatIsWrittenIsWhatALaterReadJudges(t *testing.T) {
	live, good, q := guardCase()
	c := bestRestore(t, live, good, q)
	item := func(role string) string {
		a := strings.ToUpper(rigAssign(role, rigVault))
		return `{"id": "/` + strings.ToUpper(derivedName(rigVault, rigPrincipal, role)) + `", "properties": {"scope": "` + strings.Replace(rigVault, "resourcegroups", "resourceGroups", 1) + `", "principalId": "` + strings.ToUpper(rigPrincipal) +
			`", "principalType": "ServicePrincipal", "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/` + strings.ToUpper(role) + `", "description": "` + a[:1] + `", "createdOn": "2026-08-20T03:02:11Z", "updatedBy": "x"}}`
	}
	read := live.With(
		core.Document{Kind: core.RoleAssignments, ID: rigConfluents, Text: rigList(item(rigReader), rigAssign(rigOfficer, rigSub, rigTeam), item(rigCrypto))},
		rigVaultDoc("networkAcls", `{"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": null}`, "accessPolicies", "[]"),
		rigVersionsDoc("enabled", "enabled"))
	if a, b := Judge(c.Result, q).Digest, Judge(read, q).Digest; a == "" || a != b {
		t.Errorf("it is to read %s, and reads %s", a, b)
	}
	live, good, q = policyCase()
	c = bestRestore(t, live, good, q)
	read = live.With(rigPolicies(rigEntry(rigPrincipal, "wrapKey", "unwrapKey", "list", "get"), rigEntry(rigMallory, "get")))
	if a, b := Judge(c.Result, q).Digest, Judge(read, q).Digest; a == "" || a != b {
		t.Errorf("it is to read %s, and reads %s", a, b)
	}
}

func TestAnAccessPolicyIsExtendedInItsOwnWords(t *testing.T) {
	for name, x := range map[string]struct{ was, is string }{
		"no policies": {`{"properties":{"tenantId":"T"}}`, `{"properties":{"tenantId":"T", "accessPolicies":[{"tenantId": "t", "objectId": "P", "permissions": {"keys": ["get", "wrapKey"]}}]}}`},
		"policies that are null": {`{"properties":{"tenantId":"T","accessPolicies":null}}`,
			`{"properties":{"tenantId":"T","accessPolicies":[{"tenantId": "t", "objectId": "P", "permissions": {"keys": ["get", "wrapKey"]}}]}}`},
		"somebody else's": {`{"properties":{"accessPolicies":[{"tenantId":"T","objectId":"x","permissions":{"keys":["purge"]}}],"tenantId":"T"}}`,
			`{"properties":{"accessPolicies":[{"tenantId":"T","objectId":"x","permissions":{"keys":["purge"]}}, {"tenantId": "t", "objectId": "P", "permissions": {"keys": ["get", "wrapKey"]}}],"tenantId":"T"}}`},
		"its own, in capitals": {`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P!","permissions":{"secrets":["get"],"keys":["Sign"]},"n":1.0}],"tenantId":"T"}}`,
			`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P!","permissions":{"secrets":["get"],"keys":["Sign", "get", "wrapKey"]},"n":1.0}],"tenantId":"T"}}`},
		"its own, without keys": {`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P","permissions":{"secrets":["get"]}}],"tenantId":"T"}}`,
			`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P","permissions":{"secrets":["get"], "keys":["get", "wrapKey"]}}],"tenantId":"T"}}`},
		"its own, without permissions": {`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P","permissions":null}],"tenantId":"T"}}`,
			`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P","permissions":{"keys": ["get", "wrapKey"]}}],"tenantId":"T"}}`},
		"an application's, for it": {`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P","applicationId":"A","permissions":{"keys":["get"]}}],"tenantId":"T"}}`,
			`{"properties":{"accessPolicies":[{"tenantId":"t","objectId":"P","applicationId":"A","permissions":{"keys":["get"]}}, {"tenantId": "t", "objectId": "P", "permissions": {"keys": ["get", "wrapKey"]}}],"tenantId":"T"}}`},
		"its own of another tenant": {`{"properties":{"accessPolicies":[{"tenantId":"u","objectId":"P","permissions":{"keys":["get"]}}],"tenantId":"T"}}`,
			`{"properties":{"accessPolicies":[{"tenantId":"u","objectId":"P","permissions":{"keys":["get"]}}, {"tenantId": "t", "objectId": "P", "permissions": {"keys": ["get", "wrapKey"]}}],"tenantId":"T"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			words := func(s string) string {
				return strings.NewReplacer(`"P!"`, `"`+strings.ToUpper(rigPrincipal)+`"`, `"P"`, `"`+rigPrincipal+`"`, `"T"`, `"`+strings.ToUpper(rigTenant)+`"`, `"t"`, `"`+rigTenant+`"`).Replace(s)
			}
			p := core.Policy{{Kind: core.Vault, ID: rigVault, Text: words(x.was)}}
			got, err := onto(t, p, writes{keys: []string{"get", "wrapKey"}})
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Text != words(x.is) {
				t.Errorf("got\n%s\nwant\n%s", got[0].Text, words(x.is))
			}
		})
	}
}

func TestRulesOfTheFirewallStay(t *testing.T) {
	for name, x := range map[string]struct {
		was, is string
		opens   opening
		rules   string
	}{
		"the bypass":    {`{"networkAcls":{"bypass":"None","ipRules":[{"value":"1.2.3.4/32"}],"new":1.0}}`, `{"networkAcls":{"bypass":"AzureServices","ipRules":[{"value":"1.2.3.4/32"}],"new":1.0}}`, opening{bypass: "AzureServices"}, `{"bypass":"AzureServices","ipRules":[{"value":"1.2.3.4/32"}],"new":1.0}`},
		"the action":    {`{"networkAcls":{"bypass":"None","defaultAction":"Deny"}}`, `{"networkAcls":{"bypass":"None","defaultAction":"Allow"}}`, opening{action: "Allow"}, `{"bypass":"None","defaultAction":"Allow"}`},
		"the public":    {`{"networkAcls":{"bypass":"None"},"publicNetworkAccess":"Disabled"}`, `{"networkAcls":{"bypass":"None"},"publicNetworkAccess":"Enabled"}`, opening{public: "Enabled"}, ""},
		"all of them":   {`{"publicNetworkAccess":"Disabled","networkAcls":{"defaultAction":"Deny"}}`, `{"publicNetworkAccess":"Enabled","networkAcls":{"defaultAction":"Allow", "bypass":"AzureServices"}}`, opening{"AzureServices", "Allow", "Enabled"}, `{"defaultAction":"Allow", "bypass":"AzureServices"}`},
		"without rules": {`{"networkAcls":null}`, `{"networkAcls":{"bypass": "AzureServices"}}`, opening{bypass: "AzureServices"}, `{"bypass": "AzureServices"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readSheet(`{"properties":` + x.was + `}`)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.opened(x.opens).text(); got != `{"properties":`+x.is+`}` {
				t.Errorf("got  %s\nwant %s", got, x.is)
			}
			if got := s.rulesFor(x.opens); got != x.rules {
				t.Errorf("rules %s, want %s", got, x.rules)
			}
		})
	}
}

func TestAVersionIsEnabledInEitherForm(t *testing.T) {
	const az = `[{"kid": "https://acme-vault.vault.azure.net/keys/payments/11111111111111111111111111111111", "attributes": {"enabled": false, "expires": null}, "tags": null}, {"attributes": {"enabled": false}, "kid": "https://ACME-vault.vault.azure.net/keys/Payments/22222222222222222222222222222222"}]`
	for name, x := range map[string]struct{ versions, key, wantVersions, wantKey string }{
		"as Azure Resource Manager has it": {rigVersions("disabled", "disabled"), rigKeyText(rigTwo, false), rigVersions("disabled", "enabled"), rigKeyText(rigTwo, true)},
		"another than the current":         {rigVersions("disabled", "disabled"), rigKeyText(rigOne, false), rigVersions("disabled", "enabled"), rigKeyText(rigOne, false)},
		"as az prints it": {az, `{"attributes": {"enabled": false}, "key": {"kid": "https://acme-vault.vault.azure.net/keys/payments/22222222222222222222222222222222"}}`,
			strings.Replace(az, `{"attributes": {"enabled": false}`, `{"attributes": {"enabled": true}`, 1), `{"attributes": {"enabled": true}, "key": {"kid": "https://acme-vault.vault.azure.net/keys/payments/22222222222222222222222222222222"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := core.Policy{{Kind: core.VaultKeyVersions, ID: rigKey, Text: x.versions}, {Kind: core.VaultKey, ID: rigKey, Text: x.key}}
			got, err := onto(t, p, writes{versions: []string{rigTwo}})
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Text != x.wantVersions || got[1].Text != x.wantKey {
				t.Errorf("got\n%s\n%s", got[0].Text, got[1].Text)
			}
		})
	}
}

func TestWhatIsNoVersionOfTheKey(t *testing.T) {
	at := rigAddress(t)
	for name, x := range map[string]struct{ text, want string }{
		"an ID":                      {`{"id": "` + rigKey + `/versions/` + rigOne + `"}`, rigOne},
		"an ID in capitals":          {`{"id": "` + strings.ToUpper(rigKey+`/versions/`+strings.Repeat("a", 32)) + `"}`, strings.Repeat("a", 32)},
		"an address":                 {`{"kid": "https://acme-vault.vault.azure.net/keys/payments/` + rigOne + `"}`, rigOne},
		"an address of China":        {`{"kid": "https://acme-vault.vault.azure.cn/keys/payments/` + rigOne + `"}`, rigOne},
		"both":                       {`{"id": "` + rigKey + `", "properties": {"keyUriWithVersion": "https://acme-vault.vault.azure.net/keys/payments/` + rigOne + `"}}`, rigOne},
		"both, and not the same":     {`{"id": "` + rigKey + `/versions/` + rigTwo + `", "properties": {"keyUriWithVersion": "https://acme-vault.vault.azure.net/keys/payments/` + rigOne + `"}}`, ""},
		"another key's ID":           {`{"id": "` + rigVault + `/keys/orders/versions/` + rigOne + `"}`, ""},
		"another key's address":      {`{"kid": "https://acme-vault.vault.azure.net/keys/orders/` + rigOne + `"}`, ""},
		"another vault's address":    {`{"kid": "https://evil-vault.vault.azure.net/keys/payments/` + rigOne + `"}`, ""},
		"an address of a secret":     {`{"kid": "https://acme-vault.vault.azure.net/secrets/payments/` + rigOne + `"}`, ""},
		"an address without version": {`{"kid": "https://acme-vault.vault.azure.net/keys/payments"}`, ""},
		"an address over http":       {`{"kid": "http://acme-vault.vault.azure.net/keys/payments/` + rigOne + `"}`, ""},
		"a version that is none":     {`{"id": "` + rigKey + `/versions/$(id)"}`, ""},
		"a version that is short":    {`{"id": "` + rigKey + `/versions/1"}`, ""},
		"nothing":                    {`{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := rawjson.ReadObject(x.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := at.versionIn(o); got != x.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestDocumentsThatAreNeverEdited(t *testing.T) {
	w := writes{grants: []grant{{rigMallory, rigCrypto, clause{}}}, keys: []string{"get"}, versions: []string{rigOne}}
	for name, d := range map[string]core.Document{
		"a list that is an object":         {Kind: core.RoleAssignments, ID: rigConfluents, Text: `{}`},
		"a page of a list":                 {Kind: core.RoleAssignments, ID: rigConfluents, Text: `{"value": [], "nextLink": "https://x"}`},
		"a list with something behind it":  {Kind: core.RoleAssignments, ID: rigConfluents, Text: `[] []`},
		"an assignment that is a word":     {Kind: core.RoleAssignments, ID: rigConfluents, Text: `["x"]`},
		"an assignment to nobody":          {Kind: core.RoleAssignments, ID: rigConfluents, Text: `[{"roleDefinitionId": "x"}]`},
		"an assignment that says it twice": {Kind: core.RoleAssignments, ID: rigConfluents, Text: `[{"principalId": "x", "principalId": "y", "roleDefinitionId": "x"}]`},
		"a list that can't be read":        {Kind: core.RoleAssignments, ID: rigConfluents, Unreadable: "access denied"},
		"a vault that is a list":           {Kind: core.Vault, ID: rigVault, Text: `[]`},
		"a vault without properties":       {Kind: core.Vault, ID: rigVault, Text: `{}`},
		"a vault with properties twice":    {Kind: core.Vault, ID: rigVault, Text: `{"properties": {}, "properties": {}}`},
		"policies that are an object":      {Kind: core.Vault, ID: rigVault, Text: `{"properties": {"accessPolicies": {}}}`},
		"a policy that is a word":          {Kind: core.Vault, ID: rigVault, Text: `{"properties": {"accessPolicies": ["x"]}}`},
		"permissions that are a list":      {Kind: core.Vault, ID: rigVault, Text: `{"properties": {"accessPolicies": [{"permissions": []}]}}`},
		"keys that are a word":             {Kind: core.Vault, ID: rigVault, Text: `{"properties": {"accessPolicies": [{"permissions": {"keys": "get"}}]}}`},
		"a key that is a number":           {Kind: core.Vault, ID: rigVault, Text: `{"properties": {"accessPolicies": [{"permissions": {"keys": [1]}}]}}`},
		"versions of another key":          {Kind: core.VaultKeyVersions, ID: rigKey, Text: strings.ReplaceAll(rigVersions("disabled"), "payments", "orders")},
		"a version twice":                  {Kind: core.VaultKeyVersions, ID: rigKey, Text: strings.ReplaceAll(rigVersions("disabled", "enabled"), rigTwo, rigOne)},
		"versions that are an object":      {Kind: core.VaultKeyVersions, ID: rigKey, Text: `{}`},
		"a key that is a list":             {Kind: core.VaultKey, ID: rigKey, Text: `[]`},
		"a key that can't be read":         {Kind: core.VaultKey, ID: rigKey, Unreadable: "access denied"},
		"an empty document":                {Kind: core.Vault, ID: rigVault, Text: ``},
		"half a document":                  {Kind: core.Vault, ID: rigVault, Text: rigVaultText()[:80]},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := onto(t, rig(d), w); err == nil {
				t.Errorf("wrote %+v", got)
			}
		})
	}
	if _, err := onto(t, rig(rigVersionsDoc("disabled", "enabled")), w); err != nil {
		t.Errorf("what all of them could have been: %v", err)
	}
}

func TestOnlyProperIDsEnterACommand(t *testing.T) {
	for _, key := range []string{"", "payments", rigVault, rigKey + "/versions/" + rigOne, rigKey + " ", rigKey + "\n", strings.ToUpper(rigKey), strings.Replace(rigKey, "kafka-prod", "kafka'; id '", 1), strings.Replace(rigKey, "kafka-prod", "kafka.", 1),
		strings.Replace(rigKey, "acme-vault", "$(id)", 1), strings.Replace(rigKey, "acme-vault", "-x", 1), strings.Replace(rigKey, "payments", "pay;id", 1), strings.Replace(rigKey, "payments", "ſpay", 1), strings.Replace(rigKey, "0b1f6471", "x", 1),
		strings.Replace(rigKey, "kafka-prod", "a/b", 1), strings.Replace(rigKey, "kafka-prod", "a\u202eb", 1), strings.Replace(rigKey, "kafka-prod", "a b", 1)} {
		if at, err := addressOf(core.Key{ID: key}); err == nil {
			t.Errorf("%q: %+v", key, at)
		}
		if lines := Unlock(rig(rigGiven()), core.Question{Key: core.Key{ID: key, Needs: core.Confluent{Principal: rigPrincipal}}}, nil); lines != nil {
			t.Errorf("%q: %q", key, lines)
		}
	}
	at := rigAddress(t)
	for _, bad := range []string{"", "1", "x", rigOne + "1", strings.Repeat("A", 32), rigOne + ";id"} {
		if s, err := at.versionStep(bad); err == nil {
			t.Errorf("%q: %s", bad, s.Command)
		}
		if s, err := at.assignStep(grant{rigMallory, rigCrypto, clause{}}, bad); err == nil {
			t.Errorf("%q: %s", bad, s.Command)
		}
		if s, err := at.assignStep(grant{bad, rigCrypto, clause{}}, rigPrincipal); err == nil {
			t.Errorf("%q: %s", bad, s.Command)
		}
		if s, err := at.policyStep(bad, rigPrincipal, []string{"get"}, nil); err == nil {
			t.Errorf("%q: %s", bad, s.Command)
		}
	}
}

// TestNamesThatAShellReads: a resource group may be called as it likes, and a key
// may begin with a hyphen.
func TestNamesThatAShellReads(t *testing.T) {
	const group = "größe_(kafka).1"
	key := core.Key{ID: strings.Replace(strings.Replace(rigKey, "kafka-prod", group, 1), "payments", "-payments", 1)}
	at, err := addressOf(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := at.assignStep(grant{rigMallory, rigCrypto, newClause("x'; rm -rf /", "")}, rigPrincipal)
	if err != nil {
		t.Fatal(err)
	}
	if words := shellWords(t, s.Command); option(words, "--scope") != at.vaultID || strings.Contains(s.Command, "rm -rf") {
		t.Errorf("%q", s.Command)
	}
	if s, err = at.versionStep(rigOne); err != nil || option(shellWords(t, s.Command), "--version") != rigOne || !strings.Contains(s.Command, " --name=-payments ") {
		t.Errorf("%q, %v", s.Command, err)
	}
	live := core.Policy{{Kind: core.DenyAssignments, ID: key.ID, Text: rigList(strings.ReplaceAll(rigDeny("9", "Microsoft.KeyVault/*"), rigVault, at.vaultID))},
		{Kind: core.RoleAssignments, ID: core.AssignedTo(key.ID, rigPrincipal), Text: rigList(rigAssign(rigCrypto, at.vaultID))}}
	q := core.Question{Key: key}
	q.Key.Needs.Principal = rigPrincipal
	q.Needs = Needs(q.Key, live, nil)
	found := false
	for _, words := range checkCommands(t, Unlock(live, q, rigNeeds(t, q.Needs, "keys/unwrap/action"))) {
		found = found || option(words, "--resource-group") == group
	}
	if !found {
		t.Error("no command names the resource group")
	}
}

func TestDerivedNamesAreGUIDsOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, scope := range []string{rigVault, rigVault + "2"} {
		for _, principal := range []string{rigPrincipal, rigMallory} {
			for _, role := range []string{rigCrypto, rigReader} {
				name := derivedName(scope, principal, role)
				if !guidGrammar.MatchString(name) || name[14] != '5' || !strings.ContainsRune("89ab", rune(name[19])) || seen[name] || name != derivedName(scope, principal, role) {
					t.Errorf("%s", name)
				}
				seen[name] = true
			}
		}
	}
}
