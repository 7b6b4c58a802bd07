package azurekv

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// assumed lists what could only take access away and can't be seen, and what
// could give access and was not read. docs/semantics-azure.md tells more.
func (c *court) assumed(p core.Policy) []string {
	f := c.file
	principal := wording.Abridge(c.key.Needs.Principal, 80)
	out := []string{principal + " is Confluent's service principal, and enabled in Microsoft Entra ID"}
	switch {
	case f.vault == nil && !has(p, core.Vault):
		out = append(out, "the vault uses Azure RBAC, is of the right tenant, and its firewall lets Confluent in")
	case f.vault != nil && !f.rbac() && !f.deleted():
		out = append(out, "no group that an access policy of the vault names holds "+principal)
	}
	if f.rbac() && !f.deleted() {
		out = append(out, c.deniesAssumed(p)...)
		out = append(out, "no role assignment ends by itself, as those of Privileged Identity Management may")
	}
	if !slices.ContainsFunc(f.rosters, func(r roster) bool { return r.of == c.confluent.subject.id }) && has(p, core.RoleAssignments) {
		out = append(out, "what stands in none of the given lists of role assignments does not count")
	}
	if !has(p, core.VaultKey) {
		out = append(out, "the key is an enabled RSA key that may wrap and unwrap")
	}
	if !has(p, core.VaultKeyVersions) {
		out = append(out, "the older versions of the key are enabled")
	}
	for _, d := range f.blind {
		if d.Kind == core.RoleAssignments {
			out = append(out, called(d)+" can't be read ("+wording.Abridge(d.Unreadable, 160)+")")
		}
	}
	if c.rightsAssumed {
		out = append(out, "the watchdog has the rights that it can't see")
	}
	return out
}

// deniesAssumed says which deny assignments were not seen.
func (c *court) deniesAssumed(p core.Policy) []string {
	var out []string
	for _, d := range c.file.blind {
		if d.Kind == core.DenyAssignments {
			out = append(out, "no deny assignment takes access away: they can't be read ("+wording.Abridge(d.Unreadable, 160)+")")
		}
	}
	if len(out) == 0 && !has(p, core.DenyAssignments) {
		out = append(out, "no deny assignment takes access away")
	}
	return out
}
