package azuretest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// asked is what a condition may turn on. Attributes are by their name in lower
// case, such as @request[microsoft.authorization/roleassignments:principalid].
type asked struct {
	action     string
	sub        string // suboperation, such as Blob.List
	attributes map[string]string
	now        time.Time
}

var (
	conditionTokens = regexp.MustCompile(`^(?:[(){},!]|'[^']*'|@[A-Za-z]+\[[^\]]*\]|[A-Za-z0-9_.:/\-]+)`)
	errUnknown      = errors.New("beyond this emulator")
)

// verdict is what a condition comes to: unknown where it turns on an attribute
// that the request does not have, or that this emulator does not know.
type verdict int8

const (
	no      verdict = -1
	unknown verdict = 0
	yes     verdict = 1
)

func verdictOf(ok bool) verdict {
	if ok {
		return yes
	}
	return no
}

// holds evaluates a condition of
// https://learn.microsoft.com/azure/role-based-access-control/conditions-format.
// An error means that it is none, or beyond this emulator.
func holds(condition string, a asked) (verdict, error) {
	list, err := lex(condition)
	if err != nil {
		return unknown, err
	}
	p := &parser{list: list, a: a}
	v, err := p.or()
	if err == nil && len(p.list) > 0 {
		err = fmt.Errorf("%q is too much: %w", p.list[0], errUnknown)
	}
	return v, err
}

func lex(condition string) ([]string, error) {
	var out []string
	for rest := strings.TrimSpace(condition); rest != ""; rest = strings.TrimSpace(rest) {
		t := conditionTokens.FindString(rest)
		if t == "" {
			return nil, fmt.Errorf("no token at %.12q", rest)
		}
		out, rest = append(out, t), rest[len(t):]
	}
	if len(out) == 0 {
		return nil, errors.New("the condition is empty")
	}
	return out, nil
}

type parser struct {
	list []string
	a    asked
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

func (p *parser) is(word string) bool {
	if !strings.EqualFold(p.peek(), word) {
		return false
	}
	p.take()
	return true
}

func (p *parser) want(t string) error {
	if got := p.take(); got != t {
		return fmt.Errorf("%q where %q belongs: %w", got, t, errUnknown)
	}
	return nil
}

func (p *parser) or() (verdict, error) {
	left, err := p.and()
	for err == nil && (p.is("OR") || p.is("||")) {
		var right verdict
		right, err = p.and()
		left = max(left, right)
	}
	return left, err
}

func (p *parser) and() (verdict, error) {
	left, err := p.not()
	for err == nil && (p.is("AND") || p.is("&&")) {
		var right verdict
		right, err = p.not()
		left = min(left, right)
	}
	return left, err
}

func (p *parser) not() (verdict, error) {
	switch {
	case p.is("!") || p.is("NOT"):
		v, err := p.not()
		return -v, err
	case p.is("("):
		v, err := p.or()
		if err != nil {
			return unknown, err
		}
		return v, p.want(")")
	case p.is("ActionMatches"):
		return p.matches(p.a.action)
	case p.is("SubOperationMatches"):
		return p.matches(p.a.sub)
	case p.is("Exists"):
		_, known := p.a.attributes[strings.ToLower(p.take())]
		return verdictOf(known), nil
	}
	return p.compare()
}

// matches reads the {'pattern'} of ActionMatches and SubOperationMatches.
func (p *parser) matches(value string) (verdict, error) {
	list, err := p.values()
	return verdictOf(slices.ContainsFunc(list, func(pattern string) bool { return match(pattern, value) })), err
}

// values reads a value, or a set of them.
func (p *parser) values() ([]string, error) {
	if !p.is("{") {
		return []string{strings.Trim(p.take(), "'")}, nil
	}
	var out []string
	for {
		out = append(out, strings.Trim(p.take(), "'"))
		switch {
		case p.is("}"):
			return out, nil
		case !p.is(","):
			return nil, fmt.Errorf("%q in a set: %w", p.peek(), errUnknown)
		}
	}
}

// compare is ATTRIBUTE OPERATOR VALUES. The cross product operators have one
// value on the left here, so that their first word says nothing more.
func (p *parser) compare() (verdict, error) {
	name := strings.ToLower(p.take())
	op := p.take()
	for _, cross := range []string{"ForAnyOfAnyValues:", "ForAllOfAnyValues:"} {
		op = strings.TrimPrefix(op, cross)
	}
	list, err := p.values()
	if err != nil {
		return unknown, err
	}
	positive, negated := op, false
	if before, after, found := strings.Cut(op, "Not"); found {
		positive, negated = before+after, true
	}
	test, ok := operators[positive]
	if !ok || !strings.HasPrefix(name, "@") {
		return unknown, fmt.Errorf("%s %s: %w", name, op, errUnknown)
	}
	value, known := p.a.attributes[name]
	if name == "@environment[utcnow]" {
		value, known = p.a.now.UTC().Format(time.RFC3339Nano), true
	}
	if !known {
		return unknown, nil
	}
	hit := slices.ContainsFunc(list, func(v string) bool { return test(value, v) })
	return verdictOf(hit != negated), nil
}

var operators = map[string]func(value, of string) bool{
	"GuidEquals":                 strings.EqualFold,
	"StringEquals":               func(v, of string) bool { return v == of },
	"StringEqualsIgnoreCase":     strings.EqualFold,
	"StringStartsWith":           strings.HasPrefix,
	"StringStartsWithIgnoreCase": func(v, of string) bool { return strings.HasPrefix(strings.ToLower(v), strings.ToLower(of)) },
	"StringLike":                 func(v, of string) bool { return like(of, v) },
	"StringLikeIgnoreCase":       func(v, of string) bool { return like(strings.ToLower(of), strings.ToLower(v)) },
	"BoolEquals":                 strings.EqualFold,
	"DateTimeEquals":             dated(func(n int) bool { return n == 0 }),
	"DateTimeLessThan":           dated(func(n int) bool { return n < 0 }),
	"DateTimeLessThanEquals":     dated(func(n int) bool { return n <= 0 }),
	"DateTimeGreaterThan":        dated(func(n int) bool { return n > 0 }),
	"DateTimeGreaterThanEquals":  dated(func(n int) bool { return n >= 0 }),
}

func dated(test func(int) bool) func(value, of string) bool {
	return func(value, of string) bool {
		a, errA := time.Parse(time.RFC3339Nano, value)
		b, errB := time.Parse(time.RFC3339Nano, of)
		return errA == nil && errB == nil && test(a.Compare(b))
	}
}

// like is a pattern in which * stands for any run of characters and ? for one.
func like(pattern, value string) bool {
	star, from := -1, 0
	p := 0
	for v := 0; v < len(value); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, v
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == value[v]):
			p++
			v++
		case star >= 0: // let the last * stand for one character more
			from++
			p, v = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// match says whether an action is one of those that a role names: * stands for
// any run of characters, slashes included, and case does not count
// (https://learn.microsoft.com/azure/role-based-access-control/role-definitions#actions-format).
// Between two slashes it may stand for no segment at all: only so do
// Microsoft.KeyVault/vaults/*/read and the like let Key Vault Reader read
// "metadata of key vaults", as Microsoft says of it.
func match(pattern, action string) bool {
	pattern, action = strings.ToLower(pattern), strings.ToLower(action)
	return like(pattern, action) || strings.Contains(pattern, "/*/") && like(strings.ReplaceAll(pattern, "/*/", "/"), action)
}
