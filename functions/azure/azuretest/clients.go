package azuretest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"byokwatch/functions/emulatortest"
)

// VaultAPIVersion is the first version of Key Vault's management API that will
// not be retired in 2027
// (https://learn.microsoft.com/azure/key-vault/general/access-control-default).
const VaultAPIVersion = "2026-02-01"

// RoundTripper serves requests in the calling goroutine, with no socket in
// between, so that it works inside a testing/synctest bubble.
func (c *Cloud) RoundTripper() Transport { return InProcess(c) }

// InProcess is RoundTripper for any handler.
func InProcess(h http.Handler) Transport { return Transport{emulatortest.InProcess(h, plain)} }

// plain spells the names of headers as a server reads them: Microsoft's clients
// write some in lower case.
func plain(r *http.Request) {
	header := http.Header{}
	for name, values := range r.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header = header
}

// Transport is the way to a handler in this process, as net/http and as
// Microsoft's clients want it.
type Transport struct{ http.RoundTripper }

// Do is RoundTrip, as policy.Transporter calls it.
func (t Transport) Do(r *http.Request) (*http.Response, error) { return t.RoundTrip(r) }

// Credential is that of the caller who was logged in by a token. What it hands
// out is meant for one audience, as real tokens are: a vault refuses one that is
// meant for Azure Resource Manager.
func Credential(token string) azcore.TokenCredential { return credential(token) }

type credential string

var errScope = errors.New("exactly one scope is needed")

func (t credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if len(o.Scopes) != 1 {
		return azcore.AccessToken{}, errScope
	}
	audience := strings.TrimSuffix(strings.TrimSuffix(o.Scopes[0], "/.default"), "/")
	return azcore.AccessToken{Token: string(t) + "|" + audience, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// ARM are options of clients of Azure Resource Manager whose requests reach this
// emulator in the same process.
func (c *Cloud) ARM() arm.ClientOptions {
	return arm.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: c.RoundTripper()}, DisableRPRegistration: true}
}

// Clients are Microsoft's own clients, as one caller has them.
type Clients struct {
	Vaults          *armkeyvault.VaultsClient
	Keys            *armkeyvault.KeysClient
	RoleAssignments *armauthorization.RoleAssignmentsClient
	RoleDefinitions *armauthorization.RoleDefinitionsClient
	DenyAssignments *armauthorization.DenyAssignmentsClient
	DataPlane       func(name string) *azkeys.Client
}

// Clients makes the real clients, whose requests reach this emulator in the same
// process as those of whoever was logged in by the token.
func (c *Cloud) Clients(token string) Clients {
	of, at := Credential(token), c.ARM()
	pinned := c.ARM()
	pinned.APIVersion = VaultAPIVersion
	return Clients{
		Vaults:          must(armkeyvault.NewVaultsClient(c.opts.Subscription, of, &pinned)),
		Keys:            must(armkeyvault.NewKeysClient(c.opts.Subscription, of, &pinned)),
		RoleAssignments: must(armauthorization.NewRoleAssignmentsClient(c.opts.Subscription, of, &at)),
		RoleDefinitions: must(armauthorization.NewRoleDefinitionsClient(of, &at)),
		DenyAssignments: must(armauthorization.NewDenyAssignmentsClient(c.opts.Subscription, of, &at)),
		DataPlane: func(name string) *azkeys.Client {
			return must(azkeys.NewClient("https://"+name+".vault.azure.net", of, &azkeys.ClientOptions{ClientOptions: at.ClientOptions}))
		},
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // nothing about a client of our own transport can fail
	}
	return v
}
