package azurekv

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// digest is the digest of what reaches Confluent: the permission model and, by
// that, each assignment to its principal that gives something needed, with its
// condition, and each deny assignment that may take it, or its access policies;
// the firewall, key and versions; the owner's mark. Names of assignments, dates of
// writing, order, case, and everybody else's access are not in it, so that it
// changes only when something does that matters here. In a vault with access
// policies roles decide nothing that Kafka needs, and are not in it either.
func (c *court) digest() core.Digest {
	b := c.confluent
	lines := c.file.stateLines()
	if c.file.rbac() {
		for _, g := range b.gifts {
			if c.matters(g) {
				lines = append(lines, c.canonicalGift(g, b))
			}
		}
		for _, x := range b.bans {
			if c.takes(x) {
				lines = append(lines, c.canonicalBan(x, b))
			}
		}
	} else {
		for _, p := range b.policies {
			if c.policyWords(p) != "" {
				lines = append(lines, c.canonicalPolicy(p))
			}
		}
	}
	slices.Sort(lines)
	return core.DigestOf(strings.Join(slices.Compact(lines), "\n"))
}

// matters says that an assignment can give Confluent anything needed. A custom
// role counts even if it gives nothing: it may be one that was gutted.
func (c *court) matters(g gift) bool {
	if _, ok := builtin(g.item.role); !ok && g.onKey {
		return true
	}
	return slices.ContainsFunc(needed(), func(a ask) bool {
		return (a.onKey && g.onKey || g.onVault) && c.roleGives(g.item.role, a) != truth.No
	})
}

// asked leaves out requests that role assignments do not decide here.
func (c *court) asked(asks []ask) []ask {
	if c.file.rbac() {
		return asks
	}
	return slices.DeleteFunc(slices.Clone(asks), func(a ask) bool { return a.data })
}

// asksOf is all that is ever asked of a subject and that role assignments decide.
func (c *court) asksOf(b *brief) []ask {
	if !b.subject.own {
		return c.asked(needed())
	}
	var out []ask
	for _, right := range []string{rightVaultRead, rightKeyRead, rightListKeys, rightAssigned, rightRoles, rightDenied, rightAssign, rightPolicies, rightVaultWrite, rightKeyUpdate} {
		out = append(out, c.rightAsks(right)...)
	}
	return c.asked(out)
}

// canonicalGift is one spelling for all that give the same: where, by which role
// with which of the actions that are asked of the subject, under which condition.
func (c *court) canonicalGift(g gift, b *brief) string {
	to := ""
	if g.item.principal != b.subject.id {
		to = " through " + strconv.Quote(g.item.principal)
	}
	return "allow " + strconv.Quote(strings.TrimRight(g.item.scope, "/")) + " " + c.canonicalRole(g.item.role, b) + to + c.canonicalCondition(g.item.Condition, g.item.ConditionVersion)
}

// canonicalRole is a role and what it gives of what is asked of a subject; a ?
// where nobody knows, and the condition under which it does.
func (c *court) canonicalRole(guid string, b *brief) string {
	d := c.role(guid)
	if d == nil {
		return strconv.Quote(guid) + " [?]"
	}
	out := &d.spelling
	if b.subject.own {
		out = &d.ownSpelling
	}
	if *out == "" {
		*out = strconv.Quote(guid) + " [" + c.given(d, c.asksOf(b)) + "]"
	}
	return *out
}

