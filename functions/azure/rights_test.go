package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/record"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/blobstore"
	"byokwatch/functions/azure/keyvault"
	"byokwatch/functions/functiontest"
)

// estate is a subscription with a key of each kind: in a vault with Azure RBAC, in
// one with access policies, in one whose firewall may be opened, in one that was
// deleted; and a vault next door that is nobody's business.
type estate struct {
	cloud                                             *azuretest.Cloud
	storage                                           http.Handler
	enforced, enabling, policies, firewall, lost, far string // keys
	store, config                                     string // containers
	scopes                                            map[string][]string
}

const operator = "aaaa0000-0000-4000-8000-00000000000b"

var containers atomic.Int32

func newEstate(t *testing.T, rights ...right) *estate {
	t.Helper()
	c := azuretest.New(azuretest.Options{})
	for _, id := range []string{reader, self, operator, others} {
		c.AddPrincipal(azuretest.Principal{ObjectID: id})
	}
	c.Login(azuretest.Caller{Token: "WATCHER", ObjectID: self})
	c.Login(azuretest.Caller{Token: "OPERATOR", ObjectID: operator})
	e := &estate{cloud: c}
	vault := func(name, group string, rbac bool) string {
		return c.AddVault(azuretest.VaultSpec{Name: name, ResourceGroup: group, RBAC: rbac})
	}
	key := func(vault, name string) string {
		give(c, vault)
		return strings.ToLower(c.AddKey(azuretest.KeySpec{Vault: vault, Name: name, Versions: 2}))
	}
	main := vault("acme-main", resources, true)
	e.enforced, e.enabling = key(main, "enforced"), key(main, "enabling")
	e.policies, e.firewall = key(vault("acme-policies", resources, false), "k"), key(vault("acme-firewall", resources, true), "k")
	gone := vault("acme-gone", resources, true)
	e.lost, e.far = key(gone, "k"), key(vault("acme-far", "elsewhere", true), "k")
	// What a custom role gives is read, whoever has it.
	custom := c.AddCustomRole(azuretest.Role{Name: "byok", Permissions: []azuretest.Permission{{DataActions: []string{confluent.AzureKeyRead}}}})
	c.Assign(azuretest.Assignment{Scope: main, Role: custom, Principal: reader})
	c.Assign(azuretest.Assignment{Scope: c.Subscription(), Role: "Owner", Principal: operator})
	c.AddStorage(account, resources)
	everything := c.AddCustomRole(azuretest.Role{Name: "operators", Permissions: []azuretest.Permission{{DataActions: []string{"*"}}}})
	c.Assign(azuretest.Assignment{Scope: c.Subscription(), Role: everything, Principal: operator})
	must(t, c.As("OPERATOR").DeleteVault(gone))

	azurite := azuretest.NeedAzurite(t)
	n := containers.Add(1)
	e.store, e.config = fmt.Sprintf("store-%d", n), fmt.Sprintf("config-%d", n)
	for _, name := range []string{e.store, e.config} {
		_, err := azurite.Container(t.Context(), name)
		must(t, err)
	}
	e.storage = guarded(t, c)
	_, err := e.container(t, "OPERATOR", e.config).NewBlockBlobClient("byokwatch.yaml").UploadBuffer(t.Context(), []byte("mode: observe"), nil)
	must(t, err)

	group := c.Subscription() + "/resourceGroups/" + resources
	at := c.Container(account, e.config)
	e.scopes = map[string][]string{
		"groups": {group}, "assigning": {group}, "policyVaults": {vaultOf(e.policies)}, "firewalls": {vaultOf(e.firewall)}, "enabling": {e.enabling},
		"subscriptions": {c.Subscription()}, "container": {c.Container(account, e.store)}, "records": {"prod/records/"}, "kept": {"prod/kept/"},
		"configurationContainer": {at}, "configuration": {"byokwatch.yaml"},
	}
	grant(c, e.scopes, []string{reader}, rights...)
	return e
}

func vaultOf(key string) string { return key[:strings.LastIndex(key, "/keys/")] }

