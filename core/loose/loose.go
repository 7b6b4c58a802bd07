// Package loose reads JSON that decides nothing, such as an event: unknown
// members, either spelling of a name, numbers in place of strings and absent
// parts cost at most a detail. What decides is read by
// [byokwatch/core/strict].
package loose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Object is a JSON object of which only the looked-at members are ever decoded,
// so that the rest costs one scan, whatever it holds. Members are looked up in
// the spelling of JSON, and in that of protobufs, which some clouds log requests
// in: cryptoKeyVersion, crypto_key_version. All methods answer for a nil Object.
type Object map[string]json.RawMessage

// Read reads a JSON object and nothing else.
func Read(data []byte) (Object, error) {
	if len(data) == 0 {
		return nil, errors.New("absent")
	}
	var o Object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if o == nil {
		return nil, errors.New("null in place of a JSON object")
	}
	return o, nil
}

// Member returns a member as it is written, or nil.
func (o Object) Member(name string) json.RawMessage {
	if raw, ok := o[name]; ok {
		return raw
	}
	return o[snake(name)]
}

func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Object returns a member that is an object, else an empty one.
func (o Object) Object(name string) Object {
	member, err := Read(o.Member(name))
	if err != nil {
		return nil
	}
	return member
}

// Unwrapped returns a member that is an object, or a text that holds one; else
// an empty one.
func (o Object) Unwrapped(name string) Object {
	member, err := Read(Unwrap(o.Member(name)))
	if err != nil {
		return nil
	}
	return member
}

// Has says whether a member is there and neither null nor empty text.
func (o Object) Has(name string) bool {
	raw := string(o.Member(name))
	return raw != "" && raw != "null" && raw != `""`
}

func (o Object) array(name string) []json.RawMessage {
	var out []json.RawMessage
	if err := json.Unmarshal(o.Member(name), &out); err != nil {
		return nil
	}
	return out
}

// Objects returns the objects of an array.
func (o Object) Objects(name string) []Object {
	var out []Object
	for _, e := range o.array(name) {
		if member, err := Read(e); err == nil {
			out = append(out, member)
		}
	}
	return out
}

// Texts returns the elements of an array as [Object.Text] would.
func (o Object) Texts(name string) []string {
	var out []string
	for _, e := range o.array(name) {
		out = append(out, text(e))
	}
	return out
}

// Text returns a member that is a string, number or boolean, as text; else "".
func (o Object) Text(name string) string { return text(o.Member(name)) }

func text(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '{', '[', 'n': // object, array, null
		return ""
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return ""
		}
		return s
	}
	return string(raw)
}

// Mask returns the paths of a field mask, which is logged as one text or as an
// object with a list; nil where there is none.
func (o Object) Mask(name string) []string {
	if s := o.Text(name); s != "" {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	}
	var paths []string
	if err := json.Unmarshal(o.Object(name).Member("paths"), &paths); err != nil {
		return nil
	}
	return paths
}

// Time is the moment that a text names; one that does not parse is unknown,
// never now.
func Time(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// MaxText bounds a text that is told of, such as a name: CloudTrail cuts a user
// agent at as much, and no cloud's identities are longer.
const MaxText = 1024

// Cut shortens a text to MaxText bytes at a character's border.
func Cut(s string) string {
	if len(s) <= MaxText {
		return s
	}
	return strings.ToValidUTF8(s[:MaxText], "")
}

// maxWraps is how often something may be written as a string in a string.
const maxWraps = 3

// Unwrap takes the strings off a document that was written as a string, once or
// more often. What is not such a string is returned as it is.
func Unwrap(data []byte) []byte {
	for range maxWraps {
		text := bytes.TrimLeft(data, " \t\r\n")
		var s string
		if len(text) == 0 || text[0] != '"' || json.Unmarshal(text, &s) != nil {
			return data
		}
		data = []byte(s)
	}
	return data
}
