package azurekv

import (
	"fmt"
	"strings"
	"testing"

	"byokwatch/core"
)

// largest is a key in a vault of the largest size that Azure takes: 1,024 access
// policies, beside a file that lists the 4,000 role assignments of a
// subscription, as az prints both.
//
// Sources: https://learn.microsoft.com/azure/key-vault/general/assign-access-policy,
// https://learn.microsoft.com/azure/role-based-access-control/troubleshoot-limits
func largest(rbac bool) core.Policy {
	var entries, items []string
	for i := range 1023 {
		entries = append(entries, fmt.Sprintf("      {\n        \"applicationId\": null,\n        \"objectId\": \"%08d-7777-7777-7777-777777777777\",\n        \"permissions\": {\n          \"certificates\": null,\n          \"keys\": [\n            \"get\",\n            \"list\"\n          ],\n          \"secrets\": [\n            \"get\"\n          ],\n          \"storage\": null\n        },\n        \"tenantId\": \"%s\"\n      }", i, fuzzTenant))
	}
	entries = append(entries, `{"objectId":"`+fuzzConfluent+`","permissions":{"keys":["get","wrapKey","unwrapKey"]},"tenantId":"`+fuzzTenant+`"}`)
	for i := range 3998 {
		condition := ""
		if i%10 == 0 {
			condition = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'c'"
		}
		items = append(items, strings.ReplaceAll(assigned(fmt.Sprintf("%08d-8888-8888-8888-888888888888", i), "acdd72a7-3385-48ef-bd42-f606fba81ae7", fuzzSub, condition), ", \"", ",\n    \""))
	}
	items = append(items, assigned(fuzzConfluent, encryptionUser, fuzzVault, ""), assigned(fuzzConfluent, vaultReader, fuzzVault, ""))
	vault := strings.Replace(fuzzVaultText, `"accessPolicies":[]`, "\"accessPolicies\": [\n"+strings.Join(entries, ",\n")+"\n]", 1)
	if !rbac {
		vault = strings.Replace(vault, `"enableRbacAuthorization":true`, `"enableRbacAuthorization":null`, 1)
	}
	p := fuzzCase(vault, pair(), fuzzRoles, "[]")
	return append(p, core.Document{Kind: core.RoleAssignments, ID: FromFile + "all.json", Text: "[\n  " + strings.Join(items, ",\n  ") + "\n]"})
}

func BenchmarkJudge(b *testing.B) {
	all := largest(true)
	for name, p := range map[string]core.Policy{"rbac": all[:len(all)-1], "policies": largest(false)[:len(all)-1], "all-assignments": all} {
		b.Run(name, func(b *testing.B) {
			q := fuzzQuestion(p)
			if j := Judge(p, q); j.Digest == "" || j.Findings[0].Result != core.Met {
				b.Fatalf("%+v", j)
			}
			size := 0
			for _, d := range p {
				size += len(d.Text)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				Judge(p, q)
			}
		})
	}
}