func (e *estate) container(t *testing.T, token, name string) *container.Client {
	t.Helper()
	out, err := container.NewClient("https://"+account+".blob.core.windows.net/"+name, azuretest.Credential(token),
		&container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: azuretest.InProcess(e.storage)}})
	must(t, err)
	return out
}

func (e *estate) keeper(token string) *keyvault.Keeper {
	return newKeeper(keyvault.Access{Credential: azuretest.Credential(token), ARM: e.cloud.ARM(), Keys: azcore.ClientOptions{Transport: e.cloud.RoundTripper()}}, self)
}

// operate does everything that the function does, and returns what did not work.
func (e *estate) operate(t *testing.T, restoring, deleted bool) error {
	t.Helper()
	var f functiontest.Failures
	keeper := e.keeper("WATCHER")
	keys := []string{e.enforced, e.enabling, e.policies, e.firewall}
	if deleted {
		keys = append(keys, e.lost)
	}
	for _, id := range keys {
		p, err := keeper.Read(t.Context(), e.key(id))
		f.Did("read "+id, err)
		for _, d := range p {
			if d.Unreadable != "" && id != e.lost {
				f.Did("read "+id, errors.New(d.Unreadable))
			}
		}
	}
	if restoring {
		e.restore(t, keeper, &f)
	}
	own := e.container(t, "WATCHER", e.store)
	f.Remember(t, record.NewStore(blobstore.New(own, "prod"), nil), record.NewStore(blobstore.New(e.container(t, "OPERATOR", e.store), "prod"), nil), e.key(e.enforced), core.VaultKey)
	out, err := e.container(t, "WATCHER", e.config).NewBlobClient("byokwatch.yaml").DownloadStream(t.Context(), nil)
	f.Did("read the configuration", err)
	if err == nil {
		must(t, out.Body.Close())
	}
	return f.Err()
}

func (e *estate) key(id string) core.Key {
	return core.Key{ID: id, Vault: vaultOf(id), Cloud: core.Azure, Needs: core.Confluent{Principal: reader}}
}

// restore takes every step that there is.
func (e *estate) restore(t *testing.T, k *keyvault.Keeper, f *functiontest.Failures) {
	t.Helper()
	apply := func(key, op, id, body string) {
		f.Did(op, k.Apply(t.Context(), e.key(key), core.Step{Op: op, ID: id, Body: json.RawMessage(body)}))
	}
	vault := vaultOf(e.enforced)
	for _, a := range e.cloud.Assignments(vault, reader) {
		must(t, e.cloud.As("OPERATOR").DeleteAssignment(a.Scope+"/providers/Microsoft.Authorization/roleAssignments/"+a.Name))
	}
	for i, role := range []string{encryption, looking} {
		apply(e.enforced, "Microsoft.Authorization/roleAssignments/write", fmt.Sprintf("%s/providers/Microsoft.Authorization/roleAssignments/5f7c8a3e-1d2b-4c5d-9e8f-0a1b2c3d4e5%d", vault, i),
			fmt.Sprintf(`{"properties":{"roleDefinitionId":%q,"principalId":%q,"principalType":"ServicePrincipal"}}`, strings.ToLower(e.cloud.RoleID(role)), reader))
	}
	apply(e.policies, "Microsoft.KeyVault/vaults/accessPolicies/write", vaultOf(e.policies)+"/accessPolicies/add",
		fmt.Sprintf(`{"properties":{"accessPolicies":[{"tenantId":%q,"objectId":%q,"permissions":{"keys":["get","list","unwrapKey","wrapKey"]}}]}}`, azuretest.DefaultTenant, reader))
	apply(e.firewall, "Microsoft.KeyVault/vaults/write", vaultOf(e.firewall), `{"properties":{"publicNetworkAccess":"Enabled"}}`)
	must(t, e.cloud.As("OPERATOR").SetKeyEnabled(e.enabling, "", false))
	versions := e.cloud.Versions(e.enabling)
	apply(e.enabling, "Microsoft.KeyVault/vaults/keys/update/action", e.enabling+"/versions/"+versions[len(versions)-1], `{"attributes":{"enabled":true}}`)
}

