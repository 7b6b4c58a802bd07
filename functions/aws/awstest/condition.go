package awstest

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// operator is a condition operator taken apart
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
type operator struct {
	set      string // ForAllValues, ForAnyValue or nothing
	base     string
	negated  bool
	ifExists bool
}

// comparisons by the positive name of their operator: policy value, then the
// request's.
var comparisons = map[string]func(want, got string) bool{
	"StringEquals":           func(w, g string) bool { return w == g },
	"StringEqualsIgnoreCase": strings.EqualFold,
	"StringLike":             like,
	"ArnEquals":              arnLike,
	"ArnLike":                arnLike,
	"Bool":                   strings.EqualFold,
	"BinaryEquals":           func(w, g string) bool { return w == g },
	"NumericEquals":          numeric(func(w, g float64) bool { return g == w }),
	"NumericLessThan":        numeric(func(w, g float64) bool { return g < w }),
	"NumericLessThanEquals":  numeric(func(w, g float64) bool { return g <= w }),
	"NumericGreaterThan":     numeric(func(w, g float64) bool { return g > w }),
	"NumericGreaterThanEquals": numeric(func(w, g float64) bool {
		return g >= w
	}),
	"DateEquals":            dated(func(w, g time.Time) bool { return g.Equal(w) }),
	"DateLessThan":          dated(func(w, g time.Time) bool { return g.Before(w) }),
	"DateLessThanEquals":    dated(func(w, g time.Time) bool { return !g.After(w) }),
	"DateGreaterThan":       dated(func(w, g time.Time) bool { return g.After(w) }),
	"DateGreaterThanEquals": dated(func(w, g time.Time) bool { return !g.Before(w) }),
	"IpAddress":             addressed,
	"Null":                  nil, // decided by presence alone
}

var negations = map[string]string{
	"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase", "StringNotLike": "StringLike",
	"ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike", "NumericNotEquals": "NumericEquals", "DateNotEquals": "DateEquals",
	"NotIpAddress": "IpAddress",
}

func parseOperator(s string) (operator, bool) {
	var o operator
	if set, rest, ok := strings.Cut(s, ":"); ok {
		if set != "ForAllValues" && set != "ForAnyValue" {
			return o, false
		}
		o.set, s = set, rest
	}
	if rest, ok := strings.CutSuffix(s, "IfExists"); ok {
		o.ifExists, s = true, rest
	}
	if positive, ok := negations[s]; ok {
		o.negated, s = true, positive
	}
	o.base = s
	_, ok := comparisons[s]
	return o, ok
}

// conditionsMatch ANDs all operators and keys.
func conditionsMatch(all conditions, context map[string][]string) bool {
	for name, keys := range all {
		o, ok := parseOperator(name)
		if !ok {
			return false
		}
		for key, want := range keys {
			if !o.matches(want, context[strings.ToLower(key)]) {
				return false
			}
		}
	}
	return true
}

func (o operator) matches(want []value, got []string) bool {
	if o.base == "Null" {
		absent := strconv.FormatBool(len(got) == 0)
		return slices.ContainsFunc(want, func(v value) bool { return strings.EqualFold(string(v), absent) })
	}
	one := func(g string) bool {
		hit := slices.ContainsFunc(want, func(v value) bool { return comparisons[o.base](string(v), g) })
		return hit != o.negated
	}
	switch {
	case len(got) == 0 && o.set == "ForAnyValue":
		return o.ifExists
	case len(got) == 0:
		return o.ifExists || o.negated || o.set == "ForAllValues"
	case o.set == "ForAnyValue":
		return slices.ContainsFunc(got, one)
	}
	return !slices.ContainsFunc(got, func(g string) bool { return !one(g) })
}

// arnLike matches ARNs field by field: a wildcard does not reach over a colon,
// except in the last field.
func arnLike(want, got string) bool {
	w, g := strings.SplitN(want, ":", 6), strings.SplitN(got, ":", 6)
	if len(w) != 6 || len(g) != 6 {
		return false
	}
	for i := range w {
		if !like(w[i], g[i]) {
			return false
		}
	}
	return true
}

func numeric(f func(want, got float64) bool) func(string, string) bool {
	return func(w, g string) bool {
		a, err1 := strconv.ParseFloat(w, 64)
		b, err2 := strconv.ParseFloat(g, 64)
		return err1 == nil && err2 == nil && f(a, b)
	}
}

func dated(f func(want, got time.Time) bool) func(string, string) bool {
	return func(w, g string) bool {
		a, err1 := moment(w)
		b, err2 := moment(g)
		return err1 == nil && err2 == nil && f(a, b)
	}
}

// moment reads an ISO 8601 date, with or without a time, or epoch seconds.
func moment(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, s)
}

func addressed(want, got string) bool {
	g, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	if p, err := netip.ParsePrefix(want); err == nil {
		return p.Contains(g)
	}
	w, err := netip.ParseAddr(want)
	return err == nil && w == g
}
