// Package deploytest checks Terraform modules without a registry, a network or
// a cloud account: in Go against the providers' schemas that deploy/schemas
// keeps, always; and through terraform or tofu themselves, with a provider that
// serves those same schemas, wherever one of them is on the PATH.
//
//	func TestModule(t *testing.T) { deploytest.Check(t, ".") }
//
//	func TestSinkTakesWhatIsDecoded(t *testing.T) {
//		p := deploytest.Plan(t, ".", map[string]any{"deployment": d})
//		filter := p.One(t, "google_logging_project_sink.events").String("filter")
//		…
//	}
package deploytest

import (
	"os"
	"path/filepath"
	"testing"
)

// Check runs everything that needs no knowledge of the module: Parse, Schema,
// and Format, Validate and Test where terraform or tofu is on the PATH.
func Check(t *testing.T, dir string) {
	t.Helper()
	t.Run("parse", func(t *testing.T) { Parse(t, dir) })
	t.Run("schema", func(t *testing.T) { Schema(t, dir) })
	t.Run("fmt", func(t *testing.T) { Terraform(t).Format(t, dir) })
	t.Run("validate", func(t *testing.T) { Terraform(t).Validate(t, dir) })
	t.Run("test", func(t *testing.T) {
		if tests, _ := filepath.Glob(filepath.Join(dir, "tests", "*.tftest.hcl")); len(tests) == 0 {
			t.Skip("the module has no tests/*.tftest.hcl")
		}
		Terraform(t).Test(t, dir)
	})
}

// root is the folder of the repository that holds dir: what a module reads
// beside itself (../../functions/…) is found from there.
func root(t testing.TB, dir string) string {
	t.Helper()
	at, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	for ; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "repo_test.go")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			t.Fatalf("%s is not in the repository: no folder above it holds repo_test.go", dir)
		}
	}
}
