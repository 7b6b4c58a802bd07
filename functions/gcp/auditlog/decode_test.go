package auditlog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/core/loose"
	"byokwatch/functions/functiontest"
)

const (
	ring     = "projects/acme-prod/locations/us-west1/keyRings/kafka"
	payments = ring + "/cryptoKeys/payments"
	orders   = ring + "/cryptoKeys/orders"
	cards    = "projects/acme-prod/locations/us-west1/keyRings/kafka-2/cryptoKeys/payments"
	partner  = "projects/acme-prod2/locations/us-west1/keyRings/kafka/cryptoKeys/payments"
)

// protected holds the samples' key, another of its ring, and neighbours whose
// names begin alike.
func protected() []core.Key {
	out := []core.Key{{ID: "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", Cloud: core.AWS}}
	for _, id := range []string{payments, orders, cards, partner} {
		out = append(out, core.Key{ID: id, Cloud: core.GCP, Needs: core.Confluent{Group: "cck-12345@confluent.io"}})
	}
	return out
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "gcptest", "testdata", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The shapes and their sources are listed in gcptest/testdata/events/README.md.
func TestSamples(t *testing.T) {
	var (
		none    []string
		one     = []string{payments}
		ofRing  = []string{payments, orders}
		project = []string{payments, orders, cards}
		all     = []string{payments, orders, cards, partner}
	)
	const policy, state = core.PolicyChange, core.StateChange
	tests := map[string]struct {
		keys  []string
		kind  core.ChangeKind
		op    string
		takes bool
		copy  bool // the policy comes along
	}{
		"key-set-iam-policy":                    {one, policy, "SetIamPolicy", false, true},
		"key-set-iam-policy-terraform":          {one, policy, "SetIamPolicy", false, true},
		"key-set-iam-policy-deleted-group":      {one, policy, "SetIamPolicy", false, true},
		"key-set-iam-policy-condition":          {one, policy, "SetIamPolicy", false, true},
		"key-set-iam-policy-redacted-principal": {one, policy, "SetIamPolicy", false, true},
		"key-set-iam-policy-by-byokwatch":       {one, policy, "SetIamPolicy", false, true},
		"key-set-iam-policy-org-sink":           {one, policy, "SetIamPolicy", false, true},
		"key-set-iam-policy-unparsable-copy":    {one, policy, "SetIamPolicy", false, false},
		"key-set-iam-policy-other-key":          {none, "", "", false, false},
		"key-set-iam-policy-denied":             {none, "", "", false, false},
		"key-set-iam-policy-aborted":            {none, "", "", false, false},
		"key-set-iam-policy-invalid":            {none, "", "", false, false},

		"key-update-labels":          {one, policy, "UpdateCryptoKey", false, false},
		"key-update-primary-version": {one, policy, "UpdateCryptoKeyPrimaryVersion", false, false},
		"key-delete-first":           {one, state, "DeleteCryptoKey", true, false},
		"key-delete-last":            {one, state, "DeleteCryptoKey", true, false},
		"version-disable":            {one, state, "UpdateCryptoKeyVersion", true, false},
		"version-enable":             {one, state, "UpdateCryptoKeyVersion", false, false},
		"version-disable-failed":     {none, "", "", false, false},
		"version-destroy":            {one, state, "DestroyCryptoKeyVersion", true, false},
		"version-restore":            {one, state, "RestoreCryptoKeyVersion", false, false},

		"ring-set-iam-policy":            {ofRing, policy, "SetIamPolicy", false, false},
		"project-set-iam-policy-v1":      {project, policy, "SetIamPolicy", false, false},
		"project-set-iam-policy-v3":      {project, policy, "SetIamPolicy", false, false},
		"project-set-iam-policy-split-0": {project, policy, "SetIamPolicy", false, false},
		"project-set-iam-policy-split-1": {project, policy, "SetIamPolicy", false, false},
		"project-set-iam-policy-split-2": {project, policy, "SetIamPolicy", false, false},
		"project-move":                   {project, policy, "MoveProject", false, false},
		"project-delete":                 {project, policy, "DeleteProject", false, false},
		"folder-set-iam-policy":          {all, policy, "SetIamPolicy", false, false},
		"organization-set-iam-policy":    {all, policy, "SetIamPolicy", false, false},

		"role-update-gutted":       {project, policy, "UpdateRole", false, false},
		"role-update-disabled":     {project, policy, "UpdateRole", false, false},
		"role-update-organization": {all, policy, "UpdateRole", false, false},
		"role-delete":              {project, policy, "DeleteRole", false, false},
		"role-undelete":            {project, policy, "UndeleteRole", false, false},
		"role-create":              {none, "", "", false, false}, // takes nothing from anybody

		"deny-policy-create-first": {project, policy, "Policies.CreatePolicy", false, false},
		"deny-policy-create-last":  {project, policy, "Policies.CreatePolicy", false, false},
		"deny-policy-update-first": {project, policy, "Policies.UpdatePolicy", false, false},
		"deny-policy-update-last":  {project, policy, "Policies.UpdatePolicy", false, false},
		"deny-policy-delete-first": {project, policy, "Policies.DeletePolicy", false, false},
		"deny-policy-delete-last":  {project, policy, "Policies.DeletePolicy", false, false},

		"service-disable":     {project, policy, "DisableService", false, false},
		"perimeter-update":    {none, "", "", false, false}, // nothing that we can look at
		"data-access-decrypt": {none, "", "", false, false},
	}
	files, err := filepath.Glob("../gcptest/testdata/events/*.json")
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d samples and %d expectations, %v", len(files), len(tests), err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(sample(t, name), protected())
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, c := range got {
				keys = append(keys, c.Key)
				if c.Kind != test.kind || c.Op != test.op || c.Takes != test.takes || (len(c.Copy) == 1) != test.copy {
					t.Errorf("%+v, want kind %s, op %s, takes %t, copy %t", c, test.kind, test.op, test.takes, test.copy)
				}
				if want := time.Date(2026, 3, 2, 10, 4, 5, 123456789, time.UTC); !c.At.Equal(want) {
					t.Errorf("at %s, want %s", c.At, want)
				}
			}
			if diff := cmp.Diff(test.keys, keys); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhoAnEntryNames(t *testing.T) {
	tests := map[string]core.Actor{
		"key-set-iam-policy": {ID: "mallory@acme.example", Name: "mallory@acme.example", Address: "203.0.113.7",
			Agent: "google-cloud-sdk gcloud/557.0.0 command/gcloud.kms.keys.set-iam-policy"},
		"key-set-iam-policy-redacted-principal": {ID: "principal://iam.googleapis.com/locations/global/workforcePools/acme/subject/mallory",
			Name: "principal://iam.googleapis.com/locations/global/workforcePools/acme/subject/mallory", Address: "203.0.113.7",
			Agent: "google-cloud-sdk gcloud/557.0.0 command/gcloud.kms.keys.set-iam-policy"},
	}
	for name, want := range tests {
		got, err := Decode(sample(t, name), protected())
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %d Changes, %v", name, len(got), err)
		}
		if diff := cmp.Diff(want, got[0].Actor); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	// Somebody who acts through a service account is the human of it.
	var o loose.Object
	chain := `{"authenticationInfo":{"principalEmail":"tf@acme-prod.iam.gserviceaccount.com","serviceAccountDelegationInfo":[{"firstPartyPrincipal":{"principalEmail":"jane@acme.example"}},{"principalSubject":"serviceAccount:hop@x"}]}}`
	if err := json.Unmarshal([]byte(chain), &o); err != nil {
		t.Fatal(err)
	}
	if got := actor(o); got.ID != "tf@acme-prod.iam.gserviceaccount.com" || got.Name != "jane@acme.example" {
		t.Errorf("%+v", got)
	}
	chain = strings.Replace(chain, `"firstPartyPrincipal":{"principalEmail":"jane@acme.example"}`, `"principalSubject":"user:jane@acme.example"`, 1)
	if err := json.Unmarshal([]byte(chain), &o); err != nil {
		t.Fatal(err)
	}
	if got := actor(o); got.Name != "user:jane@acme.example" {
		t.Errorf("%+v", got)
	}
}

// edited is a sample with members replaced, each named by its path; nil removes.
func edited(t testing.TB, name string, edits map[string]any) []byte {
	t.Helper()
	return functiontest.Edited(t, sample(t, name), edits)
}

func TestEntriesAreReadTolerantly(t *testing.T) {
	type m = map[string]any
	const disable, set, deny = "version-disable", "key-set-iam-policy", "deny-policy-create-last"
	request, name := "protoPayload|request", "protoPayload|resourceName"
	tests := map[string]struct {
		sample string
		edits  m
		keys   int
		takes  bool
		kind   core.ChangeKind
		copy   bool
	}{
		"snake case in the request":            {disable, m{request: m{"crypto_key_version": m{"state": "DISABLED"}, "update_mask": m{"paths": []string{"state"}}}}, 1, true, core.StateChange, false},
		"a state by its number":                {disable, m{request: m{"cryptoKeyVersion": m{"state": 2}}}, 1, true, core.StateChange, false},
		"enabled, by its number":               {disable, m{request: m{"cryptoKeyVersion": m{"state": 1}, "updateMask": "state"}}, 1, false, core.StateChange, false},
		"a version's other property":           {disable, m{request: m{"cryptoKeyVersion": m{"state": "DISABLED"}, "updateMask": "externalProtectionLevelOptions"}}, 1, false, core.PolicyChange, false},
		"a version changed, nobody knows how":  {disable, m{request: nil}, 1, false, core.PolicyChange, false},
		"status with code 0":                   {set, m{"protoPayload|status": m{"code": 0}}, 1, false, core.PolicyChange, true},
		"no status":                            {set, m{"protoPayload|status": nil}, 1, false, core.PolicyChange, true},
		"a status code in quotes":              {set, m{"protoPayload|status": m{"code": "7"}}, 0, false, "", false},
		"numbers for texts":                    {set, m{"protoPayload|authenticationInfo|principalEmail": 7, "protoPayload|requestMetadata": "x"}, 1, false, core.PolicyChange, true},
		"no resource name, but a checked one":  {set, m{name: nil}, 1, false, core.PolicyChange, true},
		"a full resource name":                 {set, m{name: "//cloudkms.googleapis.com/" + payments}, 1, false, core.PolicyChange, true},
		"a project's number":                   {set, m{name: strings.Replace(payments, "acme-prod", "123456789012", 1)}, 1, false, core.PolicyChange, true},
		"a number that nothing explains":       {set, m{name: strings.Replace(payments, "acme-prod", "123456789012", 1), "resource|labels|project_id": nil, "logName": "organizations/1/logs/x"}, 2, false, core.PolicyChange, true},
		"a mask with the bindings":             {set, m{request + "|updateMask": "bindings,etag,auditConfigs"}, 1, false, core.PolicyChange, true},
		"a mask without the bindings":          {set, m{request + "|updateMask": m{"paths": []string{"auditConfigs"}}}, 1, false, core.PolicyChange, false},
		"a part of a long entry":               {set, m{"split": m{"uid": "u", "index": 1, "totalSplits": 2}}, 1, false, core.PolicyChange, false},
		"an import job's policy":               {set, m{name: ring + "/importJobs/j", "protoPayload|authorizationInfo": nil, request + "|resource": nil, "resource": nil}, 0, false, "", false},
		"an EKM connection's policy":           {set, m{name: "projects/acme-prod/locations/us-west1/ekmConnections/e", "protoPayload|authorizationInfo": nil, request + "|resource": nil, "resource": nil}, 0, false, "", false},
		"another API switched off":             {"service-disable", m{name: "projects/123456789012/services/compute.googleapis.com", "protoPayload|authorizationInfo": nil, request + "|name": nil}, 0, false, "", false},
		"a deny policy of an organisation":     {deny, m{name: "policies/cloudresourcemanager.googleapis.com%2Forganizations%2F8888/denypolicies/x"}, 4, false, core.PolicyChange, false},
		"a deny policy by a project's number":  {deny, m{name: "policies/cloudresourcemanager.googleapis.com%2Fprojects%2F123456789012/denypolicies/x"}, 3, false, core.PolicyChange, false},
		"a deny policy of an unknown form":     {deny, m{name: "denypolicies/x", "protoPayload|response": nil, "protoPayload|authorizationInfo": nil}, 4, false, core.PolicyChange, false},
		"a deny policy that names nothing":     {deny, m{name: nil, "protoPayload|response": nil, "protoPayload|authorizationInfo": nil}, 4, false, core.PolicyChange, false},
		"a deny policy of the next version":    {deny, m{"protoPayload|methodName": "google.iam.v2beta.Policies.CreatePolicy"}, 3, false, core.PolicyChange, false},
		"a policy binding is no deny policy":   {deny, m{"protoPayload|methodName": "google.iam.v3.PolicyBindings.CreatePolicyBinding"}, 0, false, "", false},
		"a service account's policy":           {set, m{"protoPayload|serviceName": "iam.googleapis.com", "protoPayload|methodName": "google.iam.admin.v1.SetIAMPolicy"}, 0, false, "", false},
		"a bucket's policy":                    {set, m{"protoPayload|serviceName": "storage.googleapis.com"}, 0, false, "", false},
		"a key's method under its full name":   {"key-delete-last", m{"protoPayload|methodName": "google.cloud.kms.v1.KeyManagementService.DeleteCryptoKey"}, 1, true, core.StateChange, false},
		"a protobuf's spelling of the payload": {set, m{"proto_payload": m{"service_name": "cloudkms.googleapis.com", "method_name": "SetIamPolicy", "resource_name": payments}, "protoPayload": nil}, 1, false, core.PolicyChange, false},
		"a key that only its labels name":      {set, m{name: nil, "protoPayload|authorizationInfo": nil, request + "|resource": nil}, 1, false, core.PolicyChange, true},
		"an entry of an application":           {set, m{"protoPayload": nil, "textPayload": "x"}, 0, false, "", false},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			got, err := Decode(edited(t, test.sample, test.edits), protected())
			if err != nil || len(got) != test.keys {
				t.Fatalf("%d Changes, want %d; %v", len(got), test.keys, err)
			}
			for _, c := range got {
				if c.Takes != test.takes || c.Kind != test.kind || (len(c.Copy) > 0) != test.copy {
					t.Errorf("%+v", c)
				}
			}
		})
	}
}

