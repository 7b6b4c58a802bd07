package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// filler gives the value of an attribute that the configuration leaves to the
// cloud. optional tells whether it could have been set.
type filler func(typ tftypes.Type, name string, optional bool) (tftypes.Value, error)

// unknown is what a provider plans.
func unknown(typ tftypes.Type, _ string, _ bool) (tftypes.Value, error) {
	return tftypes.NewValue(typ, tftypes.UnknownValue), nil
}

// namedInPlan names texts, also inside of lists and objects. What is no text,
// or a list that could have been set, stays unknown: a test must not take it
// for something that the module says.
func namedInPlan(typ tftypes.Type, name string, optional bool) (tftypes.Value, error) {
	return give(typ, name, optional, tftypes.UnknownValue), nil
}

// namedInState does it where nothing may be unknown.
func namedInState(typ tftypes.Type, name string, optional bool) (tftypes.Value, error) {
	return give(typ, name, optional, nil), nil
}

// given puts in what whoever plans has a value for.
func (p *provider) given(fill filler) filler {
	return func(typ tftypes.Type, name string, optional bool) (tftypes.Value, error) {
		v, ok := p.computed[name]
		if !ok {
			return fill(typ, name, optional)
		}
		if typ.Is(tftypes.DynamicPseudoType) {
			typ = tftypes.String
		}
		if err := tftypes.ValidateValue(typ, v); err != nil {
			return tftypes.Value{}, fmt.Errorf("the value given for %s: %w", name, err)
		}
		return tftypes.NewValue(typ, v), nil
	}
}

func give(typ tftypes.Type, name string, optional bool, other any) tftypes.Value {
	one := func(element tftypes.Type) tftypes.Value {
		return tftypes.NewValue(typ, []tftypes.Value{give(element, name+".0", false, other)})
	}
	switch t := typ.(type) {
	case tftypes.List:
		if !optional {
			return one(t.ElementType)
		}
	case tftypes.Set:
		if !optional {
			return one(t.ElementType)
		}
	case tftypes.Object:
		in := map[string]tftypes.Value{}
		for attr, at := range t.AttributeTypes {
			in[attr] = give(at, name+"."+attr, false, other)
		}
		return tftypes.NewValue(typ, in)
	default:
		if typ.Is(tftypes.String) || typ.Is(tftypes.DynamicPseudoType) {
			return tftypes.NewValue(tftypes.String, name)
		}
	}
	return tftypes.NewValue(typ, other)
}

// compute fills what is computed and not set into a configuration.
func compute(schema *tfprotov5.Schema, typeName string, value *tfprotov5.DynamicValue, fill filler) (*tfprotov5.DynamicValue, error) {
	typ := schema.ValueType()
	v, err := value.Unmarshal(typ)
	if err != nil {
		return nil, err
	}
	if !v.IsNull() {
		name, err := nameOf(typeName, v)
		if err != nil {
			return nil, err
		}
		if v, err = inBlock(schema.Block, v, name, fill); err != nil {
			return nil, err
		}
	}
	out, err := tfprotov5.NewDynamicValue(typ, v)
	return &out, err
}

func inBlock(b *tfprotov5.SchemaBlock, v tftypes.Value, name string, fill filler) (tftypes.Value, error) {
	if v.IsNull() || !v.IsKnown() {
		return v, nil
	}
	var in map[string]tftypes.Value
	if err := v.As(&in); err != nil {
		return v, err
	}
	for _, a := range b.Attributes {
		if a.Computed && in[a.Name].IsNull() {
			filled, err := fill(a.Type, name+"."+a.Name, a.Optional)
			if err != nil {
				return v, err
			}
			in[a.Name] = filled
		}
	}
	for _, n := range b.BlockTypes {
		filled, err := inNested(n, in[n.TypeName], name+"."+n.TypeName, fill)
		if err != nil {
			return v, fmt.Errorf("%s.%s: %w", name, n.TypeName, err)
		}
		in[n.TypeName] = filled
	}
	return tftypes.NewValue(v.Type(), in), nil
}

func inNested(n *tfprotov5.SchemaNestedBlock, v tftypes.Value, name string, fill filler) (tftypes.Value, error) {
	if n.Nesting == tfprotov5.SchemaNestedBlockNestingModeSingle {
		return inBlock(n.Block, v, name, fill)
	}
	if v.IsNull() || !v.IsKnown() {
		return v, nil
	}
	var all []tftypes.Value
	if err := v.As(&all); err != nil {
		return v, err
	}
	for i := range all {
		filled, err := inBlock(n.Block, all[i], fmt.Sprintf("%s.%d", name, i), fill)
		if err != nil {
			return v, err
		}
		all[i] = filled
	}
	return tftypes.NewValue(v.Type(), all), nil
}

// identities are the arguments that tell resources of one type apart, the most
// telling first.
var identities = []string{"name", "account_id", "role_id", "secret_id", "project_id", "function_name", "bucket", "service"}

// nameOf is TYPE, then the project and the name where the resource has them, or
// else a digest of its arguments, so that no two resources share a name.
func nameOf(typeName string, v tftypes.Value) (string, error) {
	var in map[string]tftypes.Value
	if err := v.As(&in); err != nil {
		return "", err
	}
	text := func(name string) string {
		var s string
		if a, ok := in[name]; ok && a.IsKnown() && !a.IsNull() && a.Type().Is(tftypes.String) && a.As(&s) == nil {
			return s
		}
		return ""
	}
	var parts []string
	if project := text("project"); project != "" {
		parts = append(parts, project)
	}
	for _, name := range identities {
		if s := text(name); s != "" {
			return typeName + "." + strings.Join(append(parts, s), "/"), nil
		}
	}
	if strings.HasPrefix(typeName, "data.") {
		return strings.Join(append([]string{typeName}, parts...), "."), nil
	}
	sum := sha256.Sum256([]byte(v.String()))
	return typeName + "." + strings.Join(append(parts, hex.EncodeToString(sum[:4])), "/"), nil
}
