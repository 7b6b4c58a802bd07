package gcpkms

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// longest is how many characters of a reason or remedy are shown: it may hold
// text of a policy.
const longest = 600

// Reasons are for a person who is on call, tired, and has the policy open in
// another window. They are one clause without a full stop; bindings and rules
// count from 0, as in the evidence and the JSON.

func (g *gift) label() string {
	return fmt.Sprintf("binding %d on %s", g.binding.index, g.level.label)
}

func (g *gift) role() string { return wording.Abridge(g.binding.Role, 120) }

func (b *ban) label() string {
	name := ""
	if b.rule.Policy != "" {
		name = " of " + wording.Abridge(b.rule.Policy, 80)
	}
	return fmt.Sprintf("deny rule %d%s on %s", b.rule.index, name, b.barrier.label)
}

func (c *court) whyMet(given []gift, s subject) (reason, remedy string) {
	best := slices.IndexFunc(given, func(g gift) bool { return !strings.HasPrefix(named(s, g.binding.Members), "all") })
	g := &given[max(best, 0)]
	reason = g.label() + " gives it by " + g.role()
	switch named(s, g.binding.Members) {
	case "allUsers":
		return reason + " to everybody on the internet (allUsers)", "name " + s.member() + " in the place of allUsers"
	case "allAuthenticatedUsers":
		return reason + " to everybody with a Google account (allAuthenticatedUsers)", "name " + s.member() + " in the place of allAuthenticatedUsers"
	}
	if g.condition != nil {
		reason += ", under the condition " + g.condition.named() + ", which holds now"
	}
	return reason, ""
}

// named is how people know a condition.
func (x *expression) named() string {
	if x.clause.Title != "" {
		return fmt.Sprintf("%q", wording.Abridge(x.clause.Title, 80))
	}
	return fmt.Sprintf("%q", wording.Abridge(x.clause.Expression, 160))
}

func (c *court) whyDenied(denied []ban, s subject) (reason, remedy string) {
	b := &denied[0]
	reason = b.label() + " denies it"
	if slices.Contains(b.rule.DeniedPrincipals, denyEveryone) {
		reason += " to everybody"
	}
	if n := len(denied) - 1; n == 1 {
		reason += ", and another rule denies it too"
	} else if n > 1 {
		reason += fmt.Sprintf(", and %d other rules deny it too", n)
	}
	if !s.account && c.onlyConfluent(b.rule) {
		return reason + "; it names nobody but Confluent", "remove the rule, or, if it is meant, record it with byokwatch revoke"
	}
	return reason, s.spare()
}

// spare is what a person does about a deny rule. Deny policies are edited with
// a role of their own, which is given on an organisation only.
//
// Source: https://cloud.google.com/iam/docs/deny-access#required-roles
func (s subject) spare() string {
	return "add " + s.exempt() + " to the rule's exceptionPrincipals; that takes roles/iam.denyAdmin on the organisation"
}

// exempt is what a deny policy calls the subject.
func (s subject) exempt() string {
	if s.account {
		return denyAccount + s.address
	}
	return denyGroup + s.address
}

// settleNothing says why no binding gives a permission, by the one that came
// closest.
func (c *court) settleNothing(f *core.Finding, b *brief) {
	f.Reason = "no binding gives it to " + b.subject.member() + " on the key or above it, as far as can be read"
	f.Remedy = bind(f.Permission, b.subject)
	best := 0
	for i := range b.gifts {
		g := &b.gifts[i]
		rank, reason, remedy := c.short(g, f.Permission, b.subject)
		if g.who != truth.Yes || rank <= best {
			continue
		}
		best, f.Reason, f.Remedy = rank, reason, remedy
		f.Evidence = c.evidence([]gift{*g}, nil, b.subject)
		f.Evidence = append(f.Evidence, c.roleEvidence(g.binding.Role)...)
	}
	if best < 2 && !b.subject.account {
		c.dead(f)
	}
}

// short says what a binding that names the subject lacks to give a permission;
// the higher the rank, the nearer it is.
func (c *court) short(g *gift, permission string, s subject) (rank int, reason, remedy string) {
	holds := g.condition.holds(c.facts(permission))
	d, defined := c.file.roles[g.binding.Role]
	switch {
	case c.file.gives(g.binding.Role, permission, c.project) != truth.No && holds == truth.No:
		reason, remedy = c.whyNotNow(g, permission)
		return 4, reason, remedy
	case defined && d.Deleted:
		return 3, g.label() + " gives " + g.role() + ", which is deleted, so the binding has no effect",
			"undelete the role within 7 days of its deletion, or bind the predefined roles that Confluent documents"
	case defined && d.Stage == disabledRole:
		return 3, g.label() + " gives " + g.role() + ", which is disabled, so the binding has no effect", "set the role's stage to GA again"
	case defined && custom(g.binding.Role):
		return 2, g.label() + " gives " + g.role() + ", which does not include it", "add " + permission + " to the role"
	}
	return 1, g.label() + " gives only " + g.role() + ", which does not include it", bind(permission, s)
}

// bind is what to bind to have a permission: for Confluent, the role that it
// documents.
func bind(permission string, s subject) string {
	role := "a role that has it"
	for _, r := range confluent.GCPRoles() {
		if !s.account && slices.Contains(r.Permissions, permission) {
			role = r.Name
		}
	}
	return "bind " + role + " to " + s.member() + " on the key"
}

