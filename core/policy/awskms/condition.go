package awskms

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// test is one condition made ready: one operator over one key.
type test struct {
	condition
	op     operator
	key    string // canonical
	listed []listed
}

// listed is one value that a condition lists, read as its operator needs it.
type listed struct {
	text     string
	variable bool      // text holds policy variables
	pattern  pattern   // of a String or Arn operator, without variables
	segments []pattern // of an Arn operator; nil unless there are six
	number   float64
	instant  time.Time
	valid    bool // number or instant could be read
}

// newTest prepares a condition. Variables exist only in the newer language and
// only for String, Arn and Bool operators.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-intro
func newTest(c condition, language string) test {
	t := test{condition: c, op: readOperator(c.Operator), key: wording.Lower(c.Key)}
	for _, text := range c.Values {
		l := listed{text: text, variable: language == version2012 && strings.Contains(text, "${")}
		switch t.op.family {
		case stringFamily, arnFamily:
			if !l.variable {
				l.pattern, l.segments = t.op.patterns(literalOr(t.op, text))
			}
		case numericFamily:
			l.number, l.valid = number(text)
		case dateFamily:
			l.instant, l.valid = instant(text)
		case boolFamily, nullFamily, opaqueFamily, strange:
		}
		t.listed = append(t.listed, l)
	}
	return t
}

func literalOr(op operator, text string) pattern {
	switch op.relation {
	case like:
		return globOf(text)
	case equalFold:
		return literal(wording.Lower(text))
	default:
		return literal(text)
	}
}

// patterns splits an Arn operator's pattern into the six parts that are
// compared one by one.
func (op operator) patterns(p pattern) (pattern, []pattern) {
	if op.family != arnFamily {
		return p, nil
	}
	var parts []pattern
	start := 0
	for i, c := range p {
		if c == ':' && len(parts) < 5 {
			parts = append(parts, p[start:i])
			start = i + 1
		}
	}
	if len(parts) < 5 {
		return p, nil
	}
	return p, append(parts, p[start:])
}

// timed says that the test's outcome changes with time.
func (t *test) timed() bool { return t.key == "aws:currenttime" || t.key == "aws:epochtime" }

// holds says whether a request passes the test: so in every world that is
// possible, in none, or nobody knows.
func (t *test) holds(r request) truth.Truth {
	if t.op.family == strange || len(t.listed) == 0 {
		return truth.Unknown
	}
	f := r.fact(t.key)
	var outcomes []truth.Truth
	if f.absent {
		outcomes = append(outcomes, t.whenAbsent())
	}
	for _, values := range f.present {
		outcomes = append(outcomes, t.whenPresent(r, f, values))
	}
	if len(outcomes) == 0 {
		return truth.Unknown
	}
	out := outcomes[0]
	for _, o := range outcomes[1:] {
		out = out.Agree(o)
	}
	return out
}

// whenAbsent is the outcome for a request without the key.
//
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (t *test) whenAbsent() truth.Truth {
	switch {
	case t.op.family == nullFamily:
		return t.null("true")
	case t.op.ifExists, t.op.set == forAll:
		return truth.Yes
	case t.op.set == forAny:
		return truth.No
	}
	return truth.Known(t.op.negated)
}

func (t *test) whenPresent(r request, f fact, values []value) truth.Truth {
	if t.op.family == nullFamily {
		return t.null("false")
	}
	if t.op.set == single && len(values) != 1 {
		return truth.Unknown
	}
	out := truth.Known(t.op.set != forAny)
	for _, v := range values {
		m := t.matches(r, f, v)
		if t.op.negated {
			m = m.Not()
		}
		if t.op.set == forAny {
			out = out.Or(m)
		} else {
			out = out.And(m)
		}
	}
	return out
}

// null says whether the values of a Null condition list want.
func (t *test) null(want string) truth.Truth {
	out := truth.No
	for _, l := range t.listed {
		switch wording.Lower(l.text) {
		case want:
			out = truth.Yes
		case "true", "false":
		default:
			return truth.Unknown
		}
	}
	return out
}

