package eventgrid_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/eventgrid"
)

const admin = "aaaa0000-0000-4000-8000-00000000000a"

func keyOf(id string) core.Key {
	id = strings.ToLower(id)
	return core.Key{ID: id, Vault: id[:strings.LastIndex(id, "/keys/")], Cloud: core.Azure}
}

// The emulator's samples, on which others rely, are understood by the door.
func TestTheEmulatorsSamples(t *testing.T) {
	key := keyOf("/subscriptions/" + azuretest.DefaultSubscription + "/resourceGroups/rg-kafka/providers/Microsoft.KeyVault/vaults/acme-vault/keys/payments")
	files, err := filepath.Glob("../azuretest/testdata/events/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		got, err := eventgrid.Decode(data, []core.Key{key})
		if want := !strings.HasPrefix(name, "key-new-version"); err != nil || (len(got) == 1) != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for _, c := range got {
			if named := !strings.HasPrefix(name, "access-policy-changed"); (c.Actor.ID != "" && c.Actor.Name != "") != named || c.At.IsZero() || c.Resource == "" || strings.HasPrefix(c.EventID, "sha256") {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

// What the emulator tells of each thing that people do to a vault selects its
// key, in both of Event Grid's forms, and says who did it.
func TestTheEmulatorsEvents(t *testing.T) {
	c := azuretest.New(azuretest.Options{})
	c.AddPrincipal(azuretest.Principal{ObjectID: admin, Type: azuretest.User, Name: "Jane Doe", UPN: "jane@acme.example"})
	c.Login(azuretest.Caller{Token: "ADMIN", ObjectID: admin, Address: "203.0.113.7"})
	vault := c.AddVault(azuretest.VaultSpec{Name: "acme-vault"})
	key := keyOf(c.AddKey(azuretest.KeySpec{Vault: vault, Name: "payments"}))
	c.Assign(azuretest.Assignment{Scope: c.Subscription(), Role: "Owner", Principal: admin})
	role := c.AddCustomRole(azuretest.Role{Name: "byok"})
	as := c.As("ADMIN")
	id, err := as.AssignRole(azuretest.Assignment{Scope: vault, Role: role, Principal: admin, Type: azuretest.User})
	for _, err := range []error{
		err, as.DeleteAssignment(id), as.PutRole(azuretest.Role{GUID: role, Name: "byok", Permissions: []azuretest.Permission{{Actions: []string{"Microsoft.KeyVault/vaults/read"}}}}), as.DeleteRole(role),
		as.SetAccessPolicies(vault, azuretest.AccessPolicy{ObjectID: admin, Keys: []string{"get"}}),
		as.EditAccessPolicies(vault, "remove", azuretest.AccessPolicy{ObjectID: admin, Keys: []string{"get"}}),
		as.TagVault(vault, "Merge", map[string]string{"byokwatch-revoked": "payments"}), as.DeleteVault(vault),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, e := range c.Events() {
		for _, data := range [][]byte{e.Grid(), e.Cloud()} {
			got, err := eventgrid.Decode(data, []core.Key{key})
			if err != nil || len(got) != 1 {
				t.Errorf("%s %s: %d Changes, %v", e.Type, e.Op, len(got), err)
				continue
			}
			ch := got[0]
			if own := e.Op == ""; ch.EventID != e.ID || e.At.Sub(ch.At).Abs() > time.Microsecond || !own && (ch.Op != e.Op || ch.Resource != strings.ToLower(e.Resource) || ch.Actor.ID != admin || ch.Actor.Name != "jane@acme.example") {
				t.Errorf("%s %s became %+v", e.Type, e.Op, ch)
			}
			seen[ch.Op] = true
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %d operations were seen: %v", len(seen), seen)
	}
}
