package azurekv

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
)

const (
	everybodyDenied = `{"properties":{"denyAssignmentName":"d","scope":"` + fuzzVault + `","principals":[{"id":"` + everyone + `","type":"SystemDefined"}],"permissions":[{"dataActions":["Microsoft.KeyVault/vaults/keys/unwrap/action"]}]}}`
	others          = `{"id":"x","scope":"` + fuzzSub + `","principalId":"99999999-1212-1212-1212-121212121212","principalType":"User","roleDefinitionId":"/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"}`
)

func goodCase() core.Policy { return fuzzCase(fuzzVaultText, pair(), fuzzRoles, "[]") }

// edited is a policy with words replaced in its documents of one kind.
func edited(t *testing.T, p core.Policy, kind core.Kind, pairs ...string) core.Policy {
	t.Helper()
	out := slices.Clone(p)
	for i := range out {
		if out[i].Kind != kind {
			continue
		}
		for j := 0; j < len(pairs); j += 2 {
			if !strings.Contains(out[i].Text, pairs[j]) {
				t.Fatalf("%s holds no %q", kind, pairs[j])
			}
			out[i].Text = strings.ReplaceAll(out[i].Text, pairs[j], pairs[j+1])
		}
		return out
	}
	t.Fatalf("no %s", kind)
	return nil
}

func digestOf(t *testing.T, p core.Policy) core.Digest {
	t.Helper()
	d := fuzzJudge(p).Digest
	if d == "" {
		t.Fatal("no digest")
	}
	return d
}

const confluentList = core.RoleAssignments // the first list of the case is Confluent's

func TestWhatCloudAndOthersDoDoesNotChangeTheDigest(t *testing.T) {
	base := goodCase()
	want := digestOf(t, base)
	swap := func(p core.Policy, kind core.Kind, text string) core.Policy {
		out := slices.Clone(p)
		for i := range out {
			if out[i].Kind == kind {
				out[i].Text = text
				break
			}
		}
		return out
	}
	for name, p := range map[string]core.Policy{
		"another name":                       edited(t, base, confluentList, "99999999-0000", "88888888-0000"),
		"another date of writing":            edited(t, base, confluentList, "2026-01-02", "2026-05-06"),
		"a description":                      edited(t, base, confluentList, `"description": null`, `"description": "for Kafka"`),
		"the case of scopes":                 edited(t, base, confluentList, "resourcegroups/kafka", "resourceGroups/KAFKA"),
		"the case of the principal":          edited(t, base, confluentList, fuzzConfluent, strings.ToUpper(fuzzConfluent)),
		"the version of the syntax":          edited(t, base, confluentList, `"conditionVersion": null`, `"conditionVersion": "2.0"`),
		"the order":                          swap(base, confluentList, "["+assigned(fuzzConfluent, vaultReader, fuzzVault, "")+","+assigned(fuzzConfluent, encryptionUser, fuzzVault, "")+"]"),
		"the same one twice":                 swap(base, confluentList, strings.Replace(pair(), "]", ","+assigned(fuzzConfluent, encryptionUser, fuzzVault, "")+"]", 1)),
		"the form of the answer":             swap(base, confluentList, `{"value":`+pair()+`}`),
		"a role of Confluent's without use":  swap(base, confluentList, strings.Replace(pair(), "[", "["+assigned(fuzzConfluent, "4633458b-17de-408a-b874-0445c86b69e6", fuzzVault, "")+",", 1)),
		"who last wrote the vault":           edited(t, base, core.Vault, `"location"`, `"systemData":{"lastModifiedBy":"x"},"location"`),
		"other tags":                         edited(t, base, core.Vault, `"tags":{}`, `"tags":{"team":"x","byokwatch-revoked":"orders"}`),
		"other people's access policies":     edited(t, base, core.Vault, `"accessPolicies":[]`, `"accessPolicies":[{"objectId":"x","permissions":{"keys":["all"]}}]`),
		"Confluent's entry, which is idle":   edited(t, base, core.Vault, `"accessPolicies":[]`, `"accessPolicies":[{"tenantId":"`+fuzzTenant+`","objectId":"`+fuzzConfluent+`","permissions":{"keys":["all"]}}]`),
		"addresses that the firewall passes": edited(t, base, core.Vault, `"networkAcls":null`, `"networkAcls":{"defaultAction":"Allow","bypass":"AzureServices","ipRules":[{"value":"192.0.2.1"}]}`),
		"the key's tags and dates":           edited(t, base, core.VaultKey, `"enabled":true`, `"enabled":true,"updated":1790000000,"recoveryLevel":"Purgeable"`),
		"the order of operations":            edited(t, base, core.VaultKey, `"wrapKey","unwrapKey"`, `"unwrapKey","WrapKey"`),
		"a deny of something else":           swap(base, core.DenyAssignments, "["+strings.Replace(everybodyDenied, "unwrap", "purge", 1)+"]"),
		"a deny of somebody else":            swap(base, core.DenyAssignments, "["+strings.Replace(everybodyDenied, everyone+`","type":"SystemDefined`, `x","type":"User`, 1)+"]"),
		"a deny elsewhere":                   swap(base, core.DenyAssignments, "["+strings.Replace(everybodyDenied, "acme-vault", "acme-vault2", 1)+"]"),
		"a role that is not assigned":        edited(t, base, core.RoleDefinitions, "vaults/read", "vaults/write"),
		"a file of other people":             append(slices.Clone(base), core.Document{Kind: core.RoleAssignments, Text: "[" + others + "]"}),
	} {
		t.Run(name, func(t *testing.T) {
			j := fuzzJudge(p)
			if j.Digest != want {
				t.Errorf("the digest is %q: %s", j.Digest, j.Findings[0].Reason)
			}
		})
	}
	for i := range base {
		if base[i].ID == core.AssignedTo(fuzzKey, fuzzSelf) {
			base[i].Text = "[]"
		}
	}
	if digestOf(t, base) != want {
		t.Error("the watchdog's own rights change the digest")
	}
}

