package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"
)

// source is the TypeScript of one generated binding. Three places tell of a
// block, and each something that the others do not:
//
//	interface NAME                   which arguments are required
//	function nameToHclTerraform      argument names, types, nesting, one or many
//	class NAMEOutputReference        what is computed
//
// For the resource itself they are NAMEConfig, synthesizeHclAttributes and NAME.
type source struct {
	text       string
	interfaces map[string]map[string]property
	functions  map[string][]argument
	classes    map[string][]member
	class      string // of the resource, data source or provider
	kind       string // Resource, DataSource or Provider
	typeName   string // google_pubsub_topic
	version    string // of the provider
}

type property struct{ required, block bool }

type argument struct {
	name          string
	nested        string // the interface of a block or object, else ""
	mapped, block bool   // of a list: it is one, and of blocks
	kind, storage string
}

type member struct {
	name               string
	computed, required bool
	text               string
}

var (
	sourceMap     = regexp.MustCompile(`base64,([A-Za-z0-9+/=]+)`)
	classLine     = regexp.MustCompile(`(?m)^export class (\w+) extends cdkt[fn]\.(?:Terraform(Resource|DataSource|Provider)|ComplexObject) \{$`)
	interfaceLine = regexp.MustCompile(`(?m)^export interface (\w+)(?: extends [\w.]+)? \{$`)
	functionLine  = regexp.MustCompile(`(?m)^export function (\w+)ToHclTerraform\(`)
	memberLine    = regexp.MustCompile(`(?m)^  // (\w+) - computed: (true|false), optional: (?:true|false), required: (true|false)$`)
	propertyLink  = regexp.MustCompile(`#(\w+) \w+#\w+\}$`)
	propertyLine  = regexp.MustCompile(`^  readonly \w+(\??): `)
	blockLine     = regexp.MustCompile(`^  \* \w+ block$`)
	argumentBlock = regexp.MustCompile(`(?m)^ +(\w+): \{\n +value: (.*),\n +isBlock: (?:true|false),\n +type: "(\w+)",\n +storageClassType: "(\w+)",\n +\},$`)
	functionOf    = regexp.MustCompile(`(?:^|\()(\w+)ToHclTerraform\b`)
	listOf        = regexp.MustCompile(`listMapperHcl\(\w+ToHclTerraform, (true|false)\)`)
	typeOf        = regexp.MustCompile(`tfResourceType = "([\w-]+)"`)
	versionOf     = regexp.MustCompile(`providerVersion: '([^']+)'`)
)

// decodeSource finds the TypeScript inside the compiled JavaScript's source map.
func decodeSource(js []byte) (*source, error) {
	m := sourceMap.FindSubmatch(js)
	if m == nil {
		return nil, fmt.Errorf("the JavaScript has no source map")
	}
	data, err := base64.StdEncoding.DecodeString(string(m[1]))
	if err != nil {
		return nil, err
	}
	var maps struct{ SourcesContent []string }
	if err := json.Unmarshal(data, &maps); err != nil {
		return nil, err
	}
	if len(maps.SourcesContent) != 1 {
		return nil, fmt.Errorf("the source map holds %d sources instead of one", len(maps.SourcesContent))
	}
	return parseSource(maps.SourcesContent[0])
}

func parseSource(text string) (*source, error) {
	s := &source{text: text, interfaces: map[string]map[string]property{}, functions: map[string][]argument{}, classes: map[string][]member{}}
	for _, m := range interfaceLine.FindAllStringSubmatchIndex(text, -1) {
		s.interfaces[text[m[2]:m[3]]] = properties(body(text[m[1]:]))
	}
	for _, m := range functionLine.FindAllStringSubmatchIndex(text, -1) {
		s.functions[upper(text[m[2]:m[3]])] = arguments(body(text[m[1]:]))
	}
	for _, m := range classLine.FindAllStringSubmatchIndex(text, -1) {
		name, inside := text[m[2]:m[3]], body(text[m[1]:])
		s.classes[name] = members(inside)
		if m[4] < 0 {
			continue
		}
		s.class, s.kind = name, text[m[4]:m[5]]
		_, hcl, found := strings.Cut(inside, "synthesizeHclAttributes()")
		if !found {
			return nil, fmt.Errorf("%s has no synthesizeHclAttributes", name)
		}
		s.functions[name+"Config"] = arguments(hcl)
	}
	t, v := typeOf.FindStringSubmatch(text), versionOf.FindStringSubmatch(text)
	if s.class == "" || t == nil || v == nil {
		return nil, fmt.Errorf("no class of a resource, data source or provider, or none with type and version")
	}
	s.typeName, s.version = t[1], v[1]
	return s, nil
}

