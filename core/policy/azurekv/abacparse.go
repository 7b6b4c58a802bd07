package azurekv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"byokwatch/core/policy/wording"
)

// condition is the condition of a role assignment, or of a permission within a
// role, as parsed.
type condition struct {
	text  string
	root  node        // nil where it does not parse
	err   error       // why
	dates []time.Time // that the time of the request is compared with
	// spelling is one for all conditions that say the same; "" until somebody asks.
	spelling string
}

// errOrder marks what Azure calls ambiguous.
var errOrder = errors.New("AND and OR stand beside each other without parentheses")

// parseCondition reads a condition in the given version of the syntax. One that
// does not parse here is kept with the reason: nobody knows what it says.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/conditions-format
func parseCondition(text, version string) *condition {
	c := &condition{text: text}
	if version != "" && version != "2.0" {
		c.err = fmt.Errorf("version %s of the syntax is not known", strconv.Quote(wording.Abridge(version, 20)))
		return c
	}
	tokens, err := lex(text)
	if err != nil {
		c.err = err
		return c
	}
	p := &conditionParser{tokens: tokens, into: c}
	root, err := p.junction(0)
	if err == nil && p.peek().kind != 0 {
		err = errors.New("it goes on where it should end")
	}
	if err != nil {
		c.err, c.dates = err, nil
		return c
	}
	c.root = root
	return c
}

type conditionParser struct {
	tokens []token
	at     int
	into   *condition
}

func (p *conditionParser) peek() token { return p.tokens[p.at] }

func (p *conditionParser) next() token {
	t := p.tokens[p.at]
	if t.kind != 0 {
		p.at++
	}
	return t
}

func (p *conditionParser) expect(kind byte) (token, error) {
	t := p.next()
	if t.kind != kind {
		return t, fmt.Errorf("%s where %s is needed", t, token{kind: kind})
	}
	return t, nil
}

func (t token) String() string {
	switch t.kind {
	case 0:
		return "the end"
	case 's':
		return "a text"
	case 'w':
		return strconv.Quote(wording.Abridge(t.text, 40))
	case '@':
		return "an attribute"
	case '&':
		return "AND"
	case '|':
		return "OR"
	}
	return string(rune(t.kind))
}

// junction reads terms between operators of one kind.
func (p *conditionParser) junction(depth int) (node, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("it is nested deeper than %d levels", maxNesting)
	}
	first, err := p.term(depth)
	if err != nil {
		return nil, err
	}
	out := junction{of: []node{first}}
	for {
		op := p.peek().kind
		if op != '&' && op != '|' {
			break
		}
		if len(out.of) > 1 && out.all != (op == '&') {
			return nil, errOrder
		}
		p.next()
		out.all = op == '&'
		term, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		out.of = append(out.of, term)
	}
	if len(out.of) == 1 {
		return first, nil
	}
	return out, nil
}

func (p *conditionParser) term(depth int) (node, error) {
	negated := false
	for p.peek().kind == '!' {
		p.next()
		negated = !negated
	}
	out, err := p.plain(depth)
	if err == nil && negated {
		out = negation{out}
	}
	return out, err
}

func (p *conditionParser) plain(depth int) (node, error) {
	switch t := p.peek(); {
	case t.kind == '(':
		p.next()
		inner, err := p.junction(depth + 1)
		if err != nil {
			return nil, err
		}
		_, err = p.expect(')')
		return inner, err
	case t.kind == 'w' && t.text == "actionmatches":
		pattern, err := p.function()
		return actionMatch{wording.Lower(pattern)}, err
	case t.kind == 'w' && t.text == "suboperationmatches":
		_, err := p.function()
		return unknowable{}, err
	case t.kind == 'w' && t.text == "exists":
		p.next()
		a, err := p.expect('@')
		return exists{plainAttribute(a.text)}, err
	}
	return p.comparison()
}

// function reads NAME{'text'}.
func (p *conditionParser) function() (string, error) {
	p.next()
	if _, err := p.expect('{'); err != nil {
		return "", err
	}
	t, err := p.expect('s')
	if err != nil {
		return "", err
	}
	_, err = p.expect('}')
	return t.text, err
}

func (p *conditionParser) comparison() (node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	word, err := p.expect('w')
	if err != nil {
		return nil, err
	}
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	out := comparison{operator: readOperator(word.text), left: left, right: right}
	if err := out.listDates(&p.into.dates); err != nil {
		return nil, err
	}
	return out, nil
}

// operand reads an attribute, a value, or values between braces.
func (p *conditionParser) operand() (operand, error) {
	switch t := p.next(); t.kind {
	case '@':
		return operand{attribute: plainAttribute(t.text)}, nil
	case 's', 'w':
		return operand{values: []value{{t.text, t.kind == 's'}}}, nil
	case '{':
		var out operand
		for {
			t := p.next()
			if t.kind != 's' && t.kind != 'w' {
				return out, fmt.Errorf("%s among values", t)
			}
			out.values = append(out.values, value{t.text, t.kind == 's'})
			if t = p.next(); t.kind == '}' {
				return out, nil
			}
			if t.kind != ',' {
				return out, fmt.Errorf("%s between values", t)
			}
		}
	default:
		return operand{}, fmt.Errorf("%s where a value is needed", t)
	}
}

// operator is a comparison taken apart: how many values of each side, of what
// type, in which relation.
type operator struct {
	known            bool
	left, right      quantifier
	family, relation string
	negated          bool
	foldsCase        bool
}

type quantifier byte

const (
	single quantifier = iota // one value, and no more
	anyOf
	allOf
)

// readOperator reads the folded name of an operator, such as
// foranyofanyvalues:stringnotequalsignorecase. What nobody knows stays unknown:
// Azure may have got more of them since.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/conditions-format#cross-product-comparison-operators
func readOperator(name string) operator {
	var o operator
	if cross, plain, ok := strings.Cut(name, ":"); ok {
		switch cross {
		case "foranyofanyvalues":
			o.left, o.right = anyOf, anyOf
		case "forallofanyvalues":
			o.left, o.right = allOf, anyOf
		case "foranyofallvalues":
			o.left, o.right = anyOf, allOf
		case "forallofallvalues":
			o.left, o.right = allOf, allOf
		default:
			return o
		}
		name = plain
	}
	relations := map[string][]string{
		"string":   {"equals", "startswith", "like"},
		"guid":     {"equals"},
		"bool":     {"equals"},
		"numeric":  {"equals", "greaterthan", "greaterthanequals", "lessthan", "lessthanequals"},
		"datetime": {"equals", "greaterthan", "greaterthanequals", "lessthan", "lessthanequals"},
	}
	for family, known := range relations {
		rest, ok := strings.CutPrefix(name, family)
		if !ok {
			continue
		}
		o.family = family
		rest, o.negated = strings.CutPrefix(rest, "not")
		if family == "string" {
			rest, o.foldsCase = strings.CutSuffix(rest, "ignorecase")
		}
		for _, relation := range known {
			if rest == relation && (!o.negated || !strings.HasSuffix(rest, "than") && !strings.HasSuffix(rest, "thanequals")) {
				o.relation, o.known = relation, true
			}
		}
	}
	return o
}
