package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// lender hands out tokens and counts.
type lender struct {
	asked int
	lasts time.Duration
	err   error
}

func (l *lender) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	l.asked++
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(l.lasts)}, l.err
}

func TestTokensAreAskedForAsRarelyAsMayBe(t *testing.T) {
	vaults := policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}}
	there := vaults
	there.TenantID = "0aa00aaa-1111-4222-8333-444455556666"
	claims := vaults
	claims.Claims = "{}"
	for name, c := range map[string]struct {
		lasts time.Duration
		err   error
		asks  []policy.TokenRequestOptions
		want  int
	}{
		"once for a scope":              {time.Hour, nil, []policy.TokenRequestOptions{vaults, vaults, vaults}, 1},
		"once for a scope and a tenant": {time.Hour, nil, []policy.TokenRequestOptions{vaults, there, vaults, there}, 2},
		"again when it is about to end": {time.Minute, nil, []policy.TokenRequestOptions{vaults, vaults}, 2},
		"again when more is demanded":   {time.Hour, nil, []policy.TokenRequestOptions{vaults, claims}, 2},
		"again after a failure":         {time.Hour, errors.New("no"), []policy.TokenRequestOptions{vaults, vaults}, 2},
	} {
		l := &lender{lasts: c.lasts, err: c.err}
		r := &remembered{from: l, tokens: map[string]azcore.AccessToken{}}
		for _, o := range c.asks {
			if _, err := r.GetToken(t.Context(), o); !errors.Is(err, c.err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if l.asked != c.want {
			t.Errorf("%s: asked %d times, want %d", name, l.asked, c.want)
		}
	}
}

// What is worth something goes to Azure only, and the other way round.
func TestAzureClientsGoWhereTheSettingsSay(t *testing.T) {
	for name, c := range map[string]struct{ endpoint, at, authority string }{
		"nothing set":      {"", "https://management.azure.com", "https://login.microsoftonline.com/"},
		"US government":    {"https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net", "https://login.microsoftonline.us/"},
		"China":            {"https://management.chinacloudapi.cn/", "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn/"},
		"on this machine":  {"http://127.0.0.1:9", "http://127.0.0.1:9", "https://login.microsoftonline.com/"},
		"elsewhere, https": {"https://management.example.com", "", ""},
	} {
		t.Setenv("BYOKWATCH_MANAGEMENT_ENDPOINT", c.endpoint)
		a := &app{env: func(name string) string {
			return map[string]string{"BYOKWATCH_MANAGEMENT_ENDPOINT": c.endpoint}[name]
		}}
		z, err := a.azure()
		if err != nil {
			if c.at != "" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		o := z.options()
		at := o.Cloud.Services["resourceManager"].Endpoint
		if at != c.at || o.Cloud.ActiveDirectoryAuthorityHost != c.authority || o.InsecureAllowCredentialWithHTTP != (name == "on this machine") {
			t.Errorf("%s: %s, by %s, over http %t", name, at, o.Cloud.ActiveDirectoryAuthorityHost, o.InsecureAllowCredentialWithHTTP)
		}
	}
}
