package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestTheBillListsWhatIsLinked compares the bill of this very program, built
// for another platform, with what the go command lists as its packages.
func TestTheBillListsWhatIsLinked(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sbom")
	platform := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, ".")
	build.Env = platform
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	list := exec.Command("go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}`, ".")
	list.Env = platform
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(out)), "\n")
	version, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, "std "+strings.TrimSpace(strings.TrimPrefix(string(version), "go")))
	slices.Sort(want)
	want = slices.DeleteFunc(slices.Compact(want), func(s string) bool { return s == "" })

	file := filepath.Join(t.TempDir(), "a.cdx.json")
	if err := run([]string{file, program, "v1.2.3"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bom cdx.BOM
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range *bom.Components {
		got = append(got, c.Name+" "+c.Version)
		if purl := "pkg:golang/" + strings.ToLower(c.Name) + "@" + c.Version; c.PackageURL != purl || c.BOMRef != purl {
			t.Errorf("%s is called %s and %s", purl, c.PackageURL, c.BOMRef)
		}
		if c.Name != "std" && (c.Hashes == nil || !slices.Contains(goSum(t, string(sums)), c.Name+" "+c.Version+" "+(*c.Hashes)[0].Value)) {
			t.Errorf("%s has not the sum of go.sum", c.Name)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if refs := (*bom.Dependencies)[0]; refs.Ref != bom.Metadata.Component.BOMRef || len(*refs.Dependencies) != len(want) {
		t.Errorf("the program needs %v", refs)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	main := bom.Metadata.Component
	if main.PackageURL != "pkg:golang/byokwatch@v1.2.3#deploy/sbom" || main.Version != "v1.2.3" || (*main.Hashes)[0].Value != hex.EncodeToString(sum[:]) {
		t.Errorf("the program is %+v", main)
	}
	if !strings.Contains(string(text), `"byokwatch:build:GOARCH",`+"\n          \"value\": \"arm64\"") {
		t.Error("the bill does not say what it was built for")
	}
}

// goSum lists what go.sum says, sums as they stand in a bill.
func goSum(t *testing.T, text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		sum, err := decode(f[2])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f[0]+" "+f[1]+" "+hex.EncodeToString(sum))
	}
	return out
}

func TestWhatNoBillCanBeMadeOf(t *testing.T) {
	const good = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	of := func(m debug.Module) error {
		_, err := bill(&debug.BuildInfo{Path: "a/b", Main: debug.Module{Path: "a"}, Deps: []*debug.Module{&m}}, [32]byte{}, "v1")
		return err
	}
	if err := of(debug.Module{Path: "b", Version: "v1.0.0", Sum: good}); err != nil {
		t.Error(err)
	}
	for name, m := range map[string]debug.Module{
		"a replaced module":    {Path: "b", Version: "v1.0.0", Replace: &debug.Module{Path: "../b", Sum: good}},
		"no sum":               {Path: "b", Version: "v1.0.0"},
		"a sum that is cut":    {Path: "b", Version: "v1.0.0", Sum: good[:20]},
		"a sum of another way": {Path: "b", Version: "v1.0.0", Sum: strings.Replace(good, "h1", "h2", 1)},
	} {
		if of(m) == nil {
			t.Error(name)
		}
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("text", []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"no program": {"out.json", "text", "v1"}, "no file": {"out.json", "gone", "v1"}, "no version": {"out.json", "text"}} {
		if run(args) == nil {
			t.Error(name)
		}
		if _, err := os.Stat("out.json"); err == nil {
			t.Errorf("%s: out.json is there", name)
		}
	}
}
