package auditlog

import (
	"encoding/json"
	"testing"

	"byokwatch/core"
)

// record makes the least entry of a method on a resource.
func record(t testing.TB, service, method, resource string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"insertId": "i", "logName": "projects/acme-prod/logs/x", "timestamp": "2026-03-02T10:04:05Z",
		"protoPayload": map[string]any{"serviceName": service, "methodName": method, "resourceName": resource},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// full are the methods as they are logged, from
// https://docs.cloud.google.com/kms/docs/audit-logging,
// https://docs.cloud.google.com/iam/docs/audit-logging and
// https://github.com/googleapis/google-cloudevents/blob/main/json/audit/service_catalog.json:
// those that count and, with an empty Op, their neighbours that do not.
var full = []struct{ service, method, op string }{
	{kms, "SetIamPolicy", "SetIamPolicy"},
	{kms, "UpdateCryptoKey", "UpdateCryptoKey"},
	{kms, "UpdateCryptoKeyPrimaryVersion", "UpdateCryptoKeyPrimaryVersion"},
	{kms, "UpdateCryptoKeyVersion", "UpdateCryptoKeyVersion"},
	{kms, "DestroyCryptoKeyVersion", "DestroyCryptoKeyVersion"},
	{kms, "RestoreCryptoKeyVersion", "RestoreCryptoKeyVersion"},
	{kms, "DeleteCryptoKey", "DeleteCryptoKey"},
	{kms, "DeleteCryptoKeyVersion", "DeleteCryptoKeyVersion"},
	{projects, "SetIamPolicy", "SetIamPolicy"},
	{projects, "google.cloud.resourcemanager.v3.Projects.SetIamPolicy", "SetIamPolicy"},
	{projects, "google.cloud.resourcemanager.v3.Folders.SetIamPolicy", "SetIamPolicy"},
	{projects, "google.cloud.resourcemanager.v3.Projects.MoveProject", "MoveProject"},
	{projects, "google.cloud.resourcemanager.v3.Projects.DeleteProject", "DeleteProject"},
	{projects, "DeleteProject", "DeleteProject"},
	{projects, "UndeleteProject", "UndeleteProject"},
	{projects, "google.cloud.resourcemanager.v3.Folders.MoveFolder", "MoveFolder"},
	{iam, "google.iam.admin.v1.UpdateRole", "UpdateRole"},
	{iam, "google.iam.admin.v1.DeleteRole", "DeleteRole"},
	{iam, "google.iam.admin.v1.UndeleteRole", "UndeleteRole"},
	{iam, "google.iam.v2.Policies.CreatePolicy", "Policies.CreatePolicy"},
	{iam, "google.iam.v2beta.Policies.UpdatePolicy", "Policies.UpdatePolicy"},
	{iam, "google.iam.v2alpha.Policies.DeletePolicy", "Policies.DeletePolicy"},
	{serviceUsage, "google.api.serviceusage.v1.ServiceUsage.DisableService", "DisableService"},
	{serviceUsage, "google.api.serviceusage.v1beta1.ServiceUsage.DisableService", "DisableService"},

	{kms, "CreateCryptoKey", ""},
	{kms, "CreateCryptoKeyVersion", ""},
	{kms, "CreateKeyRing", ""},
	{kms, "Decrypt", ""},
	{kms, "GetIamPolicy", ""},
	{kms, "UpdateEkmConnection", ""},
	{kms, "setiampolicy", ""},
	{projects, "GetIamPolicy", ""},
	{projects, "google.cloud.resourcemanager.v3.Projects.UpdateProject", ""},
	{iam, "SetIamPolicy", ""},
	{iam, "google.iam.admin.v1.SetIAMPolicy", ""},
	{iam, "google.iam.admin.v1.CreateRole", ""},
	{iam, "google.iam.admin.v1.DeleteServiceAccount", ""},
	{iam, "google.iam.v3.PolicyBindings.CreatePolicyBinding", ""},
	{iam, "google.iam.v3.PrincipalAccessBoundaryPolicies.DeletePrincipalAccessBoundaryPolicy", ""},
	{serviceUsage, "google.api.serviceusage.v1.ServiceUsage.EnableService", ""},
	{"orgpolicy.googleapis.com", "google.cloud.orgpolicy.v2.OrgPolicy.UpdatePolicy", ""},
	{"storage.googleapis.com", "SetIamPolicy", ""},
	{"", "SetIamPolicy", ""},
}

// Decode makes Changes of every row of the table, and of nothing else that
// Google Cloud is known to log.
func TestTableAndDecodeAgree(t *testing.T) {
	hit := map[Event]bool{}
	resources := map[string]string{kms: payments, serviceUsage: "projects/1/services/cloudkms.googleapis.com"}
	for _, m := range full {
		resource := resources[m.service]
		if resource == "" {
			resource = "projects/acme-prod"
		}
		got, err := Decode(record(t, m.service, m.method, resource), protected())
		if m.service != "" && err != nil || (len(got) > 0) != (m.op != "") {
			t.Errorf("%s %s: %d Changes, %v", m.service, m.method, len(got), err)
			continue
		}
		for _, e := range Events {
			if !e.Matches(m.service, m.method) {
				continue
			}
			hit[e] = true
			if c := got[0]; c.Kind != e.Kind || c.Takes != e.Takes || c.Op != m.op {
				t.Errorf("%+v became %+v", e, c)
			}
		}
	}
	seen := map[[2]string]bool{}
	for _, e := range Events {
		if !hit[e] {
			t.Errorf("%+v is a method that nothing logs", e)
		}
		if at := [2]string{e.Service, e.Method}; seen[at] {
			t.Errorf("%+v is listed twice", e)
		} else {
			seen[at] = true
		}
	}
}

// What does not name a key itself can't say that it was taken from that key,
// nor hide who did it.
func TestOnlyWhatNamesAKeyTakes(t *testing.T) {
	for _, e := range Events {
		if e.Service != kms && (e.Takes || e.Kind == core.StateChange) {
			t.Errorf("%+v accuses somebody of every key", e)
		}
		if e.Takes && e.Kind != core.StateChange {
			t.Errorf("%+v takes without saying what", e)
		}
	}
	for _, service := range []string{kms} {
		for _, name := range []string{ring, "projects/acme-prod"} {
			got, err := Decode(record(t, service, "SetIamPolicy", name), protected())
			if err != nil || len(got) < 2 {
				t.Errorf("%s: %d Changes, %v", name, len(got), err)
			}
			for _, c := range got {
				if c.Takes || c.Copy != nil {
					t.Errorf("%s: %+v", name, c)
				}
			}
		}
	}
}
