package azurekv

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// open says that the vault's firewall lets everybody in, and passes that it lets
// Azure's own services in. A perimeter's rules stand elsewhere and override both.
//
// Sources: https://learn.microsoft.com/azure/key-vault/general/network-security,
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get#networkruleset
func (v *vault) open() truth.Truth {
	switch public := wording.Lower(v.Public); {
	case public == "disabled":
		return truth.No
	case public != "" && public != "enabled":
		return truth.Unknown
	case v.Rules == nil:
		return truth.Yes
	}
	switch wording.Lower(v.Rules.DefaultAction) {
	case "", "allow":
		return truth.Yes
	case "deny":
		return truth.No
	}
	return truth.Unknown
}

func (v *vault) passes() truth.Truth {
	switch public := wording.Lower(v.Public); {
	case public != "" && public != "enabled" && public != "disabled":
		return truth.Unknown
	case v.Rules == nil:
		return v.open().Or(truth.Unknown) // with public access off, nothing tells who passes all the same
	}
	bypass := strings.FieldsFunc(wording.Lower(v.Rules.Bypass), func(c rune) bool { return c == ',' || c == ' ' })
	switch {
	case len(bypass) == 0, slices.Contains(bypass, "azureservices"): // what is not specified is AzureServices
		return truth.Yes
	case slices.Equal(bypass, []string{"none"}):
		return truth.No
	}
	return truth.Unknown
}

// network answers whether the vault lets in a cluster of the key's kind.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-azure.html
func (f *file) network(out *core.Finding, cluster string) {
	v := f.vault
	open := v.open()
	trusted := open.Or(v.passes())
	is, what := trusted.Agree(open), "a cluster of either kind" // the kind is not known
	switch cluster {
	case confluent.AzureDedicated:
		is, what = trusted, "a Dedicated cluster"
	case confluent.AzureEnterprise:
		is, what = open, "an Enterprise cluster"
	}
	out.Evidence = f.vaultEvidence(v.canonicalNetwork())
	if public := wording.Lower(v.Public); v.Rules != nil && (public == "" || public == "enabled") {
		out.Evidence[0].Start, out.Evidence[0].End = v.Rules.start, v.Rules.end
	}
	switch is {
	case truth.Yes:
		out.Result, out.Reason = core.Met, "the vault's firewall lets in "+what+": "+v.firewall()
	case truth.No:
		out.Result, out.Reason = core.Missing, "the vault's firewall keeps out "+what+": "+v.firewall()
		out.Remedy = "allow public access from all networks"
		if cluster == confluent.AzureDedicated {
			out.Remedy = "allow trusted Microsoft services to bypass this firewall, or public access from all networks"
		}
	case truth.Unknown:
		out.Reason = "whether the vault's firewall lets in " + what + " can't be told: " + v.firewall()
		if cluster == "" && open != truth.Unknown && trusted != truth.Unknown {
			out.Reason = "the vault's firewall lets in a Dedicated cluster, not an Enterprise one, and of which kind the cluster is, is not given: " + v.firewall()
			out.Remedy = "say which kind of cluster uses the key (--cluster dedicated or enterprise)"
		}
	}
}

// firewall says in words what stands in the vault.
func (v *vault) firewall() string {
	switch public := wording.Lower(v.Public); {
	case public == "securedbyperimeter":
		return "a network security perimeter decides, whose rules do not stand in the vault"
	case public == "disabled" && v.Rules == nil:
		return "public access is disabled, and no rules say who may bypass that"
	case public == "disabled" && v.passes() == truth.Yes:
		return "public access is disabled, but trusted Microsoft services pass"
	case public == "disabled":
		return "public access is disabled, and trusted Microsoft services do not pass"
	case public != "" && public != "enabled":
		return "public access is " + wording.Abridge(v.Public, 40) + ", of which nothing is known"
	case v.open() == truth.Yes:
		return "all networks pass"
	case v.open() == truth.No && v.passes() == truth.Yes:
		return "it denies by default, but trusted Microsoft services pass"
	case v.open() == truth.No:
		return "it denies by default, and trusted Microsoft services do not pass"
	}
	return "its default action is " + wording.Abridge(v.Rules.DefaultAction, 40) + ", of which nothing is known"
}

// canonicalNetwork is one spelling for all firewalls that let in the same, but
// for single addresses.
func (v *vault) canonicalNetwork() string {
	return fmt.Sprintf("network open=%d trusted=%d", v.open(), v.passes())
}
