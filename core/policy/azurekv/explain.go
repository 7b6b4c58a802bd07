package azurekv

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// Reasons are for a person who is on call, tired, and has the policy open in
// another window. They are one clause without a full stop; assignments and
// entries count from 0, as in the evidence and the JSON.

// called names a subject for people.
func (b *brief) called() string {
	if b.subject.own {
		return "the watchdog, " + wording.Abridge(b.subject.id, 80)
	}
	return "Confluent's service principal, " + wording.Abridge(b.subject.id, 80)
}

// roleName is how people know the role of an assignment.
func (c *court) roleName(a *assignment) string {
	name := a.RoleName
	if r, ok := c.file.role(a.role); ok && r.Name != "" {
		name = r.Name
	}
	if name == "" {
		name = "role " + a.role
	}
	return wording.Abridge(name, 120)
}

// label names an assignment: where it stands in its list, and where it was made.
func (c *court) label(g gift) string {
	through := ""
	if g.roster.of != "" && g.item.principal != g.roster.of {
		through = " to group " + wording.Abridge(g.item.PrincipalID, 80)
	}
	return fmt.Sprintf("assignment %d%s on %s", g.item.index, through, c.file.placeOf(g.item.Scope))
}

func (x ban) label(c *court) string {
	name := ""
	if x.item.Name != "" {
		name = fmt.Sprintf(" %q", wording.Abridge(x.item.Name, 120))
	}
	return fmt.Sprintf("deny assignment %d%s on %s", x.item.index, name, c.file.placeOf(x.item.Scope))
}

func (p *accessPolicy) label() string { return fmt.Sprintf("access policy %d", p.index) }

func (c *court) whyMet(given []gift, entries []*accessPolicy, a ask) string {
	if len(entries) > 0 {
		return entries[0].label() + " lists " + c.listedAs(entries[0], a)
	}
	g := given[0]
	reason := c.label(g) + " gives it by " + c.roleName(g.item)
	if g.condition != nil {
		reason += ", under the condition " + g.condition.quoted() + ", which holds now"
	}
	return reason
}

// listedAs is the word of an access policy that gives an action.
func (c *court) listedAs(p *accessPolicy, a ask) string {
	if w := policyWord(a); slices.Contains(p.Keys, w) {
		return w
	}
	return "all"
}

// quoted is how people recognise a condition.
func (c *condition) quoted() string {
	return fmt.Sprintf("%q", wording.Abridge(strings.Join(strings.Fields(c.text), " "), 160))
}

func (c *court) whyDenied(denied []ban, b *brief) (reason, remedy string) {
	x := denied[0]
	reason = x.label(c) + " denies it"
	if slices.ContainsFunc(x.item.Principals, func(p principal) bool { return p.id == everyone }) {
		reason += " to everybody"
	}
	if n := len(denied) - 1; n == 1 {
		reason += ", and another one denies it too"
	} else if n > 1 {
		reason += fmt.Sprintf(", and %d others deny it too", n)
	}
	if !b.subject.own && c.onlyConfluent(x.item) {
		return reason + "; it names nobody but Confluent", "remove it, or, if it is meant, record it with byokwatch revoke"
	}
	return reason, b.spare()
}

// spare is what a person does about a deny assignment: Azure makes them for
// deployment stacks and managed applications, and only those can change them.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/deny-assignments#how-deny-assignments-are-created
func (b *brief) spare() string {
	return "exclude " + b.subject.id + " where the deny assignment comes from: the deny settings of a deployment stack, or a managed application"
}

