package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"byokwatch/core"
)

// buildDir holds what the tests of one run have built.
var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "byokwatch-local-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// built are the real functions, as their platforms run them.
var built = sync.OnceValues(func() (map[core.Cloud]string, error) {
	all, errs := map[core.Cloud]string{}, []error(nil)
	for _, cloud := range Clouds() {
		name := filepath.Join(buildDir, string(cloud), "function")
		all[cloud] = name
		errs = append(errs, buildTo(name, "byokwatch/functions/"+string(cloud)))
	}
	return all, errors.Join(append(errs, furnish(all[core.Azure]))...)
})

func functions(t *testing.T) map[core.Cloud]string {
	t.Helper()
	all, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// buildFunction makes a binary of a package or of a file.
func buildFunction(t *testing.T, pkg string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "function")
	if err := buildTo(name, pkg); err != nil {
		t.Fatal(err)
	}
	return name
}

func buildTo(name, pkg string) error {
	if out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", name, pkg).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// furnish puts beside a custom handler what the Functions host looks for.
func furnish(binary string) error {
	const from = "../../../functions/azure"
	files, err := filepath.Glob(filepath.Join(from, "*", "function.json"))
	if err != nil {
		return err
	}
	for _, file := range append(files, filepath.Join(from, "host.json")) {
		name, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		to := filepath.Join(filepath.Dir(binary), name)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600)); err != nil {
			return err
		}
	}
	return nil
}
