package azuretest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault/v2"

	"byokwatch/functions/azure/azuretest"
)

// vaultNow is what these tests read of a vault.
type vaultNow struct {
	Tags       map[string]string
	Properties struct {
		EnableRbacAuthorization, EnablePurgeProtection bool
		PublicNetworkAccess                            string
		AccessPolicies                                 []struct {
			ObjectID    string
			Permissions struct{ Keys, Secrets []string }
		}
		NetworkAcls *struct {
			Bypass, DefaultAction string
			IPRules               []struct{ Value string }
		}
	}
}

func (w world) now() vaultNow {
	w.t.Helper()
	var v vaultNow
	w.check(json.Unmarshal([]byte(w.Cloud.Vault(w.vault)), &v))
	return v
}

// policies is a short form of a vault's access policies.
func (w world) policies() string {
	var out []string
	for _, p := range w.now().Properties.AccessPolicies {
		out = append(out, p.ObjectID[:4]+":"+strings.Join(p.Permissions.Keys, ","))
	}
	return strings.Join(out, " ")
}

func TestAnUpdateReplacesWhatItNamesAndNothingElse(t *testing.T) {
	w := openVault(t, azuretest.Options{}, azuretest.VaultSpec{Name: "acme-vault", Tags: map[string]string{"env": "prod"}, Purgeable: true,
		Policies: []azuretest.AccessPolicy{{ObjectID: confluent, Keys: []string{"get"}}}, Network: &azuretest.Network{DefaultAction: "Deny", IPs: []string{"203.0.113.7"}}})
	update := func(p armkeyvault.VaultPatchProperties) error {
		_, err := w.Vaults.Update(t.Context(), "rg-kafka", "acme-vault", armkeyvault.VaultPatchParameters{Properties: &p}, nil)
		return err
	}
	w.check(update(armkeyvault.VaultPatchProperties{PublicNetworkAccess: to.Ptr("Disabled")}))
	v := w.now()
	if v.Properties.PublicNetworkAccess != "Disabled" || v.Tags["env"] != "prod" || w.policies() != "c0ff:get" || v.Properties.NetworkAcls.IPRules[0].Value != "203.0.113.7/32" || v.Properties.EnablePurgeProtection {
		t.Errorf("got %+v", v)
	}
	w.check(update(armkeyvault.VaultPatchProperties{NetworkACLs: &armkeyvault.NetworkRuleSet{Bypass: to.Ptr(armkeyvault.NetworkRuleBypassOptionsNone)}}))
	if n := w.now().Properties.NetworkAcls; n.Bypass != "None" || n.DefaultAction != "Allow" || len(n.IPRules) != 0 {
		t.Errorf("networkAcls are replaced as a whole, but are %+v", n)
	}
	w.check(update(armkeyvault.VaultPatchProperties{AccessPolicies: []*armkeyvault.AccessPolicyEntry{}}))
	if w.policies() != "" {
		t.Errorf("accessPolicies are replaced as a whole, but are %s", w.policies())
	}
	w.check(update(armkeyvault.VaultPatchProperties{EnablePurgeProtection: to.Ptr(true)}))
	for what, p := range map[string]armkeyvault.VaultPatchProperties{
		"purge protection goes":             {EnablePurgeProtection: to.Ptr(false)},
		"soft delete goes":                  {EnableSoftDelete: to.Ptr(false)},
		"a public access that is none":      {PublicNetworkAccess: to.Ptr("Sometimes")},
		"a bypass that is none":             {NetworkACLs: &armkeyvault.NetworkRuleSet{Bypass: to.Ptr(armkeyvault.NetworkRuleBypassOptions("All"))}},
		"an address that is none":           {NetworkACLs: &armkeyvault.NetworkRuleSet{IPRules: []*armkeyvault.IPRule{{Value: to.Ptr("here")}}}},
		"a permission that is none":         {AccessPolicies: []*armkeyvault.AccessPolicyEntry{entry(confluent, azuretest.DefaultTenant, "use")}},
		"an identity that is none":          {AccessPolicies: []*armkeyvault.AccessPolicyEntry{entry("jane", azuretest.DefaultTenant, "get")}},
		"an access policy of other tenants": {AccessPolicies: []*armkeyvault.AccessPolicyEntry{entry(confluent, name(1), "get")}},
		"two for one identity":              {AccessPolicies: []*armkeyvault.AccessPolicyEntry{entry(confluent, azuretest.DefaultTenant, "get"), entry(confluent, azuretest.DefaultTenant, "list")}},
	} {
		refused(t, what, update(p), 400, "BadRequest")
	}
	_, err := w.admin.Do(http.MethodPatch, w.vault, `{"properties":{"networkacl":{}}}`)
	refused(t, "a member that nobody knows", err, 400, "InvalidRequestContent")
}

