package gcpkms

import (
	"slices"
	"strings"

	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// ban is a deny rule as far as one subject is concerned.
type ban struct {
	barrier   *barrier
	rule      *prohibition
	condition *expression
	who       truth.Truth // the subject is among the denied and not excepted
}

// bansFor lists the deny rules that may hit a subject.
func (c *court) bansFor(s subject) []ban {
	var out []ban
	for i := range c.file.barriers {
		b := &c.file.barriers[i]
		for j := range b.rules {
			rule := &b.rules[j]
			if who := c.hits(rule, s); who != truth.No {
				out = append(out, ban{barrier: b, rule: rule, condition: c.expression(rule.Condition), who: who})
			}
		}
	}
	return out
}

// hits says whether a rule's principals are the subject's.
//
// Source: https://cloud.google.com/iam/docs/deny-overview#structure-deny-rule
func (c *court) hits(rule *prohibition, s subject) truth.Truth {
	if rule.unread {
		return truth.Unknown
	}
	denied, excepted := truth.No, truth.No
	for _, p := range rule.DeniedPrincipals {
		denied = denied.Or(s.hitBy(p, c.project))
	}
	for _, p := range rule.ExceptionPrincipals {
		excepted = excepted.Or(s.hitBy(p, c.project))
	}
	return denied.And(excepted.Not())
}

// forbids says whether the rule is about a permission.
func (p *prohibition) forbids(permission string) truth.Truth {
	if p.unread {
		return truth.Unknown
	}
	is := func(pattern string) bool { return covered(pattern, permission) }
	return truth.Known(slices.ContainsFunc(p.DeniedPermissions, is) && !slices.ContainsFunc(p.ExceptionPermissions, is))
}

// covered says whether a deny policy's form of a permission, such as
// cloudkms.googleapis.com/cryptoKeys.get or a group of permissions such as
// cloudkms.googleapis.com/cryptoKeys.*, …/*.get and …/*.*, is a permission.
//
// Source: https://cloud.google.com/iam/docs/deny-permissions-support
func covered(pattern, permission string) bool {
	if pattern == permission {
		return true
	}
	of, rest, ok := strings.Cut(pattern, "/")
	name, known := strings.CutPrefix(permission, "cloudkms.")
	if !ok || !known || of != service {
		return false
	}
	resource, verb, _ := strings.Cut(name, ".")
	r, v, dotted := strings.Cut(rest, ".")
	if !dotted {
		return rest == "*"
	}
	return (r == "*" || r == resource) && (v == "*" || v == verb)
}

// applies says whether the rule denies a permission now. Its condition may turn
// on tags alone, so that only one which turns on nothing is decided here. A rule
// whose condition can't be evaluated applies; but what can't be evaluated here
// may well be so by IAM.
//
// Source: https://cloud.google.com/iam/docs/conditions-overview#deny-policies
func (b ban) applies(permission string) truth.Truth {
	return b.who.And(b.rule.forbids(permission)).And(b.condition.holds(facts{tagged: true}))
}

// onlyConfluent says that the rule names nobody but Confluent's group: nobody
// writes one by mistake.
func (c *court) onlyConfluent(rule *prohibition) bool {
	for _, p := range rule.DeniedPrincipals {
		if address, ok := strings.CutPrefix(p, denyGroup); !ok || !wording.Same(address, c.group.address) {
			return false
		}
	}
	return len(rule.DeniedPrincipals) > 0
}
