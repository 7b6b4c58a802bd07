package azurekv

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

// versionOf is the version that a property is about.
func versionOf(permission string) (string, bool) {
	rest, ok := strings.CutPrefix(permission, versionPrefix)
	number, ended := strings.CutSuffix(rest, enabledSuffix)
	return number, ok && ended && versionGrammar.MatchString(number)
}

// property answers a requirement on the vault or the key. at is the moment.
func (f *file) property(need core.Requirement, k core.Key, at time.Time) core.Finding {
	out := core.Finding{Requirement: need}
	number, version := versionOf(need.Permission)
	switch {
	case version:
		f.versionState(&out, number)
	case strings.HasPrefix(need.Permission, "vault:"):
		f.vaultProperty(&out, k)
	case strings.HasPrefix(need.Permission, "key:"):
		f.keyProperty(&out, at)
	default:
		out.Reason = fmt.Sprintf("nothing is known of the property %q", need.Permission)
	}
	return out
}

func (f *file) vaultProperty(out *core.Finding, k core.Key) {
	v := f.vault
	switch {
	case v == nil:
		out.Reason = "the vault's description is not given"
	case out.Permission == vaultPurge:
		f.purge(out)
	case v.Deleted:
		out.Reason = "the vault is deleted, and what is left of it does not tell"
	case out.Permission == vaultNetwork:
		f.network(out, k.Needs.Cluster)
	case out.Permission == vaultTenant:
		f.tenant(out, k.Needs.Tenant)
	default:
		out.Reason = fmt.Sprintf("nothing is known of the property %q", out.Permission)
	}
}

// purge: Confluent asks for protection against purging; without it a deleted key
// or vault can be destroyed at once.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-azure.html
func (f *file) purge(out *core.Finding) {
	out.Evidence = f.vaultEvidence(fmt.Sprintf("purge protection %t", f.vault.Purge))
	out.Result, out.Reason = core.Met, "the vault is protected against being purged"
	if !f.vault.Purge {
		out.Result, out.Reason = core.Missing, "the vault is not protected against being purged: whoever may purge can destroy a deleted key at once"
		out.Remedy = "enable purge protection; it can't be turned off again"
	}
}

// tenant: a vault that moves to another tenant leaves all that was given on it
// behind.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/move-subscription
func (f *file) tenant(out *core.Finding, want string) {
	out.Evidence = f.vaultEvidence("tenant " + wording.Lower(f.vault.TenantID))
	switch {
	case want == "":
		out.Reason = "no tenant is configured"
	case f.vault.TenantID == "":
		out.Reason = "the vault's description does not tell its tenant"
	case wording.Same(f.vault.TenantID, want):
		out.Result, out.Reason = core.Met, "the vault is of the configured tenant"
	default:
		out.Result, out.Reason = core.Missing, "the vault is of tenant "+wording.Abridge(f.vault.TenantID, 80)+", not of the configured one: nothing that was given to Confluent there counts"
		out.Remedy = "move the vault back, or correct the configuration"
	}
}

func (f *file) keyProperty(out *core.Finding, at time.Time) {
	k := f.item
	switch {
	case f.deleted() && out.Severity == core.Critical:
		out.Result, out.Reason, out.Remedy = core.Missing, "the vault is deleted, and the key with it", recoverVault
		out.Evidence = f.vaultEvidence("vault deleted")
	case f.deleted():
		out.Reason = "the vault is deleted, and the key with it"
	case k == nil:
		out.Reason = "the key's description is not given"
	case k.Gone && out.Severity == core.Critical:
		out.Result, out.Reason, out.Remedy = core.Missing, "the vault has no such key: it was deleted", "recover the deleted key; it can be recovered until it is purged"
		out.Evidence = f.keyEvidence("key gone")
	case k.Gone:
		out.Reason = "the vault has no such key"
	case out.Permission == keyEnabled:
		f.enabled(out)
	case out.Permission == keyType:
		f.ofType(out)
	case out.Permission == keyOperations:
		f.operations(out)
	case out.Permission == keyValidity:
		f.validity(out, at)
	default:
		out.Reason = fmt.Sprintf("nothing is known of the property %q", out.Permission)
	}
}

const recoverVault = "recover the vault, then give Confluent its roles again: a recovered vault comes back without them"

// Source: https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-attributes
func (f *file) enabled(out *core.Finding) {
	k := f.item
	out.Evidence = f.keyEvidence(fmt.Sprintf("enabled %s %t", k.number, k.Enabled))
	switch {
	case !k.told:
		out.Reason = "the key's description does not tell whether it is enabled"
	case k.Enabled:
		out.Result, out.Reason = core.Met, "the key's current version is enabled"
	default:
		out.Result, out.Reason, out.Remedy = core.Missing, "the key's current version is disabled", "enable it: that takes effect at once"
	}
}

