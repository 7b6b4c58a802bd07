package azurekv

import (
	"slices"

	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// decideByPolicies evaluates a vault's access policies: an entry of the
// principal itself that lists the permission. Deny assignments do not count, nor
// do role assignments.
//
// Sources: https://learn.microsoft.com/azure/key-vault/general/assign-access-policy,
// https://learn.microsoft.com/azure/key-vault/general/authentication
func (c *court) decideByPolicies(b *brief, a ask) decision {
	var d decision
	given := truth.No
	for _, p := range b.policies {
		if is := c.policyGives(p, a); is != truth.No {
			given = given.Or(is)
			d.policies = append(d.policies, judged[*accessPolicy]{p, is})
		}
	}
	d.allowed = given
	return d
}

// policyGives says whether an entry gives a data action. One that also names an
// application is for requests by that application on behalf of a principal,
// which Confluent's are not; one of another tenant than the vault's is nobody's.
func (c *court) policyGives(p *accessPolicy, a ask) truth.Truth {
	if p.ApplicationID != "" || !p.lists(policyWord(a)) {
		return truth.No
	}
	return c.tenantOf(p)
}

// tenantOf says whether an entry is of the vault's tenant.
func (c *court) tenantOf(p *accessPolicy) truth.Truth {
	if p.TenantID == "" || c.file.vault.TenantID == "" {
		return truth.Unknown
	}
	return truth.Known(wording.Same(p.TenantID, c.file.vault.TenantID))
}

// policyWord is what access policies call a data action, folded.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/rbac-migration
func policyWord(a ask) string {
	if a.action == wording.Lower(rightKeyUpdate) {
		return "update"
	}
	for _, p := range confluent.AzurePermissions() {
		if wording.Lower(p.Name) == a.action {
			return wording.Lower(confluent.AzureKeyPermission(p.Name))
		}
	}
	return ""
}

// lists says that an entry has a permission; all stands for each.
func (p *accessPolicy) lists(word string) bool {
	return word != "" && (slices.Contains(p.Keys, word) || slices.Contains(p.Keys, "all"))
}