func TestWhatReachesConfluentChangesTheDigest(t *testing.T) {
	base := goodCase()
	set := func(kind core.Kind, text string) core.Policy {
		out := slices.Clone(base)
		for i := range out {
			if out[i].Kind == kind {
				out[i].Text = text
				break
			}
		}
		return out
	}
	list := func(items ...string) core.Policy { return set(confluentList, "["+strings.Join(items, ",")+"]") }
	reader := assigned(fuzzConfluent, vaultReader, fuzzVault, "")
	// withIn shows a group that Confluent is in, by a role that gives nothing needed.
	withIn := func(p core.Policy) core.Policy {
		return edited(t, p, confluentList, pair(), strings.TrimSuffix(pair(), "]")+","+assigned(fuzzSelf, "4633458b-17de-408a-b874-0445c86b69e6", fuzzVault, "")+"]")
	}
	custom := assigned(fuzzConfluent, fuzzCustom, fuzzVault, "")
	seen := map[core.Digest]string{digestOf(t, base): "the base"}
	for name, p := range map[string]core.Policy{
		"one unassigned":                       list(reader),
		"both unassigned":                      list(),
		"one more, above":                      list(reader, assigned(fuzzConfluent, encryptionUser, fuzzVault, ""), assigned(fuzzConfluent, encryptionUser, fuzzSub, "")),
		"one moved to the key":                 list(reader, assigned(fuzzConfluent, encryptionUser, fuzzKey, "")),
		"one through a group":                  list(reader, assigned(fuzzSelf, encryptionUser, fuzzVault, "")),
		"one under a condition":                list(reader, assigned(fuzzConfluent, encryptionUser, fuzzVault, "ActionMatches{'*'}")),
		"one under another":                    list(reader, assigned(fuzzConfluent, encryptionUser, fuzzVault, "ActionMatches{'a  b'}")),
		"one under another, by a space":        list(reader, assigned(fuzzConfluent, encryptionUser, fuzzVault, "ActionMatches{'a b'}")),
		"a custom role":                        list(custom),
		"a custom role gutted":                 edited(t, list(custom), core.RoleDefinitions, "keys/*", "keys/read"),
		"a custom role deleted":                edited(t, list(custom), core.RoleDefinitions, fuzzRoles, "[]"),
		"a custom role not described":          slices.DeleteFunc(list(custom), func(d core.Document) bool { return d.Kind == core.RoleDefinitions }),
		"the switch":                           edited(t, base, core.Vault, `"enableRbacAuthorization":true`, `"enableRbacAuthorization":null`),
		"the switch, and an entry":             edited(t, base, core.Vault, `"enableRbacAuthorization":true`, `"enableRbacAuthorization":false`, `"accessPolicies":[]`, `"accessPolicies":[{"tenantId":"`+fuzzTenant+`","objectId":"`+fuzzConfluent+`","permissions":{"keys":["get"]}}]`),
		"the switch, and an entry on behalf":   edited(t, base, core.Vault, `"enableRbacAuthorization":true`, `"enableRbacAuthorization":false`, `"accessPolicies":[]`, `"accessPolicies":[{"tenantId":"`+fuzzTenant+`","objectId":"`+fuzzConfluent+`","applicationId":"x","permissions":{"keys":["get"]}}]`),
		"the tenant":                           edited(t, base, core.Vault, fuzzTenant, "aaaaaaaa-9999-9999-9999-111111111111"),
		"the firewall closed with the bypass":  edited(t, base, core.Vault, `"networkAcls":null`, `"networkAcls":{"defaultAction":"Deny","bypass":"AzureServices"}`),
		"the firewall closed without it":       edited(t, base, core.Vault, `"networkAcls":null`, `"networkAcls":{"defaultAction":"Deny","bypass":"None"}`),
		"a perimeter":                          edited(t, base, core.Vault, `"Enabled"`, `"SecuredByPerimeter"`),
		"purge protection":                     edited(t, base, core.Vault, `"enablePurgeProtection":true`, `"enablePurgeProtection":null`),
		"the owner's mark":                     edited(t, base, core.Vault, `"tags":{}`, `"tags":{"byokwatch-revoked":"payments"}`),
		"the mark with a reason":               edited(t, base, core.Vault, `"tags":{}`, `"tags":{"byokwatch-revoked":"payments","byokwatch-revoked-reason":"x"}`),
		"the key disabled":                     edited(t, base, core.VaultKey, `"enabled":true`, `"enabled":false`),
		"the key's end":                        edited(t, base, core.VaultKey, `"enabled":true`, `"enabled":true,"exp":1798761600`),
		"the key's beginning":                  edited(t, base, core.VaultKey, `"enabled":true`, `"enabled":true,"nbf":1767225600`),
		"the key's type":                       edited(t, base, core.VaultKey, `"RSA"`, `"RSA-HSM"`),
		"the key's operations":                 edited(t, base, core.VaultKey, `"wrapKey",`, ``),
		"another current version":              edited(t, base, core.VaultKey, fuzzVersion, strings.Repeat("a", 32)),
		"the key gone":                         edited(t, base, core.VaultKey, fuzzKeyText, `{"error":{"code":"KeyNotFound"}}`),
		"a version disabled":                   edited(t, base, core.VaultKeyVersions, "true", "false"),
		"a version more":                       set(core.VaultKeyVersions, strings.Replace(fuzzVersions, "]", `,{"kid":"https://acme-vault.vault.azure.net/keys/payments/`+strings.Repeat("b", 32)+`","attributes":{"enabled":true}}]`, 1)),
		"a deny of everybody":                  set(core.DenyAssignments, "["+everybodyDenied+"]"),
		"a deny of a group that it is in":      withIn(set(core.DenyAssignments, "["+strings.Replace(everybodyDenied, everyone+`","type":"SystemDefined`, fuzzSelf+`","type":"Group`, 1)+"]")),
		"a deny of a group, and who is in it?": set(core.DenyAssignments, "["+strings.Replace(everybodyDenied, everyone+`","type":"SystemDefined`, fuzzSelf+`","type":"Group`, 1)+"]"),
		"a deny of a group":                    set(core.DenyAssignments, "["+strings.Replace(everybodyDenied, everyone+`","type":"SystemDefined`, `x","type":"Group`, 1)+"]"),
		"a deny with a condition":              set(core.DenyAssignments, "["+strings.Replace(everybodyDenied, `"dataActions"`, `"condition":"x","dataActions"`, 1)+"]"),
		"a deny that spares somebody unknown":  set(core.DenyAssignments, "["+strings.Replace(everybodyDenied, `"permissions"`, `"excludePrincipals":[{"id":"x","type":"Group"}],"permissions"`, 1)+"]"),
	} {
		d := digestOf(t, p)
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
}

// Azure Resource Manager and az print the same key in two forms.
func TestBothFormsAreJudgedTheSame(t *testing.T) {
	arm := edited(t, goodCase(), core.VaultKey, `"enabled":true`, `"enabled":true,"exp":1798761600,"nbf":1767225600`)
	az := slices.Clone(arm)
	for i := range az {
		switch az[i].Kind {
		case core.VaultKey:
			az[i].Text = `{"attributes":{"created":"2026-01-02T03:04:05+00:00","enabled":true,"expires":"2027-01-01T00:00:00+00:00","notBefore":"2026-01-01T01:00:00+01:00"},"key":{"crv":null,"keyOps":["unwrapKey","wrapKey"],"kid":"https://acme-vault.vault.azure.net/keys/payments/` + strings.ToUpper(fuzzVersion) + `","kty":"RSA","n":"x"},"managed":null,"tags":null}`
		case core.VaultKeyVersions:
			az[i].Text = `[{"attributes":{"enabled":true,"expires":null},"kid":"https://acme-vault.vault.azure.net/keys/payments/` + fuzzVersion + `","name":"payments","tags":null}]`
		}
	}
	a, b := fuzzJudge(arm), fuzzJudge(az)
	if a.Digest == "" || a.Digest != b.Digest || !a.Ends.Equal(b.Ends) || a.Ends.Unix() != 1798761600 {
		t.Errorf("%s until %v, %s until %v", a.Digest, a.Ends, b.Digest, b.Ends)
	}
	for i, f := range a.Findings {
		if g := b.Findings[i]; f.Result != core.Met || g.Result != f.Result || g.Reason != f.Reason {
			t.Errorf("%s: %v (%s), %v (%s)", f.Permission, f.Result, f.Reason, g.Result, g.Reason)
		}
	}
}

func TestManyDatesAreTooMany(t *testing.T) {
	dated := func(principal string, n int) []string {
		var items []string
		for i := range n {
			until := time.Date(2027, 1, 1, 0, 0, i, 0, time.UTC).Format(time.RFC3339)
			items = append(items, assigned(principal, encryptionUser, fuzzVault, "@Environment[UtcNow] DateTimeLessThan '"+until+"'"))
		}
		return items
	}
	judge := func(items []string) core.Judgement {
		return fuzzJudge(fuzzCase(fuzzVaultText, "["+strings.Join(items, ",")+"]", fuzzRoles, "[]"))
	}
	few := judge(dated(fuzzConfluent, maxDates))
	if want := time.Date(2027, 1, 1, 0, 0, maxDates-1, 0, time.UTC); few.Findings[0].Result != core.Met || !few.Expires.Equal(want) {
		t.Errorf("%d dates: %v until %v, want it met until %v", maxDates, few.Findings[0].Result, few.Expires, want)
	}
	many := judge(dated(fuzzConfluent, maxDates+1))
	if f := many.Findings[0]; f.Result != core.Undetermined || !strings.Contains(f.Reason, "more than 50 dates") || !many.Expires.IsZero() {
		t.Errorf("%d dates: %v until %v, %s", maxDates+1, f.Result, many.Expires, f.Reason)
	}
	p := fuzzCase(fuzzVaultText, "["+dated(fuzzConfluent, 1)[0]+"]", fuzzRoles, "[]")
	p = append(p, core.Document{Kind: core.RoleAssignments, Text: "[" + strings.Join(dated("99999999-1212-1212-1212-121212121212", maxDates+1), ",") + "]"})
	if beside := fuzzJudge(p); beside.Findings[0].Result != core.Met || beside.Expires.IsZero() {
		t.Errorf("the dates of others: %v until %v", beside.Findings[0].Result, beside.Expires)
	}
}

func TestWhatExceedsTheBoundsOfAConditionIsUnknown(t *testing.T) {
	for name, text := range map[string]string{
		"depth":  strings.Repeat("(", maxNesting+2) + "ActionMatches{'*'}" + strings.Repeat(")", maxNesting+2),
		"length": "ActionMatches{'" + strings.Repeat("*", maxCondition) + "'}",
		"bytes":  "\xff\xfe",
		"no end": "ActionMatches{'*'} AND",
		"a hole": "ActionMatches{''",
	} {
		if got := parseCondition(text, "").holds(facts{action: "x"}); got != truth.Unknown {
			t.Errorf("%s: %d", name, got)
		}
	}
	deep := strings.Repeat("(", maxNesting) + "ActionMatches{'*'}" + strings.Repeat(")", maxNesting)
	if got := parseCondition(strings.Repeat("!", 1001)+deep, "").holds(facts{action: "x"}); got != truth.No {
		t.Errorf("many negations: %d", got)
	}
}

func TestPatternsMatchAsAzuresDo(t *testing.T) {
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "a/b", true}, {"a/*", "a/b/c", true}, {"a/*", "a", false}, {"*/read", "a/b/read", true}, {"*/read", "a/read/b", false}, {"a*c", "abc", true}, {"a*c", "ac", true},
		{"a/*/read", "a/read", true}, {"a/*/read", "a/b/c/read", true}, {"a/*/read", "ab/read", false}, {"a/*/", "a/", true}, {"", "", true}, {"", "a", false}, {"a", "", false}, {"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false}, {"a?c", "abc", false},
	} {
		if got := covered(c.pattern, c.action); got != c.want {
			t.Errorf("%q covers %q: %v", c.pattern, c.action, got)
		}
	}
	if covered(strings.Repeat("*a", 200), strings.Repeat("a", 199)+"b") {
		t.Error("a long pattern covers what it does not")
	}
}

