package azuretest

import (
	"fmt"
	"slices"
	"strings"
)

// question is whether somebody may do something to a resource, by Azure RBAC.
type question struct {
	who        string // object ID
	action     string
	data       bool
	resource   string // ID, in lower case
	sub        string // suboperation, for conditions
	attributes map[string]string
	// anyway asks for a right without conditions, such as the switch between a
	// vault's permission models takes
	// (https://learn.microsoft.com/azure/key-vault/general/rbac-guide).
	anyway bool
}

// decision is the answer: the assignment that gives it, or why there is none.
type decision struct {
	ok   bool
	why  string
	by   *assignment
	deny string // ID of the deny assignment that stands against it
}

// decide is the evaluation of
// https://learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource:
// one deny assignment is enough to block, one role assignment enough to allow.
// Call with the lock held.
func (c *Cloud) decide(q question) decision {
	ids := c.identities(q.who)
	if ids == nil {
		return decision{why: "nobody has the object ID " + q.who}
	}
	q.resource = fold(q.resource)
	chain := c.chain(q.resource)
	a := asked{action: q.action, sub: q.sub, attributes: q.attributes, now: c.opts.Now()}
	for _, d := range c.denies {
		if c.blocks(d, q, a, ids, chain) {
			return decision{why: "deny assignment " + d.name() + " stands against it", deny: d.id}
		}
	}
	out := decision{why: "no role assignment gives " + q.action}
	for _, e := range c.assignments {
		g := e.history.Now()
		if g == nil || !slices.Contains(ids, g.principal) || !slices.Contains(chain, fold(g.scope)) {
			continue
		}
		switch ok, why := c.gives(g, q, a); {
		case ok:
			return decision{ok: true, by: g}
		case why != "":
			out.why = why
		}
	}
	return out
}

// gives says whether an assignment allows what is asked; if it only nearly does,
// what is wrong with it.
func (c *Cloud) gives(g *assignment, q question, a asked) (bool, string) {
	r := c.role(g.role)
	if r == nil {
		return false, "the role " + g.role + " is gone"
	}
	why := fmt.Sprintf("%s on %s does not give %s", r.Name, g.scope, q.action)
	for _, p := range r.Permissions {
		if !p.covers(q.action, q.data) {
			continue
		}
		passed := true
		for _, condition := range []string{p.Condition, g.condition} {
			if condition == "" {
				continue
			}
			if q.anyway {
				passed = false
			} else if v, err := holds(condition, a); err != nil || v != yes {
				passed = false
			}
		}
		if passed {
			return true, ""
		}
		why = fmt.Sprintf("the condition of %s on %s does not hold", r.Name, g.scope)
	}
	return false, why
}

// covers says whether an element of permissions names an action.
func (p Permission) covers(action string, data bool) bool {
	in, out := p.Actions, p.NotActions
	if data {
		in, out = p.DataActions, p.NotDataActions
	}
	hit := func(pattern string) bool { return match(pattern, action) }
	return slices.ContainsFunc(in, hit) && !slices.ContainsFunc(out, hit)
}

// blocks says whether a deny assignment stands against what is asked
// (https://learn.microsoft.com/azure/role-based-access-control/deny-assignments).
// A condition that this emulator does not understand is taken to hold.
func (c *Cloud) blocks(d *deny, q question, a asked, ids, chain []string) bool {
	scope := fold(d.Scope)
	if !slices.Contains(chain, scope) || d.NotBelow && scope != chain[0] {
		return false
	}
	if d.Principals != nil && !overlap(d.Principals, ids) || overlap(d.Exclude, ids) {
		return false
	}
	for _, p := range d.Permissions {
		if !p.covers(q.action, q.data) {
			continue
		}
		if p.Condition == "" {
			return true
		}
		if v, err := holds(p.Condition, a); v != no || err != nil {
			return true
		}
	}
	return false
}

func overlap(named, ids []string) bool {
	return slices.ContainsFunc(named, func(n string) bool { return slices.Contains(ids, strings.ToLower(n)) })
}

// Can says whether somebody may now do something by way of Azure Resource
// Manager, by the newest state; if not, why.
func (c *Cloud) Can(objectID, action, resource string) (bool, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.decide(question{who: objectID, action: action, resource: resource})
	return d.ok, d.why
}

// CanData says the same of a data action on a key, a vault or a blob. On a vault
// without Azure RBAC its access policies decide. Neither the firewall nor the
// key's state counts: see Works.
func (c *Cloud) CanData(objectID, action, resource string) (bool, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := fold(resource)
	if isKey.MatchString(id) || isVault.MatchString(id) {
		vault := id
		if isKey.MatchString(id) {
			vault = up(id, 2)
		}
		v := c.vaults[vault]
		if v == nil {
			return false, "the vault does not exist"
		}
		d := c.dataDecision(v, objectID, action, policyWords[strings.ToLower(action)], id)
		return d.ok, d.why
	}
	d := c.decide(question{who: objectID, action: action, data: true, resource: resource})
	return d.ok, d.why
}
