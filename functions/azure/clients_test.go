package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault/v2"

	"byokwatch/functions/wiring"
)

// server keeps what it is asked and answers with one text.
func server(t *testing.T, text string) (url string, asked *[]*http.Request) {
	t.Helper()
	asked = new([]*http.Request)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Clone(t.Context()))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func clientsAt(t *testing.T, vars map[string]string) *clients {
	t.Helper()
	env, err := readEnvironment(functionApp(vars))
	must(t, err)
	return newClients(env)
}

// Nothing on this machine is ever shown a token that is worth something.
func TestEmulatorsSeeADummy(t *testing.T) {
	url, asked := server(t, `{}`)
	c := clientsAt(t, map[string]string{"BYOKWATCH_MANAGEMENT_ENDPOINT": url, "BYOKWATCH_KEYVAULT_ENDPOINT": url, "BYOKWATCH_BLOB_ENDPOINT": url})
	access, err := c.vaults()
	must(t, err)
	vaults, err := armkeyvault.NewVaultsClient("0b1f6471-1bf0-4dda-aec3-cb9272f09590", access.Credential, &access.ARM)
	must(t, err)
	_, err = vaults.Get(t.Context(), "kafka-keys", "acme-vault", nil)
	must(t, err)
	b := newBuilder(c.env, nil)
	body, err := b.object(t.Context(), wiring.Source{Account: "acmebw", Bucket: "config", Path: "prod/byokwatch.yaml"})
	must(t, err)
	must(t, body.Close())
	if access.VaultEndpoint != url || !access.ARM.DisableRPRegistration {
		t.Errorf("%+v", access)
	}
	var got []string
	for _, r := range *asked {
		got = append(got, r.Header.Get("Authorization")+" "+r.URL.Path)
		if !strings.Contains(r.UserAgent(), userAgent) {
			t.Errorf("user agent %q", r.UserAgent())
		}
	}
	want := []string{
		"Bearer byokwatch-local /subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/kafka-keys/providers/Microsoft.KeyVault/vaults/acme-vault",
		"Bearer byokwatch-local /acmebw/config/prod/byokwatch.yaml",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEachCloudOfAzure(t *testing.T) {
	for endpoint, want := range map[string][3]string{
		"":                                     {"https://management.azure.com", "https://login.microsoftonline.com/", "https://acmebw.blob.core.windows.net/c"},
		"https://management.usgovcloudapi.net": {"https://management.usgovcloudapi.net", "https://login.microsoftonline.us/", "https://acmebw.blob.core.usgovcloudapi.net/c"},
		"https://management.chinacloudapi.cn":  {"https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn/", "https://acmebw.blob.core.chinacloudapi.cn/c"},
	} {
		c := clientsAt(t, map[string]string{"BYOKWATCH_MANAGEMENT_ENDPOINT": endpoint})
		access, err := c.vaults()
		must(t, err)
		blobs, err := c.container("acmebw", "c")
		must(t, err)
		got := [3]string{access.ARM.Cloud.Services[cloud.ResourceManager].Endpoint, access.Keys.Cloud.ActiveDirectoryAuthorityHost, blobs.URL()}
		if got != want || access.ARM.InsecureAllowCredentialWithHTTP || access.VaultEndpoint != "" {
			t.Errorf("%q: %q, want %q", endpoint, got, want)
		}
		if access.ARM.APIVersion != "" || access.ARM.Retry.MaxRetries != -1 {
			t.Errorf("%+v", access.ARM)
		}
	}
	if _, err := clientsAt(t, nil).container("Not An Account", "c"); err == nil {
		t.Error("no account, and no error")
	}
	elsewhere := clientsAt(t, map[string]string{"BYOKWATCH_BLOB_ENDPOINT": "https://acmebw.blob.core.windows.net"})
	if _, err := elsewhere.container("another", "c"); err == nil {
		t.Error("another account's host, and no error")
	}
}

// The host hands out tokens of the identity that is asked for.
// https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
func TestTokensAreOfTheOwnIdentity(t *testing.T) {
	for _, client := range []string{"", "dddd4444-0000-4000-8000-000000000004"} {
		url, asked := server(t, fmt.Sprintf(`{"access_token":"t","expires_on":"%d","resource":"r","token_type":"Bearer","client_id":"c"}`, time.Now().Add(time.Hour).Unix()))
		t.Setenv("IDENTITY_ENDPOINT", url+"/msi/token")
		t.Setenv("IDENTITY_HEADER", "h")
		c := clientsAt(t, map[string]string{"AZURE_CLIENT_ID": client})
		credential, err := c.credential()
		must(t, err)
		token, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
		must(t, err)
		r := (*asked)[0]
		if token.Token != "t" || r.Header.Get("X-IDENTITY-HEADER") != "h" || r.URL.Query().Get("client_id") != client || r.URL.Query().Get("resource") != "https://management.azure.com" {
			t.Errorf("client %q: token %q for %s", client, token.Token, r.URL)
		}
		if again, err := c.credential(); err != nil || again != credential {
			t.Errorf("another credential, %v", err)
		}
	}
}
