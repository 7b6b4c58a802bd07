package azuretest

import (
	"net/netip"
	"slices"
	"strings"
)

// maxPolicies is the most entries that a vault has
// (https://learn.microsoft.com/azure/key-vault/general/assign-access-policy).
const maxPolicies = 1024

// keyWords are the permissions on keys
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get#keypermissions).
var keyWords = []string{"all", "backup", "create", "decrypt", "delete", "encrypt", "get", "getrotationpolicy", "import", "list", "purge", "recover",
	"release", "restore", "rotate", "setrotationpolicy", "sign", "unwrapkey", "update", "verify", "wrapkey"}

func admissiblePolicies(list []policyBody, tenant string) *Failure {
	if len(list) > maxPolicies {
		return invalid("BadRequest", "The number of access policies (%d) exceeds the maximum of %d.", len(list), maxPolicies)
	}
	var seen []string
	for _, p := range list {
		if !isGUID.MatchString(strings.ToLower(p.ObjectID)) {
			return invalid("BadRequest", "An invalid value was provided for 'accessPolicies': objectId '%s'.", p.ObjectID)
		}
		if !strings.EqualFold(p.TenantID, tenant) {
			return invalid("BadRequest", "The access policy's tenantId should match the vault's tenantId '%s'.", tenant)
		}
		for _, word := range p.Permissions.Keys {
			if !slices.Contains(keyWords, strings.ToLower(word)) {
				return invalid("BadRequest", "An invalid value was provided for 'permissions.keys': '%s'.", word)
			}
		}
		if slices.Contains(seen, p.who()) {
			return invalid("BadRequest", "An invalid value was provided for 'accessPolicies': more than one of objectId '%s'.", p.ObjectID)
		}
		seen = append(seen, p.who())
	}
	return nil
}

// who is what identifies an entry.
func (p policyBody) who() string { return strings.ToLower(p.ObjectID + "/" + p.ApplicationID) }

// editPolicies adds permissions to those of the identities that it names, puts
// others in their place, or takes some away
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy).
func editPolicies(c *Cloud, k *call) (any, *Failure) {
	if f := c.present(k.id); f != nil {
		return nil, f
	}
	kind, v := last(k.id), c.vaults[up(k.id, 2)]
	var in struct {
		ID, Name, Type, Location string
		Properties               struct {
			AccessPolicies []policyBody `json:"accessPolicies"`
		} `json:"properties"`
	}
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	next := v.now()
	if f := admissiblePolicies(in.Properties.AccessPolicies, next.tenant); f != nil {
		return nil, f
	}
	next.policies = slices.Clone(next.policies)
	for _, p := range in.Properties.AccessPolicies {
		i := slices.IndexFunc(next.policies, func(own policyBody) bool { return own.who() == p.who() })
		switch {
		case i < 0 && kind != "remove":
			next.policies = append(next.policies, p)
		case i < 0:
		case kind == "add":
			next.policies[i].Permissions = next.policies[i].Permissions.with(p.Permissions)
		case kind == "replace":
			next.policies[i] = p
		default:
			next.policies[i].Permissions = next.policies[i].Permissions.without(p.Permissions)
			if next.policies[i].Permissions.empty() {
				next.policies = slices.Delete(next.policies, i, i+1)
			}
		}
	}
	if f := admissiblePolicies(next.policies, next.tenant); f != nil {
		return nil, f
	}
	c.change(k, v, next)
	return map[string]any{"id": v.id + "/accessPolicies/", "type": "Microsoft.KeyVault/vaults/accessPolicies", "properties": map[string]any{"accessPolicies": next.policies}}, nil
}

func (s permissionSets) each(o permissionSets, edit func(own, other []string) []string) permissionSets {
	return permissionSets{edit(s.Keys, o.Keys), edit(s.Secrets, o.Secrets), edit(s.Certificates, o.Certificates), edit(s.Storage, o.Storage)}
}

func named(list []string, word string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, word) })
}

func (s permissionSets) with(o permissionSets) permissionSets {
	return s.each(o, func(own, other []string) []string {
		out := slices.Clone(own)
		for _, word := range other {
			if !named(out, word) {
				out = append(out, word)
			}
		}
		return out
	})
}

func (s permissionSets) without(o permissionSets) permissionSets {
	return s.each(o, func(own, other []string) []string {
		return slices.DeleteFunc(slices.Clone(own), func(word string) bool { return named(other, word) })
	})
}

func (s permissionSets) empty() bool {
	return len(s.Keys)+len(s.Secrets)+len(s.Certificates)+len(s.Storage) == 0
}

// permits says whether the access policies of a vault let somebody do what a
// permission on keys names. Entries of compound identities don't count: nobody
// here acts on behalf of others
// (https://learn.microsoft.com/azure/key-vault/general/security-features#access-model-overview).
func (v content) permits(ids []string, word string) decision {
	why := "no access policy is for this caller"
	for _, p := range v.policies {
		if !slices.Contains(ids, strings.ToLower(p.ObjectID)) || p.ApplicationID != "" || !strings.EqualFold(p.TenantID, v.tenant) {
			continue
		}
		if named(p.Permissions.Keys, word) || named(p.Permissions.Keys, "all") {
			return decision{ok: true}
		}
		why = "the access policy lacks " + word
	}
	return decision{why: why}
}

func (n *networkBody) admissible() *Failure {
	if n.Bypass != "" && !named([]string{"AzureServices", "None"}, n.Bypass) {
		return invalid("BadRequest", "Invalid value '%s' for networkAcls.bypass.", n.Bypass)
	}
	if n.DefaultAction != "" && !named([]string{"Allow", "Deny"}, n.DefaultAction) {
		return invalid("BadRequest", "Invalid value '%s' for networkAcls.defaultAction.", n.DefaultAction)
	}
	for _, r := range n.IPRules {
		if _, err := r.prefix(); err != nil {
			return invalid("BadRequest", "Invalid value '%s' for networkAcls.ipRules: an IPv4 address or range is needed.", r.Value)
		}
	}
	return nil
}

func (r ipRule) prefix() (netip.Prefix, error) {
	if !strings.Contains(r.Value, "/") {
		a, err := netip.ParseAddr(r.Value)
		if err != nil {
			return netip.Prefix{}, err
		}
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(r.Value)
}

// admits says whether a vault's firewall lets a caller in; if not, why
// (https://learn.microsoft.com/azure/key-vault/general/network-security). The
// rules of a perimeter can't be seen here, so none lets anybody in.
func (v content) admits(w Caller) string {
	switch {
	case strings.EqualFold(v.public, "SecuredByPerimeter"):
		return "the vault is secured by a perimeter"
	case w.Private:
		return ""
	case w.Trusted && (v.network == nil || strings.EqualFold(v.network.Bypass, "AzureServices")):
		return ""
	case strings.EqualFold(v.public, "Disabled"):
		return "public network access is disabled"
	case v.network == nil || strings.EqualFold(v.network.DefaultAction, "Allow"):
		return ""
	}
	a, err := netip.ParseAddr(w.Address)
	for _, r := range v.network.IPRules {
		if p, bad := r.prefix(); err == nil && bad == nil && p.Contains(a) {
			return ""
		}
	}
	return "client address " + w.Address + " is not authorized and caller is not a trusted service"
}
