package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// Planned is a module as terraform evaluates it with given variables: what it
// would create, submodules included, and what its data sources said.
type Planned struct {
	Resources []Resource     // in the order of their addresses
	Outputs   map[string]any // those that are known before anything is created
}

// Resource is one instance of a resource or data source.
type Resource struct {
	Address string // module.store.google_storage_bucket.records["a"]
	Type    string
	Name    string
	Index   any            // of count or for_each, else nil
	Values  map[string]any // as JSON: arguments and blocks; nil where nothing is set
}

// Plan evaluates the module in dir with the real HCL functions: through
// terraform plan, with a provider that asks no cloud. It plans twice. First
// what only a cloud knows is unknown, as it will be for the user: a for_each
// over it fails here. Then it is named, so that references can be followed: a
// computed text is TYPE.NAME.ATTRIBUTE, with the project before the name where
// the resource has one, as in google_service_account.acme/byokwatch.email.
// Numbers and booleans that the module does not set stay nil; the default that
// the provider would give them is not known here.
//
// Without terraform or tofu the test is skipped.
func Plan(t testing.TB, dir string, vars map[string]any) *Planned {
	t.Helper()
	return Terraform(t).plan(t, dir, vars)
}

// All returns the resources of one type. Data sources are found by
// "data." + their type.
func (p *Planned) All(kind string) []Resource {
	var out []Resource
	for _, r := range p.Resources {
		if r.kind() == kind {
			out = append(out, r)
		}
	}
	return out
}

// One returns the resource with that address, or fails the test and says which
// there are.
func (p *Planned) One(t testing.TB, address string) Resource {
	t.Helper()
	var there []string
	for _, r := range p.Resources {
		if r.Address == address {
			return r
		}
		there = append(there, r.Address)
	}
	t.Fatalf("the plan has no %s; it has\n\t%s", address, strings.Join(there, "\n\t"))
	return Resource{}
}

func (r Resource) kind() string {
	if strings.HasPrefix(r.Address, "data.") || strings.Contains(r.Address, ".data."+r.Type+".") {
		return "data." + r.Type
	}
	return r.Type
}

// At walks into the values: names of arguments and blocks, and numbers of list
// elements. It is nil where nothing is there.
func (r Resource) At(path ...any) any {
	var v any = r.Values
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step < 0 || step >= len(l) {
				return nil
			}
			v = l[step]
		default:
			panic(fmt.Sprintf("At takes names and numbers, not %T", step))
		}
	}
	return v
}

// String is At as text; "" where there is none.
func (r Resource) String(path ...any) string {
	s, _ := r.At(path...).(string)
	return s
}

// Strings is At as a list of texts.
func (r Resource) Strings(path ...any) []string {
	l, _ := r.At(path...).([]any)
	var out []string
	for _, v := range l {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// plan runs the two plans of Plan in one copy of the tree.
func (c *CLI) plan(t testing.TB, dir string, vars map[string]any) *Planned {
	t.Helper()
	work := c.copyOf(t, dir)
	c.configureProviders(t, root(t, dir), work)
	data, err := json.Marshal(vars)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "deploytest.tfvars.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	c.must(t, work, "get")
	args := []string{"plan", "-input=false", "-no-color", "-lock=false", "-refresh=false", "-var-file=deploytest.tfvars.json"}
	c.must(t, work, args...)
	c.env = append(c.env, computedNamed)
	c.must(t, work, append(args, "-out=deploytest.tfplan")...)
	out := c.must(t, work, "show", "-json", "deploytest.tfplan")
	planned, err := readPlan([]byte(out))
	if err != nil {
		t.Fatalf("%s: the plan is not readable: %v", dir, err)
	}
	return planned
}

// computedNamed tells the provider of deploy/schemas to give what a cloud would
// compute a name, instead of leaving it unknown.
const computedNamed = "BYOKWATCH_COMPUTED=named"

func readPlan(data []byte) (*Planned, error) {
	var plan tfjson.Plan
	if err := json.Unmarshal(data, &plan); err != nil {
		return nil, err
	}
	out := &Planned{Outputs: map[string]any{}}
	if plan.PlannedValues != nil {
		out.add(plan.PlannedValues.RootModule)
		for name, o := range plan.PlannedValues.Outputs {
			out.Outputs[name] = o.Value
		}
	}
	// Data sources that were read while planning are in the state before.
	if plan.PriorState != nil && plan.PriorState.Values != nil {
		out.add(plan.PriorState.Values.RootModule)
	}
	slices.SortFunc(out.Resources, func(a, b Resource) int { return strings.Compare(a.Address, b.Address) })
	return out, nil
}

func (p *Planned) add(m *tfjson.StateModule) {
	if m == nil {
		return
	}
	for _, r := range m.Resources {
		p.Resources = append(p.Resources, Resource{r.Address, r.Type, r.Name, r.Index, r.AttributeValues})
	}
	for _, child := range m.ChildModules {
		p.add(child)
	}
}
