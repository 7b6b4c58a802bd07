package deploy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/deploy/deploytest"
	"byokwatch/deploy/gcp/filtertest"
	"byokwatch/functions/gcp/auditlog"
)

// sinks are the filters of a plan's log sinks, by what they hear, and their texts.
func sinks(t *testing.T, variables map[string]any) (map[string]filtertest.Filter, []string) {
	t.Helper()
	deployed, _ := deployment(t, core.GCP)
	vars := map[string]any{"deployment": deployed, "project": "acme-byokwatch", "region": "us-west1", "package": "tests/package.tar.gz",
		"secrets": map[string]any{"SLACK_WEBHOOK_URL": "slack-webhook-url"}}
	for name, value := range variables {
		vars[name] = value
	}
	p := deploytest.Plan(t, "gcp", vars)
	out, texts := map[string]filtertest.Filter{}, []string{}
	for _, kind := range []string{"project", "folder", "organization"} {
		for _, r := range p.All("google_logging_" + kind + "_sink") {
			f, err := filtertest.Parse(r.String("filter"))
			if err != nil {
				t.Fatalf("%s: %v", r.Address, err)
			}
			if others := r.At("exclusions"); others != nil && len(others.([]any)) > 0 || r.At("disabled") == true {
				t.Errorf("%s passes over some of what its filter takes", r.Address)
			}
			name := kind
			if kind == "project" { // each project of keys has its own
				name = "projects/" + r.String("project")
			}
			out[name], texts = f, append(texts, r.String("filter"))
		}
	}
	return out, texts
}

// clause is how a filter names a service and its methods.
var clause = regexp.MustCompile(`protoPayload\.serviceName="([^"]*)" AND protoPayload\.methodName=~"\(\^\|\[\.\]\)\(([^()]*)\)\$"`)

// namesInTable wants each method that a filter names in the decoder's table. A
// filter of another form can't be read so, and fails.
func namesInTable(t *testing.T, text string) {
	t.Helper()
	clauses := clause.FindAllStringSubmatch(text, -1)
	if len(clauses) == 0 || len(clauses) != strings.Count(text, "serviceName") || len(clauses) != strings.Count(text, "methodName") {
		t.Errorf("a filter names methods otherwise than is known here: %s", text)
	}
	for _, c := range clauses {
		for method := range strings.SplitSeq(strings.ReplaceAll(c[2], "[.]", "."), "|") {
			if !slices.ContainsFunc(auditlog.Events, func(e auditlog.Event) bool { return e.Service == c[1] && e.Method == method }) {
				t.Errorf("a sink takes %s of %s, of which the function makes nothing", method, c[1])
			}
		}
	}
}

// qualifiers stand before a method in the log, according to the API and its
// version: https://docs.cloud.google.com/logging/docs/audit/services
var qualifiers = map[string][]string{
	"cloudkms.googleapis.com":             {"", "google.cloud.kms.v1.KeyManagementService."},
	"cloudresourcemanager.googleapis.com": {"", "google.cloud.resourcemanager.v3.Projects.", "google.cloud.resourcemanager.v3.Folders."},
	"iam.googleapis.com":                  {"", "google.iam.admin.v1.", "google.iam.v2.", "google.iam.v2beta."},
	"serviceusage.googleapis.com":         {"", "google.api.serviceusage.v1.ServiceUsage.", "google.api.serviceusage.v1beta1.ServiceUsage."},
}

// resource is what a method is done to, and in whose log that stands.
func resource(service, method, key string) (name, log string) {
	project := strings.Join(strings.SplitN(key, "/", 3)[:2], "/")
	switch {
	case strings.HasSuffix(method, "MoveFolder"):
		return "folders/5550001", "folders/5550001"
	case service == "cloudkms.googleapis.com" && strings.HasSuffix(method, "Version"):
		return key + "/cryptoKeyVersions/1", project
	case service == "cloudkms.googleapis.com":
		return key, project
	case strings.HasSuffix(method, "Role"):
		return project + "/roles/byok", project
	case strings.HasSuffix(method, "Policy") && service == "iam.googleapis.com":
		return "policies/cloudresourcemanager.googleapis.com%2F" + strings.ReplaceAll(project, "/", "%2F") + "/denypolicies/d", project
	case service == "serviceusage.googleapis.com":
		return project + "/services/cloudkms.googleapis.com", project
	}
	return project, project
}

