package deploytest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// served are the providers that deploy/schemas can stand in for.
var served = []string{"aws", "azurerm", "google", "google-beta"}

var build sync.Mutex

// providers builds the provider of deploy/schemas once for what its sources
// hold, and returns its folder, in which it has the name of each provider.
// Several test binaries may do so at once: each builds into a folder of its
// own, and the first to finish gives its folder the name that all look for.
func providers(t testing.TB) string {
	t.Helper()
	build.Lock()
	defer build.Unlock()
	top := root(t, ".")
	source := filepath.Join(top, "deploy", "schemas")
	sum, err := sumOf(source)
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Join(top, "dist", "tools", "schemas")
	final := filepath.Join(tools, sum)
	if _, err := os.Stat(final); err == nil {
		return final
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(tools, "build-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	if err := buildProviders(source, work); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(work, final); err != nil {
		if _, there := os.Stat(final); there != nil {
			t.Fatal(err)
		}
	}
	return final
}

func buildProviders(source, dir string) error {
	first := filepath.Join(dir, "terraform-provider-"+served[0])
	if runtime.GOOS == "windows" {
		first += ".exe"
	}
	cmd := exec.Command("go", "build", "-C", source, "-buildvcs=false", "-ldflags=-s -w", "-o", first, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build -C %s: %w\n%s", source, err, out)
	}
	for _, name := range served[1:] {
		if err := os.Link(first, filepath.Join(dir, "terraform-provider-"+name+filepath.Ext(first))); err != nil {
			return err
		}
	}
	return nil
}

// sumOf names what is built by what it is built of.
func sumOf(source string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	var names []string
	for _, pattern := range []string{"*.go", "*.json", "go.mod", "go.sum"} {
		found, err := filepath.Glob(filepath.Join(source, pattern))
		if err != nil {
			return "", err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, filepath.Base(name), len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}
