package azurekv

import (
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/confluent"
)

func permissionsOf(needs []core.Requirement, aspect core.Aspect) []string {
	var out []string
	for _, n := range needs {
		if n.Aspect == aspect {
			out = append(out, n.Permission)
		}
	}
	return out
}

func versionsDocument(enabled ...bool) core.Document {
	var items []string
	for i, e := range enabled {
		state := "false"
		if e {
			state = "true"
		}
		items = append(items, `{"id":"`+fuzzKey+`/versions/`+strings.Repeat(string(rune('a'+i)), 32)+`","properties":{"attributes":{"enabled":`+state+`}}}`)
	}
	return core.Document{Kind: core.VaultKeyVersions, ID: fuzzKey, Text: "[" + strings.Join(items, ",") + "]"}
}

func needOf(letters string) []string {
	var out []string
	for _, l := range letters {
		out = append(out, versionPrefix+strings.Repeat(string(l), 32)+enabledSuffix)
	}
	return out
}

func TestWhatIsNeededOfVersionsIsWhatTheSnapshotHad(t *testing.T) {
	unreadable := core.Document{Kind: core.VaultKeyVersions, ID: fuzzKey, Unreadable: "denied"}
	for name, c := range map[string]struct {
		live, good core.Policy
		want       string
	}{
		"disabled since":             {core.Policy{versionsDocument(false, true, true)}, core.Policy{versionsDocument(true, true)}, "ab"},
		"no snapshot":                {core.Policy{versionsDocument(false, true)}, nil, "b"},
		"a snapshot without a list":  {core.Policy{versionsDocument(false, true)}, core.Policy{{Kind: core.Vault, ID: fuzzVault, Text: fuzzVaultText}}, "b"},
		"a snapshot of none enabled": {core.Policy{versionsDocument(true)}, core.Policy{versionsDocument(false)}, ""},
		"live not readable":          {core.Policy{unreadable}, core.Policy{versionsDocument(true)}, "a"},
		"a file without versions":    {core.Policy{{Kind: core.RoleAssignments, Text: "[]"}}, core.Policy{versionsDocument(true)}, ""},
		"a key without its versions": {core.Policy{{Kind: core.RoleAssignments, ID: core.AssignedTo(fuzzKey, fuzzConfluent), Text: "[]"}}, core.Policy{versionsDocument(true)}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			got := permissionsOf(Needs(fuzzQuestion(nil).Key, c.live, c.good), core.Property)
			got = slices.DeleteFunc(got, func(p string) bool { return !strings.HasPrefix(p, versionPrefix) })
			if !slices.Equal(got, needOf(c.want)) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestTheWatchdogNeedsWhatItsModeNeeds(t *testing.T) {
	rbac := goodCase()
	policies := edited(t, rbac, core.Vault, `"enableRbacAuthorization":true`, `"enableRbacAuthorization":null`)
	reading := []string{rightVaultRead, rightKeyRead, rightListKeys, rightAssigned, rightRoles, rightDenied}
	with := func(more ...string) []string { return append(slices.Clone(reading), more...) }
	for name, c := range map[string]struct {
		key        core.Key
		live, good core.Policy
		want       []string
	}{
		"unset":                            {core.Key{}, rbac, nil, reading},
		"observe":                          {core.Key{Mode: core.Observe, KeyState: core.CareRestore, Network: core.CareRestore}, rbac, nil, reading},
		"enforce":                          {core.Key{Mode: core.Enforce}, rbac, nil, with(rightAssign)},
		"enforce, with state and network":  {core.Key{Mode: core.Enforce, KeyState: core.CareRestore, Network: core.CareRestore}, rbac, nil, with(rightAssign, rightVaultWrite, rightKeyUpdate)},
		"enforce, with access policies":    {core.Key{Mode: core.Enforce}, policies, nil, with(rightPolicies)},
		"the switch turned since":          {core.Key{Mode: core.Enforce}, policies, rbac, with(rightAssign)},
		"turned the other way":             {core.Key{Mode: core.Enforce}, rbac, policies, with(rightPolicies)},
		"files, of which nobody asks that": {core.Key{Mode: core.Enforce}, core.Policy{{Kind: core.RoleAssignments, Text: "[]"}, rbac[0]}, rbac, nil},
	} {
		c.key.ID, c.key.Vault = fuzzKey, fuzzVault
		if got := permissionsOf(Needs(c.key, c.live, c.good), core.Own); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestReadingTheVaultIsAWarningWithAccessPolicies(t *testing.T) {
	rbac := goodCase()
	policies := edited(t, rbac, core.Vault, `"enableRbacAuthorization":true`, `"enableRbacAuthorization":false`)
	blind := slices.Clone(rbac)
	blind[0].Text, blind[0].Unreadable = "", "denied"
	for name, c := range map[string]struct {
		live, good core.Policy
		want       core.Severity
	}{
		"RBAC":                         {rbac, nil, core.Critical},
		"access policies":              {policies, nil, core.Warning},
		"the switch turned since":      {policies, rbac, core.Critical},
		"turned the other way":         {rbac, policies, core.Warning},
		"nobody knows":                 {blind, nil, core.Critical},
		"nobody knows, but it was":     {blind, policies, core.Warning},
		"a file of assignments alone":  {core.Policy{{Kind: core.RoleAssignments, Text: "[]"}}, nil, core.Critical},
		"the snapshot's is unreadable": {policies, blind, core.Warning},
	} {
		for _, n := range Needs(fuzzQuestion(nil).Key, c.live, c.good) {
			if n.Permission == confluent.AzureVaultRead && n.Aspect == core.Access && n.Severity != c.want {
				t.Errorf("%s: %s, want %s", name, n.Severity, c.want)
			}
		}
	}
}

func TestOfFilesOnlyWhatTheyShowIsAskedAbout(t *testing.T) {
	p := goodCase()
	file := core.Document{Kind: core.RoleAssignments, Text: "[]"}
	key := fuzzQuestion(nil).Key
	for name, c := range map[string]struct {
		live   core.Policy
		tenant string
		want   []string
	}{
		"assignments":               {core.Policy{file}, fuzzTenant, nil},
		"assignments and the vault": {core.Policy{file, p[0]}, fuzzTenant, []string{vaultTenant, vaultNetwork, vaultPurge}},
		"no tenant":                 {core.Policy{file, p[0]}, "", []string{vaultNetwork, vaultPurge}},
		"the key":                   {core.Policy{p[1]}, fuzzTenant, []string{keyEnabled, keyType, keyOperations, keyValidity}},
		"versions":                  {core.Policy{p[2]}, fuzzTenant, []string{versionPrefix + fuzzVersion + enabledSuffix}},
	} {
		key.Needs.Tenant = c.tenant
		if got := permissionsOf(Needs(key, c.live, nil), core.Property); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestBuiltInRolesAreKnownByTheirGUID(t *testing.T) {
	for _, r := range confluent.AzureRoles() {
		if !Builtin(r.ID) || !Builtin(strings.ToUpper(r.ID)) {
			t.Errorf("%s is not built in", r.Name)
		}
		role, _ := builtin(r.ID)
		if role.Name != r.Name {
			t.Errorf("%s is called %s", r.Name, role.Name)
		}
		for _, p := range confluent.AzurePermissions() {
			if role.Permissions[0].covers(confluentAsk(p.Name)) != slices.Contains(r.Permissions, p.Name) {
				t.Errorf("%s and %s", r.Name, p.Name)
			}
		}
	}
	if Builtin(fuzzCustom) || Builtin("") {
		t.Error("a role is built in that is not")
	}
	if c := parseCondition(dataAccessCondition, "2.0"); c.err != nil {
		t.Errorf("the condition within a built-in role: %v", c.err)
	}
}
