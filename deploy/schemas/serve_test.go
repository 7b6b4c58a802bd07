package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"
)

// topicProvider serves the little schema that the sources' tests read.
func topicProvider(t *testing.T, named bool) *provider {
	t.Helper()
	data, err := os.ReadFile("testdata/topic.json")
	if err != nil {
		t.Fatal(err)
	}
	var block tfjson.SchemaBlock
	if err := json.Unmarshal(data, &block); err != nil {
		t.Fatal(err)
	}
	schema := &tfjson.Schema{Block: &block}
	p, err := newProvider(&File{Schema: &tfjson.ProviderSchema{
		ConfigSchema:      &tfjson.Schema{Block: &tfjson.SchemaBlock{}},
		ResourceSchemas:   map[string]*tfjson.Schema{"x_topic": schema},
		DataSourceSchemas: map[string]*tfjson.Schema{"x_topic": schema},
	}}, named)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// topicConfig is a configuration that gives a name, one rule and a policy.
func topicConfig(t *testing.T, schema *tfprotov5.Schema) *tfprotov5.DynamicValue {
	t.Helper()
	typ := schema.ValueType().(tftypes.Object)
	in := map[string]tftypes.Value{}
	for name, at := range typ.AttributeTypes {
		in[name] = tftypes.NewValue(at, nil)
	}
	in["name"] = tftypes.NewValue(tftypes.String, "events")
	policies := typ.AttributeTypes["policy"].(tftypes.List)
	policy := policies.ElementType.(tftypes.Object)
	in["policy"] = tftypes.NewValue(policies, []tftypes.Value{tftypes.NewValue(policy, map[string]tftypes.Value{
		"regions": tftypes.NewValue(policy.AttributeTypes["regions"], nil), "region_ids": tftypes.NewValue(policy.AttributeTypes["region_ids"], nil),
	})})
	v, err := tfprotov5.NewDynamicValue(typ, tftypes.NewValue(typ, in))
	if err != nil {
		t.Fatal(err)
	}
	return &v
}

// attributes are the values of an answer, as tftypes prints them.
func attributes(t *testing.T, schema *tfprotov5.Schema, v *tfprotov5.DynamicValue) map[string]tftypes.Value {
	t.Helper()
	value, err := v.Unmarshal(schema.ValueType())
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]tftypes.Value
	if err := value.As(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAPlanLeavesToTheCloudWhatTheCloudGives(t *testing.T) {
	const open, null = "unknown", "null"
	for name, c := range map[string]struct {
		named bool
		want  map[string]string // a name, or unknown or null
	}{
		"unknown": {false, map[string]string{
			"id": open, "size": open, "effective_labels": open, "endpoints": open, "raw": open,
			"name": "events", "labels": null, "zones": null, "build": null, "policy.0.region_ids": open, "policy.0.regions": null,
		}},
		"named": {true, map[string]string{
			"id": "x_topic.events.id", "raw": "x_topic.events.raw", "endpoints.0.url": "x_topic.events.endpoints.0.url", "endpoints.0.open": open,
			// A number that could have been set must not look as if it were.
			"size": open, "effective_labels": open,
			"name": "events", "labels": null, "zones": null, "policy.0.regions": null,
		}},
	} {
		p := topicProvider(t, c.named)
		schema := p.schema.ResourceSchemas["x_topic"]
		answer, err := p.PlanResourceChange(t.Context(), &tfprotov5.PlanResourceChangeRequest{TypeName: "x_topic", ProposedNewState: topicConfig(t, schema)})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range c.want {
			if got := at(t, attributes(t, schema, answer.PlannedState), path); got != want {
				t.Errorf("%s: %s is %s instead of %s", name, path, got, want)
			}
		}
	}
}

// at walks to a value and says what it is.
func at(t *testing.T, in map[string]tftypes.Value, path string) string {
	t.Helper()
	steps := strings.Split(path, ".")
	v := in[steps[0]]
	for i := 1; i+1 < len(steps); i += 2 {
		var list []tftypes.Value
		if err := v.As(&list); err != nil || len(list) != 1 {
			t.Fatalf("%s: %v %v", path, v, err)
		}
		var object map[string]tftypes.Value
		if err := list[0].As(&object); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		v = object[steps[i+1]]
	}
	switch {
	case !v.IsKnown():
		return "unknown"
	case v.IsNull():
		return "null"
	}
	var s string
	if err := v.As(&s); err != nil {
		return v.String()
	}
	return s
}

func TestADataSourceIsKnownAtOnce(t *testing.T) {
	p := topicProvider(t, false)
	p.computed = map[string]any{"data.x_topic.events.size": 3.0, "data.x_topic.events.raw": "given"}
	schema := p.schema.DataSourceSchemas["x_topic"]
	answer, err := p.ReadDataSource(t.Context(), &tfprotov5.ReadDataSourceRequest{TypeName: "x_topic", Config: topicConfig(t, schema)})
	if err != nil {
		t.Fatal(err)
	}
	got := attributes(t, schema, answer.State)
	for name, v := range got {
		if !v.IsFullyKnown() {
			t.Errorf("%s is not known", name)
		}
	}
	if id, raw := at(t, got, "id"), at(t, got, "raw"); id != "data.x_topic.events.id" || raw != "given" {
		t.Errorf("id is %s, raw is %s", id, raw)
	}
	if want := tftypes.NewValue(tftypes.Number, 3); !got["size"].Equal(want) {
		t.Errorf("size is %s", got["size"])
	}
}

func TestAGivenValueHasTheTypeOfItsAttribute(t *testing.T) {
	p := topicProvider(t, true)
	p.computed = map[string]any{"x_topic.events.size": "big"}
	_, err := p.PlanResourceChange(t.Context(), &tfprotov5.PlanResourceChangeRequest{TypeName: "x_topic", ProposedNewState: topicConfig(t, p.schema.ResourceSchemas["x_topic"])})
	if err == nil || !strings.Contains(err.Error(), "the value given for x_topic.events.size") {
		t.Errorf("%v", err)
	}
}

func TestNamesTellResourcesApart(t *testing.T) {
	object := func(in map[string]string) tftypes.Value {
		types, values := map[string]tftypes.Type{}, map[string]tftypes.Value{}
		for name, text := range in {
			types[name], values[name] = tftypes.String, tftypes.NewValue(tftypes.String, text)
		}
		return tftypes.NewValue(tftypes.Object{AttributeTypes: types}, values)
	}
	for want, in := range map[string]map[string]string{
		"x_a.events":         {"name": "events", "bucket": "b"},
		"x_a.acme/events":    {"name": "events", "project": "acme"},
		"x_a.acme/byokwatch": {"account_id": "byokwatch", "project": "acme"},
	} {
		if got, err := nameOf("x_a", object(in)); err != nil || got != want {
			t.Errorf("%s instead of %s, %v", got, want, err)
		}
	}
	one, err := nameOf("x_member", object(map[string]string{"role": "reader", "project": "acme"}))
	if err != nil {
		t.Fatal(err)
	}
	other, err := nameOf("x_member", object(map[string]string{"role": "writer", "project": "acme"}))
	if err != nil || one == other || !strings.HasPrefix(one, "x_member.acme/") {
		t.Errorf("%s and %s, %v", one, other, err)
	}
	if got, err := nameOf("data.x_config", object(nil)); err != nil || got != "data.x_config" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAListThatOnlyACloudGivesHasOneElement(t *testing.T) {
	texts := tftypes.List{ElementType: tftypes.String}
	for name, c := range map[string]struct {
		optional bool
		want     tftypes.Value
	}{
		"so that a module can look into it":    {false, tftypes.NewValue(texts, []tftypes.Value{tftypes.NewValue(tftypes.String, "x.0")})},
		"but not where it could have been set": {true, tftypes.NewValue(texts, nil)},
	} {
		if got, err := namedInState(texts, "x", c.optional); err != nil || !got.Equal(c.want) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestEachTypeHasItsWordInTheProtocol(t *testing.T) {
	for _, typ := range []cty.Type{
		cty.String, cty.Number, cty.Bool, cty.DynamicPseudoType, cty.List(cty.Set(cty.String)), cty.Map(cty.Number),
		cty.Object(map[string]cty.Type{"a": cty.List(cty.Object(map[string]cty.Type{"b": cty.Bool}))}),
	} {
		got, err := typeOnWire(typ)
		if err != nil {
			t.Errorf("%#v: %v", typ, err)
			continue
		}
		wire, err := got.MarshalJSON() //lint:ignore SA1019 the words that providers send, to compare with the schema's
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := typ.MarshalJSON(); !reflect.DeepEqual(plainJSON(t, wire), plainJSON(t, want)) {
			t.Errorf("%s became %s", want, wire)
		}
	}
	if got, err := typeOnWire(cty.List(cty.Tuple([]cty.Type{cty.String}))); err == nil {
		t.Errorf("a tuple became %s", got)
	}
}

func TestNothingIsCreatedOrRead(t *testing.T) {
	p := topicProvider(t, true)
	apply, err := p.ApplyResourceChange(t.Context(), &tfprotov5.ApplyResourceChangeRequest{TypeName: "x_topic"})
	if err != nil || len(apply.Diagnostics) != 1 || apply.Diagnostics[0].Severity != tfprotov5.DiagnosticSeverityError {
		t.Errorf("apply: %+v, %v", apply, err)
	}
	read, err := p.ReadResource(t.Context(), &tfprotov5.ReadResourceRequest{TypeName: "x_topic"})
	if err != nil || len(read.Diagnostics) != 1 {
		t.Errorf("read: %+v, %v", read, err)
	}
}

func TestEachCommittedSchemaIsServed(t *testing.T) {
	for name := range packages {
		f, err := load(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newProvider(f, false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := p.GetMetadata(t.Context(), nil)
		if err != nil || len(m.Resources) != len(f.Schema.ResourceSchemas) || len(m.DataSources) != len(f.Schema.DataSourceSchemas) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	azurerm, err := load("azurerm")
	if err != nil {
		t.Fatal(err)
	}
	if features := azurerm.Schema.ConfigSchema.Block.NestedBlocks["features"]; features == nil || features.MinItems != 1 {
		t.Errorf("azurerm asks for %+v as its features", features)
	}
	if _, err := load("additions"); err == nil {
		t.Error("there is a schema of a provider called additions")
	}
}

func TestAFileThatIsNoSchema(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                     "does not say what the block of its provider is",
		`{"schema": {"provider": {}}}`:           "does not say what the block of its provider is",
		`{"schemas": {}}`:                        "unknown field",
		`{"schema": {"provider": {"block": 1}}}`: "cannot unmarshal",
	} {
		if _, err := parseFile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatTheProgramIsAskedFor(t *testing.T) {
	for want, args := range map[string][]string{
		"usage: schemas extract":                   {"schemas"},
		"flag provided but not defined":            {"schemas", "extract", "-x"},
		"no schema of the provider random is kept": {"/opt/terraform-provider-random"},
	} {
		if err := run(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := serve("google", true, filepath.Join(t.TempDir(), "missing.json")); err == nil {
		t.Error("served without the values that were to be given")
	}
}
