package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/record"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/keyvault"
)

// Who and what there is on Azure. Principals are known by their object IDs.
const (
	azureTenant    = azuretest.DefaultTenant
	azureGroup     = "/subscriptions/" + azuretest.DefaultSubscription + "/resourcegroups/rg-kafka"
	azureVault     = azureGroup + "/providers/microsoft.keyvault/vaults/acme-vault"
	azureKey       = azureVault + "/keys/payments"
	azureConfluent = "5c0f1a1e-0000-4000-8000-00000000c0f1"
	azurePipeline  = "7e44af04-0000-4000-8000-00000000c1c1"
	azureSelf      = "b70c3a7c-0000-4000-8000-0000000b70c3"
	azureAuditor   = "a0d17042-0000-4000-8000-000000a0d170"
	azureCluster   = confluent.AzureDedicated
)

// azureConfiguration is what an operator would write, for one key.
const azureConfiguration = `mode: %s
key_state: %s
network: %[2]s
store: {azure: "%[3]s"}
keys:
  - key: https://acme-vault.vault.azure.net/keys/payments
    vault: ` + azureVault + `
    label: payments
    owner: payments-oncall
    clusters: [lkc-abc123]
    confluent:
      tenant: ` + azureTenant + `
      application: 4f0d2c3b-0000-4000-8000-0000000a9911
      principal: ` + azureConfluent + `
      cluster: ` + azureCluster + `
alerts:
  - stdout:
`

// azureStage is one emulated Azure with the real function in it.
type azureStage struct {
	*world
	cloud *azuretest.Cloud
	host  *azuretest.Host
}

func (w *world) buildAzure(s scenario) (http.Handler, error) {
	z := &azureStage{world: w, cloud: azuretest.New(azuretest.Options{})}
	w.stage, w.azure = z, z
	w.key = core.Key{
		ID: azureKey, Vault: azureVault, Cloud: core.Azure, Mode: core.Enforce,
		Needs: core.Confluent{Tenant: azureTenant, Principal: azureConfluent, Cluster: azureCluster},
	}
	w.words = words{
		emulated: "Azure Resource Manager and Key Vault", service: "Azure", way: "from Resource Manager by Event Grid",
		runs: "answers the Functions host", reads: 3, permissions: len(confluent.AzurePermissions()),
	}
	z.people()
	return z.cloud, z.furnish(s)
}

// people makes everybody who acts, with no more rights than they need. The
// function shows to this machine either no token or one that is worth nothing.
func (z *azureStage) people() {
	z.cloud.AddPrincipal(azuretest.Principal{ObjectID: azureConfluent, Name: "Confluent Cloud"})
	z.cloud.AddPrincipal(azuretest.Principal{ObjectID: azureSelf, Name: "byokwatch"})
	z.cloud.AddPrincipal(azuretest.Principal{ObjectID: azurePipeline, Name: "terraform-ci"})
	z.cloud.AddPrincipal(azuretest.Principal{ObjectID: azureAuditor, Type: azuretest.User, Name: "Audrey Auditor", UPN: "auditor@acme.example"})
	for _, token := range []string{"", azuretest.LocalToken} {
		z.cloud.Login(azuretest.Caller{Token: token, ObjectID: azureSelf, Address: "192.0.2.20", Agent: "byokwatch"})
	}
	z.cloud.Login(azuretest.Caller{Token: "pipeline", ObjectID: azurePipeline, Address: "192.0.2.7", Agent: "HashiCorp Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-azurerm/4.40.0"})
	z.cloud.Assign(azuretest.Assignment{Scope: z.cloud.Subscription(), Role: "Owner", Principal: azurePipeline})
	z.cloud.Assign(azuretest.Assignment{Scope: azureGroup, Role: "Key Vault Crypto Officer", Principal: azurePipeline})
}

