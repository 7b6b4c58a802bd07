package azurekv

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// settleNothing says why nothing gives a permission, by what came closest.
func (c *court) settleNothing(f *core.Finding, b *brief, asks []ask) {
	if asks[0].data && !c.file.rbac() {
		c.noPolicy(f, b, asks[0])
		return
	}
	f.Reason = "nothing is assigned to " + b.called() + ", that gives it"
	f.Remedy = b.assign(f.Permission)
	if !b.given {
		f.Reason = "no role assignment was given"
	}
	a := c.firstRefused(b, asks)
	best := 0
	for _, g := range b.gifts {
		if g.who != truth.Yes {
			continue
		}
		rank, reason, remedy := c.short(g, b, a, f.Permission)
		if rank <= best {
			continue
		}
		best, f.Reason = rank, reason
		if remedy != "" {
			f.Remedy = remedy
		}
		f.Evidence = slices.Concat(c.evidence([]gift{g}, nil, b), c.roleEvidence(g.item.role, b))
	}
	c.wrongModel(f, b, a, best)
}

// firstRefused is the first of several requests that is not allowed.
func (c *court) firstRefused(b *brief, asks []ask) ask {
	for _, a := range asks {
		if c.decide(b, a).allowed == truth.No {
			return a
		}
	}
	return asks[0]
}

// wrongModel tells of an access policy that would give what is missing, where
// the vault ignores them: somebody switched it to Azure RBAC, and assigned too
// little.
func (c *court) wrongModel(f *core.Finding, b *brief, a ask, best int) {
	if !a.data || best > 2 {
		return
	}
	for _, p := range b.policies {
		if c.policyGives(p, a) == truth.Yes {
			f.Reason = "the vault uses Azure RBAC, so " + p.label() + ", which lists " + c.listedAs(p, a) + ", does not count"
			f.Remedy = b.assign(f.Permission) + ", or switch the vault to access policies"
			f.Evidence = append(f.Evidence, c.policyEvidence([]*accessPolicy{p})...)
			return
		}
	}
}

// short says what an assignment to the subject lacks to give an action; the
// higher the rank, the nearer it is.
func (c *court) short(g gift, b *brief, a ask, permission string) (rank int, reason, remedy string) {
	d := c.role(g.item.role)
	has := c.roleGives(g.item.role, a)
	away := a.onKey && !g.onKey || !a.onKey && !g.onVault
	switch {
	case away && has != truth.No && g.onKey:
		return 3, c.label(g) + " gives it by " + c.roleName(g.item) + " on the key alone; it is needed on the vault", ""
	case away && has != truth.No:
		return 2, c.label(g) + " gives it by " + c.roleName(g.item) + ", but not on this key: its scope is neither the vault nor above it", ""
	case away:
		return 0, "", ""
	case has != truth.No:
		return 6, c.label(g) + " gives it by " + c.roleName(g.item) + " only under the condition " + g.condition.quoted() + ", which does not hold" + g.condition.ended(c.facts(a)),
			b.unconditioned()
	case d.gone:
		return 5, c.label(g) + " gives " + c.roleName(g.item) + ", which is deleted, so that it has no effect", b.assign(permission)
	case c.conditioned(d, a):
		return 4, c.label(g) + " gives it by " + c.roleName(g.item) + ", which has a condition of its own that does not hold", b.unconditioned()
	case d.Custom:
		return 4, c.label(g) + " gives " + c.roleName(g.item) + ", a custom role that does not include it", "add " + permission + " to the role's " + kindOf(a)
	case a.data && d.covers(ask{action: a.action}):
		return 3, c.label(g) + " gives " + c.roleName(g.item) + ", which manages vaults and gives no data actions", ""
	}
	return 1, c.label(g) + " gives only " + c.roleName(g.item) + ", which does not include it", ""
}

// unconditioned is what to do about a condition that does not hold.
func (b *brief) unconditioned() string {
	if b.subject.own {
		return "let the condition allow what the watchdog needs: to assign Confluent's two roles to Confluent's principal"
	}
	return "assign the role without a condition, as Confluent asks"
}

// kindOf is the list of a role's definition that an action belongs to.
func kindOf(a ask) string {
	if a.data {
		return "dataActions"
	}
	return "actions"
}

// covers says that a role is about an action, whatever its conditions say.
func (d *definition) covers(a ask) bool {
	return slices.ContainsFunc(d.Permissions, func(p permission) bool { return p.covers(a) })
}

// conditioned says that a role has an action but for its own condition.
func (c *court) conditioned(d *definition, a ask) bool {
	return d.covers(a) && c.roleGives(d.ID, a) == truth.No
}

// noPolicy says why no access policy gives a permission.
func (c *court) noPolicy(f *core.Finding, b *brief, a ask) {
	word := policyWord(a)
	f.Reason = "the vault's access policies do not name " + b.called()
	f.Remedy = "add " + wordOf(f.Permission) + " for " + b.subject.id + " to the vault's access policies"
	best := 0
	for _, p := range b.policies {
		rank, reason := 1, p.label()+" does not list "+word
		switch {
		case p.lists(word) && p.ApplicationID != "":
			rank, reason = 2, p.label()+" is for application "+wording.Abridge(p.ApplicationID, 80)+" on behalf of the principal, which is not how Confluent calls"
		case p.lists(word):
			rank, reason = 3, p.label()+" is of tenant "+wording.Abridge(p.TenantID, 80)+", not of the vault's"
		}
		if rank > best {
			best, f.Reason = rank, reason
			f.Evidence = c.policyEvidence([]*accessPolicy{p})
		}
	}
	if best > 0 {
		return
	}
	rbac := ask{action: a.action, onKey: true, data: true}
	for _, g := range b.gifts {
		if g.who == truth.Yes && c.gives(g, rbac) == truth.Yes {
			f.Reason = "the vault uses access policies, so " + c.label(g) + ", which gives it by " + c.roleName(g.item) + ", does not count, and no access policy names " + b.called()
			f.Remedy += ", or switch the vault to Azure RBAC"
			f.Evidence = c.evidence([]gift{g}, nil, b)
			return
		}
	}
}

// wordOf is what access policies call a permission, as it is written there.
func wordOf(permission string) string {
	if word := confluent.AzureKeyPermission(permission); word != "" {
		return word
	}
	return "update"
}
