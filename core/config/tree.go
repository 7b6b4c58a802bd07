package config

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/strict"
)

const (
	// maxBytes leaves room for 10,000 keys of 800 bytes.
	maxBytes = 8 << 20
	// maxDepth bounds nesting; a configuration needs 5 levels.
	maxDepth = 16
)

type kind int

const (
	text  kind = iota // a string
	plain             // true, 12, null, …: what YAML reads as something else than text
	list
	object
)

// node is a value of the file with the line it begins on: all that is left of
// the difference between YAML and JSON.
type node struct {
	kind    kind
	line    int
	text    string // of text and plain
	items   []*node
	members []member
}

type member struct {
	name  string
	line  int
	value *node
}

func (n *node) empty() bool { return n.kind == plain && n.text == "null" }

// parseTree reads one document. Its errors are Faults.
func parseTree(data []byte) (*node, error) {
	if err := checkBytes(data); err != nil {
		return nil, err
	}
	if lead := bytes.TrimLeft(data, " \t\r\n"); len(lead) > 0 && lead[0] == '{' {
		return parseJSON(data)
	}
	return parseYAML(data)
}

// checkBytes refuses what parsers are known to differ on, or to choke on.
func checkBytes(data []byte) error {
	if len(data) > maxBytes {
		return Faults{{Line: 1, Text: fmt.Sprintf("the file has %d bytes, more than %d", len(data), maxBytes)}}
	}
	line := 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return Faults{{Line: line, Text: "not UTF-8"}}
		case r == '\ufeff':
			return Faults{{Line: line, Text: "a byte order mark: save the file as UTF-8 without it"}}
		case r == '\n':
			line++
		case r == '\r' && (i+1 == len(data) || data[i+1] != '\n'):
			return Faults{{Line: line, Text: "a carriage return inside a line"}}
		case r < ' ' && r != '\t' && r != '\r', r == 0x7f, r == 0x85, r == 0x2028, r == 0x2029:
			return Faults{{Line: line, Text: fmt.Sprintf("the control character %U", r)}}
		}
		i += size
	}
	return nil
}

// parseJSON reads JSON through the strict reader's rules.
func parseJSON(data []byte) (*node, error) {
	if err := strict.Check(data); err != nil {
		line := 1
		if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			line += bytes.Count(data[:min(int(syntax.ByteOffset), len(data))], []byte("\n"))
		}
		return nil, Faults{{Line: line, Text: "not well-formed JSON: " + err.Error()}}
	}
	b := &jsonBuilder{d: jsontext.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	return b.value()
}

// jsonBuilder turns tokens into nodes. strict.Check has bounded depth and size
// and refused duplicates.
type jsonBuilder struct {
	d    *jsontext.Decoder
	data []byte
	seen int64 // offset up to which newlines are counted
	line int
}

// next returns a token and its line.
func (b *jsonBuilder) next() (jsontext.Token, int, error) {
	tok, err := b.d.ReadToken()
	if err != nil {
		return tok, 0, Faults{{Line: b.line, Text: "not well-formed JSON: " + err.Error()}}
	}
	// A token holds no newline, so its end tells its line.
	end := b.d.InputOffset()
	b.line += bytes.Count(b.data[b.seen:end], []byte("\n"))
	b.seen = end
	return tok, b.line, nil
}

func (b *jsonBuilder) value() (*node, error) {
	tok, line, err := b.next()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return b.object(line)
	case '[':
		return b.list(line)
	case '"':
		return &node{kind: text, line: line, text: tok.String()}, nil
	}
	return &node{kind: plain, line: line, text: tok.String()}, nil
}

func (b *jsonBuilder) object(line int) (*node, error) {
	n := &node{kind: object, line: line}
	for {
		tok, line, err := b.next()
		if err != nil {
			return nil, err
		}
		if tok.Kind() == '}' {
			return n, nil
		}
		name := tok.String() // the token is void after the next read
		v, err := b.value()
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{name, line, v})
	}
}

func (b *jsonBuilder) list(line int) (*node, error) {
	n := &node{kind: list, line: line}
	for b.d.PeekKind() != ']' {
		v, err := b.value()
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, v)
	}
	_, _, err := b.next()
	return n, err
}
