package gcpkms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"byokwatch/core/pattern"
	"byokwatch/core/rawjson"
)

// Bounds of a YAML file. The parser is recursive and its lexer slow, so both
// are kept from what no answer of gcloud looks like.
const (
	maxYAML   = 1 << 20
	maxIndent = 60 // columns, and depth of brackets
)

var errBlock = errors.New("YAML's block texts (| and >) are not read: print it with --format=json")

// blockText is the head of a YAML block text. The lexer's time over one grows
// with the third power of its blank lines.
var blockText = pattern.New(`(?m)^[ \t]*(?:[^# \t\n].*[:?\- \t])?[|>][-+0-9]*[ \t]*(?:#.*)?\r?$`)

// fromYAML turns what gcloud prints without --format=json into JSON, laid out as
// gcloud prints that. What makes a YAML file say something else than it shows
// (anchors, aliases, merge keys, tags, directives) is an error. Several
// documents, which is how gcloud prints a list, become a list.
func fromYAML(data []byte) ([]byte, error) {
	switch {
	case len(data) > maxYAML:
		return nil, fmt.Errorf("%d bytes of YAML, more than %d: print it with --format=json", len(data), maxYAML)
	case blockText.Match(data):
		return nil, errBlock
	}
	tokens := lexer.Tokenize(string(data))
	if err := checkTokens(tokens); err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, errors.New("it is neither well-formed JSON nor well-formed YAML")
	}
	var bodies []string
	for _, doc := range parsed.Docs {
		if doc.Body == nil {
			continue
		}
		var b strings.Builder
		if err := writeNode(&b, doc.Body, 0); err != nil {
			return nil, err
		}
		bodies = append(bodies, b.String())
	}
	text := strings.Join(bodies, ",")
	if len(bodies) != 1 || bytes.HasPrefix(data, []byte("---")) && strings.HasPrefix(text, "{") {
		text = "[" + text + "]"
	}
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		return nil, fmt.Errorf("rewrite YAML as JSON: %w", err)
	}
	return out.Bytes(), nil
}

func checkTokens(tokens token.Tokens) error {
	flow, line, entries := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.InvalidType:
			return fmt.Errorf("line %d is neither well-formed JSON nor well-formed YAML", line)
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType, token.DirectiveType, token.MappingKeyType:
			return fmt.Errorf("line %d holds YAML that gcloud never prints (%s)", line, t.Type)
		case token.LiteralType, token.FoldedType:
			return errBlock
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingValueType:
			if flow == 0 {
				entries++
			}
		default:
		}
		if flow > maxIndent || entries > 4 || t.Position.Column > maxIndent && t.Type == token.SequenceEntryType {
			return fmt.Errorf("line %d is nested more deeply than anything that gcloud prints", line)
		}
	}
	return nil
}

// writeNode writes a node as JSON.
func writeNode(b *strings.Builder, n ast.Node, depth int) error {
	if depth > maxIndent {
		return errors.New("it is nested more deeply than anything that gcloud prints")
	}
	switch n := n.(type) {
	case *ast.StringNode:
		b.WriteString(rawjson.Quote(n.Value))
	case *ast.NullNode:
		b.WriteString("null")
	case *ast.BoolNode:
		fmt.Fprint(b, n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		// The only number that gcloud prints here is a policy's version; an etag
		// may look like one that is written in some other way.
		if text := n.GetToken().Value; versionGrammar.MatchString(text) {
			b.WriteString(text)
		} else {
			b.WriteString(rawjson.Quote(text))
		}
	case *ast.SequenceNode:
		return writeAll(b, '[', ']', n.Values, func(v ast.Node) error { return writeNode(b, v, depth+1) })
	case *ast.MappingValueNode:
		return writeAll(b, '{', '}', []*ast.MappingValueNode{n}, func(v *ast.MappingValueNode) error { return writeMember(b, v, depth+1) })
	case *ast.MappingNode:
		return writeAll(b, '{', '}', n.Values, func(v *ast.MappingValueNode) error { return writeMember(b, v, depth+1) })
	default:
		return fmt.Errorf("YAML's %s is nothing that gcloud prints", n.Type())
	}
	return nil
}

func writeMember(b *strings.Builder, v *ast.MappingValueNode, depth int) error {
	name, ok := v.Key.(*ast.StringNode)
	if !ok {
		return errors.New("the name of a member is not plain text")
	}
	b.WriteString(rawjson.Quote(name.Value) + ":")
	return writeNode(b, v.Value, depth)
}

func writeAll[T any](b *strings.Builder, open, end byte, values []T, write func(T) error) error {
	b.WriteByte(open)
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := write(v); err != nil {
			return err
		}
	}
	b.WriteByte(end)
	return nil
}
