package deploytest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copied are the folders of the repository that modules read, by paths such as
// ../../functions/gcp/permissions.json, with the folders below that are passed.
var copied = map[string][]string{
	"deploy":    {"node_modules", "cdk.out", "schemas"},
	"functions": {"testdata"},
}

// copyOf copies what modules are made of into a temporary folder and returns
// where dir is in it: no command writes into the tree, and neither the state
// nor the variables of somebody who deploys from it are seen.
func (c *CLI) copyOf(t testing.TB, dir string) string {
	t.Helper()
	from, to := root(t, dir), t.TempDir()
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	place, err := filepath.Rel(from, abs)
	if err != nil {
		t.Fatal(err)
	}
	for top, pass := range copied {
		if err := copyTree(filepath.Join(from, top), filepath.Join(to, top), pass); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(to, place)
}

func copyTree(from, to string, pass []string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains(pass, d.Name())):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case !d.Type().IsRegular() || left(d.Name()):
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
}

// left are files that stay behind: code, and what a deployment from this tree
// left in it.
func left(name string) bool {
	for _, suffix := range []string{".go", ".tfplan", ".tfvars", ".tfvars.json", ".tfstate", ".tfstate.backup", ".lock.hcl"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
