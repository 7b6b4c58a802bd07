package cfn

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// absent is the value of AWS::NoValue: whoever holds it leaves it out.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
type absent struct{}

// value evaluates what a property may hold.
func (e *evaluation) value(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		return e.elements(v)
	case map[string]any:
		name, argument, err := function(v)
		switch {
		case err != nil:
			return nil, err
		case name == "":
			return e.members(v)
		}
		out, err := e.call(name, argument)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return out, nil
	}
	return v, nil
}

func (e *evaluation) elements(list []any) ([]any, error) {
	out := []any{}
	for i, element := range list {
		v, err := e.value(element)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		if v != (absent{}) {
			out = append(out, v)
		}
	}
	return out, nil
}

func (e *evaluation) members(object map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for name, member := range object {
		v, err := e.value(member)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if v != (absent{}) {
			out[name] = v
		}
	}
	return out, nil
}

// function is the call of an intrinsic function that an object is, if it is one:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
func function(object map[string]any) (name string, argument any, err error) {
	for k, v := range object {
		if k != "Ref" && !strings.HasPrefix(k, "Fn::") {
			continue
		}
		if len(object) > 1 {
			return "", nil, fmt.Errorf("%s stands beside other members", k)
		}
		name, argument = k, v
	}
	return name, argument, nil
}

// call calls one of the functions that this package knows.
func (e *evaluation) call(name string, argument any) (any, error) {
	switch list, _ := argument.([]any); name {
	case "Ref":
		return e.ref(argument)
	case "Fn::GetAtt":
		return e.attribute(argument)
	case "Fn::If":
		return e.choose(list)
	case "Fn::Join":
		return e.join(list)
	case "Fn::Split":
		return e.split(list)
	case "Fn::Select":
		return e.pick(list)
	case "Fn::Sub":
		return e.substitute(argument)
	}
	return nil, errors.New("a function that is not known here")
}

// ref is the value of a parameter, or the symbol of a resource.
func (e *evaluation) ref(name any) (any, error) {
	id, _ := name.(string)
	if id == "AWS::NoValue" {
		return absent{}, nil
	}
	if v, known := e.values[id]; known {
		return v, nil
	}
	return e.symbol(id, "")
}

// symbol stands for what only a deployment knows.
func (e *evaluation) symbol(id, attribute string) (any, error) {
	made, known := e.resources[id]
	switch {
	case !known:
		return nil, fmt.Errorf("nothing is called %q", id)
	case !made:
		return nil, fmt.Errorf("%s is not made, by its condition", id)
	}
	return "<" + id + attribute + ">", nil
}

func (e *evaluation) attribute(argument any) (any, error) {
	if dotted, ok := argument.(string); ok {
		id, attribute, _ := strings.Cut(dotted, ".")
		argument = []any{id, attribute}
	}
	list, _ := argument.([]any)
	if len(list) != 2 {
		return nil, fmt.Errorf("%v is not a resource and its attribute", argument)
	}
	id, _ := list[0].(string)
	attribute, ok := list[1].(string)
	if !ok || attribute == "" {
		return nil, fmt.Errorf("%v is not a resource and its attribute", argument)
	}
	return e.symbol(id, "."+attribute)
}

// choose evaluates one of two values only, as CloudFormation does: the other may
// speak of what is not made.
func (e *evaluation) choose(list []any) (any, error) {
	if len(list) != 3 {
		return nil, errors.New("it takes a condition and two values")
	}
	name, _ := list[0].(string)
	yes, err := e.condition(name)
	switch {
	case err != nil:
		return nil, err
	case yes:
		return e.value(list[1])
	}
	return e.value(list[2])
}

func (e *evaluation) join(list []any) (any, error) {
	delimiter, parts, err := e.delimited(list)
	if err != nil {
		return nil, err
	}
	all, ok := parts.([]any)
	if !ok {
		return nil, fmt.Errorf("%v is no list", parts)
	}
	var texts []string
	for _, part := range all {
		t, err := text(part)
		if err != nil {
			return nil, err
		}
		texts = append(texts, t)
	}
	return strings.Join(texts, delimiter), nil
}

func (e *evaluation) split(list []any) (any, error) {
	delimiter, whole, err := e.delimited(list)
	if err != nil {
		return nil, err
	}
	source, ok := whole.(string)
	if !ok || strings.Contains(source, "<") {
		return nil, fmt.Errorf("%v is no text that is known here", whole)
	}
	if delimiter == "" {
		return nil, errors.New("it takes a delimiter")
	}
	var out []any
	for _, part := range strings.Split(source, delimiter) {
		out = append(out, part)
	}
	return out, nil
}

