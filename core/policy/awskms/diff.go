package awskms

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// Trim is what a snapshot keeps of an AWS key: all of it. A key policy stands
// on this key alone, so nobody else's data comes with it, and only the whole
// policy can be put back by hand.
func Trim(p core.Policy, _ core.Question) core.Policy { return p.With() }

// Diff lists what changes between two policies by what they mean: statements
// are compared by who they let do what, so that reordering, reformatting,
// splitting or renaming a statement is at most a change of wording. What goes
// comes before what is new, allows before denies.
func Diff(from, to core.Policy) []core.Difference {
	was, errFrom := parsed(from)
	is, errTo := parsed(to)
	if errFrom != nil || errTo != nil {
		return append(unreadable(errFrom, errTo), diffState(from, to)...)
	}
	names := spellings(was, is)
	out := slices.Concat(
		names.differences(core.Withdraws, "no longer allows", was.allows(), is.allows()),
		names.differences(core.Admits, "allows", is.allows(), was.allows()),
		names.differences(core.LosesDeny, "no longer denies", was.effect("Deny"), is.effect("Deny")),
		names.differences(core.Forbids, "denies", is.effect("Deny"), was.effect("Deny")),
	)
	if len(out) == 0 && canonical(was, "aws") != canonical(is, "aws") {
		out = append(out, core.Difference{Change: core.Other, Text: "only the wording differs: Id, Version, the names of statements, or how they are divided"})
	}
	return append(out, diffState(from, to)...)
}

func unreadable(from, to error) []core.Difference {
	var out []core.Difference
	if from != nil {
		out = append(out, core.Difference{Change: core.Other, Text: "what was there before can't be compared: " + from.Error()})
	}
	if to != nil {
		out = append(out, core.Difference{Change: core.Other, Text: "what is there now can't be compared: " + to.Error()})
	}
	return out
}

// names is how actions, operators and condition keys were spelled, by the form
// in which they are compared.
type names map[string]string

func spellings(policies ...policy) names {
	out := names{}
	add := func(folded, as string) {
		if out[folded] == "" {
			out[folded] = as
		}
	}
	for _, p := range policies {
		for _, s := range p.Statements {
			for _, a := range slices.Concat(s.Action, s.NotAction) {
				add(wording.Lower(a), a)
			}
			for _, c := range s.Conditions {
				add(wording.Lower(c.Operator), c.Operator)
				add(canonicalKey(c.Key), c.Key)
			}
		}
	}
	return out
}

// differences lists what here says and there does not, one line for each
// principal and condition, with all of its actions.
func (n names) differences(kind core.DifferenceKind, verb string, here, there []clause) []core.Difference {
	type group struct {
		clause
		actions []string
		rest    string
	}
	groups := map[string]*group{}
	var order []string
	for _, c := range here {
		if c.withinAny(there) {
			continue
		}
		rest := n.narrower(kind, c, there)
		id := fmt.Sprintf("%q %t %q %t %q %q", c.who.text, c.who.except, c.on.text, c.on.except, c.when, rest)
		if groups[id] == nil {
			groups[id] = &group{clause: c, rest: rest}
			order = append(order, id)
		}
		groups[id].actions = appendNew(groups[id].actions, n.action(c.what))
	}
	slices.Sort(order)
	var out []core.Difference
	for _, id := range order {
		g := groups[id]
		slices.Sort(g.actions)
		d := core.Difference{Change: kind, Text: fmt.Sprintf("%s %s to %s%s%s%s", verb, strings.Join(g.actions, ", "), g.who.person(), g.scope(), n.terms(g.when), g.rest)}
		if kind == core.Admits {
			d.Principal = g.who.person()
		}
		out = append(out, d)
	}
	return out
}

// narrower tells the clauses of the other side that say the same under more
// conditions: what is left of a clause, or what it came from.
func (n names) narrower(kind core.DifferenceKind, c clause, there []clause) string {
	intro := "; before, only"
	if kind == core.Withdraws || kind == core.LosesDeny {
		intro = "; still does"
	}
	out := ""
	for _, o := range there {
		if o.who == c.who && o.what == c.what && o.on == c.on && conditionsWithin(o.when, c.when) {
			out += intro + n.terms(o.when)
		}
	}
	return out
}

func (n names) action(t term) string {
	switch {
	case t.except:
		return "everything but " + t.members()
	case n[t.text] != "":
		return n[t.text]
	}
	return t.text
}

// person is a principal as people write it.
func (t term) person() string {
	switch {
	case t.except:
		return "everybody but " + strings.ReplaceAll(t.members(), "AWS ", "")
	case t == everyone:
		return "everybody"
	}
	id := strings.TrimPrefix(t.text, "AWS ")
	if isAccount(id) {
		return "account " + id
	}
	return id
}

// members is the readable form of joined.
func (t term) members() string {
	return strings.TrimSuffix(strings.TrimPrefix(t.text, `["", `), "]")
}

// scope tells resources other than the key as a whole.
func (c clause) scope() string {
	switch {
	case c.on.except:
		return " on everything but " + c.on.members()
	case c.on.text == joined([]string{"*"}):
		return ""
	}
	return " on " + c.on.members()
}

// terms tells the conditions.
func (n names) terms(when []condition) string {
	if len(when) == 0 {
		return ""
	}
	parts := make([]string, len(when))
	for i, w := range when {
		parts[i] = fmt.Sprintf("%s is %s %s", n[w.Key], n[w.Operator], strings.Join(w.Values, ", "))
	}
	slices.Sort(parts)
	return " where " + strings.Join(parts, " and ")
}

// diffState tells a change of the key itself.
func diffState(from, to core.Policy) []core.Difference {
	was, errFrom := readMetadata(from)
	is, errTo := readMetadata(to)
	if errFrom != nil || errTo != nil || was.canonical() == is.canonical() {
		return nil
	}
	return []core.Difference{{Change: core.Other, Text: fmt.Sprintf("the key was %s and is %s", was.state(), is.state())}}
}

func (m metadata) state() string {
	return fmt.Sprintf("%s (%s, %s)", m.KeyState, m.spec(), m.KeyUsage)
}
