// Package rawjson reads and edits JSON texts of which every byte counts. A
// restore edits somebody else's policy, so it edits the text: whatever it does
// not name keeps its bytes, be it a member that nobody here knows, the spelling
// of a condition or the order of a list. [Object] and [List] are one level of a
// JSON text taken apart without loss; [Reader] walks a text token by token and
// knows where in it each value stands.
package rawjson

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/strict"
)

type (
	// Object is a JSON object, each value with the space before it.
	Object struct {
		Members []Member
		Tail    string // before the closing brace
	}
	// Member is one member as it is spelled: Name with its quotes, Colon with
	// the space around it.
	Member struct{ Gap, Name, Colon, Value string }
	// List is a JSON array.
	List struct {
		Elements []Element
		Tail     string // before the closing bracket
	}
	// Element is one value and the space before it.
	Element struct{ Gap, Value string }
)

// ReadObject takes a JSON object apart. What the strict reader refuses is an
// error here as well.
func ReadObject(text string) (Object, error) {
	text = strings.TrimSpace(text)
	if err := strict.Check([]byte(text)); err != nil {
		return Object{}, err
	}
	return CutObject(text)
}

// CutObject is ReadObject for a part of a text that was read before.
func CutObject(text string) (Object, error) {
	c, err := newCutter(text, '{')
	if err != nil {
		return Object{}, err
	}
	var o Object
	for c.more() {
		gap, name := c.next()
		colon, value := c.next()
		o.Members = append(o.Members, Member{gap, name, colon, value})
	}
	o.Tail = c.tail()
	return o, c.err
}

// ReadList takes a JSON array apart.
func ReadList(text string) (List, error) {
	text = strings.TrimSpace(text)
	if err := strict.Check([]byte(text)); err != nil {
		return List{}, err
	}
	return CutList(text)
}

// CutList is ReadList for a part of a text that was read before.
func CutList(text string) (List, error) {
	c, err := newCutter(text, '[')
	if err != nil {
		return List{}, err
	}
	var l List
	for c.more() {
		gap, value := c.next()
		l.Elements = append(l.Elements, Element{gap, value})
	}
	l.Tail = c.tail()
	return l, c.err
}

// cutter reads the values of one level in turn.
type cutter struct {
	text    string
	decoder *jsontext.Decoder
	at      int
	err     error
}

func newCutter(text string, open jsontext.Kind) (*cutter, error) {
	c := &cutter{text: text, decoder: jsontext.NewDecoder(bytes.NewBufferString(text))}
	tok, err := c.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	if tok.Kind() != open {
		return nil, fmt.Errorf("a value that begins with %c is needed, not %s", open, tok.Kind())
	}
	c.at = int(c.decoder.InputOffset())
	return c, nil
}

func (c *cutter) more() bool {
	if c.err != nil {
		return false
	}
	k := c.decoder.PeekKind()
	return k != '}' && k != ']' && k != 0
}

// next returns the next value and what stands between it and the one before,
// without the comma.
func (c *cutter) next() (gap, value string) {
	if c.err != nil {
		return "", ""
	}
	v, err := c.decoder.ReadValue()
	if err != nil {
		c.err = err
		return "", ""
	}
	end := int(c.decoder.InputOffset())
	between := c.text[c.at : end-len(v)]
	if _, after, found := strings.Cut(between, ","); found {
		between = after
	}
	c.at = end
	return between, c.text[end-len(v) : end]
}

func (c *cutter) tail() string {
	if c.err != nil {
		return ""
	}
	return c.text[c.at : len(c.text)-1]
}

// String is the text again.
func (o Object) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o.Members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.Gap + m.Name + m.Colon + m.Value)
	}
	return b.String() + o.Tail + "}"
}

// String is the text again.
func (l List) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, e := range l.Elements {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(e.Gap + e.Value)
	}
	return b.String() + l.Tail + "]"
}

// Get returns the value of a member, "" if there is none.
func (o Object) Get(name string) string {
	for _, m := range o.Members {
		if Unquote(m.Name) == name {
			return m.Value
		}
	}
	return ""
}

// With is o with a member set, spaced like those around it.
func (o Object) With(name, value string) Object {
	out := Object{append([]Member(nil), o.Members...), o.Tail}
	for i, m := range out.Members {
		if Unquote(m.Name) == name {
			out.Members[i].Value = value
			return out
		}
	}
	m := Member{Name: Quote(name), Colon: ": ", Value: value}
	if n := len(out.Members); n > 0 {
		m.Gap, m.Colon = out.Members[n-1].Gap, out.Members[n-1].Colon
		if n == 1 && m.Gap == "" {
			m.Gap = " "
		}
	}
	out.Members = append(out.Members, m)
	return out
}

// Only is o with just those of its members that are named.
func (o Object) Only(names ...string) Object {
	out := Object{Tail: o.Tail}
	for _, m := range o.Members {
		for _, n := range names {
			if Unquote(m.Name) == n {
				out.Members = append(out.Members, m)
			}
		}
	}
	return out
}

// Without is o without one member.
func (o Object) Without(name string) Object {
	out := Object{Tail: o.Tail}
	for _, m := range o.Members {
		if Unquote(m.Name) != name {
			out.Members = append(out.Members, m)
		}
	}
	return out
}

// Add appends a value, spaced like the one before it.
func (l List) Add(value string) List {
	e := Element{Value: value}
	if n := len(l.Elements); n > 0 {
		e.Gap = l.Elements[n-1].Gap
		if n == 1 && e.Gap == "" {
			e.Gap = " "
		}
	}
	return List{append(append([]Element(nil), l.Elements...), e), l.Tail}
}

// Unquote is the text of a JSON string; "" for any other value.
func Unquote(value string) string {
	out, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return ""
	}
	return string(out)
}

// Quote is a text as a JSON string.
func Quote(text string) string {
	out, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return `""` // not UTF-8, which no strict document holds
	}
	return string(out)
}

// Same says that two texts hold the same JSON value, whatever their space,
// the order of members and the escapes in strings.
func Same(a, b string) bool {
	x, okA := plain(a)
	y, okB := plain(b)
	return okA && okB && x == y
}

// plain is one spelling for all texts of one JSON value. Numbers keep theirs:
// two that differ beyond what a float holds stay different.
func plain(text string) (string, bool) {
	v := jsontext.Value(text).Clone()
	err := v.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(false), jsontext.CanonicalizeRawInts(false),
		jsontext.CanonicalizeRawFloats(false), jsontext.Multiline(false), jsontext.SpaceAfterColon(false), jsontext.SpaceAfterComma(false))
	return string(v), err == nil
}