// whyOpen tells what left a decision open.
func (c *court) whyOpen(maybe []gift, open []ban, entries []*accessPolicy, b *brief, asks []ask) (reason, remedy string) {
	switch {
	case len(open) > 0:
		return c.whyOpenBan(open[0], b) + more(len(open)+len(maybe)-1), b.spare()
	case len(entries) > 0:
		return "whether " + entries[0].label() + " counts can't be told: it, or the vault, does not tell its tenant", "give the vault's description as a whole"
	case len(maybe) == 0:
		return "what is assigned to " + b.called() + " can't be read: " + b.unread, ""
	}
	g := maybe[0]
	rest := more(len(maybe) - 1)
	switch {
	case g.who == truth.Unknown:
		return "whether " + c.label(g) + " is about " + b.called() + " can't be told: it is to " + wording.Abridge(g.item.PrincipalID, 80) + ", which may be a group that holds it" + rest,
			"assign the role to the service principal itself, or let Azure say who is in the group: byokwatch check with the key's configuration"
	case c.role(g.item.role) == nil:
		return c.whyUnknownRole(g, rest)
	case g.condition.turns(c.facts(asks[0])) != "":
		return "whether " + c.label(g) + " gives it by " + c.roleName(g.item) + " can't be told: its condition " + g.condition.quoted() + " " + g.condition.turns(c.facts(asks[0])) + rest,
			b.unconditioned()
	}
	return "whether " + c.label(g) + " gives it by " + c.roleName(g.item) + " can't be told: the role itself has a condition that can't be decided, or that is not shown" + rest, ""
}

// whyUnknownRole: only a GUID goes into the command.
func (c *court) whyUnknownRole(g gift, rest string) (reason, remedy string) {
	guid := "GUID"
	if guidGrammar.MatchString(g.item.role) {
		guid = g.item.role
	}
	if why, ok := c.file.hidden[g.item.role]; ok {
		return "whether " + c.label(g) + " gives it can't be told: the definition of " + c.roleName(g.item) + " can't be read (" + wording.Abridge(why, 160) + ")" + rest,
			"let whoever looks read role definitions (" + rightRoles + ")"
	}
	return "whether " + c.label(g) + " gives it can't be told: the definition of " + c.roleName(g.item) + " is not given" + rest,
		"give the role's definition (az role definition list --name " + guid + ")"
}

func more(n int) string {
	if n > 0 {
		return fmt.Sprintf(" (and %d more like it)", n)
	}
	return ""
}

func (c *court) whyOpenBan(x ban, b *brief) string {
	if x.who == truth.Unknown {
		return "whether " + x.label(c) + " denies it to " + b.called() + " can't be told: it names " + wording.Abridge(b.nearest(x.item), 80) + ", which may be a group that holds it"
	}
	if slices.ContainsFunc(x.item.Permissions, func(p permission) bool { return p.Condition != "" }) {
		return "whether " + x.label(c) + " denies it can't be told: it has a condition"
	}
	return "whether " + x.label(c) + " denies it can't be told: it does not apply to child scopes, and nobody says whether a key is one"
}

// nearest is the principal of a deny assignment that left open whom it hits.
func (b *brief) nearest(d *denial) string {
	for _, p := range slices.Concat(d.Principals, d.Excluded) {
		if b.is(p) == truth.Unknown || p.id == everyone {
			return p.id
		}
	}
	return ""
}

// turns says why a condition could not be decided; "" if it is.
func (c *condition) turns(f facts) string {
	switch {
	case c == nil || c.holds(f) != truth.Unknown:
		return ""
	case c.err != nil:
		return "is not understood: " + c.err.Error()
	case len(c.dates) > 0 && f.timeless:
		return fmt.Sprintf("turns on the time, and the conditions name more than %d dates", maxDates)
	case len(c.dates) > 0 && f.at.IsZero():
		return "turns on the time, and when this is judged is not known"
	}
	return "turns on what is not known of a request"
}

// ended says since when a condition does not hold, if a date that it names made
// it so.
func (c *condition) ended(f facts) string {
	var last time.Time
	for _, date := range c.dates {
		if !date.After(f.at) && date.After(last) {
			last = date
		}
	}
	if last.IsZero() {
		return ""
	}
	before := f
	if before.at = last.Add(-time.Nanosecond); c.holds(before) == truth.Yes {
		return ": it ended at " + last.UTC().Format(time.RFC3339)
	}
	return ""
}

// assign is what to assign to have a permission: for Confluent, the role that it
// asks for.
func (b *brief) assign(permission string) string {
	for _, r := range confluent.AzureRoles() {
		if !b.subject.own && slices.Contains(r.Permissions, permission) {
			return "assign " + r.Name + " to " + b.subject.id + " at the vault"
		}
	}
	return "assign a role that has it to " + b.subject.id + " at the vault"
}