func TestPartsOfAPolicyHaveADigest(t *testing.T) {
	whole := goodCase()
	for i := range whole {
		part := core.Policy{whole[i]}
		if j := Judge(part, fuzzQuestion(whole)); j.Digest == "" {
			t.Errorf("%s alone has no digest: %s", whole[i].Kind, j.Findings[0].Reason)
		}
		part[0].Text, part[0].Unreadable = "", "denied"
		decisive := whole[i].Kind != core.RoleDefinitions && whole[i].Kind != core.DenyAssignments && whole[i].ID != core.AssignedTo(fuzzKey, fuzzSelf)
		if j := Judge(part, fuzzQuestion(whole)); (j.Digest == "") != decisive {
			t.Errorf("%s of %s, unreadable, has the digest %q", whole[i].Kind, whole[i].ID, j.Digest)
		}
	}
}

// The same condition may stand in many assignments, the same role too: both are
// worked out once, and the answer does not depend on who asked first.
func TestOneListForTwoPeopleMixesNothingUp(t *testing.T) {
	role := strings.Replace(fuzzRoles, `["Microsoft.KeyVault/vaults/read"]`, `["*"]`, 1)
	p := fuzzCase(fuzzVaultText, "["+assigned(fuzzConfluent, fuzzCustom, fuzzVault, "")+"]", role, "[]")
	for i := range p {
		if p[i].ID == core.AssignedTo(fuzzKey, fuzzSelf) {
			p[i].Text = "[" + assigned(fuzzSelf, fuzzCustom, fuzzVault, "") + "]"
		}
	}
	j := fuzzJudge(p)
	clauses := map[core.Digest]string{}
	for _, f := range j.Findings {
		if f.Result != core.Met {
			t.Errorf("%s is %v: %s", f.Permission, f.Result, f.Reason)
		}
		for _, e := range f.Evidence {
			who := fmt.Sprint(f.Aspect)
			if other, ok := clauses[e.Clause]; ok && other != who {
				t.Errorf("one clause for %s and %s", other, who)
			}
			clauses[e.Clause] = who
		}
	}
}