func (f *file) ofType(out *core.Finding) {
	k := f.item
	out.Evidence = f.keyEvidence("type " + wording.Lower(k.Type))
	switch {
	case k.Type == "":
		out.Reason = "the key's description does not tell its type"
	case slices.ContainsFunc(confluent.AzureKeyTypes(), func(t string) bool { return wording.Same(t, k.Type) }):
		out.Result, out.Reason = core.Met, "the key is of type "+wording.Abridge(k.Type, 40)
	default:
		out.Result, out.Reason = core.Missing, "the key is of type "+wording.Abridge(k.Type, 40)+"; Confluent takes "+strings.Join(confluent.AzureKeyTypes(), " and ")+" only"
		out.Remedy = "the type of a key can't be changed: it is not the key of a Confluent cluster"
	}
}

func (f *file) operations(out *core.Finding) {
	k := f.item
	has := foldAll(slices.Clone(k.Operations))
	var lacks []string
	for _, o := range confluent.AzureKeyOperations() {
		if !slices.Contains(has, wording.Lower(o)) {
			lacks = append(lacks, o)
		}
	}
	out.Evidence = f.keyEvidence("operations without " + strings.Join(lacks, " "))
	switch {
	case len(k.Operations) == 0:
		out.Reason = "the key's description does not tell what it may be used for"
	case len(lacks) == 0:
		out.Result, out.Reason = core.Met, "the key may be used to wrap and unwrap"
	default:
		out.Result, out.Reason = core.Missing, "the key's permitted operations lack "+strings.Join(lacks, " and ")
		out.Remedy = "permit them again, beside those that it has"
	}
}

// validity: outside its dates a key still unwraps, so that a cluster goes on
// reading; it wraps nothing new.
//
// Source: https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-attributes
func (f *file) validity(out *core.Finding, at time.Time) {
	k := f.item
	out.Evidence = f.keyEvidence(fmt.Sprintf("valid from %d until %d", k.Starts, k.Ends))
	const still = "; unwrapping still works, wrapping does not, so the cluster can't rotate or grow"
	switch {
	case at.IsZero() && (k.Starts != 0 || k.Ends != 0):
		out.Reason = "when this is judged is not known"
	case k.Starts != 0 && at.Before(time.Unix(k.Starts, 0)):
		out.Result, out.Reason = core.Missing, "the key is not valid before "+day(k.Starts)+still
		out.Remedy = "set an earlier date, or none"
	case k.Ends != 0 && !at.Before(time.Unix(k.Ends, 0)):
		out.Result, out.Reason = core.Missing, "the key expired at "+day(k.Ends)+still
		out.Remedy = "set a later date, or none"
	case k.Ends != 0:
		out.Result, out.Reason = core.Met, "the key is valid until "+day(k.Ends)
	default:
		out.Result, out.Reason = core.Met, "the key has no end"
	}
}

func day(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// versionState: what was wrapped with a version, only that version unwraps.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/byok-azure.html
func (f *file) versionState(out *core.Finding, number string) {
	switch {
	case f.deleted():
		out.Result, out.Reason, out.Remedy = core.Missing, "the vault is deleted, and the key's versions with it", recoverVault
		out.Evidence = f.vaultEvidence("vault deleted")
		return
	case f.gone():
		out.Result, out.Reason, out.Remedy = core.Missing, "the vault has no such key: it was deleted with its versions", "recover the deleted key; it can be recovered until it is purged"
		out.Evidence = f.keyEvidence("key gone")
		return
	case f.versions == nil:
		out.Reason = "the key's versions are not given"
		return
	}
	for _, v := range f.versions.list {
		if v.number != number {
			continue
		}
		out.Evidence = []core.Evidence{{Document: f.versions.doc.ID, Kind: core.VaultKeyVersions, Statement: v.index, Start: v.start, End: v.end, Clause: core.DigestOf(fmt.Sprintf("version %s %t", number, v.Enabled))}}
		out.Result, out.Reason = core.Met, "version "+number+" is enabled"
		if !v.Enabled {
			out.Result, out.Reason, out.Remedy = core.Missing, "version "+number+" is disabled", "enable it: that takes effect at once"
		}
		return
	}
	out.Result, out.Reason = core.Missing, "version "+number+" is not among the key's versions: it is gone, and with it what only it can unwrap"
	out.Remedy = "open a case with Confluent Support"
}

// unusable says that nobody can use the key's current version, whatever anybody
// may do.
func (f *file) unusable() bool { return f.item != nil && f.item.told && !f.item.Enabled }

// dying says that the key, or its vault, is deleted and waits to be purged.
func (f *file) dying() bool { return f.deleted() || f.gone() }

// ends is when the key's validity ends, zero if it has no end.
func (f *file) ends() time.Time {
	if f.item == nil || f.item.Ends == 0 {
		return time.Time{}
	}
	return time.Unix(f.item.Ends, 0).UTC()
}