func entry(who, tenant string, keys ...string) *armkeyvault.AccessPolicyEntry {
	p := &armkeyvault.Permissions{}
	for _, k := range keys {
		p.Keys = append(p.Keys, to.Ptr(armkeyvault.KeyPermissions(k)))
	}
	return &armkeyvault.AccessPolicyEntry{ObjectID: &who, TenantID: &tenant, Permissions: p}
}

func TestOperationsOnAccessPolicies(t *testing.T) {
	for sentence, c := range map[string]struct {
		kind armkeyvault.AccessPolicyUpdateKind
		who  string
		keys []string
		want string
	}{
		"add unites":                     {armkeyvault.AccessPolicyUpdateKindAdd, confluent, []string{"WrapKey", "GET"}, "c0ff:get,list,WrapKey 00b0:all"},
		"add makes an entry":             {armkeyvault.AccessPolicyUpdateKindAdd, watcher, []string{"get"}, "c0ff:get,list 00b0:all 3a7c:get"},
		"replace is for the named ones":  {armkeyvault.AccessPolicyUpdateKindReplace, confluent, []string{"wrapKey"}, "c0ff:wrapKey 00b0:all"},
		"remove takes permissions away":  {armkeyvault.AccessPolicyUpdateKindRemove, confluent, []string{"Get"}, "c0ff:list 00b0:all"},
		"and the entry with the last":    {armkeyvault.AccessPolicyUpdateKindRemove, confluent, []string{"get", "list", "sign"}, "00b0:all"},
		"remove of nobody changes none":  {armkeyvault.AccessPolicyUpdateKindRemove, watcher, []string{"get"}, "c0ff:get,list 00b0:all"},
		"add of nothing changes nothing": {armkeyvault.AccessPolicyUpdateKindAdd, confluent, nil, "c0ff:get,list 00b0:all"},
	} {
		w := openVault(t, azuretest.Options{}, azuretest.VaultSpec{Name: "acme-vault", Policies: []azuretest.AccessPolicy{
			{ObjectID: confluent, Keys: []string{"get", "list"}}, {ObjectID: nobody, Keys: []string{"all"}}}})
		r, err := w.Vaults.UpdateAccessPolicy(t.Context(), "rg-kafka", "acme-vault", c.kind, armkeyvault.VaultAccessPolicyParameters{
			Properties: &armkeyvault.VaultAccessPolicyProperties{AccessPolicies: []*armkeyvault.AccessPolicyEntry{entry(c.who, azuretest.DefaultTenant, c.keys...)}}}, nil)
		w.check(err)
		if w.policies() != c.want || len(r.Properties.AccessPolicies) != len(w.now().Properties.AccessPolicies) {
			t.Errorf("%s: %s, want %s", sentence, w.policies(), c.want)
		}
	}
}

