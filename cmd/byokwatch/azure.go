package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/endpoint"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
	"byokwatch/functions/azure/blobstore"
	"byokwatch/functions/azure/keyvault"
)

// azureServices are those whose address BYOKWATCH_<SERVICE>_ENDPOINT moves.
var azureServices = []string{"MANAGEMENT", "KEYVAULT", "BLOB"}

// azure makes Azure's clients with the operator's own credentials. They are
// looked for only if something is not on this machine.
type azure struct {
	env        func(string) string
	place      endpoint.AzureCloud
	credential azcore.TokenCredential // nil until needed
}

// azure loads the settings once.
func (a *app) azure() (*azure, error) {
	if a.azureClients != nil {
		return a.azureClients, nil
	}
	if err := endpoint.CheckAzure(environmentFor(core.Azure)); err != nil {
		return nil, err
	}
	a.azureClients = &azure{env: a.env, place: endpoint.AzureCloudAt(a.env("BYOKWATCH_MANAGEMENT_ENDPOINT"))}
	return a.azureClients, nil
}

// options are those of every client, with the cloud that the settings mean.
// Repeating is for the adapters, which know how much time there is.
func (z *azure) options() policy.ClientOptions {
	at := z.place.Management
	local := false
	if moved := z.env("BYOKWATCH_MANAGEMENT_ENDPOINT"); endpoint.Loopback(moved) {
		at, local = moved, true
	}
	return policy.ClientOptions{
		Telemetry:                       policy.TelemetryOptions{ApplicationID: "byokwatch"},
		Retry:                           policy.RetryOptions{MaxRetries: -1},
		InsecureAllowCredentialWithHTTP: local,
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: z.place.Authority,
			Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: at, Audience: z.place.Audience}},
		},
	}
}

// credentials are the operator's own: those of the environment, where it names
// some, else those of the Azure command line. There is one source, and never
// another one behind it: who is asked for is who acts, and no machine's identity
// stands in for a person whose login has run out.
func (z *azure) credentials(ctx context.Context) (azcore.TokenCredential, error) {
	if z.credential != nil {
		return z.credential, nil
	}
	c, remedy, err := z.source()
	if err == nil {
		c = &remembered{from: c, tokens: map[string]azcore.AccessToken{}}
		_, err = c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{z.place.Audience + "/.default"}})
	}
	if err != nil {
		return nil, fmt.Errorf("there are no Azure credentials to use; %s: %w", remedy, err)
	}
	z.credential = c
	return c, nil
}

// source picks whom the environment names, and says what to do if that fails.
// Sources: https://learn.microsoft.com/azure/developer/go/sdk/authentication/credential-chains,
// https://pkg.go.dev/github.com/Azure/azure-sdk-for-go/sdk/azidentity#readme-environment-variables
func (z *azure) source() (azcore.TokenCredential, string, error) {
	set := func(name string) bool { return z.env(name) != "" }
	options := z.options()
	switch {
	case set("AZURE_FEDERATED_TOKEN_FILE"):
		c, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: options})
		return c, "look at AZURE_FEDERATED_TOKEN_FILE, AZURE_CLIENT_ID and AZURE_TENANT_ID", err
	case set("AZURE_CLIENT_SECRET"), set("AZURE_CLIENT_CERTIFICATE_PATH"):
		c, err := azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: options})
		return c, "look at AZURE_TENANT_ID, AZURE_CLIENT_ID and the secret or certificate beside them", err
	}
	c, err := azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: z.env("AZURE_TENANT_ID")})
	return c, "run az login", err
}

// remembered keeps tokens: the Azure command line is a process for each one.
type remembered struct {
	from   azcore.TokenCredential
	mu     sync.Mutex
	tokens map[string]azcore.AccessToken
}

// fresh is how much of a token's life must be left.
const fresh = 5 * time.Minute

// GetToken implements azcore.TokenCredential.
func (r *remembered) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := fmt.Sprint(o.Scopes, o.TenantID)
	if t, ok := r.tokens[name]; ok && o.Claims == "" && time.Until(t.ExpiresOn) > fresh {
		return t, nil
	}
	t, err := r.from.GetToken(ctx, o)
	if err == nil {
		r.tokens[name] = t
	}
	return t, err
}

// dummy is the credential of this machine, where nothing is real.
type dummy struct{}

// GetToken implements azcore.TokenCredential.
func (dummy) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "byokwatch-local", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// azureKeys reads and writes keys of any subscription.
func azureKeys(ctx context.Context, a *app) (watchdog.Cloud, error) {
	z, err := a.azure()
	if err != nil {
		return nil, err
	}
	options, vaults := z.options(), z.env("BYOKWATCH_KEYVAULT_ENDPOINT")
	local := options.InsecureAllowCredentialWithHTTP
	if !local && vaults != "" {
		return nil, errors.New("BYOKWATCH_KEYVAULT_ENDPOINT is for emulators and goes with BYOKWATCH_MANAGEMENT_ENDPOINT on this machine; remove it")
	}
	var credential azcore.TokenCredential = dummy{}
	if !local {
		if credential, err = z.credentials(ctx); err != nil {
			return nil, err
		}
	}
	keeper := keyvault.New(keyvault.Access{
		Credential: credential, ARM: arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true}, Keys: options, VaultEndpoint: vaults,
	}, keyvault.Options{Self: objectSelf(a.env("BYOKWATCH_SELF")), Builtin: azurekv.Builtin})
	return azureVaults{keeper.Operator()}, nil
}

// objectSelf takes the object ID of a managed identity.
func objectSelf(id string) string {
	if !isGUID(id) {
		return ""
	}
	return strings.ToLower(id)
}

// azureVaults is what the function has, and the steps that the command line
// alone may take: those of a revocation.
type azureVaults struct{ *keyvault.Operator }

// expect makes reads bring the roles that a snapshot names: an assignment may be
// gone, and its role have grown since.
func (v azureVaults) expect(k core.Key, good core.Policy) {
	for _, d := range good {
		if d.Kind == core.RoleDefinitions {
			v.Remember(k, d.ID)
		}
	}
}

func azureObjects(ctx context.Context, a *app, place config.Location, _ []core.Key) (record.Objects, error) {
	if place.Scheme != "azblob" {
		return nil, fmt.Errorf("a store of the scheme %s holds no records of Azure keys", place.Scheme)
	}
	z, err := a.azure()
	if err != nil {
		return nil, err
	}
	moved := z.env("BYOKWATCH_BLOB_ENDPOINT")
	url, err := endpoint.AzureBlobs(moved, z.place, place.Account)
	if err != nil {
		return nil, fmt.Errorf("BYOKWATCH_BLOB_ENDPOINT is refused: %w", err)
	}
	var credential azcore.TokenCredential = dummy{} // no other goes to this machine
	if !endpoint.Loopback(moved) {
		if credential, err = z.credentials(ctx); err != nil {
			return nil, err
		}
	}
	client, err := blobstore.Client(url, place.Bucket, credential, z.options())
	if err != nil {
		return nil, fmt.Errorf("make the client of Blob Storage: %w", err)
	}
	return blobstore.New(client, place.Prefix), nil
}
