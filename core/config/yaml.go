package config

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"byokwatch/core/pattern"
)

// parseYAML reads one YAML document of mappings, sequences and scalars. What
// makes a YAML file say something else than it shows (anchors, aliases, merge
// keys, tags, directives, a second document) is refused.
func parseYAML(data []byte) (*node, error) {
	if err := checkBlocks(data); err != nil {
		return nil, err
	}
	tokens := lexer.Tokenize(string(data))
	if err := checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, yamlFault(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			return nil, Faults{{Line: lineOf(doc.Body), Text: "a second YAML document: a configuration is one"}}
		default:
			body = doc.Body
		}
	}
	if body == nil {
		return nil, Faults{{Line: 1, Text: "the file is empty"}}
	}
	return convert(body, 0)
}

// block is the head of a block scalar. No field takes text of several lines, and
// the lexer's time over one grows with the third power of its blank lines, so
// it is refused before the lexer sees it. A comment behind a value that ends in
// such a head is refused with it.
var block = pattern.New(`(?m)^[ \t]*(?:[^# \t\n].*[:?\- \t])?[|>][-+0-9]*[ \t]*(?:#.*)?\r?$`)

const blockText = "YAML's block texts (| and >) are not allowed: write the text on one line"

func checkBlocks(data []byte) error {
	if at := block.FindIndex(data); at != nil {
		line := 1 + bytes.Count(data[:at[0]], []byte("\n"))
		return Faults{{Line: line, Text: blockText}}
	}
	return nil
}

// maxIndent bounds nesting by indentation, in columns.
const maxIndent = 200

// checkTokens refuses the forbidden constructs, and what nests so deeply that
// the parser's recursion would not be bounded.
func checkTokens(tokens token.Tokens) error {
	flow, line, entries := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		if why, ok := forbidden[t.Type]; ok {
			return Faults{{Line: line, Text: why}}
		}
		switch t.Type {
		case token.InvalidType:
			return Faults{{Line: line, Text: "not well-formed YAML" + because(t.Error)}}
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingValueType:
			if entries++; flow == 0 && (entries > maxDepth || column(t) > maxIndent) {
				return Faults{{Line: line, Text: tooDeep}}
			}
		}
		if flow > maxDepth {
			return Faults{{Line: line, Text: tooDeep}}
		}
	}
	return nil
}

// column is where an entry begins: at its dash, or at the name before its colon.
func column(t *token.Token) int {
	if t.Type == token.MappingValueType && t.Prev != nil {
		return t.Prev.Position.Column
	}
	return t.Position.Column
}

var tooDeep = fmt.Sprintf("nested deeper than %d levels", maxDepth)

var forbidden = map[token.Type]string{
	token.AnchorType:     "YAML anchors are not allowed: write the value out where it is needed",
	token.AliasType:      "YAML aliases are not allowed: write the value out (a text that begins with * needs quotes)",
	token.MergeKeyType:   "YAML merge keys are not allowed: write the fields out",
	token.TagType:        "YAML tags are not allowed (a text that begins with ! needs quotes)",
	token.LiteralType:    blockText,
	token.FoldedType:     blockText,
	token.DirectiveType:  "YAML directives are not allowed (a text that begins with % needs quotes)",
	token.MappingKeyType: "YAML's complex keys (?) are not allowed",
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// yamlFault keeps the parser's message and line, and drops the excerpt of the
// file, which may hold a secret.
func yamlFault(err error) error {
	if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok && syntax.Token != nil {
		return Faults{{Line: syntax.Token.Position.Line, Text: "not well-formed YAML" + because(syntax.Message)}}
	}
	return Faults{{Line: 1, Text: "not well-formed YAML"}}
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil {
		return t.Position.Line
	}
	return 1
}

// convert turns the parser's tree into ours.
func convert(n ast.Node, depth int) (*node, error) {
	if n == nil {
		return &node{kind: plain, text: "null", line: 1}, nil
	}
	line := lineOf(n)
	if depth > maxDepth {
		return nil, Faults{{Line: line, Text: tooDeep}}
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return &node{kind: text, line: line, text: n.Value}, nil
	case *ast.NullNode:
		return &node{kind: plain, line: line, text: "null"}, nil
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: plain, line: line, text: n.GetToken().Value}, nil
	case *ast.SequenceNode:
		out := &node{kind: list, line: line}
		for _, v := range n.Values {
			item, err := convert(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
		return out, nil
	case *ast.MappingNode:
		return convertMapping(n.Values, line, depth)
	case *ast.MappingValueNode:
		return convertMapping([]*ast.MappingValueNode{n}, line, depth)
	}
	return nil, Faults{{Line: line, Text: fmt.Sprintf("YAML's %s is not allowed here", n.Type())}}
}

func convertMapping(values []*ast.MappingValueNode, line, depth int) (*node, error) {
	out := &node{kind: object, line: line}
	for _, v := range values {
		name, ok := v.Key.(*ast.StringNode)
		if !ok {
			return nil, Faults{{Line: lineOf(v.Key), Text: "the name of a field must be plain text"}}
		}
		value, err := convert(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		out.line = min(out.line, lineOf(v.Key))
		if value.empty() {
			value.line = lineOf(v.Key)
		}
		out.members = append(out.members, member{name.Value, lineOf(v.Key), value})
	}
	return out, nil
}
