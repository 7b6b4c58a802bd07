package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever a file holds, check answers with one of its codes, with one JSON
// value, and with nothing that a terminal would obey.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(goodPolicy))
	f.Add([]byte(`{"Policy":"{\"Statement\":[]}","PolicyName":"default"}`))
	f.Add([]byte(`{"KeyMetadata":{"KeyState":"Disabled"}}`))
	f.Add([]byte(`[{"kind":"aws.key-policy","id":"x","text":"{\"Statement\":[]}"}]`))
	f.Add([]byte("{\"Statement\":[{\"Sid\":\"\\u001b[2J\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}"))
	f.Add([]byte(googleGroup))
	f.Add([]byte("bindings:\n- members:\n  - group:cck-12345@confluent.io\n  role: roles/cloudkms.viewer\n- role: \"\\u001b[2J\"\netag: x\n"))
	f.Add([]byte(`[{"name":"` + clicks + `/cryptoKeyVersions/1","state":"DISABLED"}]`))
	f.Add([]byte(`[{"name":"n","principalId":"` + azureSP + `","principalType":"ServicePrincipal","roleDefinitionId":"/providers/Microsoft.Authorization/roleDefinitions/e147488a-f6f5-4113-8e2d-b22465e65bf6","scope":"/","condition":"\u001b[2J"}]`))
	f.Add([]byte(`{"id":"` + azureVaultID + `","name":"acme-vault","properties":{"vaultUri":"https://acme-vault.vault.azure.net/","enableRbacAuthorization":false,"accessPolicies":[]}}`))
	f.Add([]byte(`{"value": []}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		answers(t, data, "check", "--cloud", "aws", "--policy", "-", "--role", kafka, "--key", payments)
		answers(t, data, "check", "--cloud", "gcp", "--policy", "-", "--group", "cck-12345@confluent.io", "--key", clicks)
		answers(t, data, "check", "--cloud", "azure", "--policy", "-", "--vault", azureVaultID, "--key", "ledger", "--principal", azureSP, "--cluster", "dedicated")
	})
}

func answers(t *testing.T, data []byte, args ...string) {
	t.Helper()
	text := runArgs(string(data), args...)
	asJSON := runArgs(string(data), append(args, "--output", "json")...)
	if text.code != asJSON.code || text.code < exitIntact || text.code > exitUnknown {
		t.Errorf("exit %d as text, %d as JSON", text.code, asJSON.code)
	}
	var value map[string]any
	if err := json.Unmarshal([]byte(asJSON.stdout), &value); err != nil {
		t.Errorf("%v:\n%s", err, asJSON.stdout)
	}
	if _, failed := value["error"]; failed != (text.code == exitUnknown) {
		t.Errorf("exit %d with %v", text.code, value)
	}
	for _, out := range []string{text.stdout, text.stderr, asJSON.stdout, asJSON.stderr} {
		if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && (r < 0x20 || r >= 0x7f && r < 0xa0) }); i >= 0 {
			t.Errorf("control character at %d of %q", i, out)
		}
	}
}