func TestAVaultHasAtMost1024AccessPolicies(t *testing.T) {
	w := openVault(t, azuretest.Options{}, azuretest.VaultSpec{Name: "acme-vault"})
	var list []azuretest.AccessPolicy
	for i := range 1024 {
		list = append(list, azuretest.AccessPolicy{ObjectID: fmt.Sprintf("0a0a0a0a-1111-4222-8333-%012d", i), Keys: []string{"get"}})
	}
	w.check(w.admin.SetAccessPolicies(w.vault, list...))
	refused(t, "one more", w.admin.EditAccessPolicies(w.vault, "add", azuretest.AccessPolicy{ObjectID: confluent, Keys: []string{"get"}}), 400, "BadRequest")
	w.check(w.admin.EditAccessPolicies(w.vault, "replace", list[7]))
}

func TestAPutReplacesAllThatItDoesNotName(t *testing.T) {
	w := openVault(t, azuretest.Options{}, azuretest.VaultSpec{Name: "acme-vault", Tags: map[string]string{"env": "prod"}, Public: "Disabled",
		Policies: []azuretest.AccessPolicy{{ObjectID: confluent, Keys: []string{"all"}}}, Network: &azuretest.Network{DefaultAction: "Deny"}})
	w.works(true)
	put := func(name string, p armkeyvault.VaultProperties) (armkeyvault.Vault, error) {
		p.TenantID, p.SKU = to.Ptr(azuretest.DefaultTenant), &armkeyvault.SKU{Family: to.Ptr(armkeyvault.SKUFamilyA), Name: to.Ptr(armkeyvault.SKUNamePremium)}
		poller, err := w.Vaults.BeginCreateOrUpdate(t.Context(), "rg-kafka", name, armkeyvault.VaultCreateOrUpdateParameters{Location: to.Ptr("westeurope"), Properties: &p}, nil)
		if err != nil {
			return armkeyvault.Vault{}, err
		}
		r, err := poller.PollUntilDone(t.Context(), nil)
		return r.Vault, err
	}
	_, err := put("ACME-vault", armkeyvault.VaultProperties{})
	w.check(err)
	v := w.now()
	if w.policies() != "" || v.Properties.NetworkAcls != nil || len(v.Tags) != 0 || v.Properties.PublicNetworkAccess != "Enabled" {
		t.Errorf("got %+v", v)
	}
	if v.Properties.EnableRbacAuthorization || !v.Properties.EnablePurgeProtection {
		t.Errorf("an update changed the permission model or purge protection: %+v", v)
	}
	w.works(false)
	made, err := put("new-vault", armkeyvault.VaultProperties{})
	w.check(err)
	if !*made.Properties.EnableRbacAuthorization {
		t.Error("since 2026-02-01 a new vault uses Azure RBAC unless it is told otherwise")
	}
	w.Clients = w.Cloud.Clients("NOBODY")
	_, err = put("acme-vault", armkeyvault.VaultProperties{})
	refused(t, "without vaults/write", err, 403, "AuthorizationFailed")
}

func TestTheSwitchBetweenPermissionModels(t *testing.T) {
	w := open(t, azuretest.Options{})
	to := func(token string, rbac bool) error {
		return w.As(token).UpdateVault(w.vault, map[string]any{"enableRbacAuthorization": rbac})
	}
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Key Vault Contributor", Principal: watcher})
	refused(t, "Key Vault Contributor", to("WATCHER", false), 403, "AuthorizationFailed")
	w.check(to("WATCHER", true)) // which it is already
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Key Vault Data Access Administrator", Principal: watcher})
	refused(t, "with a limited right to assign", to("WATCHER", false), 403, "AuthorizationFailed")
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: "Owner", Principal: watcher, Condition: "ActionMatches{'*'}"})
	refused(t, "with a condition that always holds", to("WATCHER", false), 403, "AuthorizationFailed")
	w.works(true)
	w.check(to("ADMIN", false))
	w.works(false)
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: "User Access Administrator", Principal: watcher})
	w.check(to("WATCHER", true))
	w.works(true)
}