func TestWhatCannotBeUnderstood(t *testing.T) {
	for what, entry := range map[string][]byte{
		"nothing":                       nil,
		"no JSON":                       []byte("hello"),
		"a list":                        []byte("[]"),
		"null":                          []byte("null"),
		"another object":                []byte(`{"a":1}`),
		"another tick":                  []byte(`{"kind":"sweeping"}`),
		"a payload that is a text":      edited(t, "key-set-iam-policy", map[string]any{"protoPayload": "x"}),
		"no service":                    edited(t, "key-set-iam-policy", map[string]any{"protoPayload|serviceName": nil}),
		"no method":                     edited(t, "key-set-iam-policy", map[string]any{"protoPayload|methodName": 7.5e300, "protoPayload|serviceName": ""}),
		"a call on nothing":             edited(t, "key-set-iam-policy", map[string]any{"protoPayload|resourceName": nil, "protoPayload|authorizationInfo": nil, "protoPayload|request": nil, "resource": nil}),
		"more than Pub/Sub can deliver": []byte(`{"kind":"sweep","x":"` + strings.Repeat("x", MaxBytes) + `"}`),
	} {
		if got, err := Decode(entry, protected()); err == nil || len(got) != 0 {
			t.Errorf("%s: %d Changes and no error", what, len(got))
		}
		if ID(entry) == "" {
			t.Errorf("%s has no ID", what)
		}
	}
}

