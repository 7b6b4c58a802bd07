package azurekv

import (
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/rawjson"
)

func TestGuardOnWhatChangedUnderTheCandidate(t *testing.T) {
	live, good, q := guardCase()
	c := bestRestore(t, live, good, q)
	gone := core.Document{Kind: core.VaultKey, ID: rigKey, Text: `{"error": {"code": "KeyNotFound"}}`}
	vault := func(members ...string) core.Policy {
		return live.With(rigVaultDoc(append([]string{"networkAcls", `{"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "192.0.2.0/24"}], "virtualNetworkRules": [{"id": "/x"}], "new": {"x": 1}}`}, members...)...))
	}
	if err := Guard(vault(), good, c, q, false); err != nil {
		t.Fatalf("live as it was: %v", err)
	}
	asks := func(change func(*core.Key)) core.Question {
		return rigAsked(rigAsks(rigNetwork, rigKeyState, change), live, good)
	}
	own := "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/providers/Microsoft.KeyVault/locations/westus2/deletedVaults/acme-vault"
	for name, x := range map[string]struct {
		live, good core.Policy
		q          core.Question
	}{
		"the key was revoked":                     {vault("tags", `{"byokwatch-revoked": "payments"}`), good, q},
		"all keys were revoked":                   {vault("tags", `{"BYOKWATCH-REVOKED": ""}`), good, q},
		"the key was deleted":                     {live.With(gone), good, q},
		"the vault was deleted":                   {withText(live, core.Vault, rigVault, `{"id": "`+own+`", "properties": {"vaultId": "`+rigVault+`"}}`), good, q},
		"the vault was switched":                  {vault("enableRbacAuthorization", "false"), good, q},
		"the vault moved to another tenant":       {vault("tenantId", `"`+rigMallory+`"`), good, q},
		"an address was let in":                   {live.With(rigVaultDoc("networkAcls", `{"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "192.0.2.0/24"}, {"value": "198.51.100.7"}], "virtualNetworkRules": [{"id": "/x"}], "new": {"x": 1}}`)), good, q},
		"the firewall is open again":              {live.With(rigVaultDoc()), good, q},
		"a role is assigned again":                {live.With(rigGiven(rigAssign(rigCrypto, rigVault))), good, q},
		"a role is assigned under a condition":    {live.With(rigGiven(rigAssign(rigCrypto, rigVault, rigTrue))), good, q},
		"the version is enabled again":            {live.With(rigVersionsDoc("enabled", "enabled")), good, q},
		"the version is gone":                     {live.With(core.Document{Kind: core.VaultKeyVersions, ID: rigKey, Text: "[]"}), good, q},
		"the current version was disabled":        {live.With(rigKeyDoc(rigTwo, false)), good, q},
		"live can't be read":                      {live.With(core.Document{Kind: core.RoleAssignments, ID: rigConfluents, Unreadable: "access denied"}), good, q},
		"live does not parse":                     {withText(live, core.VaultKey, rigKey, "{"), good, q},
		"live says a thing twice":                 {withText(live, core.Vault, rigVault, strings.Replace(rigVaultText(), `"tenantId"`, `"TenantId": "x", "tenantId"`, 1)), good, q},
		"the snapshot is of nothing":              {live, good.With(rigGiven()), q},
		"the snapshot had it from somebody else":  {live, good.With(rigGiven(rigAssign(rigReader, rigVault))), q},
		"the snapshot's condition is over":        {live, good.With(rigGiven(rigAssign(rigCrypto, rigVault, rigLater), rigAssign(rigReader, rigVault))), q},
		"the snapshot's firewall was closed":      {live, good.With(rigVaultDoc("networkAcls", `{"bypass": "None", "defaultAction": "Deny"}`)), q},
		"the snapshot used access policies":       {live, good.With(rigPolicies()), q},
		"the snapshot was in another tenant":      {live, good.With(rigVaultDoc("tenantId", `"`+rigMallory+`"`)), q},
		"the snapshot had the version disabled":   {live, good.With(rigVersionsDoc("disabled", "enabled")), q},
		"the snapshot does not know the version":  {live, good.With(rigVersionsDoc()), q},
		"the snapshot does not parse":             {live, withText(good, core.VaultKey, rigKey, "{"), q},
		"the snapshot has no vault":               {live, slices.DeleteFunc(slices.Clone(good), func(d core.Document) bool { return d.Kind == core.Vault }), q},
		"the snapshot is of another principal":    {live, slices.DeleteFunc(slices.Clone(good), func(d core.Document) bool { return d.ID == rigConfluents }), q},
		"nobody opted in to network rules":        {live, good, asks(func(k *core.Key) { k.Network = core.CareAlert })},
		"nobody opted in to enabling versions":    {live, good, asks(func(k *core.Key) { k.KeyState = core.CareAlert })},
		"another principal is configured":         {live, good, asks(func(k *core.Key) { k.Needs.Principal = rigMallory })},
		"the principal is configured in capitals": {live, good, asks(func(k *core.Key) { k.Needs.Principal = strings.ToUpper(rigPrincipal) })},
		"no principal is configured":              {live, good, asks(func(k *core.Key) { k.Needs.Principal = "" })},
		"another key is asked about":              {live, good, asks(func(k *core.Key) { k.ID = strings.Replace(k.ID, "payments", "orders", 1) })},
		"another vault is asked about":            {live, good, asks(func(k *core.Key) { k.Vault = strings.Replace(k.Vault, "acme", "evil", 1) })},
		"the key's ID is no ID":                   {live, good, asks(func(k *core.Key) { k.ID += "; rm -rf /" })},
		"the key's ID is in capitals":             {live, good, asks(func(k *core.Key) { k.ID, k.Vault = strings.ToUpper(k.ID), "" })},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Guard(x.live, x.good, c, x.q, true); err == nil {
				t.Error("passed")
			}
		})
	}
}

