package gcpkms

import (
	"slices"
	"strconv"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// digest is the digest of what reaches Confluent: each binding of its group, or
// of everybody, that gives something needed, with its condition; each deny rule
// that may take it; the versions' states, the primary version, and the owner's
// mark. Etags, the order and case of members, and everybody else's bindings are
// not in it, so that it changes only when something does that matters here.
func (c *court) digest() core.Digest {
	b := c.brief(c.group)
	var lines []string
	for i := range b.gifts {
		if line := c.canonicalGift(&b.gifts[i], true); line != "" {
			lines = append(lines, line)
		}
	}
	for i := range b.bans {
		if line := c.canonicalBan(&b.bans[i], b.subject); line != "" {
			lines = append(lines, line)
		}
	}
	if c.file.versions != nil {
		for _, v := range c.file.versions.list {
			lines = append(lines, "version "+v.number+" "+strconv.Quote(v.State))
		}
	}
	if k := c.file.key; k != nil {
		lines = append(lines, "key "+strconv.Quote(k.Purpose))
		if k.Primary != nil {
			lines = append(lines, "primary "+k.Primary.number+" "+strconv.Quote(k.Primary.State))
		}
		if k.marked {
			lines = append(lines, "revoked "+strconv.Quote(k.marker))
		}
	}
	slices.Sort(lines)
	return core.DigestOf(strings.Join(slices.Compact(lines), "\n"))
}

// canonicalGift is one spelling for all that give the same: where, by which
// role with which of the needed permissions, to whom, under which condition. It
// is "" for a predefined role that gives nothing needed; a custom one that gives
// nothing may be one that died. Words are the condition's title and
// description, by which people know it and which decide nothing.
func (c *court) canonicalGift(g *gift, words bool) string {
	role, some := c.canonicalRole(g.binding.Role)
	if !some && !custom(g.binding.Role) {
		return ""
	}
	return "allow " + strconv.Quote(g.level.doc.ID) + " " + role + " to " + strconv.Quote(wording.Lower(named(c.group, g.binding.Members))) + canonicalClause(g.binding.Condition, words)
}

// canonicalRole is a role and what it gives of the needed permissions; a ?
// where nobody knows.
func (c *court) canonicalRole(role string) (string, bool) {
	out, some := strconv.Quote(role)+" [", false
	for _, p := range needed() {
		switch c.file.gives(role, p, c.project) {
		case truth.Yes:
			out, some = out+p+" ", true
		case truth.Unknown:
			out, some = out+p+"? ", true
		case truth.No:
		}
	}
	return out + "]", some
}

// canonicalBan is what a deny rule says of a subject; "" if of nothing needed.
// Of its principals only those count that may be the subject.
func (c *court) canonicalBan(b *ban, s subject) string {
	if b.rule.unread {
		return "deny " + strconv.Quote(b.barrier.doc.ID) + " " + strconv.Quote(b.rule.Policy) + " not read"
	}
	var permissions []string
	for _, p := range c.concerns(s) {
		if b.rule.forbids(p) != truth.No {
			permissions = append(permissions, p)
		}
	}
	if len(permissions) == 0 {
		return ""
	}
	near := func(list []string) string {
		var out []string
		for _, p := range list {
			if s.hitBy(p, c.project) != truth.No {
				out = append(out, strconv.Quote(wording.Lower(p)))
			}
		}
		slices.Sort(out)
		return strings.Join(slices.Compact(out), ",")
	}
	return "deny " + strconv.Quote(b.barrier.doc.ID) + " [" + strings.Join(permissions, " ") + "] to [" + near(b.rule.DeniedPrincipals) + "] but [" + near(b.rule.ExceptionPrincipals) + "]" + canonicalClause(b.rule.Condition, false)
}

// concerns lists the permissions that are asked of a subject.
func (c *court) concerns(s subject) []string {
	if s.account {
		return []string{rightGet, rightGetPolicy, rightList, rightSetPolicy, rightUpdate}
	}
	return needed()
}

func canonicalClause(of *clause, words bool) string {
	if of == nil {
		return ""
	}
	out := " where " + strconv.Quote(squeezed(of.Expression))
	if words {
		out += " called " + strconv.Quote(of.Title) + " " + strconv.Quote(of.Description)
	}
	return out
}

// squeezed folds the space of an expression that stands outside its texts. An
// expression with comments, escapes or triple quotes stays as it is: what is text
// and what is not takes more than this to tell.
func squeezed(expression string) string {
	if strings.ContainsRune(expression, '\\') || strings.Contains(expression, `"""`) || strings.Contains(expression, `'''`) {
		return expression
	}
	var b strings.Builder
	quote, space := byte(0), false
	for i := range len(expression) {
		ch := expression[i]
		switch {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case strings.HasPrefix(expression[i:], "//"):
			return expression
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r':
			space = b.Len() > 0
			continue
		case ch == '"' || ch == '\'':
			quote = ch
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteByte(ch)
	}
	return b.String()
}
