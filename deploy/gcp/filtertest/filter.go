// Package filtertest evaluates filters of Cloud Logging on log entries, so that
// what a sink, a metric or an alert of deploy/gcp takes can be compared with what
// the code handles. It knows the part of the language that the module uses and
// refuses the rest: what it does not know must not look like a filter that does
// not match. The language:
// https://docs.cloud.google.com/logging/docs/view/logging-query-language
package filtertest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Filter is a filter that was understood.
type Filter struct{ root node }

// Parse reads a filter.
func Parse(text string) (Filter, error) {
	tokens, err := scan(text)
	if err != nil {
		return Filter{}, fmt.Errorf("filter %q: %w", text, err)
	}
	p := parser{tokens: tokens}
	root, err := p.expression()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q follows what was a whole filter", p.tokens[p.at].text)
	}
	if err != nil {
		return Filter{}, fmt.Errorf("filter %q: %w", text, err)
	}
	return Filter{root}, nil
}

// Matches says whether the filter takes a log entry, which is the JSON object
// that encoding/json makes of it.
func (f Filter) Matches(entry map[string]any) bool { return f.root.matches(entry) }

type node interface {
	matches(entry map[string]any) bool
}

type (
	all    []node
	either []node
	not    struct{ of node }
	// comparison is FIELD OP VALUE.
	comparison struct {
		field []string
		holds func(value any) bool
	}
)

func (n all) matches(e map[string]any) bool {
	return !slices.ContainsFunc(n, func(of node) bool { return !of.matches(e) })
}

func (n either) matches(e map[string]any) bool {
	return slices.ContainsFunc(n, func(of node) bool { return of.matches(e) })
}

func (n not) matches(e map[string]any) bool { return !n.of.matches(e) }

// matches is false for a field that is not there, whatever the operator.
func (n comparison) matches(e map[string]any) bool {
	var value any = e
	for _, name := range n.field {
		object, ok := value.(map[string]any)
		if !ok {
			return false
		}
		if value, ok = object[name]; !ok || value == nil {
			return false
		}
	}
	return n.holds(value)
}

type token struct {
	text   string
	quoted bool
}

var lexical = regexp.MustCompile(`^(?:\s+|[()]|=~|>=|<=|!=|!~|[=:><]|"[^"]*"|[A-Za-z0-9_.-]+)`)

func scan(text string) ([]token, error) {
	var out []token
	for text != "" {
		t := lexical.FindString(text)
		if t == "" {
			return nil, fmt.Errorf("%q is not understood", text)
		}
		text = text[len(t):]
		switch {
		case strings.TrimSpace(t) == "":
		case t[0] == '"' && strings.Contains(t, `\`):
			return nil, fmt.Errorf("%s: backslashes are not understood", t)
		case t[0] == '"':
			out = append(out, token{t[1 : len(t)-1], true})
		default:
			out = append(out, token{t, false})
		}
	}
	return out, nil
}

type parser struct {
	tokens []token
	at     int
}

// take consumes the next token if it is this one.
func (p *parser) take(text string) bool {
	if p.at < len(p.tokens) && !p.tokens[p.at].quoted && p.tokens[p.at].text == text {
		p.at++
		return true
	}
	return false
}

func (p *parser) next() (token, error) {
	if p.at == len(p.tokens) {
		return token{}, errors.New("it ends too early")
	}
	p.at++
	return p.tokens[p.at-1], nil
}

// expression is a list of terms that AND or OR joins. The two side by side
// without parentheses are refused: few remember that OR binds more tightly here.
func (p *parser) expression() (node, error) {
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	terms, joined := []node{first}, ""
	for {
		word := ""
		switch {
		case p.take("AND"):
			word = "AND"
		case p.take("OR"):
			word = "OR"
		}
		switch {
		case word == "" && joined == "OR":
			return either(terms), nil
		case word == "":
			return all(terms), nil
		case joined != "" && word != joined:
			return nil, errors.New("AND and OR stand side by side without parentheses")
		}
		joined = word
		term, err := p.term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
}

func (p *parser) term() (node, error) {
	switch {
	case p.take("NOT"):
		of, err := p.term()
		return not{of}, err
	case p.take("("):
		inner, err := p.expression()
		if err == nil && !p.take(")") {
			err = errors.New("a parenthesis is not closed")
		}
		return inner, err
	}
	field, err := p.next()
	if err != nil {
		return nil, err
	}
	if field.quoted || !fieldName.MatchString(field.text) {
		return nil, fmt.Errorf("%q is no field", field.text)
	}
	op, err := p.next()
	if err != nil {
		return nil, err
	}
	values, err := p.values()
	if err != nil {
		return nil, err
	}
	var out either
	for _, v := range values {
		holds, err := compare(field.text, op.text, v)
		if err != nil {
			return nil, err
		}
		out = append(out, comparison{strings.Split(field.text, "."), holds})
	}
	return out, nil
}

var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*$`)

// values is one value, or several with OR between them in parentheses.
func (p *parser) values() ([]token, error) {
	if !p.take("(") {
		v, err := p.next()
		return []token{v}, err
	}
	var out []token
	for {
		v, err := p.next()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		switch {
		case p.take(")"):
			return out, nil
		case !p.take("OR"):
			return nil, errors.New("values in parentheses have OR between them")
		}
	}
}

// severities in their order:
// https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity
var severities = []string{"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"}

func compare(field, op string, v token) (func(any) bool, error) {
	switch op {
	case "=": // of texts without regard to case
		return func(value any) bool { return strings.EqualFold(fmt.Sprint(value), v.text) }, nil
	case ":":
		want := strings.ToLower(v.text)
		return func(value any) bool { return strings.Contains(strings.ToLower(fmt.Sprint(value)), want) }, nil
	case "=~":
		re, err := regexp.Compile(v.text) // RE2, as there; found anywhere
		if err != nil {
			return nil, err
		}
		return func(value any) bool { text, ok := value.(string); return ok && re.MatchString(text) }, nil
	case ">", ">=":
		if field == "severity" && op == ">=" {
			least := slices.Index(severities, v.text)
			if least < 0 {
				return nil, fmt.Errorf("%q is no severity", v.text)
			}
			return func(value any) bool { return slices.Index(severities, fmt.Sprint(value)) >= least }, nil
		}
		bound, err := strconv.ParseFloat(v.text, 64)
		if err != nil || v.quoted {
			return nil, fmt.Errorf("%s %s %q: no number", field, op, v.text)
		}
		return func(value any) bool {
			n, ok := value.(float64)
			return ok && (n > bound || op == ">=" && n == bound)
		}, nil
	}
	return nil, fmt.Errorf("the operator %q is not understood", op)
}