// own are the function's rights: those that a deployment gives it.
func (z *azureStage) own(s scenario) {
	role := azuretest.Permission{Actions: []string{
		"Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/versions/read",
		"Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/roleDefinitions/read", "Microsoft.Authorization/denyAssignments/read",
	}}
	if s.policies {
		role.Actions = append(role.Actions, "Microsoft.KeyVault/vaults/accessPolicies/write")
	}
	if s.enables {
		role.Actions = append(role.Actions, "Microsoft.KeyVault/vaults/write")
		role.DataActions = append(role.DataActions, "Microsoft.KeyVault/vaults/keys/update/action")
	}
	guid := z.cloud.AddCustomRole(azuretest.Role{Name: "byokwatch", Permissions: []azuretest.Permission{role}})
	z.cloud.Assign(azuretest.Assignment{Scope: azureGroup, Role: guid, Principal: azureSelf})
	if s.policies {
		return
	}
	var ids []string
	for _, r := range confluent.AzureRoles() {
		ids = append(ids, r.ID)
	}
	assigns := z.cloud.AddCustomRole(azuretest.Role{Name: "byokwatch restores", Permissions: []azuretest.Permission{{Actions: []string{"Microsoft.Authorization/roleAssignments/write"}}}})
	z.cloud.Assign(azuretest.Assignment{
		Scope: azureGroup, Role: assigns, Principal: azureSelf,
		Condition: "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" +
			strings.Join(ids, ", ") + "} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {" + azureConfluent + "}))",
	})
}

// furnish makes the vault and the key, and lets Confluent in.
func (z *azureStage) furnish(s scenario) error {
	vault := azuretest.VaultSpec{Name: "acme-vault", RBAC: !s.policies}
	if s.policies {
		vault.Policies = []azuretest.AccessPolicy{policyOf(azureConfluent, confluent.AzureAccessPolicy()...), policyOf(azurePipeline, "get", "list", "create", "update", "delete")}
	}
	id := z.cloud.AddVault(vault)
	z.cloud.AddKey(azuretest.KeySpec{Vault: id, Name: "payments", Versions: 2})
	z.own(s)
	roles := s.roles
	if roles == nil {
		roles = []azuretest.Role{{GUID: useVault}, {GUID: readVault}}
	}
	for _, r := range roles {
		if r.Permissions != nil {
			z.cloud.AddCustomRole(r)
		}
		if s.policies && r.GUID == useVault {
			continue
		}
		z.cloud.Assign(azuretest.Assignment{Scope: id, Role: r.GUID, Principal: azureConfluent})
	}
	if got := strings.ToLower(id); got != azureVault {
		return fmt.Errorf("the emulator made the vault %s, not %s", got, azureVault)
	}
	return nil
}

func policyOf(objectID string, keys ...string) azuretest.AccessPolicy {
	return azuretest.AccessPolicy{ObjectID: objectID, Keys: keys}
}

func (z *azureStage) objects(string) (place string, o record.Objects, err error) {
	return z.directory()
}

func (z *azureStage) configuration(mode core.Mode, state core.Care, place string) []byte {
	return fmt.Appendf(nil, azureConfiguration, mode, state, place)
}

// start runs the function in the folder of its host.json. Its configuration is
// not there, and so has to be pinned.
func (z *azureStage) start(ctx context.Context, binary, addr string) error {
	file := filepath.Join(z.dir, "byokwatch.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	h, err := azuretest.StartHost(azuretest.HostConfig{
		Dir: filepath.Dir(binary), Binary: binary, Stdout: &sorted{alerts: z.alerts, log: z.log}, Stderr: z.log,
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + z.dir,
			"BYOKWATCH_MANAGEMENT_ENDPOINT=" + addr, "BYOKWATCH_KEYVAULT_ENDPOINT=" + addr,
			"BYOKWATCH_CONFIG=file://" + filepath.ToSlash(file), fmt.Sprintf("BYOKWATCH_CONFIG_SHA256=%x", sha256.Sum256(data)), "BYOKWATCH_SELF=" + azureSelf,
		},
	})
	if err == nil {
		z.host = h
		err = h.Ready(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s did not start: %w", binary, err)
	}
	return nil
}

