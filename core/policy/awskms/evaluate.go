package awskms

import (
	"strings"

	"byokwatch/core"
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
	action    []string // lower case; of Action or NotAction
	resource  truth    // whether the statement is about this key
	tests     []test
	timed     bool // a test turns on the time
	perAction bool // a test turns on the action

	digest core.Digest // of the clause, once somebody asked for it
	only   truth       // onlyConfluent, once somebody asked for it
}

// compile prepares the statements that can have an effect on the key.
func compile(p policy, in setting) []rule {
	rules := make([]rule, 0, len(p.Statements))
	for i := range p.Statements {
		s := &p.Statements[i]
		r := rule{statement: s, deny: s.Effect == "Deny"}
		for _, list := range [][]string{s.Action, s.NotAction} {
			for _, a := range list {
				r.action = append(r.action, lower(a))
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
func (r *rule) matchAction(action string) truth {
	switch {
	case r.Action != nil:
		return r.lists(action)
	case len(r.NotAction) > 0:
		return r.lists(action).not()
	case r.NotAction != nil:
		return unknown
	}
	return no
}

func (r *rule) lists(action string) truth {
	out := no
	for _, a := range r.action {
		if !globString(a, action) {
			continue
		}
		if service, _, ok := strings.Cut(a, ":"); a != "*" && (!ok || strings.ContainsAny(service, "*?")) {
			if a != "*:*" {
				out = unknown // IAM has no such patterns
				continue
			}
		}
		return yes
	}
	return out
}

// matchResource says whether a statement is about the key. In a key policy "*"
// means this key, and hardly any statement says anything else.
//
// Sources: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func matchResource(s *statement, in setting, language string) truth {
	if s.NotResource != nil {
		return unknown
	}
	out := no
	for _, text := range s.Resource {
		switch {
		case text == "*" || in.keyARN != "" && text == in.keyARN:
			return yes
		case in.key.service == "", language == version2012 && strings.Contains(text, "${"):
			out = unknown
		default:
			out = out.or(matchKey(globOf(text), in.keyARN))
		}
	}
	return out
}

// matchKey matches a pattern against the key's ARN. A * stays within its part
// of the ARN; only as the last character may it go beyond.
func matchKey(p pattern, key string) truth {
	if !p.match(key) {
		return no
	}
	_, segments := operator{family: arnFamily}.patterns(p)
	if p[len(p)-1] == anyRunes || compareARN(segments, value{text: key}) == yes {
		return yes
	}
	return unknown
}

// hit is a rule that takes part in a decision.
type hit struct {
	rule  *rule
	match truth // yes or unknown
	as    requester
}

// decision is what the policy says about one request.
type decision struct {
	allowed truth
	allows  []hit
	denies  []hit // of the requester and of those who act for it
}

// evaluator judges all requests of one requester at one time. What does not
// turn on the action is decided once.
type evaluator struct {
	request
	rules []rule
	by    []truth // principal, by rule
	who   []truth // principal and resource, by rule
	when  []truth // conditions, by rule, for rules that are not perAction
}

func newEvaluator(rules []rule, in setting, r requester) *evaluator {
	e := &evaluator{
		request: request{setting: in, requester: r},
		rules:   rules,
		by:      make([]truth, len(rules)),
		who:     make([]truth, len(rules)),
		when:    make([]truth, len(rules)),
	}
	for i := range rules {
		e.by[i] = r.matchPrincipal(rules[i].statement)
		e.who[i] = e.by[i].and(rules[i].resource)
		if e.who[i] != no && !rules[i].perAction {
			e.when[i] = e.conditions(&rules[i])
		}
	}
	return e
}

// conditions says whether all conditions of a rule hold.
func (e *evaluator) conditions(r *rule) truth {
	out := yes
	for i := range r.tests {
		out = out.and(r.tests[i].holds(e.request))
	}
	return out
}

// match says whether a rule is about the request for an action.
func (e *evaluator) match(i int, action string) truth {
	r := &e.rules[i]
	m := e.who[i]
	if m == no {
		return no
	}
	if m = m.and(r.matchAction(action)); m == no {
		return no
	}
	when := e.when[i]
	if r.perAction {
		e.action = action
		when = e.conditions(r)
	}
	return m.and(when)
}

// decide judges one action, in lower case. others are requesters whose Deny is
// the requester's as well.
func (e *evaluator) decide(action string, others ...*evaluator) decision {
	var d decision
	allow, deny := no, no
	for i := range e.rules {
		m := e.match(i, action)
		switch {
		case m == no:
		case e.rules[i].deny:
			deny = deny.or(m)
			d.denies = append(d.denies, hit{&e.rules[i], m, e.requester})
		default:
			allow = allow.or(m)
			d.allows = append(d.allows, hit{&e.rules[i], m, e.requester})
		}
	}
	for _, other := range others {
		for i := range other.rules {
			if !other.rules[i].deny {
				continue
			}
			if m := other.match(i, action); m != no {
				deny = deny.or(m)
				d.denies = append(d.denies, hit{&other.rules[i], m, other.requester})
			}
		}
	}
	d.allowed = allow.and(deny.not())
	return d
}

// retime moves the evaluator to another time.
func (e *evaluator) retime(in setting) {
	e.setting = in
	for i := range e.rules {
		if e.rules[i].timed && !e.rules[i].perAction && e.who[i] != no {
			e.when[i] = e.conditions(&e.rules[i])
		}
	}
}
