package azuretest_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"byokwatch/functions/azure/azuretest"
)

// inner is the code that tells why a vault forbade something.
func inner(err error) string {
	if f, ok := err.(*azuretest.Failure); ok {
		return f.Inner
	}
	return ""
}

func TestVersionsOfAKeyByBothPlanes(t *testing.T) {
	w := open(t, azuretest.Options{PageSize: 2})
	for range 3 {
		_, err := w.admin.NewKeyVersion(w.key)
		w.check(err)
	}
	want := w.Versions(w.key)
	if len(want) != 5 {
		t.Fatalf("versions %v", want)
	}
	w.check(w.admin.SetKeyEnabled(w.key, want[1], false))
	var managed, data []string
	for p := w.Keys.NewListVersionsPager("rg-kafka", "acme-vault", "payments", nil); p.More(); {
		page, err := p.NextPage(t.Context())
		w.check(err)
		for _, k := range page.Value {
			managed = append(managed, *k.Name)
			if *k.Properties.Attributes.Enabled == (*k.Name == want[1]) {
				t.Errorf("%s is enabled: %v", *k.Name, *k.Properties.Attributes.Enabled)
			}
		}
	}
	for p := w.DataPlane("acme-vault").NewListKeyPropertiesVersionsPager("payments", nil); p.More(); {
		page, err := p.NextPage(t.Context())
		w.check(err)
		for _, k := range page.Value {
			data = append(data, k.KID.Version())
		}
	}
	if !slices.Equal(managed, want) || !slices.Equal(data, want) {
		t.Errorf("by Resource Manager %v, by the vault %v, want %v", managed, data, want)
	}
	v, err := w.Keys.GetVersion(t.Context(), "rg-kafka", "acme-vault", "payments", want[0], nil)
	w.check(err)
	if *v.ID != w.key+"/versions/"+want[0] || *v.Properties.KeyURIWithVersion != "https://acme-vault.vault.azure.net/keys/payments/"+want[0] {
		t.Errorf("got %+v", v.Key)
	}
	_, err = w.Keys.Get(t.Context(), "rg-kafka", "acme-vault", "orders", nil)
	refused(t, "a key that is not there", err, 404, "KeyNotFound")
	_, err = w.DataPlane("acme-vault").GetKey(t.Context(), "payments", name(1), nil)
	if err == nil {
		t.Error("read a version that is none")
	}
}

func TestKeysAreTurnedOnAndOffInTheVaultAlone(t *testing.T) {
	w := open(t, azuretest.Options{})
	w.check(w.admin.SetKeyEnabled(w.key, "", false))
	client := w.Cloud.Clients("WATCHER").DataPlane("acme-vault")
	enable := func() error {
		_, err := client.UpdateKey(t.Context(), "payments", w.Versions(w.key)[1], azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(true)}}, nil)
		return err
	}
	refused(t, "without keys/update/action", enable(), 403, "Forbidden")
	role := w.AddCustomRole(azuretest.Role{Permissions: []azuretest.Permission{{DataActions: []string{"Microsoft.KeyVault/vaults/keys/update/action"}}}})
	w.Assign(azuretest.Assignment{Scope: w.key, Role: role, Principal: watcher})
	before := len(w.Events())
	w.check(enable())
	w.works(true)
	if len(w.Events()) != before {
		t.Error("an event tells of what a vault did to a key's attributes")
	}
	if _, err := client.GetKey(t.Context(), "payments", "", nil); err == nil {
		t.Error("who may update may not read")
	}
}

