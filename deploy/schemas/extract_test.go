package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// javaScript is what the TypeScript is compiled to, as far as it is looked at.
func javaScript(t *testing.T, typeScript string) string {
	t.Helper()
	maps, err := json.Marshal(map[string]any{"version": 3, "sourcesContent": []string{typeScript}})
	if err != nil {
		t.Fatal(err)
	}
	return "class Topic extends cdktf.TerraformResource {\n}\nTopic.tfResourceType = \"x_topic\";\n" +
		"//# sourceMappingURL=data:application/json;base64," + base64.StdEncoding.EncodeToString(maps) + "\n"
}

// pack makes the packed package that npm would.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	archive := tar.NewWriter(gz)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := archive.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func providerSource(t *testing.T) string {
	t.Helper()
	text := topicSource(t)
	text = strings.ReplaceAll(text, "extends cdktf.TerraformResource", "extends cdktf.TerraformProvider")
	text = strings.ReplaceAll(text, `"x_topic"`, `"x"`)
	return text
}

func thePackage(t *testing.T) map[string]string {
	t.Helper()
	js := javaScript(t, topicSource(t))
	data := strings.ReplaceAll(javaScript(t, strings.ReplaceAll(topicSource(t), "cdktf.TerraformResource", "cdktf.TerraformDataSource")), "cdktf.TerraformResource", "cdktf.TerraformDataSource")
	provider := strings.NewReplacer("cdktf.TerraformResource", "cdktf.TerraformProvider", `"x_topic"`, `"x"`).Replace(javaScript(t, providerSource(t)))
	return map[string]string{
		"package.json": "{\n  \"license\": \"MPL-2.0\"\n}\n", "lib/topic/index.js": js, "lib/data-x-topic/index.js": data,
		"lib/provider/index.js": provider, "lib/index.js": "exports.topic = 1;", "lib/topic/index.d.ts": "x",
	}
}

// packed is a package in a folder, with the integrity that npm tells.
func packed(t *testing.T, files map[string]string) (npmPackage, string) {
	t.Helper()
	tarball := pack(t, files)
	sum := sha512.Sum512(tarball)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme-provider-x-1.0.0.tgz"), tarball, 0o600); err != nil {
		t.Fatal(err)
	}
	return npmPackage{"acme/x", "@acme/provider-x", "1.0.0", "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}, dir
}

func TestAFileHoldsWhatIsWantedAndWhereItIsFrom(t *testing.T) {
	p, dir := packed(t, thePackage(t))
	wanted := map[key]bool{{"provider", "x"}: true, {"resource", "x_topic"}: true}
	f, err := extractFile("x", p, dir, wanted, []addition{
		{At: "resource x_topic", Since: "1.3", Source: "https://example.com", Attr: parsedAddition(t).Attr},
		{At: "resource x_queue", Since: "1.3", Source: "https://example.com"}, // not wanted, so not missed
	})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "x.json")
	if err := f.write(name); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseFile(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Provider != "acme/x" || got.Version != "1.2.3" || got.Package != "@acme/provider-x@1.0.0" || got.Integrity != p.integrity || got.License != "MPL-2.0" {
		t.Errorf("it is from %+v", got)
	}
	if len(got.Schema.ResourceSchemas) != 1 || len(got.Schema.DataSourceSchemas) != 0 || got.Schema.ResourceSchemas["x_topic"].Block.Attributes["colour"] == nil {
		t.Errorf("it holds\n%s", data)
	}
	if want := []string{"resource x_topic (1.3): https://example.com"}; !slices.Equal(got.Added, want) {
		t.Errorf("added is %q", got.Added)
	}
}