// delimited are the arguments of Join and Split.
func (e *evaluation) delimited(list []any) (string, any, error) {
	if len(list) != 2 {
		return "", nil, errors.New("it takes a delimiter and what it is used on")
	}
	delimiter, ok := list[0].(string)
	if !ok {
		return "", nil, fmt.Errorf("%v is no delimiter", list[0])
	}
	on, err := e.value(list[1])
	return delimiter, on, err
}

func (e *evaluation) pick(list []any) (any, error) {
	all, err := e.elements(list)
	if err != nil {
		return nil, err
	}
	if len(all) != 2 {
		return nil, errors.New("it takes an index and a list")
	}
	index, err := text(all[0])
	if err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(index)
	from, ok := all[1].([]any)
	if err != nil || !ok || i < 0 || i >= len(from) {
		return nil, fmt.Errorf("no element %v of %v", all[0], all[1])
	}
	return from[i], nil
}

// variable is ${Name}, ${Resource.Attribute}, or ${!Literal}, which stays ${Literal}:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-sub.html
var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

func (e *evaluation) substitute(argument any) (any, error) {
	own := map[string]any{}
	if list, ok := argument.([]any); ok {
		if len(list) != 2 {
			return nil, errors.New("it takes a text, or a text and its variables")
		}
		variables, ok := list[1].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%v are no variables", list[1])
		}
		var err error
		if own, err = e.members(variables); err != nil {
			return nil, err
		}
		argument = list[0]
	}
	template, ok := argument.(string)
	if !ok {
		return nil, fmt.Errorf("%v is no text", argument)
	}
	var faults []error
	out := variable.ReplaceAllStringFunc(template, func(found string) string {
		name := found[2 : len(found)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		v, known := own[name]
		var err error
		if resource, _, dotted := strings.Cut(name, "."); !known && dotted && resource != "" {
			v, err = e.attribute(name)
		} else if !known {
			v, err = e.ref(name)
		}
		var t string
		if err == nil {
			t, err = text(v)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", found, err))
		}
		return t
	})
	return out, errors.Join(faults...)
}

// condition decides a condition of the template.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
func (e *evaluation) condition(name string) (bool, error) {
	if yes, decided := e.decided[name]; decided {
		return yes, nil
	}
	expression, known := e.written[name]
	if !known {
		return false, fmt.Errorf("no condition is called %q", name)
	}
	if slices.Contains(e.deciding, name) {
		return false, fmt.Errorf("condition %s depends on itself", name)
	}
	e.deciding = append(e.deciding, name)
	yes, err := e.holds(expression)
	e.deciding = e.deciding[:len(e.deciding)-1]
	if err != nil {
		return false, fmt.Errorf("condition %s: %w", name, err)
	}
	e.decided[name] = yes
	return yes, nil
}

func (e *evaluation) holds(expression any) (bool, error) {
	object, _ := expression.(map[string]any)
	if len(object) != 1 {
		return false, fmt.Errorf("%v is no condition", expression)
	}
	for name, argument := range object {
		if named, ok := argument.(string); ok && name == "Condition" {
			return e.condition(named)
		}
		list, _ := argument.([]any)
		switch n := len(list); {
		case name == "Fn::Equals" && n == 2:
			return e.equal(list)
		case name == "Fn::Not" && n == 1:
			yes, err := e.holds(list[0])
			return !yes, err
		case (name == "Fn::And" || name == "Fn::Or") && n >= 2 && n <= 10:
			all := name == "Fn::And"
			for _, x := range list { // every one, so that no error hides behind another's value
				yes, err := e.holds(x)
				if err != nil {
					return false, err
				}
				if name == "Fn::And" {
					all = all && yes
				} else {
					all = all || yes
				}
			}
			return all, nil
		}
	}
	return false, fmt.Errorf("%v is no condition that is known here", expression)
}

func (e *evaluation) equal(list []any) (bool, error) {
	var texts [2]string
	for i, v := range list {
		evaluated, err := e.value(v)
		if err == nil {
			texts[i], err = text(evaluated)
		}
		if err != nil {
			return false, fmt.Errorf("Fn::Equals: %w", err)
		}
	}
	return texts[0] == texts[1], nil
}

// text is a scalar as CloudFormation puts it in a text.
func text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("%v is no text", v)
}