func TestAVaultSaysWhyItForbids(t *testing.T) {
	rbac := azuretest.VaultSpec{Name: "acme-vault", RBAC: true}
	for sentence, c := range map[string]struct {
		vault azuretest.VaultSpec
		call  func(w world) error
		want  string
	}{
		"no role":         {rbac, func(w world) error { return w.As("NOBODY").SetKeyEnabled(w.key, "", true) }, "ForbiddenByRbac"},
		"no access entry": {azuretest.VaultSpec{Name: "acme-vault"}, func(w world) error { return w.As("NOBODY").SetKeyEnabled(w.key, "", true) }, "AccessDenied"},
		"the firewall": {azuretest.VaultSpec{Name: "acme-vault", RBAC: true, Network: &azuretest.Network{DefaultAction: "Deny"}},
			func(w world) error { return w.admin.SetKeyEnabled(w.key, "", true) }, "ForbiddenByFirewall"},
		"a key that is in the bin": {rbac, func(w world) error {
			w.check(w.admin.DeleteKey(w.key))
			_, err := w.admin.Do("POST", "https://acme-vault.vault.azure.net/keys/payments/create", `{"kty":"RSA"}`)
			return err
		}, "ObjectIsDeletedButRecoverable"},
		"a disabled key": {rbac, func(w world) error {
			w.check(w.admin.SetKeyEnabled(w.key, "", false))
			return w.wrapped()
		}, "KeyDisabled"},
		"an operation that the key is not for": {rbac, func(w world) error {
			w.check(w.admin.SetKeyOps(w.key, "", "sign"))
			return w.wrapped()
		}, "KeyOperationForbidden"},
		"an expired key": {rbac, func(w world) error {
			w.check(w.admin.UpdateKey(w.key, "", map[string]any{"exp": 5}))
			return w.wrapped()
		}, "KeyExpired"},
	} {
		w := openVault(t, azuretest.Options{}, c.vault)
		if err := c.call(w); inner(err) != c.want {
			t.Errorf("%s: %v (%s)", sentence, err, inner(err))
		}
	}
}

func (w world) wrapped() error {
	_, err := w.admin.Do("POST", "https://acme-vault.vault.azure.net/keys/payments/wrapkey", `{"alg":"RSA-OAEP-256","value":"AAAA"}`)
	return err
}

func TestWhatIsWrappedByOneVersionIsUnwrappedByIt(t *testing.T) {
	w := open(t, azuretest.Options{})
	client := w.Cloud.Clients("CONFLUENT").DataPlane("acme-vault")
	in := azkeys.KeyOperationParameters{Algorithm: to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256), Value: []byte("dek")}
	wrapped, err := client.WrapKey(t.Context(), "payments", "", in, nil)
	w.check(err)
	_, err = w.admin.NewKeyVersion(w.key)
	w.check(err)
	in.Value = wrapped.Result
	_, err = client.UnwrapKey(t.Context(), "payments", "", in, nil)
	refused(t, "by the wrong version", err, 400, "BadParameter")
	plain, err := client.UnwrapKey(t.Context(), "payments", wrapped.KID.Version(), in, nil)
	if err != nil || string(plain.Result) != "dek" {
		t.Errorf("%s, %v", plain.Result, err)
	}
}

func TestADeletedKeyComesBackAsItWas(t *testing.T) {
	w := open(t, azuretest.Options{})
	c := w.DataPlane("acme-vault")
	_, err := c.DeleteKey(t.Context(), "payments", nil)
	w.check(err)
	_, err = w.Keys.Get(t.Context(), "rg-kafka", "acme-vault", "payments", nil)
	refused(t, "by Resource Manager", err, 404, "KeyNotFound")
	_, err = c.GetKey(t.Context(), "payments", "", nil)
	refused(t, "in the vault", err, 404, "KeyNotFound")
	_, err = c.GetDeletedKey(t.Context(), "payments", nil)
	w.check(err)
	_, err = c.RecoverDeletedKey(t.Context(), "payments", nil)
	w.check(err)
	w.works(true)
	_, err = c.RecoverDeletedKey(t.Context(), "payments", nil)
	refused(t, "once more", err, 404, "KeyNotFound")
}

func TestAKeyByResourceManagerIsMadeOnlyOnce(t *testing.T) {
	w := open(t, azuretest.Options{})
	for range 2 {
		_, err := w.admin.Do("PUT", w.vault+"/keys/Orders", `{"properties":{"kty":"RSA","keySize":3072}}`)
		w.check(err)
	}
	if v := w.Versions(w.vault + "/keys/orders"); len(v) != 1 {
		t.Errorf("versions %v", v)
	}
}

func TestAKeysDatesAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, azuretest.Options{})
		k := w.AddKey(azuretest.KeySpec{Vault: w.vault, Name: "dated", Versions: 3, Retired: 1, NotBefore: time.Now(), Expires: time.Now().Add(time.Hour)})
		got, err := w.Keys.Get(t.Context(), "rg-kafka", "acme-vault", "dated", nil)
		w.check(err)
		if a := got.Properties.Attributes; *a.NotBefore != time.Now().Unix() || *a.Expires != time.Now().Add(time.Hour).Unix() {
			t.Errorf("got %+v", a)
		}
		w.key = k
		w.works(true)
		time.Sleep(time.Hour)
		w.works(false)
		if want := fmt.Sprint(w.Works(confluent, azuretest.Dedicated, k)); want == "" {
			t.Error("no reason")
		}
	})
}
