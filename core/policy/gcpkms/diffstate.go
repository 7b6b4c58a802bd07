package gcpkms

import (
	"fmt"
	"strings"

	"byokwatch/core"
)

// denial is one rule of a deny policy, and how people read about it.
type denial struct{ name, rule, text string }

// denials lists the rules of a project's, folder's or organisation's deny
// policies.
// Source: https://cloud.google.com/iam/docs/reference/rest/v2/policies
func denials(text string) ([]denial, error) {
	if text == "" {
		return nil, nil
	}
	policies, err := readList(text)
	if err != nil {
		return nil, err
	}
	var out []denial
	for _, e := range policies.elements {
		policy, err := readObject(e.value)
		if err != nil {
			return nil, err
		}
		rules, err := readList(policy.get("rules"))
		if err != nil {
			continue // without rules
		}
		name := unquote(policy.get("name"))
		for _, r := range rules.elements {
			rule, err := readObject(r.value)
			if err != nil {
				return nil, err
			}
			deny, err := readObject(rule.get("denyRule"))
			if err != nil {
				continue
			}
			out = append(out, denial{name, deny.String(), fmt.Sprintf("%s: %s to %s%s", name[strings.LastIndexByte(name, '/')+1:],
				strings.Join(texts(deny.get("deniedPermissions")), ", "), strings.Join(texts(deny.get("deniedPrincipals")), ", "), exceptions(deny))})
		}
	}
	return out, nil
}

func exceptions(deny jsonObject) string {
	out := ""
	if l := texts(deny.get("exceptionPermissions")); len(l) > 0 {
		out += ", but not " + strings.Join(l, ", ")
	}
	if l := texts(deny.get("exceptionPrincipals")); len(l) > 0 {
		out += ", but not to " + strings.Join(l, ", ")
	}
	if o, err := readObject(deny.get("denialCondition")); err == nil {
		out += " where " + unquote(o.get("expression"))
	}
	return out
}

// texts lists the strings of a JSON array.
func texts(list string) []string {
	l, err := readList(list)
	if err != nil {
		return nil
	}
	out := make([]string, len(l.elements))
	for i, e := range l.elements {
		out[i] = unquote(e.value)
	}
	return out
}

func diffDenies(level, was, is string) ([]core.Difference, error) {
	before, err := denials(was)
	if err != nil {
		return nil, err
	}
	after, err := denials(is)
	if err != nil {
		return nil, err
	}
	tell := func(kind core.DifferenceKind, verb string, list, there []denial) []core.Difference {
		var out []core.Difference
		for _, d := range list {
			if !d.among(there) {
				out = append(out, core.Difference{Change: kind, Text: fmt.Sprintf("%s %s by deny policy %s", level, verb, d.text)})
			}
		}
		return out
	}
	return append(tell(core.LosesDeny, "no longer denies", before, after), tell(core.Forbids, "denies", after, before)...), nil
}

func (d denial) among(list []denial) bool {
	for _, o := range list {
		if d.name == o.name && sameJSON(d.rule, o.rule) {
			return true
		}
	}
	return false
}

// diffVersions tells what became of each version of the key.
func diffVersions(key string, from, to core.Policy) ([]core.Difference, error) {
	was, _, err := rowsOf(from, key)
	if err != nil {
		return nil, err
	}
	is, _, err := rowsOf(to, key)
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, r := range was {
		states[r.number] = r.state
	}
	var out []core.Difference
	for _, r := range is {
		switch before, known := states[r.number]; {
		case !known:
			out = append(out, other("version %s is new and %s", r.number, r.state))
		case before != r.state:
			out = append(out, other("version %s was %s and is %s", r.number, before, r.state))
		}
		delete(states, r.number)
	}
	for _, r := range was {
		if _, gone := states[r.number]; gone {
			out = append(out, other("version %s, which was %s, is no longer listed", r.number, r.state))
		}
	}
	return out, nil
}

// diffKeys tells a change of the primary version and of the mark by which an
// owner revokes a key.
func diffKeys(was, is string) ([]core.Difference, error) {
	before, err := readObject(was)
	if err != nil {
		return nil, err
	}
	after, err := readObject(is)
	if err != nil {
		return nil, err
	}
	var out []core.Difference
	if a, b := primaryOf(before), primaryOf(after); a != b {
		out = append(out, other("the primary version was %s and is %s", a, b))
	}
	a, marked := labelsOf(before)[revocationLabel]
	b, marks := labelsOf(after)[revocationLabel]
	switch {
	case marked && !marks:
		out = append(out, other("the label %s=%s is gone", revocationLabel, a))
	case marks && (!marked || a != b):
		out = append(out, other("the label %s=%s is set", revocationLabel, b))
	}
	return out, nil
}

func primaryOf(key jsonObject) string {
	o, err := readObject(key.get("primary"))
	if err != nil {
		return "none"
	}
	name := unquote(o.get("name"))
	return name[strings.LastIndexByte(name, '/')+1:]
}

// labelsOf lists the labels of a key.
func labelsOf(key jsonObject) map[string]string {
	out := map[string]string{}
	o, err := readObject(key.get("labels"))
	if err != nil {
		return out
	}
	for _, m := range o.members {
		out[unquote(m.name)] = unquote(m.value)
	}
	return out
}
