package deploytest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Module is what the .tf files of one folder say.
type Module struct {
	Dir    string
	Blocks []*hclsyntax.Block // in the order of files and lines
}

// Parse reads the module in dir and fails the test where a file of it or of its
// tests does not parse, where it declares what nothing uses or uses what
// nothing declares, where a call of another local module does not fit its
// variables, and where a variable or output has no description.
func Parse(t testing.TB, dir string) *Module {
	t.Helper()
	m, err := parse(dir)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := m.faults()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
	return m
}

func parse(dir string) (*Module, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s holds no .tf file", dir)
	}
	tests, err := filepath.Glob(filepath.Join(dir, "tests", "*.tftest.hcl"))
	if err != nil {
		return nil, err
	}
	m, p := &Module{Dir: dir}, hclparse.NewParser()
	for _, name := range append(names, tests...) {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, diags := p.ParseHCL(data, name)
		if diags.HasErrors() {
			return nil, diags
		}
		if strings.HasSuffix(name, ".tf") {
			m.Blocks = append(m.Blocks, f.Body.(*hclsyntax.Body).Blocks...)
		}
	}
	return m, nil
}

// Of returns the blocks of one kind: variable, resource, data, module, …
func (m *Module) Of(kind string) []*hclsyntax.Block {
	var out []*hclsyntax.Block
	for _, b := range m.Blocks {
		if b.Type == kind {
			out = append(out, b)
		}
	}
	return out
}

// text is the value of an attribute that is a plain text, else "".
func text(body *hclsyntax.Body, name string) string {
	a := body.Attributes[name]
	if a == nil {
		return ""
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func at(r hcl.Range) string { return fmt.Sprintf("%s:%d", filepath.ToSlash(r.Filename), r.Start.Line) }

// faults are what is wrong with the module as a whole.
func (m *Module) faults() ([]string, error) {
	declared, out := m.declared()
	for _, kind := range []string{"variable", "output"} {
		for _, b := range m.Of(kind) {
			if strings.TrimSpace(text(b.Body, "description")) == "" {
				out = append(out, fmt.Sprintf("%s: the %s %s has no description", at(b.Range()), kind, name(b)))
			}
		}
	}
	used := map[string]bool{}
	for _, r := range m.references() {
		subject := r.subject()
		if subject == "" {
			continue
		}
		used[subject] = true
		if _, ok := declared[subject]; !ok {
			out = append(out, fmt.Sprintf("%s: nothing declares %s", at(r.at), subject))
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(declared)) {
		if root, _, _ := strings.Cut(subject, "."); !used[subject] && slices.Contains([]string{"var", "local", "data"}, root) {
			out = append(out, fmt.Sprintf("%s: nothing uses %s", at(declared[subject]), subject))
		}
	}
	calls, err := m.callFaults()
	return append(out, calls...), err
}

// name is how the module refers to what a block declares.
func name(b *hclsyntax.Block) string { return strings.Join(b.Labels, ".") }

// declared maps var.a, local.b, data.t.n, module.m and t.n to where they are.
func (m *Module) declared() (map[string]hcl.Range, []string) {
	out, faults := map[string]hcl.Range{}, []string(nil)
	add := func(subject string, r hcl.Range) {
		if before, twice := out[subject]; twice {
			faults = append(faults, fmt.Sprintf("%s: %s is declared at %s, too", at(r), subject, at(before)))
		}
		out[subject] = r
	}
	prefix := map[string]string{"variable": "var.", "data": "data.", "module": "module.", "resource": ""}
	var walk func(blocks []*hclsyntax.Block)
	walk = func(blocks []*hclsyntax.Block) {
		for _, b := range blocks {
			p, ok := prefix[b.Type]
			switch {
			case ok:
				add(p+name(b), b.Range())
			case b.Type == "check": // may hold a data source of its own
				walk(b.Body.Blocks)
			case b.Type == "locals":
				for _, a := range b.Body.Attributes {
					add("local."+a.Name, a.NameRange)
				}
			}
		}
	}
	walk(m.Blocks)
	return out, faults
}

// callFaults compares calls of local modules with the variables and outputs of
// what they call.
func (m *Module) callFaults() ([]string, error) {
	var out []string
	for _, call := range m.Of("module") {
		source := text(call.Body, "source")
		if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") {
			out = append(out, fmt.Sprintf("%s: module %s: its source %q is not in this repository", at(call.Range()), name(call), source))
			continue
		}
		called, err := parse(filepath.Join(m.Dir, filepath.FromSlash(source)))
		if err != nil {
			return nil, err
		}
		takes := map[string]bool{} // whether it must be given
		for _, v := range called.Of("variable") {
			takes[name(v)] = v.Body.Attributes["default"] == nil
		}
		for _, a := range slices.Sorted(maps.Keys(call.Body.Attributes)) {
			if _, ok := takes[a]; !ok && !slices.Contains([]string{"source", "version", "count", "for_each", "providers", "depends_on"}, a) {
				out = append(out, fmt.Sprintf("%s: module %s: %s has no variable %s", at(call.Body.Attributes[a].Range()), name(call), source, a))
			}
		}
		for _, v := range slices.Sorted(maps.Keys(takes)) {
			if takes[v] && call.Body.Attributes[v] == nil {
				out = append(out, fmt.Sprintf("%s: module %s: the variable %s of %s is not given", at(call.Range()), name(call), v, source))
			}
		}
		for _, r := range m.references() {
			if o := r.output(); r.subject() == "module."+name(call) && o != "" && !slices.ContainsFunc(called.Of("output"), func(b *hclsyntax.Block) bool { return name(b) == o }) {
				out = append(out, fmt.Sprintf("%s: %s has no output %s", at(r.at), source, o))
			}
		}
	}
	return out, nil
}