// body is the text up to the closing brace in the first column.
func body(text string) string {
	inside, _, _ := strings.Cut(text, "\n}")
	return inside
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// properties are known by the name in the link to their documentation: in
// TypeScript some have another one.
func properties(text string) map[string]property {
	out, block, name := map[string]property{}, false, ""
	for line := range strings.SplitSeq(text, "\n") {
		if blockLine.MatchString(line) {
			block = true
		}
		if m := propertyLink.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		if m := propertyLine.FindStringSubmatch(line); m != nil {
			out[name], block = property{required: m[1] == "", block: block}, false
		}
	}
	return out
}

func arguments(text string) []argument {
	var out []argument
	for _, m := range argumentBlock.FindAllStringSubmatch(text, -1) {
		a := argument{name: m[1], kind: m[3], storage: m[4]}
		if f := functionOf.FindStringSubmatch(m[2]); f != nil {
			a.nested = upper(f[1])
		}
		if l := listOf.FindStringSubmatch(m[2]); l != nil {
			a.mapped, a.block = true, l[1] == "true"
		}
		out = append(out, a)
	}
	return out
}

func members(text string) []member {
	at := memberLine.FindAllStringSubmatchIndex(text, -1)
	var out []member
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		out = append(out, member{name: text[m[2]:m[3]], computed: text[m[4]:m[5]] == "true", required: text[m[6]:m[7]] == "true", text: text[m[1]:end]})
	}
	return out
}

// top is the schema of the resource, data source or provider.
func (s *source) top() (*tfjson.SchemaBlock, error) { return s.block(s.class+"Config", s.class) }

// block puts together what the interface, the function and the class say.
func (s *source) block(name, class string) (*tfjson.SchemaBlock, error) {
	out := &tfjson.SchemaBlock{Attributes: map[string]*tfjson.SchemaAttribute{}, NestedBlocks: map[string]*tfjson.SchemaBlockType{}}
	if got, want := len(s.functions[name]), len(s.interfaces[name]); got != want {
		return nil, fmt.Errorf("%s: it has %d properties, of which %d are read", name, want, got)
	}
	for _, a := range s.functions[name] {
		p, ok := s.interfaces[name][a.name]
		if !ok {
			return nil, fmt.Errorf("%s: the argument %s is no property of it", name, a.name)
		}
		if err := s.add(out, a, p); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, a.name, err)
		}
	}
	for _, m := range s.classes[class] {
		if a, ok := out.Attributes[m.name]; ok {
			a.Computed = m.computed
			if a.Required != m.required {
				return nil, fmt.Errorf("%s.%s: the interface and the class do not agree whether it is required", name, m.name)
			}
			continue
		}
		if _, ok := out.NestedBlocks[m.name]; ok {
			continue
		}
		if !m.computed {
			return nil, fmt.Errorf("%s.%s: an argument that the interface has not", name, m.name)
		}
		typ, err := s.computedType(m)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, m.name, err)
		}
		out.Attributes[m.name] = &tfjson.SchemaAttribute{AttributeType: typ, Computed: true}
	}
	return out, nil
}

func (s *source) add(to *tfjson.SchemaBlock, a argument, p property) error {
	if a.nested == "" {
		typ, err := plainType(a.kind, a.storage)
		to.Attributes[a.name] = &tfjson.SchemaAttribute{AttributeType: typ, Required: p.required, Optional: !p.required}
		return err
	}
	nested, err := s.block(a.nested, a.nested+"OutputReference")
	if err != nil {
		return err
	}
	if isBlock := a.mapped && a.block || !a.mapped && (a.kind != "struct" || p.block); !isBlock {
		object := objectType(nested)
		typ, ok := map[string]cty.Type{"list": cty.List(object), "set": cty.Set(object), "map": cty.Map(object), "struct": object}[a.kind]
		if !ok {
			return fmt.Errorf("an object in a %q", a.kind)
		}
		to.Attributes[a.name] = &tfjson.SchemaAttribute{AttributeType: typ, Required: p.required, Optional: !p.required}
		return nil
	}
	b := &tfjson.SchemaBlockType{Block: nested}
	switch a.kind {
	case "struct":
		b.NestingMode = tfjson.SchemaNestingModeSingle
	case "list":
		b.NestingMode = tfjson.SchemaNestingModeList
	case "set":
		b.NestingMode = tfjson.SchemaNestingModeSet
	default:
		return fmt.Errorf("a block in a %q", a.kind)
	}
	if a.kind != "struct" {
		if p.required {
			b.MinItems = 1
		}
		if !a.mapped {
			b.MaxItems = 1
		}
	}
	to.NestedBlocks[a.name] = b
	return nil
}

