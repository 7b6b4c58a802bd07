package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// extract writes the schemas of the types that the modules name.
func extract(args []string) error {
	flags := flag.NewFlagSet("extract", flag.ContinueOnError)
	from := flags.String("packages", filepath.Join("..", "..", "dist", "tools", "npm"), "folder of the packed npm packages; npm fetches those that are missing")
	out := flags.String("out", ".", "folder of additions.json, to which the schemas are written")
	modules := flags.String("modules", "..", "folder of the Terraform modules")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := named(*modules)
	if err != nil {
		return err
	}
	added, err := readAdditions(filepath.Join(*out, "additions.json"))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		f, err := extractFile(name, packages[name], *from, wanted[name], added[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.json is left as it is: %w", name, err))
			continue
		}
		if err := f.write(filepath.Join(*out, name+".json")); err != nil {
			return err
		}
		fmt.Printf("%s.json: %d resources and %d data sources of %s %s\n", name, len(f.Schema.ResourceSchemas), len(f.Schema.DataSourceSchemas), f.Provider, f.Version)
	}
	return errors.Join(errs...)
}

var (
	blockHead  = regexp.MustCompile(`(?m)^(resource|data)\s+"(\w+)"\s+"[\w-]+"\s*\{`)
	providerOf = regexp.MustCompile(`(?m)^  provider\s*=\s*([\w-]+)`)
)

// named finds the types that the .tf files under dir name, by provider: the one
// that the block names, or else the first part of the type. Modules called
// broken are there for tests of the checks, and name what does not exist.
func named(dir string) (map[string]map[key]bool, error) {
	out := map[string]map[key]bool{}
	for name := range packages {
		out[name] = map[key]bool{{"provider", name}: true}
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "broken" || d.Name() == "node_modules" || d.Name() == "cdk.out" || strings.HasPrefix(d.Name(), ".") && name != dir) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".tf") && !strings.HasSuffix(name, ".tftest.hcl") {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, at := range blockHead.FindAllSubmatchIndex(data, -1) {
			k := key{string(data[at[2]:at[3]]), string(data[at[4]:at[5]])}
			provider, _, _ := strings.Cut(k.typeName, "_")
			inside, _, _ := bytes.Cut(data[at[1]:], []byte("\n}"))
			if m := providerOf.FindSubmatch(inside); m != nil {
				provider = string(m[1])
			}
			if provider == "terraform" { // terraform_data, terraform_remote_state: built in
				continue
			}
			if out[provider] == nil {
				return fmt.Errorf("%s: %s: no package of the provider %s is known here (npm.go)", name, k, provider)
			}
			out[provider][k] = true
		}
		return nil
	})
	return out, err
}

func extractFile(name string, p npmPackage, from string, wanted map[key]bool, added []addition) (*File, error) {
	tarball, err := p.tarball(from)
	if err != nil {
		return nil, err
	}
	sources, err := read(tarball, wanted)
	if err != nil {
		return nil, err
	}
	f := &File{
		Provider: p.provider, Package: p.name + "@" + p.version, Integrity: p.integrity, License: license,
		Schema: &tfjson.ProviderSchema{ResourceSchemas: map[string]*tfjson.Schema{}, DataSourceSchemas: map[string]*tfjson.Schema{}},
	}
	for k := range wanted {
		s := sources[k]
		if s == nil {
			return nil, fmt.Errorf("%s has no %s", f.Package, k)
		}
		b, err := s.top()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		f.Version = s.version
		switch k.kind {
		case "resource":
			f.Schema.ResourceSchemas[k.typeName] = &tfjson.Schema{Block: b}
		case "data":
			f.Schema.DataSourceSchemas[k.typeName] = &tfjson.Schema{Block: b}
		default:
			delete(b.Attributes, "alias") // Terraform's own
			f.Schema.ConfigSchema = &tfjson.Schema{Block: b}
		}
	}
	for _, a := range added {
		if !wanted[a.key()] {
			continue
		}
		if err := a.merge(f); err != nil {
			return nil, fmt.Errorf("additions.json: %s: %w", a.At, err)
		}
	}
	return f, nil
}

func (f *File) write(name string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		return err
	}
	// Several may do so at once; each whole.
	temp, err := os.CreateTemp(filepath.Dir(name), ".schema-")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err := temp.Write(text.Bytes()); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), name)
}