func TestADateThatCannotBeWrittenDownIsNone(t *testing.T) {
	for _, date := range []string{"9223372036854775807", "-62135596801000", "253402300800"} {
		j := fuzzJudge(edited(t, goodCase(), core.VaultKey, `"enabled":true`, `"enabled":true,"exp":`+date))
		if j.Digest != "" || !j.Ends.IsZero() {
			t.Errorf("%s: ends %s", date, j.Ends)
		}
	}
}

// TestASlashAtTheEndOfAScope: a deny assignment that stops at its scope takes
// what is on it.
func TestASlashAtTheEndOfAScope(t *testing.T) {
	deny := func(scope string) core.Judgement {
		p := goodCase()
		for i := range p {
			if p[i].Kind == core.DenyAssignments {
				p[i].Text = `[{"id": "d", "properties": {"permissions": [{"actions": ["*"]}], "scope": "` + scope + `", "doNotApplyToChildScopes": true, "principals": [{"id": "` + everyone + `", "type": "SystemDefined"}]}}]`
			}
		}
		return fuzzJudge(p)
	}
	plain, slash := deny(fuzzVault), deny(fuzzVault+"/")
	if plain.Digest != slash.Digest {
		t.Error("the digests differ")
	}
	for i, f := range plain.Findings {
		if f.Permission == rightVaultRead && f.Aspect == core.Access && (f.Result != core.Missing || slash.Findings[i].Result != core.Missing) {
			t.Errorf("%s: %s and %s", f.Permission, f.Result, slash.Findings[i].Result)
		}
	}
}
