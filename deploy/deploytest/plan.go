package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// Computed has values for what only a cloud knows, by the name that Plan would
// give it: where a module looks into an ID, or a test wants to recognise one.
//
//	deploytest.Computed{"data.google_project.acme.number": "123456789012"}
type Computed map[string]any

// Plan evaluates the module in dir with the real HCL functions: through
// terraform plan, with a provider that asks no cloud. It plans twice. First
// what only a cloud knows is unknown, as it will be for the user: a for_each
// over it fails here. Then it is named, so that references can be followed: a
// computed text is TYPE.NAME.ATTRIBUTE, with the project before the name where
// the resource has one, as in google_service_account.acme/byokwatch.email, and
// with the names and numbers of blocks before the attribute; or what computed
// holds for it. Numbers and booleans that the module does not set stay nil; the
// default that the provider would give them is not known here.
//
// Without terraform or tofu the test is skipped.
func Plan(t testing.TB, dir string, vars map[string]any, computed ...Computed) *Planned {
	t.Helper()
	p, err := Terraform(t).plan(t, dir, vars, computed...)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return p
}

// Refused is Plan of a module that must not accept the variables: it returns
// what terraform complains of, and fails the test where it does not.
func Refused(t testing.TB, dir string, vars map[string]any, computed ...Computed) string {
	t.Helper()
	_, err := Terraform(t).plan(t, dir, vars, computed...)
	if err == nil {
		t.Errorf("%s: terraform plans with %v", dir, vars)
		return ""
	}
	// Messages are broken into lines as if for a terminal.
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "│", " ")), " ")
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

// made are the plans of this process: many tests look at one from several sides.
var made sync.Map // of input to func() (string, error)

// plan makes a plan, or reads again one that was made of the same.
func (c *CLI) plan(t testing.TB, dir string, vars map[string]any, computed ...Computed) (*Planned, error) {
	t.Helper()
	known := Computed{}
	for _, more := range computed {
		maps.Copy(known, more)
	}
	files := map[string][]byte{}
	for name, v := range map[string]any{variablesFile: vars, computedFile: known} {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	input := fmt.Sprintf("%s %s %s %s", c.path, filepath.Clean(dir), files[variablesFile], files[computedFile])
	once, _ := made.LoadOrStore(input, sync.OnceValues(func() (string, error) { return c.planAnew(t, dir, files) }))
	out, err := once.(func() (string, error))()
	if err != nil {
		return nil, err
	}
	return readPlan([]byte(out))
}

const (
	variablesFile = "deploytest.tfvars.json"
	computedFile  = "deploytest.computed.json"
)

// planAnew runs the two plans of Plan in one copy of the tree.
func (c *CLI) planAnew(t testing.TB, dir string, files map[string][]byte) (string, error) {
	work := c.copyOf(t, dir)
	if err := configureProviders(root(t, dir), work); err != nil {
		return "", err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(work, name), data, 0o600); err != nil {
			return "", err
		}
	}
	as := *c
	as.env = append(slices.Clone(c.env), "BYOKWATCH_COMPUTED="+filepath.Join(work, computedFile))
	args := []string{"plan", "-input=false", "-no-color", "-lock=false", "-refresh=false", "-var-file=" + variablesFile}
	for _, step := range [][]string{{"get", "-no-color"}, args} {
		if _, err := as.run(t, work, step...); err != nil {
			return "", err
		}
	}
	as.env = append(as.env, "BYOKWATCH_PLAN=named")
	if _, err := as.run(t, work, append(args, "-out=deploytest.tfplan")...); err != nil {
		return "", fmt.Errorf("with names in place of what is computed (see Computed): %w", err)
	}
	return as.run(t, work, "show", "-json", "deploytest.tfplan")
}

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