// used lists "permission on scope" for everything that the function used, and
// apart from it what was refused.
func (e *estate) used() (allowed, refused map[string]bool) {
	allowed, refused = map[string]bool{}, map[string]bool{}
	for _, u := range e.cloud.Uses() {
		if u.Caller != self {
			continue
		}
		list := allowed
		if !u.Allowed {
			list = refused
		}
		list[u.Permission+" on "+e.scopeOf(u)] = true
	}
	return allowed, refused
}

// scopeOf says to which scope a right belongs: of the store the container, or the
// part of it that is written; for writes the vault or key; for reads the resource
// group.
func (e *estate) scopeOf(u azuretest.Use) string {
	blobs := strings.ToLower(e.cloud.Container(account, e.store)) + "/blobs/"
	switch u.Permission {
	case "Microsoft.KeyVault/deletedVaults/read":
		return "subscriptions"
	case "Microsoft.Authorization/roleAssignments/write":
		return "assigning"
	case "Microsoft.KeyVault/vaults/accessPolicies/write":
		return "policyVaults"
	case "Microsoft.KeyVault/vaults/write":
		return "firewalls"
	case "Microsoft.KeyVault/vaults/keys/update/action":
		return "enabling"
	}
	switch {
	case !strings.Contains(u.Permission, "Microsoft.Storage"):
		return "groups"
	case strings.HasSuffix(u.Resource, "/byokwatch.yaml"):
		return "configuration"
	case strings.HasSuffix(u.Permission, "/read"):
		return "container"
	}
	part, _, _ := strings.Cut(strings.TrimPrefix(u.Resource, blobs+"prod/"), "/")
	return part
}

func declared(rights []right) map[string]bool {
	out := map[string]bool{}
	for _, r := range rights {
		for _, p := range r.all() {
			for _, set := range r.On {
				out[p+" on "+set] = true
			}
		}
	}
	return out
}

func TestPermissionsAreExactlyWhatIsUsed(t *testing.T) {
	p := readPermissions(t)
	for name, c := range map[string]struct {
		restoring, deleted bool
		rights             []right
	}{
		"reading":                           {false, false, p.Reading},
		"reading and restoring":             {true, false, slices.Concat(p.Reading, p.Restoring)},
		"reading, restoring and the vaults": {true, true, slices.Concat(p.Reading, p.Restoring, p.Optional)},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, c.rights...)
			if err := e.operate(t, c.restoring, c.deleted); err != nil {
				t.Errorf("the rights do not suffice: %v", err)
			}
			got, refused := e.used()
			if want := declared(c.rights); !maps.Equal(got, want) {
				t.Errorf("used and declared differ:\nused     %v\ndeclared %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			if len(refused) > 0 {
				t.Errorf("refused: %v", slices.Sorted(maps.Keys(refused)))
			}
		})
	}
}

// TestEveryRightIsNeeded takes each away.
func TestEveryRightIsNeeded(t *testing.T) {
	p := readPermissions(t)
	all := slices.Concat(p.Reading, p.Restoring, p.Optional)
	for i, r := range all {
		for _, permission := range r.all() {
			t.Run(permission+" on "+r.On[0], func(t *testing.T) {
				rights := slices.Clone(all)
				not := func(p string) bool { return p == permission }
				rights[i].Actions = slices.DeleteFunc(slices.Clone(r.Actions), not)
				rights[i].DataActions = slices.DeleteFunc(slices.Clone(r.DataActions), not)
				if newEstate(t, rights...).operate(t, true, true) == nil {
					t.Error("everything works without it")
				}
			})
		}
	}
}

