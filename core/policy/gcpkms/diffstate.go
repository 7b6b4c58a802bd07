package gcpkms

import (
	"fmt"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/compare"
	"byokwatch/core/rawjson"
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
	policies, err := rawjson.ReadList(text)
	if err != nil {
		return nil, err
	}
	var out []denial
	for _, e := range policies.Elements {
		policy, err := rawjson.ReadObject(e.Value)
		if err != nil {
			return nil, err
		}
		rules, err := rawjson.ReadList(policy.Get("rules"))
		if err != nil {
			continue // without rules
		}
		name := rawjson.Unquote(policy.Get("name"))
		for _, r := range rules.Elements {
			rule, err := rawjson.ReadObject(r.Value)
			if err != nil {
				return nil, err
			}
			deny, err := rawjson.ReadObject(rule.Get("denyRule"))
			if err != nil {
				continue
			}
			out = append(out, denial{name, deny.String(), fmt.Sprintf("%s: %s to %s%s", name[strings.LastIndexByte(name, '/')+1:],
				strings.Join(texts(deny.Get("deniedPermissions")), ", "), strings.Join(texts(deny.Get("deniedPrincipals")), ", "), exceptions(deny))})
		}
	}
	return out, nil
}

func exceptions(deny rawjson.Object) string {
	out := ""
	if l := texts(deny.Get("exceptionPermissions")); len(l) > 0 {
		out += ", but not " + strings.Join(l, ", ")
	}
	if l := texts(deny.Get("exceptionPrincipals")); len(l) > 0 {
		out += ", but not to " + strings.Join(l, ", ")
	}
	if o, err := rawjson.ReadObject(deny.Get("denialCondition")); err == nil {
		out += " where " + rawjson.Unquote(o.Get("expression"))
	}
	return out
}

// texts lists the strings of a JSON array.
func texts(list string) []string {
	l, err := rawjson.ReadList(list)
	if err != nil {
		return nil
	}
	out := make([]string, len(l.Elements))
	for i, e := range l.Elements {
		out[i] = rawjson.Unquote(e.Value)
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
		if d.name == o.name && rawjson.Same(d.rule, o.rule) {
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
			out = append(out, compare.Other("version %s is new and %s", r.number, r.state))
		case before != r.state:
			out = append(out, compare.Other("version %s was %s and is %s", r.number, before, r.state))
		}
		delete(states, r.number)
	}
	for _, r := range was {
		if _, gone := states[r.number]; gone {
			out = append(out, compare.Other("version %s, which was %s, is no longer listed", r.number, r.state))
		}
	}
	return out, nil
}

// diffKeys tells a change of the primary version and of the mark by which an
// owner revokes a key.
func diffKeys(was, is string) ([]core.Difference, error) {
	before, err := rawjson.ReadObject(was)
	if err != nil {
		return nil, err
	}
	after, err := rawjson.ReadObject(is)
	if err != nil {
		return nil, err
	}
	var out []core.Difference
	if a, b := primaryOf(before), primaryOf(after); a != b {
		out = append(out, compare.Other("the primary version was %s and is %s", a, b))
	}
	a, marked := labelsOf(before)[revocationLabel]
	b, marks := labelsOf(after)[revocationLabel]
	switch {
	case marked && !marks:
		out = append(out, compare.Other("the label %s=%s is gone", revocationLabel, a))
	case marks && (!marked || a != b):
		out = append(out, compare.Other("the label %s=%s is set", revocationLabel, b))
	}
	return out, nil
}

func primaryOf(key rawjson.Object) string {
	o, err := rawjson.ReadObject(key.Get("primary"))
	if err != nil {
		return "none"
	}
	name := rawjson.Unquote(o.Get("name"))
	return name[strings.LastIndexByte(name, '/')+1:]
}

// labelsOf lists the labels of a key.
func labelsOf(key rawjson.Object) map[string]string {
	out := map[string]string{}
	o, err := rawjson.ReadObject(key.Get("labels"))
	if err != nil {
		return out
	}
	for _, m := range o.Members {
		out[rawjson.Unquote(m.Name)] = rawjson.Unquote(m.Value)
	}
	return out
}