// given lists which of some requests a role is about.
func (c *court) given(d *definition, asks []ask) string {
	var words []string
	for i := range d.Permissions {
		for _, a := range asks {
			if d.Permissions[i].covers(a) {
				words = append(words, spell(a)+c.canonicalCondition(d.Permissions[i].Condition, d.Permissions[i].ConditionVersion))
			}
		}
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

func spell(a ask) string {
	if a.data {
		return "data:" + a.action
	}
	return a.action
}

// canonicalBan is what a deny assignment says of a subject. Of its principals
// only those count that may be the subject.
func (c *court) canonicalBan(x ban, b *brief) string {
	var words []string
	for _, a := range c.asksOf(b) {
		if is := c.covers(x.item, a).And(x.item.takes(a)); is != truth.No {
			words = append(words, fmt.Sprintf("%s:%d", spell(a), is))
		}
	}
	for i := range x.item.Permissions {
		if p := &x.item.Permissions[i]; p.Condition != "" {
			words = append(words, c.canonicalCondition(p.Condition, p.ConditionVersion))
		}
	}
	slices.Sort(words)
	near := func(list []principal) string {
		var out []string
		for _, p := range list {
			switch b.is(p) {
			case truth.Yes:
				out = append(out, strconv.Quote(p.id))
			case truth.Unknown:
				out = append(out, strconv.Quote(p.id)+"?")
			case truth.No:
			}
		}
		slices.Sort(out)
		return strings.Join(slices.Compact(out), ",")
	}
	only := ""
	if x.item.ScopeOnly {
		only = " only"
	}
	return "deny " + strconv.Quote(x.item.scope) + only + " [" + strings.Join(slices.Compact(words), " ") + "] to [" + near(x.item.Principals) + "] but [" + near(x.item.Excluded) + "]"
}

// takes says that a deny assignment may take something needed.
func (c *court) takes(x ban) bool {
	return slices.ContainsFunc(needed(), func(a ask) bool { return c.applies(x, a) != truth.No })
}

// canonicalPolicy is what an access policy gives of what is asked for.
func (c *court) canonicalPolicy(p *accessPolicy) string {
	out := "policy " + strconv.Quote(p.object) + " [" + c.policyWords(p) + "]"
	switch c.tenantOf(p) {
	case truth.No:
		out += " of another tenant"
	case truth.Unknown:
		out += " of some tenant"
	case truth.Yes:
	}
	if p.ApplicationID != "" {
		out += " on behalf"
	}
	return out
}

// policyWords lists what an entry has of what is asked for.
func (c *court) policyWords(p *accessPolicy) string {
	var words []string
	for _, w := range []string{"get", "unwrapkey", "wrapkey", "update"} {
		if p.lists(w) && (w != "update" || p.object == c.self.subject.id) {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// canonicalCondition is one spelling for a condition; it is worked out once for
// each.
func (c *court) canonicalCondition(text, version string) string {
	x := c.condition(text, version)
	if x == nil {
		return ""
	}
	if x.spelling == "" {
		x.spelling = " where " + strconv.Quote(squeezed(text))
		if version != "" && version != "2.0" {
			x.spelling += " in " + strconv.Quote(version)
		}
	}
	return x.spelling
}

// stateLines say what vault, key and versions are, in one spelling for both forms
// in which Azure prints them.
func (f *file) stateLines() []string {
	var out []string
	if v := f.vault; v != nil {
		out = append(out, fmt.Sprintf("vault rbac=%t deleted=%t purge=%t tenant=%q", v.RBAC, v.Deleted, v.Purge, wording.Lower(v.TenantID)), v.canonicalNetwork())
		if v.marks(lastSegment(f.key)) {
			out = append(out, fmt.Sprintf("revoked %q", v.marker()))
		}
	}
	if k := f.item; k != nil {
		operations := foldAll(slices.Clone(k.Operations))
		slices.Sort(operations)
		out = append(out, fmt.Sprintf("key gone=%t type=%q operations=%q current=%s enabled=%t from=%d until=%d", k.Gone, wording.Lower(k.Type), slices.Compact(operations), k.number, k.Enabled, k.Starts, k.Ends))
	}
	if f.versions != nil {
		for _, v := range f.versions.list {
			out = append(out, fmt.Sprintf("version %s enabled=%t", v.number, v.Enabled))
		}
	}
	return out
}