// whyNotNow tells of a condition that does not hold, and since when.
func (c *court) whyNotNow(g *gift, permission string) (reason, remedy string) {
	reason = g.label() + " gives it by " + g.role() + " only under the condition " + g.condition.named() + ", which does not hold"
	var last time.Time
	g.condition.compile()
	for _, date := range g.condition.dates {
		if !date.After(c.at) && date.After(last) {
			last = date
		}
	}
	if !last.IsZero() {
		before := c.facts(permission)
		if before.at = last.Add(-time.Nanosecond); g.condition.holds(before) == truth.Yes {
			reason += ": it ended at " + last.UTC().Format(time.RFC3339)
		}
	}
	return reason, "bind the role without a condition, as Confluent asks, or with one that holds"
}

// roleEvidence points at the definition of a role as a whole.
func (c *court) roleEvidence(role string) []core.Evidence {
	d, ok := c.file.roles[role]
	if !ok || d.span == 0 {
		return nil
	}
	text, _ := c.canonicalRole(role)
	return []core.Evidence{{Document: c.file.roleDocs[role].ID, Kind: core.Role, End: d.span, Clause: core.DigestOf("role " + text)}}
}

// dead looks for a binding that names the group only as deleted.
func (c *court) dead(f *core.Finding) {
	for i := range c.file.levels {
		l := &c.file.levels[i]
		for j := range l.bindings {
			b := &l.bindings[j]
			at := slices.IndexFunc(b.Members, func(m string) bool { return isDeadGroup(m, c.group.address) })
			if at < 0 || c.file.gives(b.Role, f.Permission, c.project) == truth.No {
				continue
			}
			g := gift{level: l, binding: b, who: truth.No, condition: c.expression(b.Condition)}
			f.Reason = g.label() + " gives it by " + g.role() + " to " + wording.Abridge(b.Members[at], 120) + ": IAM knows the group as deleted, so the binding has no effect"
			f.Remedy = "open a Confluent ticket: a group made anew under the same address needs a binding of its own"
			f.Evidence = c.evidence([]gift{g}, nil, c.group)
			return
		}
	}
}

// whyOpen tells what left a decision open.
func (c *court) whyOpen(maybe []gift, open []ban, permission string, s subject) (reason, remedy string) {
	if len(open) > 0 {
		b := &open[0]
		return c.whyOpenBan(b, permission, s) + more(len(open)+len(maybe)-1), s.spare()
	}
	g := &maybe[0]
	rest := more(len(maybe) - 1)
	switch holds := g.condition.holds(c.facts(permission)); {
	case c.file.gives(g.binding.Role, permission, c.project) == truth.Unknown && foreignRole(g.binding.Role, c.project):
		return g.label() + " gives " + g.role() + ", a role of another project, which IAM does not take here" + rest, "bind a role of the key's own project"
	case c.file.gives(g.binding.Role, permission, c.project) == truth.Unknown:
		if why, ok := c.file.hidden[g.binding.Role]; ok {
			return "whether " + g.label() + " gives it can't be told: the definition of " + g.role() + " can't be read (" + wording.Abridge(why, 120) + ")" + rest,
				"let whoever looks read the role (iam.roles.get)"
		}
		return "whether " + g.label() + " gives it can't be told: the definition of " + g.role() + " is not given" + rest,
			"give the role's definition (gcloud iam roles describe)"
	case holds == truth.Unknown:
		return "whether " + g.label() + " gives it by " + g.role() + " can't be told: its condition " + g.condition.named() + " " + c.turnsOn(g.condition) + rest,
			"bind the role without a condition, as Confluent asks"
	}
	return "whether " + g.label() + " is about " + s.member() + " can't be told: it names groups or sets of principals" + rest, ""
}

func more(n int) string {
	if n > 0 {
		return fmt.Sprintf(" (and %d more like it)", n)
	}
	return ""
}

func (c *court) whyOpenBan(b *ban, permission string, s subject) string {
	switch {
	case b.rule.unread:
		return "what " + b.label() + " denies can't be told: its policy is given without its rules"
	case b.who == truth.Unknown:
		return "whether " + b.label() + " denies it to " + s.member() + " can't be told: it names " + wording.Abridge(c.nearest(b.rule, s), 200) + ", which may be it or hold it"
	}
	why := "turns on tags or on what conditions of deny policies do not know"
	if b.condition.err != nil {
		why = c.turnsOn(b.condition)
	}
	return "whether " + b.label() + " denies it can't be told: its condition " + b.condition.named() + " " + why
}

// nearest is the principal of a rule that left open whom it hits.
func (c *court) nearest(rule *prohibition, s subject) string {
	for _, p := range slices.Concat(rule.DeniedPrincipals, rule.ExceptionPrincipals) {
		if s.hitBy(p, c.project) == truth.Unknown {
			return p
		}
	}
	return ""
}

// turnsOn says why a condition could not be decided.
func (c *court) turnsOn(x *expression) string {
	switch {
	case x.err != nil:
		return "is not understood: " + x.err.Error()
	case x.timed && !x.listed:
		return "turns on the time in a way that has no dates, so nobody can say when it ends"
	case x.timed && c.timeless:
		return fmt.Sprintf("turns on the time, and the conditions name more than %d dates", maxDates)
	case x.numbered:
		return "names a project by its number, which the key's name does not show"
	}
	return "turns on what is not known of a request, such as tags or where it comes from"
}
