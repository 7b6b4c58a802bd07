package keyvault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/core/watchdog/cloudtest"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/keyvault"
)

const (
	cloudUser = "c0ffee00-1111-4222-8333-000000000001" // Confluent's service principal
	admin     = "ad000000-1111-4222-8333-000000000002"
	self      = "5e1f0000-1111-4222-8333-000000000003"
	others    = "07e45000-1111-4222-8333-000000000004"
	group     = "94009000-1111-4222-8333-000000000005"

	encrypting = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
	looking    = "21090545-7ca7-4776-b22c-e363652d74d2"

	watching = "a0000000-0000-4000-8000-000000000001" // our own custom role
	below    = "a0000000-0000-4000-8000-000000000002" // what of it is on the subscription
	named    = "b0000000-0000-4000-8000-000000000001" // an assignment
	other    = "b0000000-0000-4000-8000-000000000002"
)

var (
	reading = []string{"Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/versions/read",
		"Microsoft.KeyVault/deletedVaults/read", "Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/roleDefinitions/read", "Microsoft.Authorization/denyAssignments/read"}
	restoring = []string{"Microsoft.Authorization/roleAssignments/write", "Microsoft.KeyVault/vaults/accessPolicies/write", "Microsoft.KeyVault/vaults/write"}
	whole     = slices.Concat(reading, restoring)
)

// world is a vault whose key Confluent can't use.
type world struct {
	*azuretest.Cloud
	t                 *testing.T
	vault, key, group string // IDs as Azure spells them
	payments          core.Key
	admin             azuretest.Person
}

func open(t *testing.T, o azuretest.Options, v azuretest.VaultSpec, rights ...string) world {
	t.Helper()
	c := azuretest.New(o)
	for _, p := range []azuretest.Principal{{ObjectID: cloudUser, Name: "Confluent"}, {ObjectID: self}, {ObjectID: others}, {ObjectID: admin, Type: azuretest.User, UPN: "jane@acme.example"}} {
		c.AddPrincipal(p)
	}
	c.AddGroup(group, cloudUser)
	c.Login(azuretest.Caller{Token: "WATCHER", ObjectID: self})
	c.Login(azuretest.Caller{Token: "ADMIN", ObjectID: admin})
	v.Name = "Acme-Vault"
	w := world{Cloud: c, t: t, admin: c.As("ADMIN")}
	w.vault = c.AddVault(v)
	w.group = w.vault[:strings.Index(w.vault, "/providers/")]
	w.key = c.AddKey(azuretest.KeySpec{Vault: w.vault, Name: "payments", Versions: 2})
	for _, role := range []string{"Owner", "Key Vault Administrator"} {
		c.Assign(azuretest.Assignment{Scope: c.Subscription(), Role: role, Principal: admin})
	}
	w.may(rights...)
	c.Assign(azuretest.Assignment{Scope: w.group, Role: watching, Principal: self})
	w.payments = core.Key{ID: strings.ToLower(w.key), Vault: strings.ToLower(w.vault), Cloud: core.Azure, Needs: core.Confluent{Principal: cloudUser, Cluster: confluent.AzureDedicated}}
	return w
}

func rbac(t *testing.T, rights ...string) world {
	t.Helper()
	return open(t, azuretest.Options{}, azuretest.VaultSpec{RBAC: true}, rights...)
}

// may sets what the watchdog may do in the resource group. Listing deleted vaults
// takes a right on the subscription.
func (w world) may(rights ...string) {
	w.AddCustomRole(azuretest.Role{GUID: watching, Name: "byokwatch", Permissions: []azuretest.Permission{{Actions: rights}}})
	if slices.Contains(rights, "Microsoft.KeyVault/deletedVaults/read") {
		w.Assign(azuretest.Assignment{Scope: w.Subscription(), Role: w.AddCustomRole(azuretest.Role{GUID: below, Permissions: []azuretest.Permission{{Actions: []string{"Microsoft.KeyVault/deletedVaults/read"}}}}), Principal: self, Name: "b0000000-0000-4000-8000-0000000000ff"})
	}
}

