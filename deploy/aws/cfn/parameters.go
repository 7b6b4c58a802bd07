package cfn

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxValue is how many bytes the value of a parameter may have:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const MaxValue = 4096

// parameter is one as it is declared. Its rules are those of
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
type parameter struct {
	Type, Description, AllowedPattern, ConstraintDescription string
	Default                                                  any
	AllowedValues                                            []any
	MinLength, MaxLength, MinValue, MaxValue                 *float64
	NoEcho                                                   bool
}

// parameters are the values of all parameters, and of the pseudo parameters,
// which are given without being declared.
func parameters(declared map[string]parameter, given map[string]string) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := declared[name]; !known && !strings.HasPrefix(name, "AWS::") {
			return nil, fmt.Errorf("parameter %s: the template has none of this name", name)
		}
		out[name] = given[name]
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		p := declared[name]
		value, there := given[name]
		if !there && p.Default == nil {
			return nil, fmt.Errorf("parameter %s: it has no default, so give a value", name)
		}
		var err error
		if !there {
			value, err = text(p.Default)
		}
		if err == nil {
			out[name], err = p.take(value)
		}
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return out, nil
}

// take is a value as a reference to the parameter gives it: a number is a text
// from here on.
func (p parameter) take(value string) (any, error) {
	if len(value) > MaxValue {
		return nil, fmt.Errorf("%d bytes, a parameter takes %d", len(value), MaxValue)
	}
	switch p.Type {
	case "String":
		return value, p.check(value)
	case "Number":
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", value)
		}
		if p.MinValue != nil && n < *p.MinValue || p.MaxValue != nil && n > *p.MaxValue {
			return nil, fmt.Errorf("%s is not in the range that it takes", value)
		}
		return value, p.check(value)
	case "CommaDelimitedList":
		var out []any
		for _, element := range strings.Split(value, ",") {
			element = strings.TrimSpace(element)
			if err := p.check(element); err != nil {
				return nil, err
			}
			out = append(out, element)
		}
		return out, nil
	}
	return nil, fmt.Errorf("type %s is not known here", p.Type)
}

// check holds a value, or each element of a list, to what is allowed.
func (p parameter) check(value string) error {
	n := float64(len(value))
	if p.MinLength != nil && n < *p.MinLength || p.MaxLength != nil && n > *p.MaxLength {
		return fmt.Errorf("%q has not the length that it takes", value)
	}
	if p.AllowedPattern != "" {
		whole, err := regexp.Compile("^(?:" + p.AllowedPattern + ")$")
		if err != nil {
			return fmt.Errorf("AllowedPattern: %w", err)
		}
		if !whole.MatchString(value) {
			return fmt.Errorf("%q does not match %s", value, p.AllowedPattern)
		}
	}
	if p.AllowedValues == nil {
		return nil
	}
	for _, allowed := range p.AllowedValues {
		if a, err := text(allowed); err != nil || a == value {
			return err
		}
	}
	return fmt.Errorf("%q is none of %v", value, p.AllowedValues)
}
