// Package gcp_test checks what the Terraform module would deploy against what
// the code handles and needs, without looking at how the module comes to it: the
// plan is made by terraform, and judged by the decoder, by the emulator of Google
// Cloud and by an evaluator of Cloud Logging's filters.
package gcp_test

import (
	"encoding/json"
	"maps"
	"os"
	"testing"

	"byokwatch/deploy/deploytest"
	"byokwatch/deploy/gcp/filtertest"
)

func TestModule(t *testing.T)  { deploytest.Check(t, ".") }
func TestStore(t *testing.T)   { deploytest.Check(t, "store") }
func TestExample(t *testing.T) { deploytest.Check(t, "example") }

const (
	home    = "acme-byokwatch" // the watchdog's project
	channel = "projects/acme-byokwatch/notificationChannels/1"
)

// deployment is what `byokwatch config deployment` printed of the configuration
// that all deployments are tested with.
type deployment struct {
	Projects []string `json:"projects"`
	Store    struct {
		Bucket string `json:"bucket"`
		Prefix string `json:"prefix"`
	} `json:"store"`
	Scopes struct {
		Keys     []string `json:"keys"`
		Enforced []string `json:"enforced"`
		Enabling []string `json:"enabling"`
	} `json:"scopes"`
}

const deploymentFile = "../testdata/gcp.json"

func readDeployment(t *testing.T) deployment {
	t.Helper()
	var d deployment
	readJSON(t, deploymentFile, &d)
	if len(d.Projects) < 2 || len(d.Scopes.Enabling) == 0 || len(d.Scopes.Keys) <= len(d.Scopes.Enforced) {
		t.Fatalf("%s shows too little: %+v", deploymentFile, d)
	}
	return d
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// variables are those of an installation, with changes.
func variables(t *testing.T, changes map[string]any) map[string]any {
	t.Helper()
	var d map[string]any
	readJSON(t, deploymentFile, &d)
	vars := map[string]any{
		"deployment": d, "project": home, "region": "us-west1", "package": "tests/package.tar.gz",
		"secrets":   map[string]any{"SLACK_WEBHOOK_URL": "slack-webhook-url"},
		"operators": []string{"group:kms-operators@acme.example"},
		"notification_channels": []string{
			channel, "projects/acme/notificationChannels/2", "projects/acme-trial/notificationChannels/3",
		},
	}
	maps.Copy(vars, changes)
	return vars
}

// observing is the same deployment in mode observe, which must not depend on the
// keys that it lists.
func observing(t *testing.T) map[string]any {
	t.Helper()
	var d map[string]any
	readJSON(t, deploymentFile, &d)
	d["mode"] = "observe"
	return map[string]any{"deployment": d}
}

// ofOrganization asks for everything that takes rights above the project.
var ofOrganization = map[string]any{"scope": "organization", "organization": "8888", "read_above": true, "deny_policy": true}

func plan(t *testing.T, changes map[string]any) *deploytest.Planned {
	t.Helper()
	return deploytest.Plan(t, ".", variables(t, changes))
}

func parseFilter(t *testing.T, text string) filtertest.Filter {
	t.Helper()
	f, err := filtertest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