func TestIDIsStable(t *testing.T) {
	same := func(what string, want bool, a, b []byte) {
		t.Helper()
		if (ID(a) == ID(b)) != want {
			t.Errorf("%s: %s and %s, want the same: %t", what, ID(a), ID(b), want)
		}
	}
	whole := sample(t, "key-set-iam-policy")
	if want := "projects/acme-prod/logs/cloudaudit.googleapis.com%2Factivity/1k7x01e2m8ab/2026-03-02T10:04:05.123456789Z"; ID(whole) != want {
		t.Errorf("%s, want %s", ID(whole), want)
	}
	same("another layout", true, whole, edited(t, "key-set-iam-policy", map[string]any{"receiveTimestamp": "later"}))
	same("another entry", false, whole, edited(t, "key-set-iam-policy", map[string]any{"insertId": "x"}))
	same("the same insert ID at another time", false, whole, edited(t, "key-set-iam-policy", map[string]any{"timestamp": "2026-03-02T10:04:06Z"}))
	same("the same insert ID in another log", false, whole, edited(t, "key-set-iam-policy", map[string]any{"logName": "x"}))
	same("parts of one entry", true, sample(t, "project-set-iam-policy-split-0"), sample(t, "project-set-iam-policy-split-2"))
	same("the two entries of an operation", false, sample(t, "key-delete-first"), sample(t, "key-delete-last"))
	same("no insert ID", true, []byte(`{"logName":"x"}`), []byte(`{"logName":"x"}`))
	same("no insert ID, other bytes", false, []byte(`{"logName":"x"}`), []byte(`{"logName":"y"}`))
	same("an endless insert ID", false, edited(t, "key-set-iam-policy", map[string]any{"insertId": strings.Repeat("x", 999)}), edited(t, "key-set-iam-policy", map[string]any{"insertId": strings.Repeat("x", 999), "severity": ""}))
}

// A name that begins with another's is another's.
func TestNeighboursAreNotMeant(t *testing.T) {
	keys := []core.Key{{ID: payments + "-2", Cloud: core.GCP}, {ID: ring + "-2/cryptoKeys/payments", Cloud: core.GCP}, {ID: strings.Replace(payments, "acme-prod", "acme-prod-2", 1), Cloud: core.GCP}}
	for name, want := range map[string]int{"key-set-iam-policy": 0, "version-disable": 0, "ring-set-iam-policy": 1, "project-set-iam-policy-v1": 2, "role-delete": 2} {
		if got, err := Decode(sample(t, name), keys); err != nil || len(got) != want {
			t.Errorf("%s: %d Changes, want %d; %v", name, len(got), want, err)
		}
	}
}