func TestADeletedVaultTakesItsAssignmentsAlong(t *testing.T) {
	w := open(t, azuretest.Options{PageSize: 1})
	w.Assign(azuretest.Assignment{Scope: w.key, Role: vaultReader, Principal: watcher})
	above := w.Assign(azuretest.Assignment{Scope: w.Subscription(), Role: "Reader", Principal: watcher})
	_, err := w.Vaults.Delete(t.Context(), "rg-kafka", "acme-vault", nil)
	w.check(err)
	_, err = w.Vaults.Get(t.Context(), "rg-kafka", "acme-vault", nil)
	refused(t, "a vault that was deleted", err, 404, "ResourceNotFound")
	d, err := w.Vaults.GetDeleted(t.Context(), "Acme-Vault", "WestEurope", nil)
	w.check(err)
	if *d.Properties.VaultID != w.vault || !*d.Properties.PurgeProtectionEnabled {
		t.Errorf("got %+v", d.DeletedVault)
	}
	n := 0
	for p := w.Vaults.NewListDeletedPager(nil); p.More(); {
		page, err := p.NextPage(t.Context())
		w.check(err)
		n += len(page.Value)
	}
	if n != 1 {
		t.Errorf("%d deleted vaults", n)
	}
	refused(t, "purging a protected one", w.admin.PurgeVault(w.vault), 400, "MethodNotAllowed")
	w.Assign(azuretest.Assignment{Scope: w.Subscription(), Role: "Key Vault Contributor", Principal: watcher})
	refused(t, "purging as Key Vault Contributor", w.As("WATCHER").PurgeVault(w.vault), 403, "AuthorizationFailed")
	got := w.Assignments(w.key, "")
	if slices.ContainsFunc(got, func(a azuretest.Assignment) bool { return strings.Contains(a.Scope, "acme-vault") }) {
		t.Errorf("still assigned: %+v", got)
	}
	_, err = w.admin.Do(http.MethodPut, w.vault, `{"location":"westeurope","properties":{"tenantId":"`+azuretest.DefaultTenant+`","sku":{"family":"A","name":"standard"}}}`)
	refused(t, "a new one of the same name", err, 409, "ConflictError")
	w.check(w.admin.RecoverVault(w.vault))
	if w.Cloud.Key(w.key) == "" {
		t.Error("the key did not come back")
	}
	w.check(w.admin.DeleteAssignment(above))
}

func TestTags(t *testing.T) {
	w := openVault(t, azuretest.Options{}, azuretest.VaultSpec{Name: "acme-vault", Tags: map[string]string{"Env": "prod"}})
	for _, c := range []struct {
		operation string
		tags      map[string]string
		want      string
	}{
		{"Merge", map[string]string{"env": "test", "byokwatch-revoked": "payments"}, "map[Env:test byokwatch-revoked:payments]"},
		{"Delete", map[string]string{"byokwatch-revoked": "other"}, "map[Env:test byokwatch-revoked:payments]"},
		{"Delete", map[string]string{"BYOKWATCH-revoked": "payments"}, "map[Env:test]"},
		{"Replace", map[string]string{"a": "b"}, "map[a:b]"},
	} {
		w.check(w.admin.TagVault(w.vault, c.operation, c.tags))
		if got := fmt.Sprint(w.now().Tags); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.operation, c.tags, got, c.want)
		}
	}
	refused(t, "no operation", w.admin.TagVault(w.vault, "Add", map[string]string{"a": "b"}), 400, "InvalidTagsOperation")
	refused(t, "too long", w.admin.TagVault(w.vault, "Merge", map[string]string{"a": strings.Repeat("b", 257)}), 400, "TagTooLong")
	data, err := w.admin.Do(http.MethodGet, w.vault+"/providers/Microsoft.Resources/tags/default", nil)
	if err != nil || !strings.Contains(string(data), `"tags":{"a":"b"}`) {
		t.Errorf("%s, %v", data, err)
	}
}
