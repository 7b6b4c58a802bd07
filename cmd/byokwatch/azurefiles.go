package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/pattern"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/strict"
)

// Grammars of what names a vault, a key and a principal on Azure, once in lower
// case: Azure compares all of them without regard to case.
// Sources: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftkeyvault,
// https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers
var (
	guidForm    = pattern.New(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	vaultForm   = pattern.New(`^/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourcegroups/[\pL\pN_().-]{0,89}[\pL\pN_()-]/providers/microsoft\.keyvault/vaults/[a-z][a-z0-9-]{1,22}[a-z0-9]$`)
	keyNameForm = pattern.New(`^[a-z0-9-]{1,127}$`)
)

// isGUID knows an object ID, in whatever case.
func isGUID(id string) bool { return guidForm.MatchString(strings.ToLower(id)) }

// azureKey is the key that the flags describe.
func (f checkFlags) azureKey() (core.Key, error) {
	vault, name := strings.TrimSuffix(strings.ToLower(f.vault), "/"), strings.ToLower(f.key)
	k := core.Key{Cloud: core.Azure, Vault: vault, ID: vault + "/keys/" + name, Mode: core.Observe, Restore: core.Patch,
		Needs: core.Confluent{Tenant: strings.ToLower(f.tenant), Cluster: f.cluster}}
	if err := f.only(core.Azure, "--principal"); err != nil {
		return k, err
	}
	if len(f.principals) == 1 {
		k.Needs.Principal = strings.ToLower(f.principals[0])
	}
	switch {
	case f.vault == "":
		return k, errors.New("--vault is missing: give the ARM ID of the key's vault (az keyvault show --name VAULT --query id --output tsv)")
	case !vaultForm.MatchString(vault):
		return k, fmt.Errorf("--vault %q is not the ARM ID of a vault: /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/NAME", f.vault)
	case f.key == "":
		return k, errors.New("--key is missing: give the key's name in its vault")
	case !keyNameForm.MatchString(name):
		return k, fmt.Errorf("--key %q is not the name of a key: for Azure give its name in the vault, without URL and version", f.key)
	case len(f.principals) == 0:
		return k, errors.New("--principal is missing: give the object ID of Confluent's service principal in your tenant (az ad sp show --id APPLICATION-ID --query id --output tsv)")
	case len(f.principals) > 1:
		return k, errors.New("--principal is given more than once: on Azure Confluent has one service principal for a key")
	case !isGUID(k.Needs.Principal):
		return k, fmt.Errorf("--principal %q is not an object ID (a GUID)", f.principals[0])
	case f.tenant != "" && !isGUID(f.tenant):
		return k, fmt.Errorf("--tenant %q is not the ID of a tenant (a GUID)", f.tenant)
	case f.cluster != "" && f.cluster != confluent.AzureDedicated && f.cluster != confluent.AzureEnterprise:
		return k, fmt.Errorf("--cluster %q: want %s or %s", f.cluster, confluent.AzureDedicated, confluent.AzureEnterprise)
	}
	return k, nil
}

// single are the kinds of document of which a key has one. The others are lists,
// which add up.
var single = map[core.Kind]string{
	core.Vault: "the vault", core.VaultKey: "the key", core.VaultKeyVersions: "the versions of the key",
}

// gatherAzure makes one policy of all files. Lists of role assignments, role
// definitions and deny assignments add up. az prints them without saying what
// they are about, so each is called by its file's name, by which evidence finds
// its way back. Where no key is asked about, they stay without a name.
func gatherAzure(files []file, k core.Key) (core.Policy, core.Key, error) {
	var p core.Policy
	from := map[core.Ref]string{}
	for _, f := range files {
		for i := range f.docs {
			d := &f.docs[i]
			if err := aboutVaultKey(f.name, *d, k); err != nil {
				return nil, k, err
			}
			if d.ID == "" && k.ID != "" {
				d.ID = azurekv.FromFile + f.name
			}
			ref, what := d.Ref(), single[d.Kind]
			if what != "" {
				ref.ID = ""
			}
			switch first := from[ref]; {
			case first == f.name:
				return nil, k, fmt.Errorf("%s is given twice", f.name)
			case first != "" && what != "":
				return nil, k, fmt.Errorf("%s and %s both describe %s: there is one", first, f.name, what)
			case first != "":
				return nil, k, fmt.Errorf("%s and %s both hold the document %s of %s: there is one", first, f.name, d.Kind, d.ID)
			}
			from[ref] = f.name
			p = append(p, *d)
		}
	}
	_, assigned := p.Find(core.RoleAssignments)
	_, vault := p.Find(core.Vault)
	switch {
	case !assigned && !vault:
		return nil, k, errors.New("none of the files is a list of role assignments, or a vault with access policies: save one with az role assignment list --scope VAULT-ID --include-inherited, or az keyvault show --name VAULT")
	case !assigned && k.ID != "" && azurekv.RBAC(k, p):
		return nil, k, errors.New("the vault uses Azure RBAC, and none of the files is a list of role assignments: save one with az role assignment list --scope VAULT-ID --include-inherited")
	}
	return p, k, nil
}

// aboutVaultKey refuses a document of another key or vault, and one that could
// not be read and decides. Without a key anything goes.
func aboutVaultKey(name string, d core.Document, k core.Key) error {
	if d.Unreadable != "" && (k.ID == "" || decidesAzure(k, d)) {
		return fmt.Errorf("%s holds no %s, for it could not be read: %s", name, d.Kind, d.Unreadable)
	}
	if k.ID == "" || d.ID == "" || strings.HasPrefix(d.ID, azurekv.FromFile) {
		return nil
	}
	id, want := d.ID, k.ID
	switch d.Kind {
	case core.Vault:
		want = k.Vault
	case core.VaultKey, core.VaultKeyVersions:
	case core.RoleAssignments:
		id, _, _ = strings.Cut(d.ID, "?")
	default:
		return nil
	}
	if id != want {
		return fmt.Errorf("%s is about %s, not about %s", name, id, want)
	}
	return nil
}

// decidesAzure says that without a document nothing can be said about Confluent's
// access: the vault, the key, its versions, and what is assigned to Confluent.
func decidesAzure(k core.Key, d core.Document) bool {
	switch d.Kind {
	case core.Vault, core.VaultKey, core.VaultKeyVersions:
		return true
	case core.RoleAssignments:
		return d.ID == core.AssignedTo(k.ID, k.Needs.Principal)
	}
	return false
}

// policyAzure is what people think of as the policy: by the vault's permission
// model what is assigned to Confluent, or the vault with its access policies.
func policyAzure(k core.Key, p core.Policy) (core.Document, bool) {
	for _, d := range p {
		if azurekv.RBAC(k, p) && d.ID == core.AssignedTo(k.ID, k.Needs.Principal) || !azurekv.RBAC(k, p) && d.Kind == core.Vault {
			return d, true
		}
	}
	return core.Document{}, false
}

// hintsAzure are hints about what az prints.
func hintsAzure(p core.Policy, k core.Key, j core.Judgement, _ core.State) []string {
	lists := 0
	for _, d := range p {
		if d.Kind == core.RoleAssignments {
			lists++
		}
	}
	ungiven := slices.ContainsFunc(j.Findings, func(f core.Finding) bool {
		return f.Aspect == core.Access && f.Severity == core.Critical && f.Result == core.Missing &&
			!slices.ContainsFunc(f.Evidence, func(e core.Evidence) bool { return e.Kind == core.DenyAssignments })
	})
	if lists == 1 && ungiven && azurekv.RBAC(k, p) {
		return []string{"hint      access may also come from above the vault: az role assignment list --scope VAULT-ID --include-inherited lists that, too"}
	}
	return nil
}

// recogniseAzure is azurekv.RecogniseAll that also takes an empty list, which is
// what az prints where nobody is assigned anything. Of what else it might be a
// list makes no difference: it gives nothing, and takes nothing away.
func recogniseAzure(data []byte) ([]core.Document, error) {
	var list struct {
		Value []json.RawMessage `json:"value"`
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	bare := strict.Unmarshal(text, &list.Value) == nil
	if (bare || strict.Unmarshal(text, &list) == nil) && list.Value != nil && len(list.Value) == 0 {
		return []core.Document{{Kind: core.RoleAssignments, Text: string(text)}}, nil
	}
	return azurekv.RecogniseAll(data)
}