func (w world) access() keyvault.Access {
	return keyvault.Access{Credential: azuretest.Credential("WATCHER"), ARM: w.ARM(), Keys: azcore.ClientOptions{Transport: w.RoundTripper()}}
}

func (w world) keeper() *keyvault.Keeper {
	return keyvault.New(w.access(), keyvault.Options{Self: self})
}

// read reads with a fresh Keeper.
func (w world) read() core.Policy {
	w.t.Helper()
	p, err := w.keeper().Read(w.t.Context(), w.payments)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// assignStep gives Confluent a role at the vault.
func (w world) assignStep(name, role, principal string) core.Step {
	body := fmt.Sprintf(`{"properties":{"roleDefinitionId":"%s/providers/Microsoft.Authorization/roleDefinitions/%s","principalId":%q,"principalType":"ServicePrincipal"}}`, strings.ToLower(w.Subscription()), role, principal)
	return core.Step{Op: "Microsoft.Authorization/roleAssignments/write", ID: w.payments.Vault + "/providers/Microsoft.Authorization/roleAssignments/" + name, Body: json.RawMessage(body)}
}

func textOf(p core.Policy, kind core.Kind, id string) string {
	for _, d := range p {
		if d.Kind == kind && (id == "" || d.ID == id) {
			return d.Text
		}
	}
	return ""
}

// expect wants exactly one of the sentinels, or for nil an error that is none.
func expect(t *testing.T, what string, err, want error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
	for _, kind := range []error{core.ErrRejected, core.ErrDenied, core.ErrConflict, core.ErrNotFound} {
		if kind == core.ErrNotFound && want == core.ErrRejected {
			continue // what is not there may be both
		}
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%s: is it %q: %t; %v", what, kind, errors.Is(err, kind), err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: the error has several lines: %v", what, err)
	}
}

func TestKeeperKeepsTheContractOfACloud(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) cloudtest.Harness {
		w := rbac(t, whole...)
		taken := w.Assign(azuretest.Assignment{Scope: w.vault, Role: looking, Principal: others, Name: other})
		elsewhere := core.Key{ID: "projects/acme-prod/locations/us-west1/keyRings/kafka/cryptoKeys/payments", Cloud: core.GCP}
		absent := core.Key{ID: strings.Replace(w.payments.ID, "acme-vault", "no-vault", 1), Cloud: core.Azure, Needs: w.payments.Needs}
		confluents := core.AssignedTo(w.payments.ID, cloudUser)
		without := func(drop func(string) bool) { w.may(slices.DeleteFunc(slices.Clone(whole), drop)...) }
		return cloudtest.Harness{
			Cloud: w.keeper(), Key: w.payments, Absent: absent, Elsewhere: elsewhere,
			Kinds:    []core.Kind{core.Vault, core.VaultKey, core.VaultKeyVersions, core.RoleAssignments, core.DenyAssignments, core.RoleDefinitions},
			Step:     w.assignStep(named, encrypting, cloudUser),
			Rejected: w.assignStep(taken[strings.LastIndexByte(taken, '/')+1:], encrypting, cloudUser), // another assignment's name
			Done: func(p core.Policy) bool {
				return strings.Contains(textOf(p, core.RoleAssignments, confluents), encrypting)
			},
			Mean: func(p core.Policy) string {
				var out []string
				for _, d := range p {
					out = append(out, string(d.Kind), d.ID, d.Text)
				}
				return strings.Join(out, "\n")
			},
			Hide: func() core.Kind {
				without(func(r string) bool { return r == "Microsoft.KeyVault/vaults/keys/versions/read" })
				return core.VaultKeyVersions
			},
			HideAll: func() { w.may() },
			Forbid:  func() { without(func(r string) bool { return strings.HasSuffix(r, "roleAssignments/write") }) },
			Overload: func(n int) {
				w.Heal()
				w.Inject(chaostest.Fault{Kind: chaostest.Throttle, Times: n})
			},
			LoseAnswer: func() {
				w.Inject(chaostest.Fault{Kind: chaostest.Lost, Op: "Microsoft.Authorization/roleAssignments/write"})
			},
			Calls: func() int { return w.Calls("") },
		}
	})
}