func TestAPackageThatIsNotWhatWasLookedAt(t *testing.T) {
	files := thePackage(t)
	p, dir := packed(t, files)
	wanted := func(more ...key) map[key]bool {
		out := map[key]bool{{"provider", "x"}: true}
		for _, k := range more {
			out[k] = true
		}
		return out
	}
	other := p
	other.integrity = "sha512-AAAA"
	files["package.json"] = "{\n  \"license\": \"BUSL-1.1\"\n}\n"
	relicensed, relicensedDir := packed(t, files)
	for want, extracted := range map[string]func() (*File, error){
		"its integrity is":              func() (*File, error) { return extractFile("x", other, dir, wanted(), nil) },
		"license is not MPL-2.0":        func() (*File, error) { return extractFile("x", relicensed, relicensedDir, wanted(), nil) },
		"has no resource x_queue":       func() (*File, error) { return extractFile("x", p, dir, wanted(key{"resource", "x_queue"}), nil) },
		"has no data x_queue":           func() (*File, error) { return extractFile("x", p, dir, wanted(key{"data", "x_queue"}), nil) },
		"additions.json: provider x / ": func() (*File, error) { return extractFile("x", p, dir, wanted(), []addition{{At: "provider x / y"}}) },
	} {
		if f, err := extracted(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, f, err)
		}
	}
}

func TestTypesAreThoseThatModulesName(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.tf":                "resource \"google_a\" \"x\" {\n  name = \"data\"\n}\ndata \"azurerm_b\" \"y\" {}\nresource \"terraform_data\" \"z\" {}\n",
		"sub/tests/a.tftest.hcl": "data \"aws_c\" \"y\" {\n}\n",
		"beta.tf":                "resource \"google_d\" \"x\" {\n  provider = google-beta\n}\nresource \"google_e\" \"x\" {\n  provider = google.west\n}\n",
		"broken/main.tf":         "resource \"google_f\" \"x\" {}\n",
		".terraform/m/main.tf":   "resource \"google_g\" \"x\" {}\n",
		"main.tf.txt":            "resource \"google_h\" \"x\" {}\n",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := named(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[key]bool{
		"google":      {{"provider", "google"}: true, {"resource", "google_a"}: true, {"resource", "google_e"}: true},
		"google-beta": {{"provider", "google-beta"}: true, {"resource", "google_d"}: true},
		"azurerm":     {{"provider", "azurerm"}: true, {"data", "azurerm_b"}: true},
		"aws":         {{"provider", "aws"}: true, {"data", "aws_c"}: true},
	}
	for provider := range packages {
		if !maps.Equal(got[provider], want[provider]) {
			t.Errorf("%s: %v", provider, got[provider])
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "other.tf"), []byte("resource \"random_id\" \"x\" {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := named(dir); err == nil || !strings.Contains(err.Error(), "no package of the provider random is known") {
		t.Errorf("a provider that nobody knows: %v", err)
	}
}

// TestTheFilesAreUpToDate compares what the modules name with what is kept. It
// needs no package: what a type holds changes only with the package's version.
func TestTheFilesAreUpToDate(t *testing.T) {
	wanted, err := named("..")
	if err != nil {
		t.Fatal(err)
	}
	added, err := readAdditions("additions.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range packages {
		f, err := load(name)
		if err != nil {
			t.Fatal(err)
		}
		if f.Provider != p.provider || f.Package != p.name+"@"+p.version || f.Integrity != p.integrity || f.License != license {
			t.Errorf("%s.json is from %s, not from the package in npm.go", name, f.Package)
		}
		kept := map[key]bool{{"provider", name}: true}
		for typeName := range f.Schema.ResourceSchemas {
			kept[key{"resource", typeName}] = true
		}
		for typeName := range f.Schema.DataSourceSchemas {
			kept[key{"data", typeName}] = true
		}
		for k := range wanted[name] {
			if !kept[k] {
				t.Errorf("%s.json has no %s, which a module uses: go run -C deploy/schemas . extract", name, k)
			}
		}
		for k := range kept {
			if !wanted[name][k] {
				t.Errorf("%s.json has %s, which no module uses: go run -C deploy/schemas . extract", name, k)
			}
		}
		var notes []string
		for _, a := range added[name] {
			if wanted[name][a.key()] {
				notes = append(notes, a.note())
			}
		}
		if !slices.Equal(notes, f.Added) {
			t.Errorf("%s.json holds the additions %q, additions.json %q: go run -C deploy/schemas . extract", name, f.Added, notes)
		}
	}
}
