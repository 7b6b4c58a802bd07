package local

import (
	"context"
	"errors"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
)

// The roles of a vault. Confluent's are the two that its own snippet assigns.
// Source: https://github.com/confluentinc/cli (internal/byok/command_create.go)
const (
	useVault    = "e147488a-f6f5-4113-8e2d-b22465e65bf6" // Key Vault Crypto Service Encryption User
	readVault   = "21090545-7ca7-4776-b22c-e363652d74d2" // Key Vault Reader
	customVault = "0c057a3e-0000-4000-8000-000000c057a3"
)

// kafkaRole is what some customers assign to Confluent in place of those.
var kafkaRole = azuretest.Role{GUID: customVault, Name: "kafka payments", Scopes: []string{azureGroup}, Permissions: []azuretest.Permission{{
	Actions:     []string{confluent.AzureVaultRead},
	DataActions: []string{confluent.AzureKeyRead, confluent.AzureKeyWrap, confluent.AzureKeyUnwrap},
}}}

// azureScenarios are in the order in which people meet them.
func azureScenarios() []scenario {
	return []scenario{
		{name: "removed", does: "deletes Confluent's assignment of the role that uses keys, and lets an auditor in",
			act: unassigns(useVault), waits: true, back: true, tells: alert.Restored, keeps: azureAuditor},
		{name: "access-policy", does: "redeploys a vault that has access policies, without Confluent's, and lets an auditor in",
			with: "removed", policies: true, act: redeploys, back: true, tells: alert.Restored, keeps: azureAuditor},
		{name: "both-roles", does: "deletes both of Confluent's assignments",
			act: unassigns(useVault, readVault), waits: true, back: true, written: 2, tells: alert.Restored, keeps: azureAuditor},
		{name: "replaced", does: "replaces Confluent's assignment, as Terraform does: it deletes it and makes it anew",
			act: unassigns(useVault),
			mends: func(_ context.Context, w *world) error {
				_, err := w.azure.person().AssignRole(azuretest.Assignment{Scope: azureVault, Role: useVault, Principal: azureConfluent})
				return err
			}},
		{name: "role-gutted", does: "takes the permissions out of Confluent's custom role; no assignment changes",
			roles: []azuretest.Role{kafkaRole}, waits: true, back: true, tells: alert.Restored,
			act: func(_ context.Context, w *world) error {
				gutted := kafkaRole
				gutted.Permissions = []azuretest.Permission{{Actions: []string{confluent.AzureVaultRead}}}
				return w.azure.person().PutRole(gutted)
			}},
		{name: "missed-event", does: "deletes Confluent's assignment, and the event of it is lost on its way",
			act: unassigns(useVault), missed: true, waits: true, back: true, tells: alert.Restored},
		{name: "redelivered", does: "deletes Confluent's assignment, and the event of it arrives twice",
			act: unassigns(useVault), twice: true, waits: true, back: true, tells: alert.Restored},
		{name: "throttled", does: "deletes Confluent's assignment, and Resource Manager throttles whoever writes next",
			waits: true, back: true, tells: alert.Restored,
			act: func(ctx context.Context, w *world) error {
				w.azure.cloud.Inject(chaostest.Fault{Op: "Microsoft.Authorization/roleAssignments/write", Kind: chaostest.Throttle, Times: 2})
				return unassigns(useVault)(ctx, w)
			}},
		{name: "observe", does: "deletes Confluent's assignment, while the key is only observed",
			act: unassigns(useVault), observe: true, tells: alert.Observed},
		{name: "rbac-switch", does: "turns Azure RBAC off, so that access policies count, and there are none",
			act: updates(map[string]any{"enableRbacAuthorization": false}), tells: alert.CannotRestore},
		{name: "firewall", does: "closes the vault's firewall, for Microsoft's trusted services as well",
			act: updates(closed), tells: alert.CannotRestore},
		{name: "firewall-opened", does: "closes the vault's firewall, while the configuration says network: restore",
			act: updates(closed), enables: true, back: true, tells: alert.Restored},
		{name: "deny-assignment", does: "rolls out a deployment stack, whose deny assignment takes the keys from everybody",
			act: func(_ context.Context, w *world) error {
				w.azure.cloud.Deny(azuretest.DenyAssignment{
					DisplayName: "deny settings of a deployment stack", Scope: azureGroup,
					Permissions: []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/*"}}},
				})
				return nil
			}, missed: true, tells: alert.CannotRestore},
		{name: "key-disabled", does: "disables the key's current version, of which Azure makes no event",
			act: disableAzure, missed: true, tells: alert.KeyDisabled},
		{name: "key-enabled", does: "disables that version, while the configuration says key_state: restore",
			act: disableAzure, missed: true, enables: true, back: true, tells: alert.Restored},
		{name: "revoked", does: "is told by the owner to revoke: byokwatch revoke payments",
			act: revokeAzure, tells: alert.Revoked},
	}
}

func (z *azureStage) person() azuretest.Person { return z.cloud.As("pipeline") }

// unassigns is a pipeline that lets an auditor in and deletes assignments of
// Confluent's, as Terraform does with what is no longer in its configuration.
func unassigns(roles ...string) func(context.Context, *world) error {
	return func(_ context.Context, w *world) error {
		z := w.azure
		if _, err := z.person().AssignRole(azuretest.Assignment{Scope: azureVault, Role: readVault, Principal: azureAuditor}); err != nil {
			return err
		}
		for _, role := range roles {
			id, err := z.assigned(role)
			if err == nil {
				err = z.person().DeleteAssignment(id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// redeploys is a template that lists access policies, without Confluent's:
// whatever it does not list is gone.
func redeploys(_ context.Context, w *world) error {
	return w.azure.person().SetAccessPolicies(azureVault, policyOf(azurePipeline, "get", "list", "create", "update", "delete"), policyOf(azureAuditor, "get", "list"))
}

func updates(properties map[string]any) func(context.Context, *world) error {
	return func(_ context.Context, w *world) error { return w.azure.person().UpdateVault(azureVault, properties) }
}

var closed = map[string]any{"networkAcls": map[string]any{"bypass": "None", "defaultAction": "Deny", "ipRules": []any{}, "virtualNetworkRules": []any{}}}

func disableAzure(_ context.Context, w *world) error {
	return w.azure.person().SetKeyEnabled(azureKey, "", false)
}

// revokeAzure is what `byokwatch revoke` does.
func revokeAzure(ctx context.Context, w *world) error {
	live, err := w.azure.read(ctx)
	if err != nil {
		return err
	}
	c, err := azurekv.Revoke(live, core.Question{Key: w.key, At: w.line.now(), Needs: azurekv.Needs(w.key, live, nil)}, "SEC-812")
	if err != nil {
		return err
	}
	if len(c.Left) > 0 {
		return errors.New(c.Left[0])
	}
	for _, s := range c.Steps {
		if err := w.azure.operator().Apply(ctx, w.key, s); err != nil {
			return err
		}
	}
	return nil
}
