package rawjson

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/strict"
)

// Reader walks the tokens of one document. A member that nobody here knows is
// skipped, as the API may grow; one that differs from a known member in case
// only is an error, because some reader would take it for that member.
type Reader struct {
	d *jsontext.Decoder
}

// NewReader reads a text that passes the strict reader.
func NewReader(text string) (Reader, error) {
	data := []byte(text)
	if err := strict.Check(data); err != nil {
		return Reader{}, err
	}
	return Reader{jsontext.NewDecoder(bytes.NewBuffer(data))}, nil
}

// Field is how one member of an object is read.
type Field struct {
	Name string
	Read func() error
}

// Object reads an object, null being an empty one, and returns its span.
func (r Reader) Object(what string, fields ...Field) (start, end int, err error) {
	if r.d.PeekKind() == 'n' {
		return 0, 0, r.d.SkipValue()
	}
	if got := r.d.PeekKind(); got != '{' {
		return 0, 0, fmt.Errorf("%s is %s, not an object", what, Describe(got))
	}
	if _, err := r.d.ReadToken(); err != nil {
		return 0, 0, err
	}
	start = int(r.d.InputOffset()) - 1
	for r.d.PeekKind() != '}' {
		tok, err := r.d.ReadToken()
		if err != nil {
			return 0, 0, err
		}
		if err := r.member(what, tok.String(), fields); err != nil {
			return 0, 0, err
		}
	}
	_, err = r.d.ReadToken()
	return start, int(r.d.InputOffset()), err
}

func (r Reader) member(what, name string, fields []Field) error {
	for _, f := range fields {
		switch {
		case f.Name == name:
			if err := f.Read(); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		case strings.EqualFold(f.Name, name):
			return fmt.Errorf("%s has a member %q, which is not %q", what, name, f.Name)
		}
	}
	return r.d.SkipValue()
}

// Members reads an object whose names are data, such as tags, null being an
// empty one. read reads or skips the value of a member.
func (r Reader) Members(what string, read func(name string) error) error {
	if r.d.PeekKind() == 'n' {
		return r.d.SkipValue()
	}
	if got := r.d.PeekKind(); got != '{' {
		return fmt.Errorf("%s is %s, not an object", what, Describe(got))
	}
	if _, err := r.d.ReadToken(); err != nil {
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
	_, err := r.d.ReadToken()
	return err
}

// List reads an array, null being an empty one.
func (r Reader) List(what string, element func(i int) error) error {
	if r.d.PeekKind() == 'n' {
		return r.d.SkipValue()
	}
	if got := r.d.PeekKind(); got != '[' {
		return fmt.Errorf("%s is %s, not a list", what, Describe(got))
	}
	if _, err := r.d.ReadToken(); err != nil {
		return err
	}
	for i := 0; r.d.PeekKind() != ']'; i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	_, err := r.d.ReadToken()
	return err
}

// Word is a field that holds a string.
func (r Reader) Word(name string, to *string) Field {
	return Field{name, func() error { return r.readWord(name, to) }}
}

func (r Reader) readWord(name string, to *string) error {
	if got := r.d.PeekKind(); got != '"' {
		return fmt.Errorf("%s is %s, not a string", name, Describe(got))
	}
	tok, err := r.d.ReadToken()
	*to = tok.String()
	return err
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
		return r.d.SkipValue()
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
func (r Reader) Skip() error { return r.d.SkipValue() }

// OrNull reads null as if the member were not there: Azure's own tools print
// every member that has no value so.
func (r Reader) OrNull(f Field) Field {
	return Field{f.Name, func() error {
		if r.d.PeekKind() == 'n' {
			return r.d.SkipValue()
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
