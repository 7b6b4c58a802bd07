package keyvault

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"byokwatch/core"
	"byokwatch/core/strict"
	"byokwatch/functions/adapter"
)

// The operations, as Azure calls them
// (https://learn.microsoft.com/azure/role-based-access-control/permissions/security).
const (
	opAssign   = "Microsoft.Authorization/roleAssignments/write"
	opPolicies = "Microsoft.KeyVault/vaults/accessPolicies/write"
	opVault    = "Microsoft.KeyVault/vaults/write"
	opKey      = "Microsoft.KeyVault/vaults/keys/update/action"
	opUnassign = "Microsoft.Authorization/roleAssignments/delete"
	opTags     = "Microsoft.Resources/tags/write"
)

// Apply runs one step on one key: it assigns one of Confluent's two roles to
// Confluent at the vault, adds to Confluent's access policy, changes the vault's
// firewall, or enables a version of the key. core.ErrRejected: Azure will not
// have this from anybody. core.ErrDenied: not from us. core.ErrConflict: what the
// step was made for has changed. Any other error leaves open whether the step was
// done.
func (k *Keeper) Apply(ctx context.Context, key core.Key, s core.Step) error {
	at, err := addressOf(key)
	if err != nil {
		return err
	}
	w, err := k.arm()
	if err != nil {
		return err
	}
	j := job{k, at, w, key.Needs.Principal, s}
	switch s.Op {
	case opAssign:
		err = j.assign(ctx)
	case opPolicies:
		err = j.addPolicy(ctx)
	case opVault:
		err = j.firewall(ctx)
	case opKey:
		err = j.enable(ctx)
	default:
		err = adapter.Unsent("no such step on Azure")
	}
	return adapter.Done(s, err)
}

// job is one step under way.
type job struct {
	*Keeper
	at        address
	arm       *wire
	confluent string // object ID; empty: not known
	step      core.Step
}

// send writes the step's body, to the byte.
func (j job) send(ctx context.Context, method, path, api string) error {
	_, err := j.arm.send(ctx, j.opts.Reserve, request{method: method, path: path, api: api, body: j.step.Body})
	return err
}

// body reads the step's body, in which nothing else may stand.
func (j job) body(v any) error {
	if err := strict.Unmarshal(j.step.Body, v); err != nil {
		return adapter.Unsent("body: %w", err)
	}
	return nil
}

// isConfluent is an error unless a principal is Confluent's.
func (j job) isConfluent(principal string) error {
	if !guid.MatchString(principal) || j.confluent != "" && principal != j.confluent {
		return adapter.Unsent("the principal %.100q is not Confluent's", principal)
	}
	return nil
}

// policiesBody is the body of a change of access policies.
type policiesBody struct {
	Properties struct {
		AccessPolicies []policyBody `json:"accessPolicies"`
	} `json:"properties"`
}

type policyBody struct {
	TenantID    string `json:"tenantId"`
	ObjectID    string `json:"objectId"`
	Permissions struct {
		Keys []string `json:"keys"`
		// Certificates, Secrets and Storage are never given, only taken away.
		Certificates []string `json:"certificates"`
		Secrets      []string `json:"secrets"`
		Storage      []string `json:"storage"`
	} `json:"permissions"`
}

// addPolicy adds permissions on keys to those of Confluent's access policy. Other
// entries stay as they are, and so does what else this one has
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy).
func (j job) addPolicy(ctx context.Context) error {
	const add = "/accessPolicies/add"
	var b policiesBody
	if err := j.body(&b); err != nil {
		return err
	}
	if !strings.EqualFold(j.step.ID, j.at.vault+add) {
		return adapter.Unsent("the step is for another resource than the access policies of %s", j.at.vault)
	}
	if len(b.Properties.AccessPolicies) != 1 {
		return adapter.Unsent("one access policy is needed, not %d", len(b.Properties.AccessPolicies))
	}
	p := b.Properties.AccessPolicies[0]
	if given := p.Permissions; len(given.Keys) == 0 || given.Certificates != nil || given.Secrets != nil || given.Storage != nil {
		return adapter.Unsent("permissions on keys, and no others, may be added")
	}
	if err := j.isConfluent(p.ObjectID); err != nil {
		return err
	}
	return j.send(ctx, http.MethodPut, j.at.vault+add, vaultAPI)
}

// firewall changes who gets through to the vault. It is an update: what the body
// does not name stays. The rules are replaced as a whole, which is why the step
// holds all of them, as Azure sent them.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update
func (j job) firewall(ctx context.Context) error {
	var b struct {
		Properties struct {
			PublicNetworkAccess string          `json:"publicNetworkAccess"`
			NetworkAcls         json.RawMessage `json:"networkAcls"`
		} `json:"properties"`
	}
	if err := j.body(&b); err != nil {
		return err
	}
	if !strings.EqualFold(j.step.ID, j.at.vault) {
		return adapter.Unsent("the step is for another resource than %s", j.at.vault)
	}
	if b.Properties.NetworkAcls == nil && b.Properties.PublicNetworkAccess == "" {
		return adapter.Unsent("the body changes nothing of the firewall")
	}
	if acls := b.Properties.NetworkAcls; acls != nil {
		var rules struct {
			Bypass        string `json:"bypass"`
			DefaultAction string `json:"defaultAction"`
		}
		if err := strict.UnmarshalOpen(acls, &rules); err != nil {
			return adapter.Unsent("networkAcls: %w", err)
		}
	}
	return j.send(ctx, http.MethodPatch, j.at.vault, vaultAPI)
}
