package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/strict"
)

// Reader walks the tokens of one document, once: a text is refused for whatever
// the strict reader refuses, by the time that its outermost value is read. A
// member that nobody here knows is skipped, as the API may grow; one that differs
// from a known member in case only is an error, because some reader would take
// it for that member.
type Reader struct {
	d *jsontext.Decoder
}

// NewReader reads a text, which must be read to the end of its outermost value.
func NewReader(text string) (Reader, error) {
	if len(text) > strict.MaxBytes {
		return Reader{}, fmt.Errorf("%d bytes, more than %d", len(text), strict.MaxBytes)
	}
	return Reader{jsontext.NewDecoder(bytes.NewBufferString(text))}, nil
}

// enter reads the bracket that opens an object or a list.
func (r Reader) enter() error {
	if _, err := r.d.ReadToken(); err != nil {
		return err
	}
	if r.d.StackDepth() > strict.MaxDepth {
		return errDeep
	}
	return nil
}

// leave reads the bracket that closes it. Nothing may follow the outermost.
func (r Reader) leave() error {
	if _, err := r.d.ReadToken(); err != nil {
		return err
	}
	return r.ended()
}

func (r Reader) ended() error {
	if r.d.StackDepth() > 0 {
		return nil
	}
	if _, err := r.d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.Join(errMore, err)
	}
	return nil
}

var (
	errDeep = fmt.Errorf("nested deeper than %d levels", strict.MaxDepth)
	errMore = errors.New("data after the JSON value")
)

// Field is how one member of an object is read.
type Field struct {
	Name string
	Read func() error
}

// Object reads an object, null being an empty one, and returns its span.
func (r Reader) Object(what string, fields ...Field) (start, end int, err error) {
	if r.d.PeekKind() == 'n' {
		return 0, 0, r.Skip()
	}
	if got := r.d.PeekKind(); got != '{' {
		return 0, 0, fmt.Errorf("%s is %s, not an object", what, Describe(got))
	}
	if err := r.enter(); err != nil {
		return 0, 0, err
	}
	start = int(r.d.InputOffset()) - 1
	for r.d.PeekKind() != '}' {
		if err := r.member(what, fields); err != nil {
			return 0, 0, err
		}
	}
	if _, err = r.d.ReadToken(); err != nil {
		return 0, 0, err
	}
	end = int(r.d.InputOffset())
	return start, end, r.ended()
}

// member reads a name and its value. The name is compared where it stands, since
// most are nobody's: a copy of each would cost more than all the rest.
func (r Reader) member(what string, fields []Field) error {
	quoted, err := r.d.ReadValue()
	if err != nil {
		return err
	}
	name, plain := quoted[1:len(quoted)-1], true
	for _, c := range name {
		plain = plain && c != '\\' && c < utf8.RuneSelf
	}
	if !plain {
		name = []byte(Unquote(string(quoted)))
	}
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Name == string(name):
			if err := f.Read(); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		case (!plain || len(name) == len(f.Name)) && strings.EqualFold(f.Name, string(name)):
			return fmt.Errorf("%s has a member %q, which is not %q", what, name, f.Name)
		}
	}
	return r.Skip()
}

// Members reads an object whose names are data, such as tags, null being an
// empty one. read reads or skips the value of a member.
func (r Reader) Members(what string, read func(name string) error) error {
	if r.d.PeekKind() == 'n' {
		return r.Skip()
	}
	if got := r.d.PeekKind(); got != '{' {
		return fmt.Errorf("%s is %s, not an object", what, Describe(got))
	}
	if err := r.enter(); err != nil {
		return err
	}
	for r.d.PeekKind() != '}' {
		tok, err := r.d.ReadToken()
		if err != nil {
			return err
		}
		if err := read(tok.String()); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return r.leave()
}

// List reads an array, null being an empty one.
func (r Reader) List(what string, element func(i int) error) error {
	if r.d.PeekKind() == 'n' {
		return r.Skip()
	}
	if got := r.d.PeekKind(); got != '[' {
		return fmt.Errorf("%s is %s, not a list", what, Describe(got))
	}
	if err := r.enter(); err != nil {
		return err
	}
	for i := 0; r.d.PeekKind() != ']'; i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	return r.leave()
}

// Word is a field that holds a string.
func (r Reader) Word(name string, to *string) Field {
	return Field{name, func() error { return r.readWord(name, to) }}
}

func (r Reader) readWord(name string, to *string) error {
	if got := r.d.PeekKind(); got != '"' {
		return fmt.Errorf("%s is %s, not a string", name, Describe(got))
	}
	quoted, err := r.d.ReadValue()
	if err != nil {
		return err
	}
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		*to = string(inner)
	} else {
		*to = Unquote(string(quoted))
	}
	return nil
}

// Words is a field that holds a list of strings.
func (r Reader) Words(name string, to *[]string) Field {
	return Field{name, func() error {
		return r.List(name, func(int) error {
			var s string
			if err := r.readWord("an element", &s); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*to = append(*to, s)
			return nil
		})
	}}
}

// Flag is a field that holds a boolean.
func (r Reader) Flag(name string, to *bool) Field {
	return Field{name, func() error {
		got := r.d.PeekKind()
		if got != 't' && got != 'f' {
			return fmt.Errorf("%s is %s, not a boolean", name, Describe(got))
		}
		*to = got == 't'
		return r.Skip()
	}}
}

// Number is a field that holds a whole number, such as a time in Unix seconds.
func (r Reader) Number(name string, to *int64) Field {
	return Field{name, func() error {
		if got := r.d.PeekKind(); got != '0' {
			return fmt.Errorf("%s is %s, not a number", name, Describe(got))
		}
		tok, err := r.d.ReadToken()
		if err != nil {
			return err
		}
		if *to, err = strconv.ParseInt(tok.String(), 10, 64); err != nil {
			return fmt.Errorf("%s is not a whole number", name)
		}
		return nil
	}}
}

// Kind is that of the value that comes next: '{', '[', '"', '0', 't', 'f', 'n'.
func (r Reader) Kind() jsontext.Kind { return r.d.PeekKind() }

// Skip passes over the value that comes next.
func (r Reader) Skip() error {
	v, err := r.d.ReadValue()
	if err != nil {
		return err
	}
	if r.d.StackDepth()+nesting(v) > strict.MaxDepth {
		return errDeep
	}
	return r.ended()
}

// nesting is how many levels a value opens.
func nesting(v jsontext.Value) int {
	depth, most, quoted := 0, 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// OrNull reads null as if the member were not there: Azure's own tools print
// every member that has no value so.
func (r Reader) OrNull(f Field) Field {
	return Field{f.Name, func() error {
		if r.d.PeekKind() == 'n' {
			return r.Skip()
		}
		return f.Read()
	}}
}

// Describe names the kind of a value, as in "a list".
func Describe(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	}
	return "nothing"
}
