package awskms

import (
	"slices"
	"strings"

	lazy "byokwatch/core/pattern"
	"byokwatch/core/policy/wording"
)

// clause is the smallest thing that a statement says: one principal and one
// action pattern, on a resource, under conditions. Statements that list, split
// or order the same things otherwise spread into the same clauses, so whoever
// compares what two policies say compares these.
type clause struct {
	who, what, on term
	when          []condition
}

// term is one principal, action pattern or resource list in the form that it is
// compared in; except turns it into everything but that.
type term struct {
	text   string
	except bool
}

// spread lists the clauses of a statement. A statement without Action or
// Resource has no effect and none.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
func (p policy) spread(s statement) []clause {
	if effectless(s) {
		return nil
	}
	var who, what []term
	switch {
	case s.Principal != nil:
		who = terms(whoOf(*s.Principal))
	case s.NotPrincipal != nil:
		who = []term{{text: joined(whoOf(*s.NotPrincipal)), except: true}}
	}
	what = terms(lowered(s.Action))
	if s.NotAction != nil {
		what = []term{{text: joined(lowered(s.NotAction)), except: true}}
	}
	on := term{text: joined(p.dated(s.Resource))}
	if s.NotResource != nil {
		on = term{text: joined(p.dated(s.NotResource)), except: true}
	}
	when := p.plain(s.Conditions)
	var out []clause
	for _, w := range who {
		for _, a := range what {
			out = append(out, clause{who: w, what: a, on: on, when: when})
		}
	}
	return out
}

// allows lists what the policy's Allow statements say.
func (p policy) allows() []clause { return p.effect("Allow") }

func (p policy) effect(effect string) []clause {
	var out []clause
	for _, s := range p.Statements {
		if s.Effect == effect {
			out = append(out, p.spread(s)...)
		}
	}
	return out
}

// plain brings conditions into the form that clauses are compared in. Keys and
// operators are case-insensitive.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
func (p policy) plain(conditions []condition) []condition {
	out := make([]condition, 0, len(conditions))
	for _, c := range conditions {
		out = append(out, condition{Operator: wording.Lower(c.Operator), Key: canonicalKey(c.Key), Values: p.dated(c.Values)})
	}
	return out
}

// dated is the sorted set of values, each text with ${…} marked with the
// language that it is written in: such a text means itself before version
// 2012-10-17 and a variable since.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
func (p policy) dated(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		if strings.Contains(v, "${") {
			language := version2008 + " "
			if p.Version == version2012 {
				language = version2012 + " "
			}
			v = language + v
		}
		out[i] = v
	}
	return sortedSet(out)
}

// within says that every request that c matches is matched by wider as well.
// It errs on the side of no.
func (c clause) within(wider clause) bool {
	return (c.who == wider.who || wider.who == everyone && !c.who.except && strings.HasPrefix(c.who.text, "AWS ")) &&
		(c.what == wider.what || !c.what.except && !wider.what.except && effective(wider.what.text) && patternWithin(c.what.text, wider.what.text)) &&
		c.on == wider.on &&
		conditionsWithin(c.when, wider.when)
}

func (c clause) withinAny(wider []clause) bool {
	return slices.ContainsFunc(wider, c.within)
}

// conditionsWithin says that whatever meets all of narrow meets all of wide.
func conditionsWithin(narrow, wide []condition) bool {
	for _, w := range wide {
		if !slices.ContainsFunc(narrow, func(n condition) bool { return n.implies(w) }) {
			return false
		}
	}
	return true
}

// implies says that n being true makes w true. Values of a positive operator
// are alternatives, those of a negated one all excluded; for operators over
// sets only equality counts.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
func (n condition) implies(w condition) bool {
	if n.Operator != w.Operator || n.Key != w.Key {
		return false
	}
	switch {
	case strings.Contains(n.Operator, ":"):
		return slices.Equal(n.Values, w.Values)
	case negated(n.Operator):
		return subset(w.Values, n.Values)
	default:
		return len(n.Values) > 0 && subset(n.Values, w.Values)
	}
}

// negated takes a lower-case operator.
func negated(operator string) bool {
	return strings.Contains(operator, "not")
}

// effective says that IAM reads an action pattern as a pattern: it has no
// wildcards in the service's name, but for the lone *.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
func effective(pattern string) bool {
	service, _, ok := strings.Cut(pattern, ":")
	return pattern == "*" || ok && !strings.ContainsAny(service, "*?")
}

// patternWithin says that every action that narrow matches is matched by wide;
// both are lower case. It is a match of wide against narrow in which narrow's
// own wildcards are matched by wildcards that are at least as wide.
func patternWithin(narrow, wide string) bool {
	// fits[j] says whether narrow[i:] lies within wide[j:].
	fits := make([]bool, len(wide)+1)
	for i := len(narrow); i >= 0; i-- {
		next := fits
		fits = make([]bool, len(wide)+1)
		fits[len(wide)] = i == len(narrow)
		for j := len(wide) - 1; j >= 0; j-- {
			switch {
			case wide[j] == '*':
				fits[j] = fits[j+1] || i < len(narrow) && next[j]
			case i == len(narrow) || narrow[i] == '*':
				fits[j] = false
			case wide[j] == '?' || wide[j] == narrow[i]:
				fits[j] = next[j+1]
			}
		}
	}
	return fits[0]
}

// everyone is Principal {"AWS": "*"}.
var everyone = term{text: "AWS *"}

func terms(texts []string) []term {
	out := make([]term, len(texts))
	for i, t := range texts {
		out[i] = term{text: t}
	}
	return out
}

// joined keeps the members apart whatever they hold.
func joined(list []string) string {
	return listText(append([]string{""}, sortedSet(list)...))
}

// whoOf lists principals in the one form that they are compared in: their kind
// and ID, accounts by their 12 digits.
func whoOf(p principals) []string {
	var out []string
	for _, a := range p.AWS {
		out = append(out, whoAWS(a))
	}
	for kind, list := range map[string][]string{"Federated": p.Federated, "Service": p.Service, "CanonicalUser": p.Canonical} {
		for _, id := range list {
			out = append(out, kind+" "+id)
		}
	}
	return sortedSet(out)
}

var rootARN = lazy.New(`^arn:aws[a-z-]*:iam::([0-9]{12}):root$`)

// whoAWS is one AWS principal in whoOf's form: 12 digits and the account's root
// ARN are the same principal.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts
func whoAWS(id string) string {
	if m := rootARN.FindStringSubmatch(id); m != nil {
		id = m[1]
	}
	return "AWS " + id
}

// effectless says that a statement lacks Action or Resource: it does nothing,
// and since 2025-08-18 KMS refuses a policy that holds one.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
func effectless(s statement) bool {
	return s.Action == nil && s.NotAction == nil || s.Resource == nil && s.NotResource == nil
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = wording.Lower(s)
	}
	return sortedSet(out)
}

func sortedSet(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

func subset(a, b []string) bool {
	for _, s := range a {
		if !slices.Contains(b, s) {
			return false
		}
	}
	return true
}
