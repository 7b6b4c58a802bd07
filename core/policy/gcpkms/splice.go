package gcpkms

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/strict"
)

// A restore edits somebody else's policy, so it edits the text: whatever it
// does not name keeps its bytes, be it a member that nobody here knows, the
// spelling of a condition or the order of a list. jsonObject and jsonList are
// one level of a JSON text taken apart without loss, each value with the space
// before it.
type (
	jsonObject struct {
		members []jsonMember
		tail    string // before the closing brace
	}
	jsonMember struct{ gap, name, colon, value string }
	jsonList   struct {
		elements []jsonElement
		tail     string // before the closing bracket
	}
	jsonElement struct{ gap, value string }
)

// readObject takes a JSON object apart. What the strict reader refuses is an
// error here as well.
func readObject(text string) (jsonObject, error) {
	text = strings.TrimSpace(text)
	if err := strict.Check([]byte(text)); err != nil {
		return jsonObject{}, err
	}
	return cutObject(text)
}

// cutObject is readObject for a part of a text that was read before.
func cutObject(text string) (jsonObject, error) {
	c, err := newCutter(text, '{')
	if err != nil {
		return jsonObject{}, err
	}
	var o jsonObject
	for c.more() {
		gap, name := c.next()
		colon, value := c.next()
		o.members = append(o.members, jsonMember{gap, name, colon, value})
	}
	o.tail = c.tail()
	return o, c.err
}

// readList takes a JSON array apart.
func readList(text string) (jsonList, error) {
	text = strings.TrimSpace(text)
	if err := strict.Check([]byte(text)); err != nil {
		return jsonList{}, err
	}
	return cutList(text)
}

// cutList is readList for a part of a text that was read before.
func cutList(text string) (jsonList, error) {
	c, err := newCutter(text, '[')
	if err != nil {
		return jsonList{}, err
	}
	var l jsonList
	for c.more() {
		gap, value := c.next()
		l.elements = append(l.elements, jsonElement{gap, value})
	}
	l.tail = c.tail()
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

func (o jsonObject) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.gap + m.name + m.colon + m.value)
	}
	return b.String() + o.tail + "}"
}

func (l jsonList) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, e := range l.elements {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(e.gap + e.value)
	}
	return b.String() + l.tail + "]"
}

// get returns the value of a member, "" if there is none.
func (o jsonObject) get(name string) string {
	for _, m := range o.members {
		if unquote(m.name) == name {
			return m.value
		}
	}
	return ""
}

// with is o with a member set, spaced like those around it.
func (o jsonObject) with(name, value string) jsonObject {
	out := jsonObject{append([]jsonMember(nil), o.members...), o.tail}
	for i, m := range out.members {
		if unquote(m.name) == name {
			out.members[i].value = value
			return out
		}
	}
	m := jsonMember{name: quoted(name), colon: ": ", value: value}
	if n := len(out.members); n > 0 {
		m.gap, m.colon = out.members[n-1].gap, out.members[n-1].colon
		if n == 1 && m.gap == "" {
			m.gap = " "
		}
	}
	out.members = append(out.members, m)
	return out
}

// only is o with just those of its members that are named.
func (o jsonObject) only(names ...string) jsonObject {
	out := jsonObject{tail: o.tail}
	for _, m := range o.members {
		for _, n := range names {
			if unquote(m.name) == n {
				out.members = append(out.members, m)
			}
		}
	}
	return out
}

// without is o without one member.
func (o jsonObject) without(name string) jsonObject {
	out := jsonObject{tail: o.tail}
	for _, m := range o.members {
		if unquote(m.name) != name {
			out.members = append(out.members, m)
		}
	}
	return out
}

// add appends a value, spaced like the one before it.
func (l jsonList) add(value string) jsonList {
	e := jsonElement{value: value}
	if n := len(l.elements); n > 0 {
		e.gap = l.elements[n-1].gap
		if n == 1 && e.gap == "" {
			e.gap = " "
		}
	}
	return jsonList{append(append([]jsonElement(nil), l.elements...), e), l.tail}
}

// unquote is the text of a JSON string; "" for any other value.
func unquote(value string) string {
	out, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return ""
	}
	return string(out)
}

// quoted is a text as a JSON string.
func quoted(text string) string {
	out, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return `""` // not UTF-8, which no strict document holds
	}
	return string(out)
}

// sameJSON says that two texts hold the same JSON value, whatever their space,
// the order of members and the escapes in strings.
func sameJSON(a, b string) bool {
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
