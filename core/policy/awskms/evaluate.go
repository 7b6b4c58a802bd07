package awskms

import (
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// The decision is IAM's: an explicit Deny wins, else an Allow, else nothing is
// allowed. It is taken in three-valued logic over the whole policy: a statement
// that nobody can decide makes undetermined what turns on it, and no more.
//
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// and https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html

// rule is a statement made ready for judging.
type rule struct {
	*statement
	deny      bool
	action    []string    // lower case; of Action or NotAction
	resource  truth.Truth // whether the statement is about this key
	tests     []test
	timed     bool // a test turns on the time
	perAction bool // a test turns on the action

	digest core.Digest // of the clause, once somebody asked for it
	only   truth.Truth // onlyConfluent, once somebody asked for it
}

// compile prepares the statements that can have an effect on the key.
func compile(p policy, in setting) []rule {
	rules := make([]rule, 0, len(p.Statements))
	for i := range p.Statements {
		s := &p.Statements[i]
		r := rule{statement: s, deny: s.Effect == "Deny"}
		for _, list := range [][]string{s.Action, s.NotAction} {
			for _, a := range list {
				r.action = append(r.action, wording.Lower(a))
			}
		}
		r.resource = matchResource(s, in, p.language())
		for _, c := range s.Conditions {
			t := newTest(c, p.language())
			r.timed = r.timed || t.timed()
			if _, ok := onlyWith(t.key); ok || t.hasVariables() {
				r.perAction = true
			}
			r.tests = append(r.tests, t)
		}
		rules = append(rules, r)
	}
	return rules
}

func (t *test) hasVariables() bool {
	for _, l := range t.listed {
		if l.variable {
			return true
		}
	}
	return false
}

// matchAction says whether a statement is about an action, given in lower case.
// A statement without Action and NotAction is about none.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
func (r *rule) matchAction(action string) truth.Truth {
	switch {
	case r.Action != nil:
		return r.lists(action)
	case len(r.NotAction) > 0:
		return r.lists(action).Not()
	case r.NotAction != nil:
		return truth.Unknown
	}
	return truth.No
}

func (r *rule) lists(action string) truth.Truth {
	out := truth.No
	for _, a := range r.action {
		if !globString(a, action) {
			continue
		}
		if service, _, ok := strings.Cut(a, ":"); a != "*" && (!ok || strings.ContainsAny(service, "*?")) {
			if a != "*:*" {
				out = truth.Unknown // IAM has no such patterns
				continue
			}
		}
		return truth.Yes
	}
	return out
}

// matchResource says whether a statement is about the key. In a key policy "*"
// means this key, and hardly any statement says anything else.
//
// Sources: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func matchResource(s *statement, in setting, language string) truth.Truth {
	if s.NotResource != nil {
		return truth.Unknown
	}
	out := truth.No
	for _, text := range s.Resource {
		switch {
		case text == "*" || in.keyARN != "" && text == in.keyARN:
			return truth.Yes
		case in.key.service == "", language == version2012 && strings.Contains(text, "${"):
			out = truth.Unknown
		default:
			out = out.Or(matchKey(globOf(text), in.keyARN))
		}
	}
	return out
}

// matchKey matches a pattern against the key's ARN. A * stays within its part
// of the ARN; only as the last character may it go beyond.
func matchKey(p pattern, key string) truth.Truth {
	if !p.match(key) {
		return truth.No
	}
	_, segments := operator{family: arnFamily}.patterns(p)
	if p[len(p)-1] == anyRunes || compareARN(segments, value{text: key}) == truth.Yes {
		return truth.Yes
	}
	return truth.Unknown
}

// hit is a rule that takes part in a decision.
type hit struct {
	rule  *rule
	match truth.Truth // yes or unknown
	as    requester
}

// decision is what the policy says about one request.
type decision struct {
	allowed truth.Truth
	allows  []hit
	denies  []hit // of the requester and of those who act for it
}

// evaluator judges all requests of one requester at one time. What does not
// turn on the action is decided once.
type evaluator struct {
	request
	rules []rule
	by    []truth.Truth // principal, by rule
	who   []truth.Truth // principal and resource, by rule
	when  []truth.Truth // conditions, by rule, for rules that are not perAction
}

func newEvaluator(rules []rule, in setting, r requester) *evaluator {
	e := &evaluator{
		request: request{setting: in, requester: r},
		rules:   rules,
		by:      make([]truth.Truth, len(rules)),
		who:     make([]truth.Truth, len(rules)),
		when:    make([]truth.Truth, len(rules)),
	}
	for i := range rules {
		e.by[i] = r.matchPrincipal(rules[i].statement)
		e.who[i] = e.by[i].And(rules[i].resource)
		if e.who[i] != truth.No && !rules[i].perAction {
			e.when[i] = e.conditions(&rules[i])
		}
	}
	return e
}

// conditions says whether all conditions of a rule hold.
func (e *evaluator) conditions(r *rule) truth.Truth {
	out := truth.Yes
	for i := range r.tests {
		out = out.And(r.tests[i].holds(e.request))
	}
	return out
}

// match says whether a rule is about the request for an action.
func (e *evaluator) match(i int, action string) truth.Truth {
	r := &e.rules[i]
	m := e.who[i]
	if m == truth.No {
		return truth.No
	}
	if m = m.And(r.matchAction(action)); m == truth.No {
		return truth.No
	}
	when := e.when[i]
	if r.perAction {
		e.action = action
		when = e.conditions(r)
	}
	return m.And(when)
}

// decide judges one action, in lower case. others are requesters whose Deny is
// the requester's as well.
func (e *evaluator) decide(action string, others ...*evaluator) decision {
	var d decision
	allow, deny := truth.No, truth.No
	for i := range e.rules {
		m := e.match(i, action)
		switch {
		case m == truth.No:
		case e.rules[i].deny:
			deny = deny.Or(m)
			d.denies = append(d.denies, hit{&e.rules[i], m, e.requester})
		default:
			allow = allow.Or(m)
			d.allows = append(d.allows, hit{&e.rules[i], m, e.requester})
		}
	}
	for _, other := range others {
		for i := range other.rules {
			if !other.rules[i].deny {
				continue
			}
			if m := other.match(i, action); m != truth.No {
				deny = deny.Or(m)
				d.denies = append(d.denies, hit{&other.rules[i], m, other.requester})
			}
		}
	}
	d.allowed = allow.And(deny.Not())
	return d
}

// retime moves the evaluator to another time.
func (e *evaluator) retime(in setting) {
	e.setting = in
	for i := range e.rules {
		if e.rules[i].timed && !e.rules[i].perAction && e.who[i] != truth.No {
			e.when[i] = e.conditions(&e.rules[i])
		}
	}
}