// sorted tells the alerts on the function's standard output from its log, which
// the Functions host expects there as well: each line of that is an object.
type sorted struct {
	alerts, log io.Writer
	line        []byte // that has not ended
}

// Write implements io.Writer.
func (s *sorted) Write(b []byte) (int, error) {
	s.line = append(s.line, b...)
	for {
		end := bytes.IndexByte(s.line, '\n')
		if end < 0 {
			return len(b), nil
		}
		to := s.alerts
		if s.line[0] == '{' {
			to = s.log
		}
		if _, err := to.Write(s.line[:end+1]); err != nil {
			return 0, err
		}
		s.line = s.line[end+1:]
	}
}

func (z *azureStage) close() error {
	if z.host == nil {
		return nil
	}
	return z.host.Stop()
}

func (z *azureStage) tick(ctx context.Context) error {
	_, err := z.host.Tick(ctx)
	return err
}

// events are those of Resource Manager, as a topic of the subscription has them.
func (z *azureStage) events() []event {
	var out []event
	for _, e := range z.cloud.Events() {
		if e.Op == "" {
			continue // of the vault's own topic, which names nobody and says no more
		}
		out = append(out, event{e.Op, func(ctx context.Context) error {
			outcomes, err := z.host.Deliver(ctx, azuretest.Delivery{}, e.Grid())
			for _, o := range outcomes {
				if err == nil && !o.OK() {
					err = fmt.Errorf("the function failed %d times: %w", len(o.Attempts), o.Attempts[len(o.Attempts)-1].Err)
				}
			}
			return err
		}})
	}
	return out
}

// operator reads and writes the key as the pipeline does.
func (z *azureStage) operator() *keyvault.Operator {
	options := z.cloud.ARM()
	return keyvault.New(keyvault.Access{
		Credential: azuretest.Credential("pipeline"), ARM: options, Keys: options.ClientOptions,
	}, keyvault.Options{Builtin: azurekv.Builtin}).Operator()
}

func (z *azureStage) read(ctx context.Context) (core.Policy, error) {
	return z.operator().Read(ctx, z.key)
}

func (z *azureStage) judge(live core.Policy, at time.Time) core.Judgement {
	return azurekv.Judge(live, core.Question{Key: z.key, At: at, Needs: azurekv.Needs(z.key, live, nil)})
}

func (z *azureStage) can(permission string) (bool, string) {
	if permission == confluent.AzureVaultRead {
		return z.cloud.Can(azureConfluent, permission, azureVault)
	}
	return z.cloud.CanData(azureConfluent, permission, azureKey)
}

// works is about everything that stands between Confluent and the key: its
// permissions, the firewall, the key's state and its versions.
func (z *azureStage) works() error {
	return z.cloud.Works(azureConfluent, azureCluster, azureKey)
}

// policy is the vault and what is assigned to those whom scenarios are about.
func (z *azureStage) policy() string {
	text := z.cloud.Vault(azureVault)
	for _, who := range []string{azureConfluent, azureAuditor} {
		for _, a := range z.cloud.Assignments(azureVault, who) {
			text += fmt.Sprintf("\n%s is assigned %s at %s", a.Principal, a.Role, a.Scope)
		}
	}
	return text
}

func (z *azureStage) writes() []time.Time {
	var out []time.Time
	for _, write := range z.cloud.Writes("") {
		if write.Caller == azureSelf {
			out = append(out, write.At)
		}
	}
	return out
}

// assigned is the ID of Confluent's assignment of a role.
func (z *azureStage) assigned(role string) (string, error) {
	for _, a := range z.cloud.Assignments(azureVault, azureConfluent) {
		if strings.EqualFold(a.Role, role) {
			return a.Scope + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name, nil
		}
	}
	return "", errors.New("Confluent is not assigned " + role)
}