// logged is an entry of the admin activity log:
// https://docs.cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
func logged(service, method, key string, code float64) (entry map[string]any, log string) {
	name, log := resource(service, method, key)
	status := map[string]any{}
	if code != 0 {
		status["code"] = code
	}
	return map[string]any{
		"logName": log + "/logs/cloudaudit.googleapis.com%2Factivity", "insertId": "i", "timestamp": "2026-03-02T10:04:05.123456789Z", "severity": "NOTICE",
		"protoPayload": map[string]any{
			"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": service, "methodName": method, "resourceName": name,
			"status": status, "authenticationInfo": map[string]any{"principalEmail": "mallory@acme.example"},
		},
	}, log
}

func TestEventsOfGoogleCloud(t *testing.T) {
	_, keys := deployment(t, core.GCP)
	i := slices.IndexFunc(keys, func(k core.Key) bool { return strings.HasPrefix(k.ID, "projects/acme/") })
	key := keys[i].ID
	below, filters := sinks(t, nil)
	above, more := sinks(t, map[string]any{"scope": "organization", "organization": "8888"})
	filters = append(filters, more...)
	if len(below) != 2 || len(above) != 1 {
		t.Fatalf("%d sinks of projects and %d of the organisation", len(below), len(above))
	}
	var rows []row
	for _, e := range auditlog.Events {
		name := fmt.Sprintf("`%s`, `%s`", e.Service, e.Method)
		var of string
		for _, qualifier := range qualifiers[e.Service] {
			entry, log := logged(e.Service, qualifier+e.Method, key, 0)
			failed, _ := logged(e.Service, qualifier+e.Method, key, 7)
			project, heard := below[log]
			if heard && (!project.Matches(entry) || project.Matches(failed)) || !above["organization"].Matches(entry) || above["organization"].Matches(failed) {
				t.Errorf("%s%s does not pass the sinks, or does where it failed", qualifier, e.Method)
			}
			changes, err := auditlog.Decode(encoded(t, entry), keys)
			of = decoded(t, name, e.Kind, changes, err) + map[int]string{1: ", the key named", 2: ", the project's keys", len(keys): ", every key"}[len(changes)]
			by := "the project's sink, or one above"
			if !heard {
				by = "a folder's or the organisation's sink (`scope`)"
			}
			if r := (row{name, by, of}); len(rows) == 0 || rows[len(rows)-1] != r {
				rows = append(rows, r)
			}
		}
		if of == "" {
			t.Errorf("%s is written in no way that is known here", name)
		}
	}
	if len(rows) != len(auditlog.Events) {
		t.Errorf("%d events have %d lines: one event becomes different Changes", len(auditlog.Events), len(rows))
	}
	for _, s := range []struct{ service, method string }{
		{"cloudkms.googleapis.com", "GetIamPolicy"}, {"cloudkms.googleapis.com", "CreateCryptoKey"}, {"cloudkms.googleapis.com", "Decrypt"},
		{"cloudkms.googleapis.com", "UpdateCryptoKeyVersions"}, {"storage.googleapis.com", "SetIamPolicy"}, {"secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.SetIamPolicy"},
		{"cloudresourcemanager.googleapis.com", "GetIamPolicy"}, {"cloudresourcemanager.googleapis.com", "google.cloud.resourcemanager.v3.Projects.CreateProject"},
		{"iam.googleapis.com", "google.iam.admin.v1.CreateRole"}, {"iam.googleapis.com", "google.iam.admin.v1.SetIAMPolicy"}, {"iam.googleapis.com", "google.iam.v2.Policies.ListPolicies"},
		{"iam.googleapis.com", "google.iam.v2.Policies_CreatePolicy"}, {"serviceusage.googleapis.com", "google.api.serviceusage.v1.ServiceUsage.EnableService"},
		{"accesscontextmanager.googleapis.com", "google.identity.accesscontextmanager.v1.AccessContextManager.UpdateServicePerimeter"},
	} {
		entry, log := logged(s.service, s.method, key, 0)
		if project := below[log]; project.Matches(entry) || above["organization"].Matches(entry) {
			t.Errorf("%s of %s passes the sinks", s.method, s.service)
		}
	}
	for _, text := range filters {
		namesInTable(t, text)
	}
	documented(t, "Google Cloud KMS", "log sink", rows)
}
