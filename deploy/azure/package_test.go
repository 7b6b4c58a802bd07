package azure_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"byokwatch/deploy/deploytest"
)

// deployCommand is what Terraform runs to deploy the package.
func deployCommand(t *testing.T) string {
	t.Helper()
	for _, b := range deploytest.Parse(t, ".").Blocks {
		if b.Type != "resource" || b.Labels[0] != "terraform_data" {
			continue
		}
		for _, in := range b.Body.Blocks {
			if in.Type == "provisioner" && in.Body.Attributes["command"] != nil {
				return text(t, in.Body.Attributes["command"].Expr)
			}
		}
	}
	t.Fatal("nothing deploys the package")
	return ""
}

func text(t *testing.T, e hclsyntax.Expression) string {
	t.Helper()
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return v.AsString()
}

// run runs the command with an az that refuses the package the first times.
func run(t *testing.T, refusals, secrets string) (calls []string, err error) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("SKIPPED: no sh to run the command with")
	}
	bin := t.TempDir()
	write := func(name, script string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("sleep", `echo "sleep $*" >>"$CALLS"`)
	write("az", `echo "az $*" >>"$CALLS"
case "$1" in functionapp) [ "$(grep -c "^az functionapp" "$CALLS")" -gt "$REFUSALS" ];; esac`)
	record := filepath.Join(bin, "calls")
	cmd := exec.CommandContext(t.Context(), sh, "-c", deployCommand(t))
	cmd.Env = []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "CALLS=" + record, "REFUSALS=" + refusals, "SECRETS=" + secrets, "APP=/subscriptions/s/sites/a b", "PACKAGE=/x/a $(id).zip"}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	data, readErr := os.ReadFile(record)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n"), err
}

// The package is sent until Azure takes it, because rights take a while to count,
// and then secrets are looked up. What stands in names is no command.
func TestPackageIsDeployed(t *testing.T) {
	calls, err := run(t, "2", "SLACK_WEBHOOK_URL")
	if err != nil {
		t.Fatal(err)
	}
	zip := "az functionapp deployment source config-zip --ids /subscriptions/s/sites/a b --src /x/a $(id).zip --output none"
	want := []string{zip, "sleep 60", zip, "sleep 60", zip, "az rest --method post --url /subscriptions/s/sites/a b/config/configreferences/appsettings/refresh?api-version=2022-03-01 --output none"}
	if strings.Join(calls, "\n") != strings.Join(want, "\n") {
		t.Errorf("called\n%s\ninstead of\n%s", strings.Join(calls, "\n"), strings.Join(want, "\n"))
	}
}

func TestNoSecretsAreLookedUpWhereThereAreNone(t *testing.T) {
	if calls, err := run(t, "0", ""); err != nil || len(calls) != 1 {
		t.Errorf("called %v, %v", calls, err)
	}
}

// A package that Azure does not take in the end fails the deployment.
func TestPackageIsRefused(t *testing.T) {
	calls, err := run(t, "99", "")
	if err == nil || len(calls) != 24 || strings.Contains(strings.Join(calls, "\n"), "refresh") {
		t.Errorf("%d calls, %v", len(calls), err)
	}
}

// Another package, or other settings, are deployed anew; and Event Grid subscribes
// when there is a function to call.
func TestAnotherPackageIsDeployed(t *testing.T) {
	one := planned(t, nil)
	content, err := os.ReadFile("versions.tf")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := one.One(t, "terraform_data.package").String("triggers_replace", "package"), fmt.Sprintf("%x", sha256.Sum256(content)); got != want {
		t.Errorf("deployed anew by the package %q instead of its sum %s", got, want)
	}
	if p := one.One(t, "terraform_data.package"); p.String("triggers_replace", "settings") == "" || p.String("triggers_replace", "app") != "azurerm_function_app_flex_consumption.acme-byokwatch.id" {
		t.Errorf("deployed anew by %v", p.At("triggers_replace"))
	}
	for _, b := range deploytest.Parse(t, ".").Blocks {
		if b.Type != "module" {
			continue
		}
		for _, name := range b.Body.Attributes["function_app_id"].Expr.Variables() {
			if name.RootName() == "terraform_data" {
				return
			}
		}
	}
	t.Error("event subscriptions do not wait for the package")
}