// TestGuardOnOneAssignment assigns one role, with the snapshot that is to justify
// it: no more is in play than the sentence says.
// withCondition puts a condition on what a role gives.
func withCondition(d core.Document, text string) core.Document {
	d.Text = strings.Replace(d.Text, `"notDataActions": []`, `"notDataActions": [], "condition": `+rawjson.Quote(text)+`, "conditionVersion": "2.0"`, 1)
	return d
}

func TestGuardOnOneAssignment(t *testing.T) {
	crypto := grant{role: rigCrypto}
	under := func(condition string) grant { return grant{role: rigCrypto, when: newClause(condition, "")} }
	half := rigRole(rigCustom, nil, []string{"Microsoft.KeyVault/vaults/keys/wrap/action", "Microsoft.KeyVault/vaults/keys/unwrap/action"})
	for name, x := range map[string]struct {
		live   []core.Document
		good   []core.Document
		makes  grant
		passes bool
	}{
		"the snapshot's own":                            {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, true},
		"from the subscription":                         {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigSub))}, crypto, true},
		"from a management group":                       {nil, []core.Document{rigGiven(rigAssign(rigCrypto, "/providers/Microsoft.Management/managementGroups/acme"))}, crypto, true},
		"from the key":                                  {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigKey))}, crypto, true},
		"through a group":                               {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigTeam))}, crypto, true},
		"by a wider role":                               {nil, []core.Document{rigGiven(rigAssign(rigOfficer, rigVault))}, crypto, true},
		"by a custom role":                              {nil, []core.Document{rigGiven(rigAssign(rigCustom, rigVault))}, crypto, true},
		"by a custom role and a reader":                 {nil, []core.Document{rigGiven(rigAssign(rigCustom, rigVault), rigAssign(rigReader, rigVault)), half}, crypto, true},
		"by half a custom role":                         {nil, []core.Document{rigGiven(rigAssign(rigCustom, rigVault)), half}, crypto, false},
		"the reader, for its own":                       {nil, []core.Document{rigGiven(rigAssign(rigReader, rigGroupID))}, grant{role: rigReader}, true},
		"the reader, where only keys could be read":     {nil, []core.Document{rigGiven(rigAssign(rigReader, rigKey))}, grant{role: rigReader}, false},
		"the reader, for a key's own role":              {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, grant{role: rigReader}, false},
		"what only a reader gave":                       {nil, []core.Document{rigGiven(rigAssign(rigReader, rigVault))}, crypto, false},
		"what Owner gave":                               {nil, []core.Document{rigGiven(rigAssign("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", rigVault))}, crypto, false},
		"what a role gave that nobody knows":            {nil, []core.Document{rigGiven(rigAssign(rigMallory, rigVault))}, crypto, false},
		"what another vault gave":                       {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault+"2"))}, crypto, false},
		"what another key gave":                         {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault+"/keys/orders"))}, crypto, false},
		"the wider role itself":                         {nil, []core.Document{rigGiven(rigAssign(rigOfficer, rigVault))}, grant{role: rigOfficer}, false},
		"the custom role itself":                        {nil, []core.Document{rigGiven(rigAssign(rigCustom, rigVault))}, grant{role: rigCustom}, false},
		"under the snapshot's condition":                {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigTrue))}, under(rigTrue), true},
		"without the snapshot's condition":              {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigTrue))}, crypto, false},
		"under another condition":                       {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigTrue))}, under(rigTrue + " OR " + rigTrue), false},
		"under the condition, but for a space":          {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigTrue))}, under(rigTrue + " "), false},
		"under a condition that the snapshot lacks":     {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, under(rigTrue), false},
		"under one of its conditions, had without":      {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigGroupID), rigAssign(rigCrypto, rigVault, rigTrue))}, under(rigTrue), true},
		"without, had with and without":                 {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigGroupID), rigAssign(rigCrypto, rigVault, rigTrue))}, crypto, true},
		"a wider role's condition":                      {nil, []core.Document{rigGiven(rigAssign(rigOfficer, rigVault, rigTrue))}, under(rigTrue), true},
		"a condition in another version":                {nil, []core.Document{rigGiven(strings.Replace(rigAssign(rigCrypto, rigVault, rigTrue), `"2.0"`, `"1.0"`, 1))}, grant{role: rigCrypto, when: clause{rigTrue, "1.0"}}, false},
		"a condition that does not hold":                {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigLater))}, under(rigLater), false},
		"a condition that nobody can decide":            {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigOpaque))}, under(rigOpaque), true},
		"what a role gave under a condition of its own": {nil, []core.Document{rigGiven(rigAssign(rigCustom, rigVault)), withCondition(rigRole(rigCustom, []string{rightVaultRead}, []string{"Microsoft.KeyVault/vaults/keys/*"}), `@Environment[UtcNow] DateTimeLessThan '2030-01-01T00:00:00Z'`)}, crypto, false},
		"the same, of a wider role":                     {nil, []core.Document{rigGiven(rigAssign(rigOfficer, rigVault, rigOpaque))}, under(rigOpaque), false},
		"what a deny assignment took":                   {nil, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault)), rigDenies(rigDeny("9", "Microsoft.KeyVault/vaults/keys/unwrap/action"))}, crypto, false},
		"where a group has it":                          {[]core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigTeam))}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, true},
		"where it is":                                   {[]core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"where it is in capitals":                       {[]core.Document{rigGiven(strings.NewReplacer(rigVault, strings.ToUpper(rigVault), rigCrypto, strings.ToUpper(rigCrypto), rigPrincipal, strings.ToUpper(rigPrincipal)).Replace(rigAssign(rigCrypto, rigVault)))}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"where it is under a condition":                 {[]core.Document{rigGiven(rigAssign(rigCrypto, rigVault, rigLater))}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"in a vault that uses access policies":          {[]core.Document{rigPolicies()}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"in a vault that used them":                     {nil, []core.Document{rigPolicies(), rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"in a vault that uses them, and used them":      {[]core.Document{rigPolicies()}, []core.Document{rigPolicies(), rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"in a vault that used them, and gave it so":     {nil, []core.Document{rigPolicies(rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey")), rigGiven(rigAssign(rigReader, rigVault))}, crypto, false},
		"for a key that nobody can use":                 {[]core.Document{rigKeyDoc(rigTwo, false), rigVersionsDoc("enabled", "disabled")}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"for a revoked key":                             {[]core.Document{rigVaultDoc("tags", `{"Byokwatch-revoked": "Orders;Payments"}`)}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
		"for the neighbour of a revoked key":            {[]core.Document{rigVaultDoc("tags", `{"byokwatch-revoked": "payments2"}`)}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, true},
		"where what is denied can't be read":            {[]core.Document{{Kind: core.DenyAssignments, ID: rigKey, Unreadable: "access denied"}}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, true},
		"where the watchdog's own can't be read":        {[]core.Document{{Kind: core.RoleAssignments, ID: rigSelfs, Unreadable: "access denied"}}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, true},
		"where Azure wraps what it lists":               {[]core.Document{{Kind: core.RoleAssignments, ID: rigConfluents, Text: `{"value": []}`}}, []core.Document{{Kind: core.RoleAssignments, ID: rigConfluents, Text: `{"value": [` + rigAssign(rigCrypto, rigVault) + `]}`}}, crypto, true},
		"where Azure says the rest is on a new page":    {[]core.Document{{Kind: core.RoleAssignments, ID: rigConfluents, Text: `{"value": [], "nextLink": "https://x"}`}}, []core.Document{rigGiven(rigAssign(rigCrypto, rigVault))}, crypto, false},
	} {
		t.Run(name, func(t *testing.T) {
			live, whole := rig(rigGiven()).With(x.live...), rig(rigGiven()).With(x.good...)
			q := rigAsked(rigAsks(), live, whole)
			good := Trim(whole, q)
			g := x.makes
			had, err := givers(good, q, rigPrincipal)
			if err != nil {
				t.Fatal(err)
			}
			on, err := newScene(live, q.Key)
			if err != nil {
				t.Fatal(err)
			}
			g.name = nameFor(had, on.at, rigPrincipal, g.role)
			w := writes{grants: []grant{g}}
			c := core.Candidate{Name: "one"}
			if c.Result, err = on.with(w); err != nil && !x.passes {
				return // it can't even be written down
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Steps, err = on.steps(w); err != nil {
				t.Fatal(err)
			}
			err = Guard(live, good, c, q, false)
			if (err == nil) != x.passes {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestGuardOnOneAccessPolicy(t *testing.T) {
	behalf := strings.Replace(rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey"), `"permissions"`, `"applicationId": "`+rigMallory+`", "permissions"`, 1)
	abroad := strings.Replace(rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey"), rigTenant, rigMallory, 1)
	for name, x := range map[string]struct {
		live, good []string
		adds       []string
		passes     bool
	}{
		"what the snapshot had":                    {nil, []string{rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey")}, []string{"get", "unwrapKey", "wrapKey"}, true},
		"less than it had":                         {nil, []string{rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey")}, []string{"unwrapKey"}, true},
		"what it had in another spelling":          {nil, []string{rigEntry(rigPrincipal, "Get", "WRAPKEY", "UnwrapKey")}, []string{"get", "unwrapKey", "wrapKey"}, true},
		"what it had through all":                  {nil, []string{rigEntry(rigPrincipal, "All")}, []string{"get", "unwrapKey", "wrapKey"}, true},
		"what it had through all, unneeded":        {nil, []string{rigEntry(rigPrincipal, "all")}, []string{"get", "list", "unwrapKey", "wrapKey"}, false},
		"what it had beside all":                   {nil, []string{rigEntry(rigPrincipal, "all", "list")}, []string{"get", "list", "unwrapKey", "wrapKey"}, true},
		"what it did not have":                     {nil, []string{rigEntry(rigPrincipal, "get", "wrapKey")}, []string{"get", "wrapKey", "unwrapKey"}, false},
		"what somebody else had":                   {nil, []string{rigEntry(rigMallory, "get", "wrapKey", "unwrapKey")}, []string{"get"}, false},
		"what an application had for it":           {nil, []string{behalf}, []string{"get"}, false},
		"what it had in another tenant":            {nil, []string{abroad}, []string{"get"}, false},
		"what it has":                              {[]string{rigEntry(rigPrincipal, "Get")}, []string{rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey")}, []string{"get", "wrapKey"}, false},
		"what it lacks":                            {[]string{rigEntry(rigPrincipal, "Get", "sign")}, []string{rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey")}, []string{"wrapKey", "unwrapKey"}, true},
		"where it has all":                         {[]string{rigEntry(rigPrincipal, "all")}, []string{rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey")}, []string{"get"}, false},
		"where an application has it":              {[]string{behalf}, []string{rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey")}, []string{"get", "unwrapKey", "wrapKey"}, true},
		"what it had, that Confluent doesn't need": {nil, []string{rigEntry(rigPrincipal, "get", "wrapKey", "unwrapKey", "sign")}, []string{"get", "sign"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			live, whole := rig(rigGiven(), rigPolicies(x.live...)), rig(rigGiven(), rigPolicies(x.good...))
			q := rigAsked(rigAsks(), live, whole)
			good := Trim(whole, q)
			c := made(t, live, writes{keys: x.adds})
			if err := Guard(live, good, c, q, false); (err == nil) != x.passes {
				t.Errorf("%v", err)
			}
			switched := rig(rigGiven(), rigVaultDoc("accessPolicies", rigList(x.good...)))
			if err := Guard(live, Trim(switched, q), c, q, false); err == nil {
				t.Error("it passes for a snapshot under Azure RBAC, where the entry did not count")
			}
		})
	}
}

func TestGuardOnTheFirewall(t *testing.T) {
	const shut = `{"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "192.0.2.0/24"}]}`
	acls := func(text string, more ...string) core.Document {
		return rigVaultDoc(append([]string{"networkAcls", text}, more...)...)
	}
	for name, x := range map[string]struct {
		live, good core.Document
		opens      opening
		passes     bool
	}{
		"the bypass of the snapshot":             {acls(shut), acls(`{"bypass": "AzureServices", "defaultAction": "Deny"}`), opening{bypass: "AzureServices"}, true},
		"the bypass of a snapshot without one":   {acls(shut), acls(`{"defaultAction": "Deny"}`), opening{bypass: "AzureServices"}, true},
		"the bypass of a snapshot without rules": {acls(shut), rigVaultDoc(), opening{bypass: "AzureServices"}, true},
		"everything of it":                       {acls(shut, "publicNetworkAccess", `"disabled"`), rigVaultDoc(), opening{"AzureServices", "Allow", "Enabled"}, true},
		"everything, where nothing was said":     {acls(shut, "publicNetworkAccess", `"Disabled"`), rigVaultDoc("publicNetworkAccess", "null"), opening{"AzureServices", "Allow", "Enabled"}, true},
		"a bypass that the snapshot lacks":       {acls(shut), acls(`{"bypass": "None", "defaultAction": "Allow"}`), opening{bypass: "AzureServices"}, false},
		"an action that the snapshot lacks":      {acls(shut), acls(`{"bypass": "AzureServices", "defaultAction": "Deny"}`), opening{action: "Allow"}, false},
		"an access that the snapshot lacks":      {rigVaultDoc("publicNetworkAccess", `"Disabled"`), rigVaultDoc("publicNetworkAccess", `"Disabled"`), opening{public: "Enabled"}, false},
		"what is there":                          {rigVaultDoc(), rigVaultDoc(), opening{public: "Enabled"}, false},
		"out of a perimeter":                     {rigVaultDoc("publicNetworkAccess", `"SecuredByPerimeter"`), rigVaultDoc(), opening{public: "Enabled"}, false},
		"into a perimeter":                       {rigVaultDoc(), rigVaultDoc("publicNetworkAccess", `"SecuredByPerimeter"`), opening{public: "SecuredByPerimeter"}, false},
		"shut, as the snapshot had it":           {acls(`{"bypass": "AzureServices", "defaultAction": "Allow"}`), acls(shut), opening{action: "Deny"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			live, whole := rig(x.live), rig(x.good)
			q := rigAsked(rigAsks(rigNetwork), live, whole)
			good := Trim(whole, q)
			c := made(t, live, writes{opening: x.opens})
			if err := Guard(live, good, c, q, false); (err == nil) != x.passes {
				t.Errorf("%v", err)
			}
			c.Steps = append(c.Steps, c.Steps[0])
			if err := Guard(live, good, c, q, false); err == nil {
				t.Error("the same step passes twice")
			}
			q.Key.Network = core.CareAlert
			c.Steps = c.Steps[:1]
			if err := Guard(live, good, c, q, false); err == nil {
				t.Error("it passes without having been opted in to")
			}
		})
	}
}

func TestGuardOnKeyVersions(t *testing.T) {
	for name, x := range map[string]struct {
		live, good []core.Document
		version    string
		passes     bool
	}{
		"one that was enabled and is disabled":      {[]core.Document{rigVersionsDoc("disabled", "enabled")}, nil, rigOne, true},
		"the current one":                           {[]core.Document{rigVersionsDoc("enabled", "disabled"), rigKeyDoc(rigTwo, false)}, nil, rigTwo, true},
		"an old one, where the current is disabled": {[]core.Document{rigVersionsDoc("disabled", "disabled"), rigKeyDoc(rigTwo, false)}, nil, rigOne, false},
		"one that is enabled":                       {nil, nil, rigOne, false},
		"one that was disabled":                     {[]core.Document{rigVersionsDoc("disabled", "enabled")}, []core.Document{rigVersionsDoc("disabled", "enabled")}, rigOne, false},
		"one that the snapshot does not know":       {[]core.Document{rigVersionsDoc("enabled", "enabled", "disabled")}, nil, strings.Repeat("3", 32), false},
		"one that live does not know":               {[]core.Document{rigVersionsDoc("enabled")}, nil, rigTwo, false},
	} {
		t.Run(name, func(t *testing.T) {
			live, whole := rig(x.live...), rig(x.good...)
			q := rigAsked(rigAsks(rigKeyState), live, whole)
			good := Trim(whole, q)
			c := made(t, live, writes{versions: []string{x.version}})
			if err := Guard(live, good, c, q, false); (err == nil) != x.passes {
				t.Errorf("%v", err)
			}
			q.Key.KeyState = core.CareAlert
			if err := Guard(live, good, c, q, false); err == nil {
				t.Error("it passes without having been opted in to")
			}
		})
	}
}
