package azuretest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"byokwatch/functions/azure/azuretest"
)

const (
	confluent = "c0ffee00-1111-4222-8333-000000000001" // Confluent's service principal
	admin     = "ad000000-1111-4222-8333-000000000002"
	nobody    = "00b0d400-1111-4222-8333-000000000003"
	watcher   = "3a7c4e00-1111-4222-8333-000000000004"
	others    = "93093000-1111-4222-8333-000000000005" // a group

	encryptionUser = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
	vaultReader    = "21090545-7ca7-4776-b22c-e363652d74d2"

	readKey   = "Microsoft.KeyVault/vaults/keys/read"
	wrapKey   = "Microsoft.KeyVault/vaults/keys/wrap/action"
	unwrapKey = "Microsoft.KeyVault/vaults/keys/unwrap/action"
)

type world struct {
	*azuretest.Cloud
	azuretest.Clients
	t          *testing.T
	vault, key string
	admin      azuretest.Person
}

// open is a vault with Azure RBAC, whose key Confluent can use by the two roles
// that it asks for.
func open(t *testing.T, o azuretest.Options) world {
	t.Helper()
	return openVault(t, o, azuretest.VaultSpec{Name: "acme-vault", RBAC: true})
}

func openVault(t *testing.T, o azuretest.Options, v azuretest.VaultSpec) world {
	t.Helper()
	c := azuretest.New(o)
	c.AddPrincipal(azuretest.Principal{ObjectID: confluent, Name: "Confluent"})
	c.AddPrincipal(azuretest.Principal{ObjectID: admin, Type: azuretest.User, Name: "Jane Doe", UPN: "jane@acme.example"})
	c.Login(azuretest.Caller{Token: "ADMIN", ObjectID: admin, Address: "203.0.113.7", Agent: "az"})
	c.Login(azuretest.Caller{Token: "NOBODY", ObjectID: nobody})
	c.Login(azuretest.Caller{Token: "WATCHER", ObjectID: watcher})
	c.Login(azuretest.Caller{Token: "CONFLUENT", ObjectID: confluent, Trusted: true})
	c.AddGroup(others)
	w := world{Cloud: c, Clients: c.Clients("ADMIN"), t: t, admin: c.As("ADMIN")}
	w.vault = c.AddVault(v)
	w.key = c.AddKey(azuretest.KeySpec{Vault: w.vault, Name: "payments", Versions: 2})
	c.Assign(azuretest.Assignment{Scope: c.Subscription(), Role: "Owner", Principal: admin})
	c.Assign(azuretest.Assignment{Scope: c.Subscription(), Role: "Key Vault Administrator", Principal: admin})
	if v.RBAC {
		c.Assign(azuretest.Assignment{Scope: w.vault, Role: encryptionUser, Principal: confluent})
		c.Assign(azuretest.Assignment{Scope: w.vault, Role: vaultReader, Principal: confluent})
	}
	return w
}

func (w world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w world) works(want bool) {
	w.t.Helper()
	if err := w.Works(confluent, azuretest.Dedicated, w.key); (err == nil) != want {
		w.t.Fatalf("Confluent can use the key: %v, want %v: %v", err == nil, want, err)
	}
}

// refused wants an error of Azure with this status and code.
func refused(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	if f, ok := errors.AsType[*azuretest.Failure](err); ok && f.Status == status && f.Code == code {
		return
	}
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok && e.StatusCode == status && e.ErrorCode == code {
		return
	}
	t.Errorf("%s: %v, want %d %s", what, err, status, code)
}

func TestTheRealClientsReadAndWriteWhatAVaultIs(t *testing.T) {
	w := open(t, azuretest.Options{})
	w.works(true)
	got, err := w.Vaults.Get(t.Context(), "RG-KAFKA", "ACME-VAULT", nil)
	w.check(err)
	if *got.ID != w.vault || *got.Properties.EnableRbacAuthorization != true || *got.Properties.VaultURI != "https://acme-vault.vault.azure.net/" {
		t.Errorf("got %+v", got.Vault)
	}
	k, err := w.Keys.Get(t.Context(), "rg-kafka", "acme-vault", "payments", nil)
	w.check(err)
	if *k.ID != w.key || !*k.Properties.Attributes.Enabled {
		t.Errorf("got %+v", k.Key)
	}
	b, err := w.DataPlane("acme-vault").GetKey(t.Context(), "payments", "", nil)
	w.check(err)
	if v := w.Versions(w.key); b.Key.KID.Version() != v[1] {
		t.Errorf("current version %s of %v", *b.Key.KID, v)
	}
}

func TestOverLoopbackThePathOrTheHostNamesTheVault(t *testing.T) {
	w := open(t, azuretest.Options{})
	w.Login(azuretest.Caller{ObjectID: admin}) // counts for Resource Manager alone
	s := httptest.NewServer(w.Cloud)
	defer s.Close()
	for what, change := range map[string]func(*http.Request){
		"first segment": func(*http.Request) {},
		"host": func(r *http.Request) {
			r.URL.Path, r.Host = strings.TrimPrefix(r.URL.Path, "/acme-vault"), "acme-vault.vault.azure.net"
		},
	} {
		r, err := http.NewRequest(http.MethodGet, s.URL+"/acme-vault/keys/payments?api-version=7.6", nil)
		w.check(err)
		change(r)
		for _, try := range []struct {
			token  string
			status int
		}{{"", 401}, {"Bearer ADMIN|https://management.azure.com", 401}, {"Bearer ADMIN", 200}, {"Bearer ADMIN|https://vault.azure.net", 200}} {
			r.Header.Set("Authorization", try.token)
			if try.token == "" {
				r.Header.Del("Authorization")
			}
			resp, err := http.DefaultClient.Do(r)
			w.check(err)
			w.check(resp.Body.Close())
			if challenge := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != try.status || (try.status == 401) != strings.Contains(challenge, `resource="https://vault.azure.net"`) {
				t.Errorf("%s, token %q: %d with %q", what, try.token, resp.StatusCode, challenge)
			}
		}
	}
}
