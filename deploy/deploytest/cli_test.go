package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAModuleWithoutFaultPasses(t *testing.T) { Check(t, "testdata/good") }

func TestTerraformNoticesFaults(t *testing.T) {
	c := Terraform(t)
	for name, check := range map[string]func() (string, error){
		"@@":                               func() (string, error) { return c.format(t, "testdata/broken/fmt") },
		`argument named "nickname" is not`: func() (string, error) { return "", c.validate(t, "testdata/broken/argument") },
		"there is no topic":                func() (string, error) { return c.test(t, "testdata/broken/assertion") },
	} {
		if out, err := check(); err == nil || !strings.Contains(out+err.Error(), name) {
			t.Errorf("%s: not noticed: %v\n%s", name, err, out)
		}
	}
}

func TestOnlyACommandThatIsNewEnoughIsUsed(t *testing.T) {
	for version, want := range map[string]string{
		"1.4.9": "older than 1.5", "0.15.5": "older than 1.5", "1.5.0": "", "1.11.4": "", "2.0.0-beta1": "", "latest": "says that its version is",
	} {
		fakeTerraform(t, version)
		c, err := find("terraform")
		if want == "" && (err != nil || c.name != "terraform") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v", version, c, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if c, err := find("tofu"); err == nil {
		t.Errorf("found %+v on an empty PATH", c)
	}
}

// fakeTerraform puts a command on the PATH that only tells its version.
func fakeTerraform(t *testing.T, version string) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\necho '{\"terraform_version\": %q}'\n", version)
	if err := os.WriteFile(filepath.Join(dir, "terraform"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

func TestTestsAreSkippedWhereNothingCanMock(t *testing.T) {
	for _, c := range []*CLI{{name: "terraform", major: 1, minor: 6}, {name: "tofu", major: 1, minor: 7}} {
		t.Run(c.name, func(t *testing.T) {
			c.path = "/nowhere"
			t.Cleanup(func() {
				if !t.Skipped() {
					t.Error("not skipped")
				}
			})
			c.Test(t, "testdata/good")
		})
	}
}

func TestNoCredentialReachesTheCommand(t *testing.T) {
	t.Setenv("GOOGLE_CREDENTIALS", "secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("TF_VAR_project", "secret")
	for _, e := range environment(t, "/providers") {
		if strings.Contains(e, "secret") {
			t.Errorf("the command is given %s", e)
		}
	}
}

func TestACopyLeavesBehindWhatADeploymentLeft(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	files := map[string]bool{
		"gcp/main.tf": true, "gcp/tests/a.tftest.hcl": true, "gcp/example/terraform.tfvars.example": true, "gcp/roles.json": true,
		"gcp/main_test.go": false, "gcp/terraform.tfstate": false, "gcp/terraform.tfvars": false, "gcp/x.auto.tfvars.json": false,
		"gcp/.terraform.lock.hcl": false, "gcp/.terraform/modules/modules.json": false, "aws/cdk/node_modules/a/package.json": false,
	}
	for name := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(from, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyTree(from, to, []string{"node_modules"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if _, err := os.Stat(filepath.Join(to, name)); (err == nil) != want {
			t.Errorf("%s: copied is %t", name, err == nil)
		}
	}
}

func TestProvidersAreBuiltAnewWhenASourceChanges(t *testing.T) {
	dir := t.TempDir()
	sums := []string{}
	for _, text := range []string{"{}", "[]", "{}"} {
		if err := os.WriteFile(filepath.Join(dir, "google.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sum, err := sumOf(dir)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum)
	}
	if sums[0] == sums[1] || sums[0] != sums[2] {
		t.Errorf("the sums are %q", sums)
	}
}

func TestEachProviderThatIsServedHasItsFile(t *testing.T) {
	files, err := filepath.Glob("../schemas/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); name != "additions" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, served) {
		t.Errorf("deploy/schemas holds %q, served are %q", names, served)
	}
}
