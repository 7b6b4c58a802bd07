package azuretest_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byokwatch/functions/azure/azuretest"
)

// shape is where an event has what: the members that are there, without their
// values.
func shape(prefix string, v any, out map[string]bool) {
	if v, ok := v.(map[string]any); ok {
		for name, member := range v {
			shape(prefix+"."+name, member, out)
		}
		return
	}
	out[prefix] = true
}

func shapeOf(t *testing.T, data []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	shape("", v, out)
	return slices.Sorted(maps.Keys(out))
}

// ops is what events there were since the n-th.
func (w world) ops(n int) string {
	var out []string
	for _, e := range w.Events()[n:] {
		name := e.Op
		if name == "" {
			name = e.Type
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestWhatRaisesAnEventAndWhatDoesNot(t *testing.T) {
	const changed = "Microsoft.KeyVault.VaultAccessPolicyChanged"
	user := azuretest.AccessPolicy{ObjectID: confluent, Keys: []string{"get"}}
	for sentence, c := range map[string]struct {
		do     func(w world) error
		want   string
		sample string
	}{
		"an assignment is made": {func(w world) error {
			_, err := w.admin.AssignRole(azuretest.Assignment{Scope: w.vault, Role: vaultReader, Principal: watcher})
			return err
		}, "Microsoft.Authorization/roleAssignments/write", "role-assignment-write"},
		"an assignment is deleted": {func(w world) error {
			a := w.Assignments(w.vault, confluent)[0]
			return w.admin.DeleteAssignment(w.vault + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name)
		}, "Microsoft.Authorization/roleAssignments/delete", "role-assignment-delete"},
		"one that was not there": {func(w world) error {
			return w.admin.DeleteAssignment(w.vault + "/providers/Microsoft.Authorization/roleAssignments/" + name(1))
		}, "", ""},
		"an assignment at a management group": {func(w world) error {
			_, err := w.admin.AssignRole(azuretest.Assignment{Scope: azuretest.ManagementGroup("top"), Role: vaultReader, Principal: watcher})
			return err
		}, "", ""},
		"a custom role changes": {func(w world) error {
			return w.admin.PutRole(azuretest.Role{GUID: name(1), Name: "byok"})
		}, "Microsoft.Authorization/roleDefinitions/write", "role-definition-write"},
		"a vault's firewall changes": {func(w world) error {
			return w.admin.SetNetwork(w.vault, azuretest.Network{DefaultAction: "Deny"}, "")
		}, "Microsoft.KeyVault/vaults/write", "vault-write"},
		"a program changes it": {func(w world) error {
			w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Contributor", Principal: watcher})
			return w.As("WATCHER").SetNetwork(w.vault, azuretest.Network{DefaultAction: "Deny"}, "")
		}, "Microsoft.KeyVault/vaults/write", "vault-write-app"},
		"access policies are added": {func(w world) error {
			return w.admin.EditAccessPolicies(w.vault, "add", user)
		}, changed + " Microsoft.KeyVault/vaults/accessPolicies/write", "access-policies-write"},
		"access policies are set as they were": {func(w world) error {
			return w.admin.SetAccessPolicies(w.vault)
		}, "Microsoft.KeyVault/vaults/write", ""},
		"the permission model changes": {func(w world) error {
			return w.admin.UpdateVault(w.vault, map[string]any{"enableRbacAuthorization": false})
		}, changed + " Microsoft.KeyVault/vaults/write", ""},
		"a tag changes": {func(w world) error {
			return w.admin.TagVault(w.vault, "Merge", map[string]string{"a": "b"})
		}, "Microsoft.Resources/tags/write", "tags-write"},
		"a vault is deleted": {func(w world) error { return w.admin.DeleteVault(w.vault) }, "Microsoft.KeyVault/vaults/delete", "vault-delete"},
		"a key is disabled":  {func(w world) error { return w.admin.SetKeyEnabled(w.key, "", false) }, "", ""},
		"a key is deleted":   {func(w world) error { return w.admin.DeleteKey(w.key) }, "", ""},
		"a key is rotated": {func(w world) error {
			_, err := w.admin.NewKeyVersion(w.key)
			return err
		}, "Microsoft.KeyVault.KeyNewVersionCreated", "key-new-version"},
		"Azure makes a deny assignment": {func(w world) error {
			w.Deny(azuretest.DenyAssignment{Scope: w.vault})
			return nil
		}, "", ""},
		"somebody fails": {func(w world) error {
			if w.As("NOBODY").DeleteVault(w.vault) == nil {
				t.Error("nobody deleted a vault")
			}
			return nil
		}, "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			told := 0
			w := open(t, azuretest.Options{ManagementGroups: []string{"top"}, Events: func(azuretest.Event) { told++ }})
			w.Assign(azuretest.Assignment{Scope: azuretest.ManagementGroup("top"), Role: "Owner", Principal: admin})
			w.check(c.do(w))
			if got := w.ops(0); got != c.want || told != len(w.Events()) {
				t.Fatalf("events %q, want %q; told of %d", got, c.want, told)
			}
			if c.sample == "" {
				return
			}
			data, err := os.ReadFile(filepath.Join("testdata/events", c.sample+".json"))
			w.check(err)
			e := w.Events()[len(w.Events())-1]
			if got, want := shapeOf(t, e.Grid()), shapeOf(t, data); !slices.Equal(got, want) {
				t.Errorf("the event has %q, the sample %q", got, want)
			}
		})
	}
}

func TestBothFormsOfAnEventSayTheSame(t *testing.T) {
	w := open(t, azuretest.Options{})
	w.check(w.admin.UpdateVault(strings.ToLower(w.vault), map[string]any{"publicNetworkAccess": "Disabled"}))
	w.check(w.admin.UpdateVault(w.vault, map[string]any{"enableRbacAuthorization": false}))
	sample, err := os.ReadFile("testdata/events/role-assignment-delete-cloudevent.json")
	w.check(err)
	for i, e := range w.Events() {
		var grid struct {
			ID, Topic, Subject, EventType, EventTime string
			Data                                     json.RawMessage
		}
		var cloud struct {
			ID, Source, Subject, Type, Time string
			Data                            json.RawMessage
		}
		w.check(json.Unmarshal(e.Grid(), &grid))
		w.check(json.Unmarshal(e.Cloud(), &cloud))
		if grid.ID != cloud.ID || grid.Topic != cloud.Source || grid.Subject != cloud.Subject || grid.EventType != cloud.Type || grid.EventTime != cloud.Time || string(grid.Data) != string(cloud.Data) {
			t.Errorf("%s\n%s", e.Grid(), e.Cloud())
		}
		if i == 0 {
			if grid.Subject != strings.ToLower(w.vault) || e.Caller != admin {
				t.Errorf("the subject is spelled as it was sent, but is %s", grid.Subject)
			}
			if got, want := shapeOf(t, e.Cloud()), shapeOf(t, sample); !slices.Equal(got, want) {
				t.Errorf("the event has %q, the sample %q", got, want)
			}
		}
	}
}

func TestSamplesAreKnown(t *testing.T) {
	readme, err := os.ReadFile("testdata/events/README.md")
	if err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(list) < 10 {
		t.Fatal(list, err)
	}
	for _, file := range list {
		sample := strings.TrimSuffix(filepath.Base(file), ".json")
		if !strings.Contains(string(readme), "`"+sample+"`") && !strings.HasSuffix(sample, "-cloudevent") {
			t.Errorf("the README says nothing of %s", sample)
		}
	}
}
