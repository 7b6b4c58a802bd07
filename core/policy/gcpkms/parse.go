package gcpkms

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/strict"
)

// reader walks the tokens of one document. strict.Check has seen the text
// before. A member that nobody here knows is skipped, as the API may grow; one
// that differs from a known member in case only is an error, because some
// reader would take it for that member.
type reader struct {
	d    *jsontext.Decoder
	text string
}

func newReader(text string) (reader, error) {
	data := []byte(text)
	if err := strict.Check(data); err != nil {
		return reader{}, err
	}
	return reader{jsontext.NewDecoder(bytes.NewBuffer(data)), text}, nil
}

// field is how one member of an object is read.
type field struct {
	name string
	read func() error
}

// object reads an object, null being an empty one, and returns its span.
func (r reader) object(what string, fields ...field) (start, end int, err error) {
	if r.d.PeekKind() == 'n' {
		return 0, 0, r.d.SkipValue()
	}
	if got := r.d.PeekKind(); got != '{' {
		return 0, 0, fmt.Errorf("%s is %s, not an object", what, describe(got))
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

func (r reader) member(what, name string, fields []field) error {
	for _, f := range fields {
		switch {
		case f.name == name:
			if err := f.read(); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		case strings.EqualFold(f.name, name):
			return fmt.Errorf("%s has a member %q, which is not %q", what, name, f.name)
		}
	}
	return r.d.SkipValue()
}

// list reads an array, null being an empty one.
func (r reader) list(what string, element func(i int) error) error {
	if r.d.PeekKind() == 'n' {
		return r.d.SkipValue()
	}
	if got := r.d.PeekKind(); got != '[' {
		return fmt.Errorf("%s is %s, not a list", what, describe(got))
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

// word is a field that holds a string.
func (r reader) word(name string, to *string) field {
	return field{name, func() error { return r.readWord(name, to) }}
}

func (r reader) readWord(name string, to *string) error {
	if got := r.d.PeekKind(); got != '"' {
		return fmt.Errorf("%s is %s, not a string", name, describe(got))
	}
	tok, err := r.d.ReadToken()
	*to = tok.String()
	return err
}

// words is a field that holds a list of strings.
func (r reader) words(name string, to *[]string) field {
	return field{name, func() error {
		return r.list(name, func(int) error {
			var s string
			if err := r.readWord("an element", &s); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*to = append(*to, s)
			return nil
		})
	}}
}

// flag is a field that holds a boolean.
func (r reader) flag(name string, to *bool) field {
	return field{name, func() error {
		got := r.d.PeekKind()
		if got != 't' && got != 'f' {
			return fmt.Errorf("%s is %s, not a boolean", name, describe(got))
		}
		*to = got == 't'
		return r.d.SkipValue()
	}}
}

// clause is a field that holds a condition.
func (r reader) clause(name string, to **clause) field {
	return field{name, func() error {
		if r.d.PeekKind() == 'n' {
			return r.d.SkipValue()
		}
		c := &clause{}
		_, _, err := r.object(name, r.word("expression", &c.Expression), r.word("title", &c.Title), r.word("description", &c.Description))
		*to = c
		return err
	}}
}

// parsePolicy reads the bindings of an IAM policy. One read in an old form,
// which leaves out conditions and marks the roles, is an error: what it shows is
// not what is in force.
//
// Sources: https://cloud.google.com/iam/docs/reference/rest/v1/Policy,
// https://cloud.google.com/iam/docs/troubleshoot-withcond
func parsePolicy(text string) ([]binding, error) {
	r, err := newReader(text)
	if err != nil {
		return nil, err
	}
	var out []binding
	_, _, err = r.object("the policy", field{"bindings", func() error {
		return r.list("bindings", func(i int) error {
			b := binding{index: i}
			var err error
			b.start, b.end, err = r.object(fmt.Sprintf("binding %d", i), r.word("role", &b.Role), r.words("members", &b.Members), r.clause("condition", &b.Condition))
			switch {
			case err != nil:
				return err
			case b.Role == "":
				return fmt.Errorf("binding %d names no role", i)
			case strings.Contains(b.Role, "_withcond_"):
				return fmt.Errorf("binding %d: its role stands for one with a condition that was not read; read the policy in version 3", i)
			case b.Condition != nil && b.Condition.Expression == "":
				return fmt.Errorf("binding %d has a condition without expression", i)
			}
			out = append(out, b)
			return nil
		})
	}})
	return out, err
}

// parseRole reads a role. A role without permissions is printed without the
// list of them.
func parseRole(text string) (definition, error) {
	r, err := newReader(text)
	if err != nil {
		return definition{}, err
	}
	d := definition{span: len(text)}
	_, _, err = r.object("the role", r.word("name", &d.Name), r.word("stage", &d.Stage), r.flag("deleted", &d.Deleted), r.words("includedPermissions", &d.Permissions))
	return d, err
}

// parseDenies reads the rules of a list of deny policies. The API lists
// policies without their rules; such a policy is kept as one rule of which
// nothing is known.
//
// Source: https://cloud.google.com/iam/docs/reference/rest/v2/policies/listPolicies
func parseDenies(text string) ([]prohibition, error) {
	r, err := newReader(text)
	if err != nil {
		return nil, err
	}
	var out []prohibition
	err = r.list("the list of deny policies", func(i int) error {
		name, told, first := "", false, len(out)
		start, end, err := r.object(fmt.Sprintf("deny policy %d", i), r.word("name", &name), field{"rules", func() error {
			told = true
			return r.list("rules", func(int) error {
				rule, err := r.prohibition(len(out))
				out = append(out, rule)
				return err
			})
		}})
		if !told {
			out = append(out, prohibition{unread: true, index: len(out), start: start, end: end})
		}
		for j := range out[first:] {
			out[first+j].Policy = name[strings.LastIndexByte(name, '/')+1:]
		}
		return err
	})
	return out, err
}

func (r reader) prohibition(index int) (prohibition, error) {
	p := prohibition{index: index, unread: true}
	var err error
	p.start, p.end, err = r.object(fmt.Sprintf("deny rule %d", index), field{"denyRule", func() error {
		p.unread = false
		_, _, err := r.object("denyRule",
			r.words("deniedPrincipals", &p.DeniedPrincipals), r.words("exceptionPrincipals", &p.ExceptionPrincipals),
			r.words("deniedPermissions", &p.DeniedPermissions), r.words("exceptionPermissions", &p.ExceptionPermissions),
			r.clause("denialCondition", &p.Condition))
		return err
	}})
	return p, err
}

func describe(k jsontext.Kind) string {
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