var plain = map[string]cty.Type{
	"string": cty.String, "number": cty.Number, "boolean": cty.Bool, "any": cty.DynamicPseudoType,
	"String": cty.String, "Number": cty.Number, "Boolean": cty.Bool,
}

// plainType reads names such as stringListMap, a map of lists of texts. Whether
// the outermost list is a set is told by the kind.
func plainType(kind, storage string) (cty.Type, error) {
	if t, ok := plain[storage]; ok && (kind == "simple" || kind == "list") {
		return t, nil
	}
	of, isList := strings.CutSuffix(storage, "List")
	isMap := false
	if !isList {
		of, isMap = strings.CutSuffix(storage, "Map")
	}
	if isList || isMap {
		element, err := plainType("list", of)
		switch {
		case err != nil:
			return cty.NilType, err
		case kind == "set" && isList:
			return cty.Set(element), nil
		case kind == "list" && isList:
			return cty.List(element), nil
		case isMap:
			return cty.Map(element), nil
		}
	}
	return cty.NilType, fmt.Errorf("unknown type %s of %s", kind, storage)
}

func objectType(b *tfjson.SchemaBlock) cty.Type {
	types := map[string]cty.Type{}
	for name, a := range b.Attributes {
		types[name] = a.AttributeType
	}
	for name, n := range b.NestedBlocks {
		types[name] = cty.List(objectType(n.Block))
	}
	return cty.Object(types)
}

var (
	getter   = regexp.MustCompile(`return (?:cdkt[fn]\.Token\.as\w+\()?(cdkt[fn]\.Fn\.tolist\()?this\.get(\w*?)(List|Map)?Attribute\('`)
	computed = regexp.MustCompile(`= new (cdkt[fn]\.)?(\w+?)(List|Map|MapList|OutputReference)\(this, "\w+"(?:, (true|false))?\);`)
	untyped  = regexp.MustCompile(`return this\.interpolationForAttribute\('`)
)

// computedType reads the type of what cannot be set off the class that gives it.
func (s *source) computedType(m member) (cty.Type, error) {
	if g := getter.FindStringSubmatch(m.text); g != nil {
		element, ok := plain[g[2]]
		if g[2] == "" { // getListAttribute: of texts
			element, ok = cty.String, true
		}
		if !ok {
			return cty.NilType, fmt.Errorf("unknown getter get%s%sAttribute", g[2], g[3])
		}
		switch {
		case g[3] == "Map":
			return cty.Map(element), nil
		case g[3] == "List" && g[1] != "":
			return cty.Set(element), nil
		case g[3] == "List":
			return cty.List(element), nil
		}
		return element, nil
	}
	c := computed.FindStringSubmatch(m.text)
	if c == nil {
		if untyped.MatchString(m.text) {
			return cty.DynamicPseudoType, nil
		}
		return cty.NilType, fmt.Errorf("nothing tells its type")
	}
	element, ok := plain[c[2]]
	if c[1] == "" {
		nested, err := s.block(c[2], c[2]+"OutputReference")
		if err != nil {
			return cty.NilType, err
		}
		element, ok = objectType(nested), true
	}
	if !ok {
		return cty.NilType, fmt.Errorf("unknown class %s%s", c[2], c[3])
	}
	switch {
	case c[3] == "OutputReference":
		return element, nil
	case c[3] == "Map":
		return cty.Map(element), nil
	case c[3] == "MapList":
		element = cty.Map(element)
	}
	if c[4] == "true" {
		return cty.Set(element), nil
	}
	return cty.List(element), nil
}