func TestWhatTheFunctionMustNeverBeAbleTo(t *testing.T) {
	p := readPermissions(t)
	e := newEstate(t, slices.Concat(p.Reading, p.Restoring, p.Optional)...)
	must(t, e.operate(t, true, true))
	c := e.cloud
	all := []string{c.Subscription(), c.Subscription() + "/resourceGroups/" + resources, c.Container(account, e.store), c.Container(account, e.config)}
	for _, key := range []string{e.enforced, e.enabling, e.policies, e.firewall, e.far} {
		all = append(all, key, vaultOf(key))
	}
	for _, resource := range all {
		for _, action := range p.Never.Actions {
			if ok, _ := c.Can(self, action, resource); ok {
				t.Errorf("%s on %s", action, resource)
			}
		}
		for _, action := range p.Never.DataActions {
			if ok, _ := c.CanData(self, action, resource); ok {
				t.Errorf("%s on %s", action, resource)
			}
		}
	}
	for resource, list := range map[string][]string{
		vaultOf(e.enforced): {"Microsoft.KeyVault/vaults/write", "Microsoft.KeyVault/vaults/accessPolicies/write"},
		vaultOf(e.policies): {"Microsoft.KeyVault/vaults/write"},
		vaultOf(e.firewall): {"Microsoft.KeyVault/vaults/accessPolicies/write"},
		vaultOf(e.far):      {"Microsoft.KeyVault/vaults/read", "Microsoft.Authorization/roleAssignments/read"},
	} {
		for _, action := range list {
			if ok, _ := c.Can(self, action, resource); ok {
				t.Errorf("%s on %s", action, resource)
			}
		}
	}
	if ok, _ := c.CanData(self, "Microsoft.KeyVault/vaults/keys/update/action", e.enforced); ok {
		t.Error("a key may be enabled without being configured")
	}
}

// The condition on what may be assigned holds against the function itself.
func TestNothingElseMayBeAssigned(t *testing.T) {
	p := readPermissions(t)
	e := newEstate(t, slices.Concat(p.Reading, p.Restoring, p.Optional)...)
	vault := vaultOf(e.enforced)
	for what, a := range map[string]azuretest.Assignment{
		"another role to Confluent":               {Scope: vault, Role: "Key Vault Administrator", Principal: reader},
		"Confluent's role to itself":              {Scope: vault, Role: encryption, Principal: self},
		"Confluent's role to somebody else":       {Scope: vault, Role: encryption, Principal: others},
		"the owner's role to itself":              {Scope: vault, Role: "Owner", Principal: self},
		"Confluent's role in another group":       {Scope: vaultOf(e.far), Role: encryption, Principal: reader},
		"Confluent's role in the subscription":    {Scope: e.cloud.Subscription(), Role: encryption, Principal: reader},
		"its own right without the condition":     {Scope: vault, Role: "User Access Administrator", Principal: self},
		"Confluent's role to itself in its group": {Scope: e.cloud.Subscription() + "/resourceGroups/" + resources, Role: looking, Principal: self},
	} {
		a.Type = azuretest.ServicePrincipal
		_, err := e.cloud.As("WATCHER").AssignRole(a)
		if failed, ok := errors.AsType[*azuretest.Failure](err); !ok || failed.Status != http.StatusForbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is kept is never replaced, what operators ask for never written, and
// nothing is deleted.
func TestWhatIsInTheStoreStays(t *testing.T) {
	p := readPermissions(t)
	e := newEstate(t, slices.Concat(p.Reading, p.Restoring, p.Optional)...)
	must(t, e.operate(t, true, true))
	mine, theirs := e.container(t, "WATCHER", e.store), e.container(t, "OPERATOR", e.store)
	for _, name := range []string{"prod/kept/x.json", "prod/requests/x.json", "prod/records/x.json", "production/records/x.json", "x.json"} {
		_, err := theirs.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte("{}"), nil)
		must(t, err)
	}
	denied := func(what string, err error) {
		t.Helper()
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	put := func(name string) error {
		_, err := mine.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte("[]"), nil)
		return err
	}
	for _, name := range []string{"prod/kept/x.json", "prod/requests/x.json", "prod/requests/new.json", "production/records/x.json", "production/records/new.json", "x.json", "new.json"} {
		denied("write "+name, put(name))
	}
	for _, name := range []string{"prod/kept/x.json", "prod/requests/x.json", "prod/records/x.json"} {
		_, err := mine.NewBlobClient(name).Delete(t.Context(), &blob.DeleteOptions{})
		denied("delete "+name, err)
	}
	_, err := e.container(t, "WATCHER", e.config).NewBlockBlobClient("byokwatch.yaml").UploadBuffer(t.Context(), []byte("mode: observe"), nil)
	denied("write the configuration", err)
	must(t, put("prod/records/x.json"))
	must(t, put("prod/kept/new.json"))
}
