package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Schema checks the module in dir against the schemas that deploy/schemas
// keeps: every argument and block of its resources, data sources and providers
// is one that the provider takes, where it takes it, those required are given,
// literal values fit their types, and every attribute referred to exists.
func Schema(t testing.TB, dir string) {
	t.Helper()
	m, err := parse(dir)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := m.schemaFaults(filepath.Join(root(t, "."), "deploy", "schemas"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// extractCommand is said where a schema is missing.
const extractCommand = "go run -C deploy/schemas . extract"

func loadSchema(dir, provider string) (*tfjson.ProviderSchema, error) {
	data, err := os.ReadFile(filepath.Join(dir, provider+".json"))
	if err != nil {
		return nil, fmt.Errorf("no schema of the provider %s: %w", provider, err)
	}
	var f struct{ Schema *tfjson.ProviderSchema }
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("schema of the provider %s: %w", provider, err)
	}
	if f.Schema == nil || f.Schema.ConfigSchema == nil {
		return nil, fmt.Errorf("schema of the provider %s: there is none in the file; make it with %s", provider, extractCommand)
	}
	return f.Schema, nil
}

// schemaOf finds the schema of a resource, data source or provider block; nil
// for what Terraform brings itself.
func schemaOf(dir string, b *hclsyntax.Block) (*tfjson.SchemaBlock, error) {
	provider, _, _ := strings.Cut(b.Labels[0], "_")
	if a := b.Body.Attributes["provider"]; a != nil && b.Type != "provider" {
		provider = providerName(a)
	}
	if provider == "terraform" {
		return nil, nil
	}
	s, err := loadSchema(dir, provider)
	if err != nil {
		return nil, err
	}
	found := map[string]*tfjson.Schema{
		"resource": s.ResourceSchemas[b.Labels[0]], "data": s.DataSourceSchemas[b.Labels[0]], "provider": s.ConfigSchema,
	}[b.Type]
	if found == nil {
		return nil, fmt.Errorf("%s: %s %s is not in deploy/schemas/%s.json: if the provider has it, add it with %s", at(b.Range()), b.Type, b.Labels[0], provider, extractCommand)
	}
	return found.Block, nil
}

// providerName is the local name in provider = google-beta or google-beta.west,
// which to an expression is a difference.
func providerName(a *hclsyntax.Attribute) string {
	var words func(e hclsyntax.Expression) string
	words = func(e hclsyntax.Expression) string {
		switch e := e.(type) {
		case *hclsyntax.ScopeTraversalExpr:
			return e.Traversal.RootName()
		case *hclsyntax.BinaryOpExpr:
			return words(e.LHS) + "-" + words(e.RHS)
		}
		return ""
	}
	return words(a.Expr)
}

func (m *Module) schemaFaults(dir string) ([]string, error) {
	var out []string
	known := map[string]*tfjson.SchemaBlock{}
	blocks := slices.Concat(m.Of("provider"), m.Of("resource"), m.Of("data"))
	for _, check := range m.Of("check") {
		for _, b := range check.Body.Blocks {
			if b.Type == "data" {
				blocks = append(blocks, b)
			}
		}
	}
	for _, b := range blocks {
		s, err := schemaOf(dir, b)
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		if s == nil {
			continue
		}
		if b.Type == "data" {
			known["data."+name(b)] = s
		} else {
			known[name(b)] = s
		}
		out = append(out, blockFaults(b, b.Body, s, true)...)
	}
	for _, r := range m.references() {
		s, attr := known[r.subject()], r.attribute()
		if s != nil && attr != "" && s.Attributes[attr] == nil && s.NestedBlocks[attr] == nil {
			out = append(out, fmt.Sprintf("%s: %s has no attribute %s", at(r.at), r.subject(), attr))
		}
	}
	return out, nil
}

// meta are Terraform's own arguments and blocks, by the kind of block.
var meta = map[string][]string{
	"resource": {"count", "for_each", "provider", "depends_on", "lifecycle", "connection", "provisioner"},
	"data":     {"count", "for_each", "provider", "depends_on", "lifecycle"},
	"provider": {"alias"},
}

// blockFaults compares one block with its schema. Only the outermost knows
// Terraform's own arguments.
func blockFaults(top *hclsyntax.Block, body *hclsyntax.Body, s *tfjson.SchemaBlock, outermost bool) []string {
	var out []string
	where := top.Type + " " + name(top)
	isMeta := func(name string) bool { return outermost && slices.Contains(meta[top.Type], name) }
	for _, n := range slices.Sorted(maps.Keys(body.Attributes)) {
		a := body.Attributes[n]
		switch spec := s.Attributes[n]; {
		case isMeta(n):
		case s.NestedBlocks[n] != nil:
			out = append(out, fmt.Sprintf("%s: %s: %s is a block, not an argument", at(a.Range()), where, n))
		case spec == nil:
			out = append(out, fmt.Sprintf("%s: %s has no argument %s", at(a.Range()), where, n))
		case !spec.Required && !spec.Optional:
			out = append(out, fmt.Sprintf("%s: %s: %s is computed, not given", at(a.Range()), where, n))
		default:
			out = append(out, typeFaults(a, spec.AttributeType, where)...)
		}
	}
	count := map[string]int{}
	for _, b := range body.Blocks {
		n, inner := b.Type, b.Body
		if n == "dynamic" && len(b.Labels) == 1 {
			n, inner = b.Labels[0], content(b)
		}
		if isMeta(n) {
			continue
		}
		nested := s.NestedBlocks[n]
		switch {
		case nested != nil && inner == nil:
			out = append(out, fmt.Sprintf("%s: %s: the dynamic block %s has no content", at(b.Range()), where, n))
		case nested != nil:
			if b.Type == "dynamic" && count[n] == 0 {
				count[n] = 1 // or any number
			} else if b.Type != "dynamic" {
				count[n]++
			}
			out = append(out, blockFaults(top, inner, nested.Block, false)...)
		case s.Attributes[n] != nil:
			out = append(out, fmt.Sprintf("%s: %s: %s is an argument, not a block", at(b.Range()), where, n))
		default:
			out = append(out, fmt.Sprintf("%s: %s has no block %s", at(b.Range()), where, n))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(s.Attributes)) {
		if s.Attributes[n].Required && body.Attributes[n] == nil {
			out = append(out, fmt.Sprintf("%s: %s: %s is not given", at(body.Range()), where, n))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(s.NestedBlocks)) {
		nested, there := s.NestedBlocks[n], count[n]
		if nested.NestingMode == tfjson.SchemaNestingModeSingle && there > 1 || nested.MaxItems > 0 && there > int(nested.MaxItems) {
			out = append(out, fmt.Sprintf("%s: %s: the block %s is there %d times, which is too often", at(body.Range()), where, n, there))
		}
		if there < int(nested.MinItems) {
			out = append(out, fmt.Sprintf("%s: %s: the block %s is missing", at(body.Range()), where, n))
		}
	}
	return out
}

func content(dynamic *hclsyntax.Block) *hclsyntax.Body {
	for _, b := range dynamic.Body.Blocks {
		if b.Type == "content" {
			return b.Body
		}
	}
	return nil
}

// typeFaults looks at values that are known without evaluating anything.
func typeFaults(a *hclsyntax.Attribute, typ cty.Type, where string) []string {
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		return nil // refers to something, or calls a function
	}
	if _, err := convert.Convert(v, typ); err != nil {
		return []string{fmt.Sprintf("%s: %s: %s: %v", at(a.Range()), where, a.Name, err)}
	}
	return nil
}
