package azurekv

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
)

// crowded is a key in a vault and under roles that belong to other people, too.
func crowded() core.Policy {
	vault := strings.NewReplacer(
		`"accessPolicies":[]`, `"accessPolicies":[{"objectId":"x","tenantId":"`+fuzzTenant+`","permissions":{"keys":["all"]}},{"objectId":"`+fuzzConfluent+`","tenantId":"`+fuzzTenant+`","permissions":{"keys":["get"],"secrets":["all"]}}]`,
		`"networkAcls":null`, `"networkAcls":{"bypass":"AzureServices","defaultAction":"Deny","ipRules":[{"value":"192.0.2.1"}],"virtualNetworkRules":[{"id":"/x"}]}`,
		`"tags":{}`, `"tags":{"team":"secret","Byokwatch-revoked":"orders","byokwatch-revoked-reason":"SEC"},"systemData":{"lastModifiedBy":"jane"}`,
	).Replace(fuzzVaultText)
	roles := strings.Replace(fuzzRoles, `"permissions"`, `"description":"secret","createdBy":"jane","permissions"`, 1)
	p := fuzzCase(vault, strings.Replace(pair(), "[", "["+assigned(fuzzConfluent, fuzzCustom, fuzzVault, "ActionMatches{'*'}")+",", 1), roles,
		"["+everybodyDenied+","+strings.Replace(everybodyDenied, "unwrap", "purge", 1)+"]")
	return append(p,
		core.Document{Kind: core.RoleAssignments, Text: "[" + others + "," + assigned(fuzzConfluent, vaultReader, fuzzSub, "") + "]"},
		core.Document{Kind: core.RoleDefinitions, Text: strings.ReplaceAll(fuzzRoles, fuzzCustom, "12121212-4444-4444-4444-444444444444")},
		core.Document{Kind: core.Vault, ID: fuzzVault + "2", Text: fuzzVaultText},
	)
}

func TestASnapshotKeepsWhatReachesConfluentAndNothingElse(t *testing.T) {
	p := crowded()
	kept := Trim(p, fuzzQuestion(p))
	all := ""
	for _, d := range kept {
		all += string(d.Kind) + " " + d.ID + " " + d.Text + "\n"
	}
	for _, gone := range []string{"192.0.2.1", "virtualNetworkRules", "team", "secret", "secrets", "jane", "systemData", `"x"`, "createdOn", fuzzSelf, "12121212-4444", "purge/action", "vault2", "99999999-1212"} {
		if strings.Contains(all, gone) {
			t.Errorf("it keeps %q:\n%s", gone, all)
		}
	}
	for _, stays := range []string{`"location":"westus"`, "https://acme-vault.vault.azure.net/", `"Byokwatch-revoked":"orders"`, `"byokwatch-revoked-reason":"SEC"`, `"bypass":"AzureServices"`, `"defaultAction":"Deny"`, `"enablePurgeProtection":true`, fuzzTenant,
		`"keys":["get"]`, "99999999-0000-0000-0000-000000000000", encryptionUser, vaultReader, fuzzCustom, "ActionMatches{'*'}", "unwrap/action", fuzzVersion, `"keyOps"`, "keyUriWithVersion"} {
		if !strings.Contains(all, stays) {
			t.Errorf("it lost %q:\n%s", stays, all)
		}
	}
}

// trimIsSound checks what holds for every policy: what is kept is judged as the
// whole was, but for the watchdog's rights, which are not kept.
func trimIsSound(t *testing.T, p core.Policy, q core.Question) {
	t.Helper()
	before := Judge(p, q)
	kept := Trim(p, q)
	after := Judge(kept, q)
	if after.Digest != before.Digest || after.Revoked != before.Revoked || after.Marker != before.Marker || after.Disabled != before.Disabled || after.Deleting != before.Deleting || !after.Ends.Equal(before.Ends) {
		t.Fatalf("trimmed, the key is another: %+v, %+v", after, before)
	}
	for i, f := range after.Findings {
		b := before.Findings[i]
		if f.Aspect != core.Own && (f.Result != b.Result || f.Result == core.Undetermined && !slices.Equal(slices.Compact(policytest.Clauses(f)), slices.Compact(policytest.Clauses(b)))) {
			t.Fatalf("trimmed, %s is %v (%s), was %v (%s)", f.Permission, f.Result, f.Reason, b.Result, b.Reason)
		}
	}
	if again := Trim(kept, q); !slices.Equal(again, kept) {
		t.Fatalf("trimmed twice, it is another:\n%v\n%v", kept, again)
	}
}

func TestWhatIsKeptIsJudgedAsTheWholeWas(t *testing.T) {
	p := crowded()
	trimIsSound(t, p, fuzzQuestion(p))
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases := map[string]core.Policy{"": goodCase()}
		for _, s := range txtar.Parse(data).Files {
			name, section, ok := strings.Cut(s.Name, "/")
			for i, d := range goodCase() {
				if ok && sectionOf[section] == i+1 {
					if cases[name] == nil {
						cases[name] = goodCase()
					}
					cases[name][i].Text = string(s.Data)
					_ = d
				}
			}
		}
		for name, p := range cases {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) { trimIsSound(t, p, fuzzQuestion(p)) })
		}
	}
}

// sectionOf is where in a policy, counted from 1, the document of a section of
// the corpus stands.
var sectionOf = map[string]int{"vault.json": 1, "key.json": 2, "versions.json": 3, "assigned.json": 4, "self.json": 5, "role.json": 6, "deny.json": 7}

func TestWhatDoesNotParseIsKeptAsItIs(t *testing.T) {
	for _, spoil := range []func(core.Policy){
		func(p core.Policy) { p[0].Text = `{"x":` },
		func(p core.Policy) { p[3].Text, p[3].Unreadable = "", "denied" },
		func(p core.Policy) { p[4].Text = "nothing" },
	} {
		p := goodCase()
		spoil(p)
		if kept := Trim(p, fuzzQuestion(p)); !slices.Equal(kept, p) {
			t.Errorf("%+v", kept)
		}
	}
}
