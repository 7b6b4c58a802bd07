package awskms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

// The two policy languages. The older one has no policy variables and is what
// an absent Version means.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// parse reads a key policy by the grammar of the IAM policy language, and
// nothing beside it: an unknown or miscased element, an element twice, a value
// of another type than the grammar's, or both of a pair such as Action and
// NotAction is an error, because whoever reads it otherwise than KMS does would
// judge another policy than the one in force. A statement without Action or
// without Resource parses, as KMS still stores such ones; it has no effect.
//
// A policy above KMS's own 32,768 bytes parses too: it can't be in force, but
// someone may want to check it.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func parse(text string) (policy, error) {
	data := []byte(text)
	if err := strict.Check(data); err != nil {
		return policy{}, fmt.Errorf("key policy: %w", err)
	}
	r := reader{d: jsontext.NewDecoder(bytes.NewBuffer(data)), text: text}
	p, err := r.policy()
	if err != nil {
		return policy{}, fmt.Errorf("key policy: %w", err)
	}
	return p, nil
}

// reader walks the tokens of one policy. strict.Check has seen the text before,
// so what is left to find is what the grammar forbids.
type reader struct {
	d    *jsontext.Decoder
	text string
}

// members reads an object and hands each member's name to read, which must
// consume the value.
func (r reader) members(what string, read func(name string) error) error {
	if _, err := r.open('{', what); err != nil {
		return err
	}
	for r.d.PeekKind() != '}' {
		name, err := r.d.ReadToken()
		if err != nil {
			return err
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err := r.d.ReadToken()
	return err
}

// open consumes the start of an object or array and returns its offset.
func (r reader) open(kind jsontext.Kind, what string) (int, error) {
	if got := r.d.PeekKind(); got != kind {
		return 0, fmt.Errorf("%s is %s, not %s", what, rawjson.Describe(got), rawjson.Describe(kind))
	}
	_, err := r.d.ReadToken()
	return int(r.d.InputOffset()) - 1, err
}

func (r reader) policy() (policy, error) {
	var p policy
	seen := false
	err := r.members("the policy", func(name string) (err error) {
		switch name {
		case "Version":
			if p.Version, err = r.word(name); err == nil && p.Version != version2008 && p.Version != version2012 {
				err = fmt.Errorf("the Version %q is neither %s nor %s", p.Version, version2012, version2008)
			}
		case "Id":
			p.ID, err = r.word(name)
		case "Statement":
			seen = true
			p.Statements, err = r.statements()
		default:
			err = fmt.Errorf("unknown element %q", name)
		}
		return err
	})
	if err == nil && !seen {
		err = fmt.Errorf("no Statement")
	}
	return p, err
}

func (r reader) statements() ([]statement, error) {
	if r.d.PeekKind() != '[' {
		s, err := r.statement(0)
		return []statement{s}, err
	}
	if _, err := r.d.ReadToken(); err != nil {
		return nil, err
	}
	out := []statement{}
	for r.d.PeekKind() != ']' {
		s, err := r.statement(len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	_, err := r.d.ReadToken()
	return out, err
}

func (r reader) statement(index int) (statement, error) {
	s := statement{index: index}
	if got := r.d.PeekKind(); got != '{' {
		return s, fmt.Errorf("statement %d is %s, not an object", index, rawjson.Describe(got))
	}
	before := int(r.d.InputOffset())
	s.start = before + strings.IndexByte(r.text[before:], '{')
	if err := r.members("the statement", func(name string) error { return r.element(&s, name) }); err != nil {
		return s, fmt.Errorf("statement %d: %w", index, err)
	}
	s.end = int(r.d.InputOffset())
	s.raw = json.RawMessage(r.text[s.start:s.end])
	if err := s.check(); err != nil {
		return s, fmt.Errorf("statement %d: %w", index, err)
	}
	return s, nil
}

func (r reader) element(s *statement, name string) (err error) {
	switch name {
	case "Sid":
		s.Sid, err = r.word(name)
	case "Effect":
		if s.Effect, err = r.word(name); err == nil && s.Effect != "Allow" && s.Effect != "Deny" {
			err = fmt.Errorf("the Effect %q is neither Allow nor Deny", s.Effect)
		}
	case "Principal":
		s.Principal, err = r.principals(name)
	case "NotPrincipal":
		s.NotPrincipal, err = r.principals(name)
	case "Action":
		s.Action, err = r.words(name)
	case "NotAction":
		s.NotAction, err = r.words(name)
	case "Resource":
		s.Resource, err = r.words(name)
	case "NotResource":
		s.NotResource, err = r.words(name)
	case "Condition":
		s.Conditions, err = r.conditions()
	default:
		err = fmt.Errorf("unknown element %q", name)
	}
	return err
}

// check reports what no single element shows.
func (s statement) check() error {
	switch {
	case s.Effect == "":
		return fmt.Errorf("no Effect")
	case s.Principal == nil && s.NotPrincipal == nil:
		return fmt.Errorf("neither Principal nor NotPrincipal")
	case s.Principal != nil && s.NotPrincipal != nil:
		return fmt.Errorf("both Principal and NotPrincipal")
	case s.Action != nil && s.NotAction != nil:
		return fmt.Errorf("both Action and NotAction")
	case s.Resource != nil && s.NotResource != nil:
		return fmt.Errorf("both Resource and NotResource")
	}
	return nil
}

func (r reader) principals(what string) (*principals, error) {
	if r.d.PeekKind() == '"' {
		word, err := r.word(what)
		if err == nil && word != "*" {
			err = fmt.Errorf(`%s %q is neither "*" nor an object`, what, word)
		}
		return &principals{AWS: []string{word}}, err
	}
	p := &principals{}
	err := r.members(what, func(kind string) (err error) {
		switch kind {
		case "AWS":
			p.AWS, err = r.words(what + " AWS")
		case "Federated":
			p.Federated, err = r.words(what + " Federated")
		case "Service":
			p.Service, err = r.words(what + " Service")
		case "CanonicalUser":
			p.Canonical, err = r.words(what + " CanonicalUser")
		default:
			err = fmt.Errorf("%s has an unknown type %q", what, kind)
		}
		return err
	})
	return p, err
}

// conditions reads a Condition block. Two members that differ only in case name
// the same operator or key, and nothing says how they would be combined.
func (r reader) conditions() ([]condition, error) {
	out := []condition{}
	operators := map[string]bool{}
	err := r.members("Condition", func(operator string) error {
		if folded := wording.Lower(operator); operators[folded] {
			return fmt.Errorf("condition operator %q twice", operator)
		} else {
			operators[folded] = true
		}
		keys := map[string]bool{}
		return r.members("Condition "+operator, func(key string) error {
			if folded := wording.Lower(key); keys[folded] {
				return fmt.Errorf("condition key %q twice under %s", key, operator)
			} else {
				keys[folded] = true
			}
			values, err := r.values("Condition "+operator+" "+key, true)
			out = append(out, condition{Operator: operator, Key: key, Values: values})
			return err
		})
	})
	return out, err
}

func (r reader) word(what string) (string, error) {
	if got := r.d.PeekKind(); got != '"' {
		return "", fmt.Errorf("%s is %s, not a string", what, rawjson.Describe(got))
	}
	t, err := r.d.ReadToken()
	return t.String(), err
}

func (r reader) words(what string) ([]string, error) { return r.values(what, false) }

// values reads a value or a list of values. The grammar lets numbers and bools
// stand for their text, but in conditions only: an account ID without quotes
// loses its leading zeros.
func (r reader) values(what string, scalars bool) ([]string, error) {
	if r.d.PeekKind() != '[' {
		v, err := r.value(what, scalars)
		return []string{v}, err
	}
	if _, err := r.d.ReadToken(); err != nil {
		return nil, err
	}
	out := []string{}
	for r.d.PeekKind() != ']' {
		v, err := r.value(what, scalars)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := r.d.ReadToken()
	return out, err
}

func (r reader) value(what string, scalars bool) (string, error) {
	kind := r.d.PeekKind()
	switch {
	case kind == '"', scalars && (kind == '0' || kind == 't' || kind == 'f'):
		t, err := r.d.ReadToken()
		return t.String(), err
	case kind == '0':
		return "", fmt.Errorf("%s is a number; put it in quotes", what)
	}
	return "", fmt.Errorf("%s is %s, not a string", what, rawjson.Describe(kind))
}
