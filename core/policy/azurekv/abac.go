package azurekv

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// facts are what is known of a request.
type facts struct {
	action string // folded
	at     time.Time
	// timeless: conditions name more dates than can be judged.
	timeless bool
	// request holds attributes of the request that are known, by their folded
	// spelling in a condition.
	request map[string]string
}

const utcNow = "@environment[utcnow]"

// holds says whether a condition lets a request through; nil is none.
func (c *condition) holds(f facts) truth.Truth {
	switch {
	case c == nil:
		return truth.Yes
	case c.root == nil:
		return truth.Unknown
	}
	return c.root.holds(f)
}

// node is a part of a condition.
type node interface{ holds(facts) truth.Truth }

type (
	junction struct {
		all bool // AND, else OR
		of  []node
	}
	negation    struct{ of node }
	actionMatch struct{ pattern string }
	exists      struct{ attribute string }
	// unknowable is what turns on things that nobody here knows.
	unknowable struct{}
	comparison struct {
		operator    operator
		left, right operand
	}
	operand struct {
		attribute string // folded; "" for values
		values    []value
	}
	// value is one written out; quoted as a text, or bare as numbers and GUIDs are.
	value struct {
		text   string
		quoted bool
	}
)

func (j junction) holds(f facts) truth.Truth {
	out := truth.Known(j.all)
	for _, n := range j.of {
		if j.all {
			out = out.And(n.holds(f))
		} else {
			out = out.Or(n.holds(f))
		}
	}
	return out
}

func (n negation) holds(f facts) truth.Truth { return n.of.holds(f).Not() }

// The pattern is read as those of a role's actions are.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/conditions-format#actionmatches
func (a actionMatch) holds(f facts) truth.Truth { return truth.Known(covered(a.pattern, f.action)) }

func (e exists) holds(f facts) truth.Truth {
	if _, ok := f.request[e.attribute]; ok || e.attribute == utcNow {
		return truth.Yes
	}
	return truth.Unknown
}

func (unknowable) holds(facts) truth.Truth { return truth.Unknown }

func (c comparison) holds(f facts) truth.Truth {
	if c.operator.family == "datetime" && (c.left.attribute == utcNow) != (c.right.attribute == utcNow) {
		return c.holdsAt(f)
	}
	left, known := c.left.in(f)
	right, also := c.right.in(f)
	if !c.operator.known || !known || !also {
		return truth.Unknown
	}
	return c.operator.cross(left, right)
}

// holdsAt compares with the time of the request.
func (c comparison) holdsAt(f facts) truth.Truth {
	now := []value{{f.at.UTC().Format(time.RFC3339Nano), true}}
	switch {
	case !c.operator.known || f.timeless || f.at.IsZero():
		return truth.Unknown
	case c.left.attribute == utcNow && c.right.attribute == "":
		return c.operator.cross(now, c.right.values)
	case c.right.attribute == utcNow && c.left.attribute == "":
		return c.operator.cross(c.left.values, now)
	}
	return truth.Unknown
}

// in lists the values of an operand.
func (o operand) in(f facts) ([]value, bool) {
	if o.attribute == "" {
		return o.values, true
	}
	text, ok := f.request[o.attribute]
	return []value{{text, true}}, ok
}

// listDates adds the dates that a comparison with the time of the request names.
func (c comparison) listDates(to *[]time.Time) error {
	for _, pair := range [][2]operand{{c.left, c.right}, {c.right, c.left}} {
		if c.operator.family != "datetime" || pair[0].attribute != utcNow {
			continue
		}
		for _, v := range pair[1].values {
			at, err := time.Parse(time.RFC3339Nano, v.text)
			if err != nil {
				return err
			}
			*to = append(*to, at)
		}
	}
	return nil
}

// cross compares values as the quantifiers of the operator say; without any,
// there is but one on each side.
func (o operator) cross(left, right []value) truth.Truth {
	if o.left == single && (len(left) != 1 || len(right) != 1) {
		return truth.Unknown
	}
	out := truth.Known(o.left == allOf)
	for _, l := range left {
		inner := truth.Known(o.right == allOf)
		for _, r := range right {
			if is := o.compare(l, r); o.right == allOf {
				inner = inner.And(is)
			} else {
				inner = inner.Or(is)
			}
		}
		if o.left == allOf {
			out = out.And(inner)
		} else {
			out = out.Or(inner)
		}
	}
	return out
}

// compare is Unknown for values that are not of the operator's type.
func (o operator) compare(l, r value) truth.Truth {
	var out truth.Truth
	switch o.family {
	case "string":
		out = o.compareTexts(l, r)
	case "guid":
		a, b := wording.Lower(l.text), wording.Lower(r.text)
		if guidGrammar.MatchString(a) && guidGrammar.MatchString(b) {
			out = truth.Known(a == b)
		}
	case "bool":
		if a, b := wording.Lower(l.text), wording.Lower(r.text); slices.Contains(booleans, a) && slices.Contains(booleans, b) {
			out = truth.Known(a == b)
		}
	case "numeric":
		a, err := strconv.ParseInt(l.text, 10, 64)
		b, also := strconv.ParseInt(r.text, 10, 64)
		if err == nil && also == nil {
			out = o.ordered(cmp.Compare(a, b))
		}
	case "datetime":
		a, err := time.Parse(time.RFC3339Nano, l.text)
		b, also := time.Parse(time.RFC3339Nano, r.text)
		if err == nil && also == nil {
			out = o.ordered(a.Compare(b))
		}
	}
	if o.negated {
		out = out.Not()
	}
	return out
}

var booleans = []string{"true", "false"}

func (o operator) compareTexts(l, r value) truth.Truth {
	if !l.quoted || !r.quoted {
		return truth.Unknown
	}
	a, b := l.text, r.text
	if o.foldsCase {
		if !ascii(a) || !ascii(b) {
			return truth.Unknown // which letters are the same is Azure's to say
		}
		a, b = wording.Lower(a), wording.Lower(b)
	}
	switch o.relation {
	case "equals":
		return truth.Known(a == b)
	case "startswith":
		return truth.Known(strings.HasPrefix(a, b))
	}
	if strings.ContainsAny(b, `?\`) {
		return truth.Unknown // nothing that is known here is ever compared so
	}
	return truth.Known(like(b, a))
}

func ascii(s string) bool { return strings.IndexFunc(s, func(c rune) bool { return c > 127 }) < 0 }

func (o operator) ordered(order int) truth.Truth {
	switch o.relation {
	case "equals":
		return truth.Known(order == 0)
	case "greaterthan":
		return truth.Known(order > 0)
	case "greaterthanequals":
		return truth.Known(order >= 0)
	case "lessthan":
		return truth.Known(order < 0)
	case "lessthanequals":
		return truth.Known(order <= 0)
	}
	return truth.Unknown
}
