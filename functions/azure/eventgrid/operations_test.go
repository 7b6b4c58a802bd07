package eventgrid

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/functions/functiontest"
)

// least makes the least event of an operation on a resource.
func least(t testing.TB, eventType, operation, on string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"id": "i", "eventType": eventType, "eventTime": "2026-03-02T10:04:05Z", "topic": on,
		"data": map[string]any{"operationName": operation, "resourceUri": on},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// known are operations as Azure names them, from
// https://learn.microsoft.com/azure/role-based-access-control/permissions/security and
// https://learn.microsoft.com/azure/role-based-access-control/permissions/management-and-governance:
// those that count and their neighbours that do not.
var known = map[string]bool{
	"Microsoft.Authorization/roleAssignments/write": true, "Microsoft.Authorization/roleAssignments/delete": true,
	"Microsoft.Authorization/roleDefinitions/write": true, "Microsoft.Authorization/roleDefinitions/delete": true,
	"Microsoft.Authorization/denyAssignments/write": true, "Microsoft.Authorization/denyAssignments/delete": true,
	"Microsoft.KeyVault/vaults/write": true, "Microsoft.KeyVault/vaults/accessPolicies/write": true, "Microsoft.KeyVault/vaults/delete": true,
	"Microsoft.KeyVault/vaults/keys/write": true, "Microsoft.Resources/tags/write": true, "Microsoft.Resources/tags/delete": true,

	"Microsoft.KeyVault/vaults/secrets/write": false, "Microsoft.KeyVault/vaults/deploy/action": false, "Microsoft.KeyVault/managedHSMs/write": false,
	"Microsoft.KeyVault/locations/deletedVaults/purge/action": false, "Microsoft.KeyVault/vaults/eventGridFilters/write": false,
	"Microsoft.Authorization/locks/write": false, "Microsoft.Authorization/policyAssignments/write": false,
	"Microsoft.Authorization/roleAssignmentScheduleRequests/write": false, "Microsoft.Authorization/elevateAccess/action": false,
	"Microsoft.Resources/deployments/write": false, "Microsoft.Resources/subscriptions/resourceGroups/write": false,
	"Microsoft.Insights/diagnosticSettings/write": false,
}

// Decode makes Changes of every row of the table, and of nothing else.
func TestTableAndDecodeAgree(t *testing.T) {
	for name, counts := range known {
		got, err := Decode(least(t, writeSuccess, name, payments), protected())
		if err != nil || (len(got) > 0) != counts {
			t.Errorf("%s: %d Changes, %v", name, len(got), err)
		}
	}
	seen := map[string]bool{}
	for _, o := range Operations {
		if o.Name != o.Event && !known[o.Name] {
			t.Errorf("%s is an operation that Azure does not have", o.Name)
		}
		if seen[o.Name] {
			t.Errorf("%s is listed twice", o.Name)
		}
		seen[o.Name] = true
		got, err := Decode(least(t, o.Event, o.Name, payments), protected())
		if err != nil || len(got) == 0 || got[0].Kind != o.Kind || got[0].Takes != o.Takes || got[0].Op != o.Name {
			t.Errorf("%+v became %+v, %v", o, got, err)
		}
		verb := map[string]string{writeSuccess: "/write", deleteSuccess: "/delete", accessPolicyChanged: accessPolicyChanged}[o.Event]
		if verb == "" || !strings.HasSuffix(o.Name, verb) {
			t.Errorf("%s is no %s", o.Name, o.Event)
		}
	}
}

// Event Grid takes 25 values in one filter:
// https://learn.microsoft.com/azure/event-grid/event-filtering#limitations
func TestOneFilterHoldsTheTable(t *testing.T) {
	if n := len(Operations); n > 25 {
		t.Errorf("%d operations", n)
	}
}

// What is not about a vault itself can't say that it was the vault's end.
func TestOnlyTheVaultsOwnEndIsAState(t *testing.T) {
	for _, o := range Operations {
		if (o.Kind == core.StateChange) != (o.Name == "Microsoft.KeyVault/vaults/delete") {
			t.Errorf("%+v", o)
		}
	}
}

// FuzzDecode: whatever the event, the door does not panic, selects only keys of
// this cloud, each once, repeats itself, and lets no unbounded text through.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		name, _ := strings.CutSuffix(filepath.Base(file), ".json")
		f.Add(sample(f, name))
		f.Add(quoted(f, sample(f, name)))
	}
	keys := protected()
	f.Fuzz(func(t *testing.T, event []byte) {
		if ID(event) == "" {
			t.Fatal("nothing to tell of")
		}
		for _, c := range functiontest.WantSound(t, func() ([]core.Change, error) { return Decode(event, keys) }, "/subscriptions/", "", 0) {
			if c.Resource == "" || c.Copy != nil {
				t.Fatalf("%+v", c)
			}
		}
	})
}

func BenchmarkUnprotectedKey(b *testing.B) {
	event := sample(b, "vault-write-other-vault")
	keys := make([]core.Key, 10_000)
	for i := range keys {
		keys[i] = keyOf(fmt.Sprintf("%s-%d", payments, i))
	}
	for b.Loop() {
		if got, err := Decode(event, keys); err != nil || len(got) != 0 {
			b.Fatal(len(got), err)
		}
	}
}
