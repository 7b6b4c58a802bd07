package deploytest

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// reference is one place where an expression names something else.
type reference struct {
	path hcl.Traversal
	at   hcl.Range
}

// step is the name at one place of the path, past indices, else "".
func (r reference) step(n int) string {
	for _, s := range r.path {
		var name string
		switch s := s.(type) {
		case hcl.TraverseRoot:
			name = s.Name
		case hcl.TraverseAttr:
			name = s.Name
		default:
			continue
		}
		if n == 0 {
			return name
		}
		n--
	}
	return ""
}

// own are roots that are there without a declaration.
var own = []string{"each", "count", "self", "path", "terraform"}

// subject is what the reference needs declared: var.a, local.b, data.t.n,
// module.m or t.n; "" where nothing.
func (r reference) subject() string {
	root := r.step(0)
	switch {
	case slices.Contains(own, root):
		return ""
	case root == "data":
		return "data." + r.step(1) + "." + r.step(2)
	}
	return root + "." + r.step(1)
}

// output is the output that a reference to a module names.
func (r reference) output() string {
	if r.step(0) != "module" {
		return ""
	}
	return r.step(2)
}

// attribute is the first attribute that a reference to a resource or data
// source names, "" where it means the whole.
func (r reference) attribute() string {
	switch root := r.step(0); {
	case root == "data":
		return r.step(3)
	case slices.Contains([]string{"var", "local", "module"}, root) || slices.Contains(own, root):
		return ""
	}
	return r.step(2)
}

// references are all of the module's.
func (m *Module) references() []reference {
	var out []reference
	for _, b := range m.Blocks {
		// What these hold are names and types, not values.
		if !slices.Contains([]string{"terraform", "moved", "removed", "import"}, b.Type) {
			out = append(out, inside(b, nil)...)
		}
	}
	return out
}

// inside are those of one block. bound are the names that dynamic blocks around
// it give to their elements.
func inside(b *hclsyntax.Block, bound []string) []reference {
	if b.Type == "dynamic" && len(b.Labels) == 1 {
		iterator := b.Labels[0]
		if a := b.Body.Attributes["iterator"]; a != nil {
			iterator = hcl.ExprAsKeyword(a.Expr)
		}
		out := of(b.Body.Attributes["for_each"], bound)
		for _, inner := range b.Body.Blocks {
			out = append(out, inside(inner, append(slices.Clone(bound), iterator))...)
		}
		return out
	}
	var out []reference
	for _, a := range b.Body.Attributes {
		if !keyword(b.Type, a.Name) {
			out = append(out, of(a, bound)...)
		}
	}
	for _, inner := range b.Body.Blocks {
		out = append(out, inside(inner, bound)...)
	}
	slices.SortStableFunc(out, func(a, b reference) int { return a.at.Start.Byte - b.at.Start.Byte })
	return out
}

// keyword tells whether an attribute holds names of Terraform's own, such as
// types, providers or the block's attributes.
func keyword(block, attribute string) bool {
	switch attribute {
	case "type":
		return block == "variable"
	case "provider":
		return block == "resource" || block == "data"
	case "providers":
		return block == "module"
	case "ignore_changes":
		return block == "lifecycle"
	}
	return false
}

func of(a *hclsyntax.Attribute, bound []string) []reference {
	if a == nil {
		return nil
	}
	var out []reference
	for _, path := range a.Expr.Variables() {
		if !slices.Contains(bound, path.RootName()) {
			out = append(out, reference{path, path.SourceRange()})
		}
	}
	return out
}