// matches says whether one value matches any of those listed. An organization
// is decided only if each one listed is known to be the owner's or Confluent's.
func (t *test) matches(r request, f fact, v value) truth.Truth {
	out := truth.No
	for i := range t.listed {
		m := t.compare(r, f, v, &t.listed[i])
		if m == truth.Unknown && v.org {
			return truth.Unknown
		}
		out = out.Or(m)
		if out == truth.Yes && !v.org {
			return truth.Yes
		}
	}
	return out
}

// compare is one value against one that is listed.
func (t *test) compare(r request, f fact, v value, l *listed) truth.Truth {
	switch t.op.family {
	case stringFamily, arnFamily:
		return t.compareText(r, f, v, l)
	case dateFamily:
		if !f.instant || !l.valid || r.at.IsZero() {
			return truth.Unknown
		}
		return truth.Known(t.op.relation.holds(r.at.Compare(l.instant)))
	case numericFamily:
		return t.compareNumber(r, f, v, l)
	case boolFamily:
		return t.compareBool(r, f, v, l)
	case opaqueFamily, nullFamily, strange:
	}
	return truth.Unknown
}

func (t *test) compareText(r request, f fact, v value, l *listed) truth.Truth {
	p, segments := l.pattern, l.segments
	if l.variable {
		expanded, resolved := r.expand(l.text, t.op.relation == like)
		if resolved != truth.Yes {
			return resolved
		}
		if t.op.relation == equalFold {
			for i, c := range expanded {
				if 'A' <= c && c <= 'Z' {
					expanded[i] = c + 'a' - 'A'
				}
			}
		}
		p, segments = t.op.patterns(expanded)
	}
	switch {
	case f.instant:
		return truth.Unknown
	case v.org && t.op.family == stringFamily:
		return r.compareOrganization(v, p)
	case v.org:
		return truth.Unknown
	case t.op.family == arnFamily:
		return compareARN(segments, v)
	}
	text := v.text
	if t.op.relation == equalFold {
		text = wording.Lower(text)
	}
	if v.open {
		return p.matchOpen(text)
	}
	return truth.Known(p.match(text))
}

// compareARN compares part by part.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func compareARN(segments []pattern, v value) truth.Truth {
	rest := v.text
	for i := range 5 {
		part, after, ok := strings.Cut(rest, ":")
		switch {
		case !ok && v.open:
			return truth.Unknown
		case !ok:
			return truth.No // not an ARN
		case segments == nil:
			return truth.Unknown
		case !segments[i].match(part):
			return truth.No
		}
		rest = after
	}
	if v.open {
		return segments[5].matchOpen(rest)
	}
	return truth.Known(segments[5].match(rest))
}

func (t *test) compareNumber(r request, f fact, v value, l *listed) truth.Truth {
	if !l.valid {
		return truth.Unknown
	}
	if f.instant {
		if t.key != "aws:epochtime" || r.at.IsZero() {
			return truth.Unknown
		}
		return truth.Known(t.op.relation.holds(r.at.Compare(epoch(l.number))))
	}
	n, ok := number(v.text)
	if v.open || v.org || !ok {
		return truth.Unknown
	}
	return truth.Known(t.op.relation.holds(cmp.Compare(n, l.number)))
}

func (t *test) compareBool(r request, f fact, v value, l *listed) truth.Truth {
	want := l.text
	if l.variable {
		p, resolved := r.expand(l.text, false)
		if resolved != truth.Yes {
			return resolved
		}
		want = string(p)
	}
	want, got := wording.Lower(want), wording.Lower(v.text)
	if v.open || v.org || f.instant || want != "true" && want != "false" || got != "true" && got != "false" {
		return truth.Unknown
	}
	return truth.Known(want == got)
}

func number(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// epoch is the instant of a Unix time in seconds. Times beyond those that a
// four-digit year can write are moved to the nearest such one: no request is
// ever made then.
func epoch(seconds float64) time.Time {
	seconds = min(max(seconds, -62135596800), 253402300799)
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}

// instant reads a date as IAM takes it: one of the W3C's ISO 8601 profiles, or
// Unix time.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date
func instant(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC(), true
		}
	}
	if len(s) <= 4 {
		return time.Time{}, false // 2026 is a year to one reader and an hour of 1970 to another
	}
	if n, ok := number(s); ok && strings.IndexFunc(s, func(c rune) bool { return (c < '0' || c > '9') && c != '.' }) < 0 {
		return epoch(n), true
	}
	return time.Time{}, false
}
