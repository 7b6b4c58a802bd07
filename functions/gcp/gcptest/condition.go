package gcptest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// subject is what a condition may ask about
// (https://docs.cloud.google.com/iam/docs/conditions-attribute-reference).
type subject struct {
	name string
	now  time.Time
}

func (s subject) attribute(name string) (string, bool) {
	switch name {
	case "resource.name":
		return s.name, true
	case "resource.service":
		if strings.HasPrefix(s.name, "projects/_/buckets/") {
			return "storage.googleapis.com", true
		}
		return kmsService, true
	case "resource.type":
		switch {
		case isVersion.MatchString(s.name):
			return kmsService + "/CryptoKeyVersion", true
		case isKey.MatchString(s.name):
			return kmsService + "/CryptoKey", true
		case isRing.MatchString(s.name):
			return kmsService + "/KeyRing", true
		case strings.Contains(s.name, "/objects/"):
			return "storage.googleapis.com/Object", true
		}
		return "", true
	}
	return "", false
}

var (
	space      = regexp.MustCompile(`^\s+`)
	tokens     = regexp.MustCompile(`^(?:&&|\|\||==|!=|<=|>=|[<>!(),]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_][A-Za-z0-9_.]*|[0-9]+|[\[\].+?:*%/-])`)
	errUnknown = errors.New("beyond this emulator")
)

func lex(expression string) ([]string, error) {
	var out []string
	for rest := space.ReplaceAllString(expression, ""); rest != ""; rest = space.ReplaceAllString(rest, "") {
		t := tokens.FindString(rest)
		if t == "" {
			return nil, fmt.Errorf("token recognition error at: '%.10s'", rest)
		}
		out, rest = append(out, t), rest[len(t):]
	}
	return out, nil
}

// compiles refuses what is no expression of any kind.
func compiles(expression string) error {
	list, err := lex(expression)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("the expression is empty")
	}
	depth := 0
	for _, t := range list {
		switch t {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 {
		return errors.New("unbalanced parentheses")
	}
	return nil
}

// holds evaluates a condition; one that this emulator does not understand, or
// that fails, counts as false.
func holds(expression string, s subject) bool {
	list, err := lex(expression)
	if err != nil {
		return false
	}
	p := &parser{list: list, s: s}
	ok, err := p.or()
	return err == nil && ok && len(p.list) == 0
}

type parser struct {
	list []string
	s    subject
}

func (p *parser) peek() string {
	if len(p.list) == 0 {
		return ""
	}
	return p.list[0]
}

func (p *parser) take() string {
	t := p.peek()
	if t != "" {
		p.list = p.list[1:]
	}
	return t
}

func (p *parser) want(t string) error {
	if got := p.take(); got != t {
		return fmt.Errorf("%q where %q belongs: %w", got, t, errUnknown)
	}
	return nil
}

func (p *parser) or() (bool, error) {
	left, err := p.and()
	for err == nil && p.peek() == "||" {
		p.take()
		var right bool
		right, err = p.and()
		left = left || right
	}
	return left, err
}

func (p *parser) and() (bool, error) {
	left, err := p.not()
	for err == nil && p.peek() == "&&" {
		p.take()
		var right bool
		right, err = p.not()
		left = left && right
	}
	return left, err
}

func (p *parser) not() (bool, error) {
	switch p.peek() {
	case "!":
		p.take()
		v, err := p.not()
		return !v, err
	case "(":
		p.take()
		v, err := p.or()
		if err != nil {
			return false, err
		}
		return v, p.want(")")
	case "true", "false":
		return p.take() == "true", nil
	}
	return p.compare()
}

// compare is ATTRIBUTE.startsWith("…"), ATTRIBUTE == "…" or a comparison of
// request.time with a timestamp.
func (p *parser) compare() (bool, error) {
	name := p.take()
	if name == "request.time" {
		return p.when()
	}
	for _, f := range []struct {
		suffix string
		test   func(s, part string) bool
	}{{".startsWith", strings.HasPrefix}, {".endsWith", strings.HasSuffix}} {
		attribute, ok := strings.CutSuffix(name, f.suffix)
		if !ok {
			continue
		}
		value, known := p.s.attribute(attribute)
		if !known {
			return false, errUnknown
		}
		if err := p.want("("); err != nil {
			return false, err
		}
		part, err := p.literal()
		if err != nil {
			return false, err
		}
		return f.test(value, part), p.want(")")
	}
	value, known := p.s.attribute(name)
	op := p.take()
	if !known || (op != "==" && op != "!=") {
		return false, errUnknown
	}
	part, err := p.literal()
	return (value == part) == (op == "=="), err
}

func (p *parser) when() (bool, error) {
	op := p.take()
	if err := errors.Join(p.want("timestamp"), p.want("(")); err != nil {
		return false, err
	}
	literal, err := p.literal()
	if err != nil {
		return false, err
	}
	at, err := time.Parse(time.RFC3339, literal)
	if err != nil {
		return false, err
	}
	n := p.s.now.Compare(at)
	holds := map[string]bool{"<": n < 0, "<=": n <= 0, ">": n > 0, ">=": n >= 0, "==": n == 0, "!=": n != 0}
	v, ok := holds[op]
	if !ok {
		return false, errUnknown
	}
	return v, p.want(")")
}

func (p *parser) literal() (string, error) {
	t := p.take()
	if len(t) < 2 || (t[0] != '"' && t[0] != '\'') || strings.Contains(t, `\`) {
		return "", errUnknown
	}
	return t[1 : len(t)-1], nil
}
