package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"
)

// serve is the provider. named tells whether what a cloud would compute is
// given a name in a plan, or left unknown. computed is a file of what stands in
// place of such names; "" is none.
func serve(name string, named bool, computed string) error {
	f, err := load(name)
	if err != nil {
		return err
	}
	p, err := newProvider(f, named)
	if err != nil {
		return err
	}
	if computed != "" {
		data, err := os.ReadFile(computed)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &p.computed); err != nil {
			return fmt.Errorf("%s: %w", computed, err)
		}
	}
	return tf5server.Serve("registry.terraform.io/"+f.Provider, func() tfprotov5.ProviderServer { return p })
}

// provider answers what terraform asks to validate and to plan. It has neither
// functions nor ephemeral resources, so that the embedded rest is not asked.
type provider struct {
	tfprotov5.ProviderServer
	schema   *tfprotov5.GetProviderSchemaResponse
	named    bool
	computed map[string]any // by name: a text, number or boolean
}

func newProvider(f *File, named bool) (*provider, error) {
	config, err := schemaOf(f.Schema.ConfigSchema)
	if err != nil {
		return nil, err
	}
	p := &provider{named: named, schema: &tfprotov5.GetProviderSchemaResponse{
		Provider: config, ResourceSchemas: map[string]*tfprotov5.Schema{}, DataSourceSchemas: map[string]*tfprotov5.Schema{},
	}}
	for name, s := range f.Schema.ResourceSchemas {
		if p.schema.ResourceSchemas[name], err = schemaOf(s); err != nil {
			return nil, fmt.Errorf("resource %s: %w", name, err)
		}
	}
	for name, s := range f.Schema.DataSourceSchemas {
		if p.schema.DataSourceSchemas[name], err = schemaOf(s); err != nil {
			return nil, fmt.Errorf("data %s: %w", name, err)
		}
	}
	return p, nil
}

func schemaOf(s *tfjson.Schema) (*tfprotov5.Schema, error) {
	b, err := blockOf(s.Block)
	return &tfprotov5.Schema{Version: int64(s.Version), Block: b}, err
}

var nesting = map[tfjson.SchemaNestingMode]tfprotov5.SchemaNestedBlockNestingMode{
	tfjson.SchemaNestingModeSingle: tfprotov5.SchemaNestedBlockNestingModeSingle,
	tfjson.SchemaNestingModeList:   tfprotov5.SchemaNestedBlockNestingModeList,
	tfjson.SchemaNestingModeSet:    tfprotov5.SchemaNestedBlockNestingModeSet,
}

func blockOf(b *tfjson.SchemaBlock) (*tfprotov5.SchemaBlock, error) {
	out := &tfprotov5.SchemaBlock{}
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		a := b.Attributes[name]
		typ, err := typeOnWire(a.AttributeType)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: typ, Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(b.NestedBlocks)) {
		n := b.NestedBlocks[name]
		mode, ok := nesting[n.NestingMode]
		if !ok {
			return nil, fmt.Errorf("%s: nesting mode %q", name, n.NestingMode)
		}
		inner, err := blockOf(n.Block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: int64(n.MinItems), MaxItems: int64(n.MaxItems),
		})
	}
	return out, nil
}

// typeOnWire is the protocol's word for a type of the schema.
func typeOnWire(t cty.Type) (tftypes.Type, error) {
	switch t {
	case cty.String:
		return tftypes.String, nil
	case cty.Number:
		return tftypes.Number, nil
	case cty.Bool:
		return tftypes.Bool, nil
	case cty.DynamicPseudoType:
		return tftypes.DynamicPseudoType, nil
	}
	if t.IsObjectType() {
		in := map[string]tftypes.Type{}
		for name, at := range t.AttributeTypes() {
			typ, err := typeOnWire(at)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			in[name] = typ
		}
		return tftypes.Object{AttributeTypes: in}, nil
	}
	if !t.IsCollectionType() {
		return nil, fmt.Errorf("the protocol has no type for %#v", t)
	}
	element, err := typeOnWire(t.ElementType())
	switch {
	case err != nil:
		return nil, err
	case t.IsListType():
		return tftypes.List{ElementType: element}, nil
	case t.IsSetType():
		return tftypes.Set{ElementType: element}, nil
	}
	return tftypes.Map{ElementType: element}, nil
}

func (p *provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	out := &tfprotov5.GetMetadataResponse{}
	for _, name := range slices.Sorted(maps.Keys(p.schema.ResourceSchemas)) {
		out.Resources = append(out.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for _, name := range slices.Sorted(maps.Keys(p.schema.DataSourceSchemas)) {
		out.DataSources = append(out.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return out, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return p.schema, nil
}

func (p *provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (p *provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p *provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

// PlanResourceChange plans to create what the configuration says.
func (p *provider) PlanResourceChange(_ context.Context, r *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	schema := p.schema.ResourceSchemas[r.TypeName]
	if schema == nil {
		return nil, fmt.Errorf("the type %s is not in the schema", r.TypeName)
	}
	fill := unknown
	if p.named {
		fill = p.given(namedInPlan)
	}
	state, err := compute(schema, r.TypeName, r.ProposedNewState, fill)
	return &tfprotov5.PlanResourceChangeResponse{PlannedState: state}, err
}

// ReadDataSource gives names: what was read is never unknown.
func (p *provider) ReadDataSource(_ context.Context, r *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	schema := p.schema.DataSourceSchemas[r.TypeName]
	if schema == nil {
		return nil, fmt.Errorf("the type data.%s is not in the schema", r.TypeName)
	}
	state, err := compute(schema, "data."+r.TypeName, r.Config, p.given(namedInState))
	return &tfprotov5.ReadDataSourceResponse{State: state}, err
}

// ApplyResourceChange refuses: there is no cloud behind this provider.
func (p *provider) ApplyResourceChange(_ context.Context, r *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	return &tfprotov5.ApplyResourceChangeResponse{NewState: r.PriorState, Diagnostics: refusal}, nil
}

// ReadResource, UpgradeResourceState and ImportResourceState are asked only
// about what was created.
func (p *provider) ReadResource(_ context.Context, r *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: r.CurrentState, Diagnostics: refusal}, nil
}

func (p *provider) UpgradeResourceState(context.Context, *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	return &tfprotov5.UpgradeResourceStateResponse{Diagnostics: refusal}, nil
}

func (p *provider) ImportResourceState(context.Context, *tfprotov5.ImportResourceStateRequest) (*tfprotov5.ImportResourceStateResponse, error) {
	return &tfprotov5.ImportResourceStateResponse{Diagnostics: refusal}, nil
}

var refusal = []*tfprotov5.Diagnostic{{
	Severity: tfprotov5.DiagnosticSeverityError,
	Summary:  "This provider only serves a schema",
	Detail:   "It stands in for the real one while modules are validated and planned, and knows no cloud. In tests, use mock_provider; to deploy, remove its dev_overrides from the CLI configuration.",
}}
