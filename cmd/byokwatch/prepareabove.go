package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"byokwatch/core"
)

// On Google Cloud and Azure the watchdog's rights stand above the key, where they
// outlive what somebody does to the key. A person has to edit a key, or its vault,
// for one right alone.

// serviceAccount is the form of an account's address that enters a command:
// https://docs.cloud.google.com/iam/docs/service-account-types
var serviceAccount = regexp.MustCompile(`^[a-z0-9.-]{1,63}@[a-z0-9.-]+\.gserviceaccount\.com$`)

func (a *app) prepareGCP(f prepareFlags, k core.Key) (preparation, error) {
	self := cmp.Or(f.identity, accountSelf(a.env("BYOKWATCH_SELF")))
	if self != "" && !serviceAccount.MatchString(self) {
		return preparation{}, usagef("--identity %q is not the address of a service account", self)
	}
	p := preparation{Key: k.ID, Label: k.Label, Cloud: k.Cloud, Self: self, Remove: f.remove, Edit: "no", Commands: []string{}}
	project := strings.Split(k.ID, "/")[1]
	if f.remove {
		p.Why = []string{"The key names the watchdog nowhere: nothing is to be done on it. Its rights are bound on the project " + project + " and go with the deployment."}
	} else {
		p.Why = []string{"The deployment binds the watchdog's rights on the project " + project + ", with a condition for each key that it may write: nothing is to be done on the key."}
	}
	switch {
	case self == "":
		p.Check = []string{"# once it is deployed, with the address of its service account in BYOKWATCH_SELF:", "byokwatch check " + pasteable(k)}
	case f.remove:
		p.Check = []string{fmt.Sprintf("gcloud projects get-iam-policy %s --flatten=bindings --filter=bindings.members:%s --format='value(bindings.role)' # empty: nothing is left", project, self)}
	default:
		p.Check = selfCheck(self, k)
	}
	return p, nil
}

// prepareAzure: a role assignment above the vault gives the right to enable a key,
// but not in a vault with access policies, where only such a policy does.
//
// Sources: https://learn.microsoft.com/azure/key-vault/general/rbac-access-policy,
// https://learn.microsoft.com/rest/api/keyvault/keys/update-key/update-key,
// https://learn.microsoft.com/cli/azure/keyvault#az-keyvault-set-policy
func (a *app) prepareAzure(f prepareFlags, k core.Key) (preparation, error) {
	self := cmp.Or(f.identity, objectSelf(a.env("BYOKWATCH_SELF")))
	if self != "" && !isGUID(self) {
		return preparation{}, usagef("--identity %q is not an object ID (a GUID)", self)
	}
	p := preparation{Key: k.ID, Label: k.Label, Cloud: k.Cloud, Self: self, Remove: f.remove, Edit: "no", Commands: []string{}}
	if k.Mode != core.Enforce || k.KeyState != core.CareRestore {
		p.Why = []string{"The deployment assigns the watchdog's roles on the resource group of the vault: nothing is to be done on the key or its vault. (Only mode enforce with key_state: restore, in a vault with access policies, would ask for more.)"}
		if f.remove {
			p.Why = []string{"The roles are assigned on the resource group and go with the deployment: nothing is to be done on the key or its vault, unless key_state: restore was configured for a vault with access policies before."}
		}
		p.Check = checkAzure(self, f.remove, k)
		return p, nil
	}
	if self == "" {
		return preparation{}, usagef("--identity is missing: give the object ID of the function app's identity, which the deployment prints")
	}
	part := strings.Split(k.Vault, "/")
	vault := "--name " + part[len(part)-1] + " --subscription " + part[2]
	mode := "az keyvault show " + vault + " --query properties.enableRbacAuthorization # true: nothing is to be done"
	p.Edit = "maybe"
	p.Why = []string{"The roles are assigned above the vault. In a vault with Azure RBAC nothing is to be done on it; in one with access policies only such a policy lets the watchdog enable the key (key_state: restore), and it has the permission update alone."}
	p.Commands = []string{mode, "az keyvault set-policy " + vault + " --object-id " + self + " --key-permissions update"}
	if f.remove {
		p.Why = []string{"In a vault with access policies the policy of the identity outlives the identity: delete it. In one with Azure RBAC nothing is to be done."}
		p.Commands = []string{mode, "az keyvault delete-policy " + vault + " --object-id " + self}
	}
	p.Check = append(checkAzure(self, f.remove, k),
		"az keyvault show "+vault+" --query \"properties.accessPolicies[?objectId=='"+self+"'].permissions.keys\"")
	return p, nil
}

func checkAzure(self string, remove bool, k core.Key) []string {
	switch {
	case remove:
		return nil
	case self == "":
		return []string{"# once it is deployed, with the object ID of its identity in BYOKWATCH_SELF:", "byokwatch check " + pasteable(k)}
	}
	return selfCheck(self, k)
}
