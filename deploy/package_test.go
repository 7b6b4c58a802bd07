package deploy_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// tree copies what the repository holds, and nothing that was built of it.
func tree(t *testing.T, root, to string) {
	t.Helper()
	err := filepath.WalkDir(root, func(from string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, from)
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "dist", "node_modules", ".terraform"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(from)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // what another test had there for a moment
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTwoPackagesAreTheSame builds the uploads twice, in two copies of the tree
// in places of different names and depths, under another umask, clock zone and
// settings of Go, and compares every byte.
func TestTwoPackagesAreTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds every upload")
	}
	places := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "deep", "er", "b")}
	settings := [][]string{{"TZ=UTC"}, {"TZ=Pacific/Auckland", "GOAMD64=v3", "GOFLAGS=-buildvcs=true", "LC_ALL=de_DE.UTF-8"}}
	tree(t, "..", places[0])
	tree(t, places[0], places[1])
	for i, place := range places {
		cmd := exec.Command("sh", "-c", "umask "+[]string{"022", "077"}[i]+" && make package CONFIG=deploy/testdata/byokwatch.yaml")
		cmd.Dir, cmd.Env = place, append(environ(), settings[i]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make package: %v\n%s", err, out)
		}
	}
	uploads := map[string]string{
		"byokwatch-aws-arm64.zip": "bootstrap byokwatch.yaml", "byokwatch-gcp-amd64.tar.gz": "byokwatch-gcp byokwatch.yaml",
		"byokwatch-azure-amd64.zip": "OnChange/function.json Sweep/function.json byokwatch.yaml handler host.json",
	}
	bills := []string{"byokwatch-aws-arm64.cdx.json", "byokwatch-gcp-amd64.cdx.json", "byokwatch-azure-amd64.cdx.json"}
	dist := filepath.Join(places[0], "dist")
	for _, name := range append([]string{"SHA256SUMS", "byokwatch-aws-arm64.zip", "byokwatch-gcp-amd64.tar.gz", "byokwatch-azure-amd64.zip"}, bills...) {
		one, two := read(t, filepath.Join(dist, name)), read(t, filepath.Join(places[1], "dist", name))
		if !bytes.Equal(one, two) {
			t.Errorf("%s differs", name)
		}
	}
	check := exec.Command("sha256sum", "-c", "--strict", "SHA256SUMS")
	if check.Err != nil { // as on a Mac
		check = exec.Command("shasum", "-a", "256", "-c", "--strict", "SHA256SUMS")
	}
	check.Dir = dist
	out, err := check.CombinedOutput()
	if err != nil || strings.Count(string(out), ": OK") != len(uploads)+len(bills) {
		t.Errorf("sha256sum -c: %v\n%s", err, out)
	}
	for name, want := range uploads {
		var names []string
		for name := range unpacked(t, filepath.Join(dist, name)) {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s holds %s, want %s", name, got, want)
		}
	}
	billed(t, dist, "byokwatch-aws-arm64", ".zip", "bootstrap", "aws", "arm64")
	billed(t, dist, "byokwatch-gcp-amd64", ".tar.gz", "byokwatch-gcp", "gcp", "amd64")
	billed(t, dist, "byokwatch-azure-amd64", ".zip", "handler", "azure", "amd64")
}

// billed holds an SBOM against the program in the upload and against what the
// go command links.
func billed(t *testing.T, dist, name, kind, program, cloud, arch string) {
	t.Helper()
	var bom cdx.BOM
	if err := json.Unmarshal(read(t, filepath.Join(dist, name+".cdx.json")), &bom); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(unpacked(t, filepath.Join(dist, name+kind))[program])
	if (*bom.Metadata.Component.Hashes)[0].Value != hex.EncodeToString(sum[:]) {
		t.Errorf("%s.cdx.json is not of the program in %s", name, name+kind)
	}
	list := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}`, "../functions/"+cloud)
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(strings.ReplaceAll(string(out), " ", "@"))
	slices.Sort(want)
	want = slices.Compact(want)
	var got []string
	for _, c := range *bom.Components {
		if c.Name != "std" {
			got = append(got, c.Name+"@"+c.Version)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || len(got) < 10 {
		t.Errorf("%s.cdx.json lists\n%q\nand the program has\n%q", name, got, want)
	}
}

// unpacked returns the files of an upload.
func unpacked(t *testing.T, name string) map[string][]byte {
	t.Helper()
	out, data := map[string][]byte{}, read(t, name)
	all := func(name string, r io.Reader) {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = text
	}
	if strings.HasSuffix(name, ".zip") {
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			all(f.Name, r)
		}
		return out
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		all(h.Name, r)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
