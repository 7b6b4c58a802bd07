package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var (
	buildDir  string
	buildOnce sync.Map // package path → func() (string, error)
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "byokwatch-gcp-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// build links a main package the way it is shipped, once per test run.
func build(tb testing.TB, pkg string) string {
	tb.Helper()
	once, _ := buildOnce.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		out := filepath.Join(buildDir, filepath.Base(pkg), "byokwatch-gcp")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
		}
		return out, nil
	}))
	out, err := once.(func() (string, error))()
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
