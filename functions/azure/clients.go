package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"byokwatch/core/endpoint"
	"byokwatch/functions/azure/blobstore"
	"byokwatch/functions/azure/keyvault"
)

const (
	dialTimeout = 3 * time.Second
	// connections per host that a sweep keeps open to an emulator; Azure speaks
	// HTTP/2, over one.
	connections = 32
	userAgent   = "byokwatch"
)

// clients makes the clients of Azure's services.
type clients struct {
	env        environment
	cloud      endpoint.AzureCloud
	http       *http.Client
	credential func() (azcore.TokenCredential, error)
}

func newClients(env environment) *clients {
	c := &clients{env: env, cloud: endpoint.AzureCloudAt(env.endpoints[serviceManagement]), http: &http.Client{Transport: transport()}}
	c.credential = sync.OnceValues(c.newCredential)
	return c
}

func transport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: connections, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}
}

// options are common to all clients. Repeating is for the adapter of vaults,
// which knows how much time there is.
func (c *clients) options() policy.ClientOptions {
	return policy.ClientOptions{
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: c.cloud.Authority,
			Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Audience: c.cloud.Audience, Endpoint: c.cloud.Management}},
		},
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{ApplicationID: userAgent},
		Transport: c.http,
	}
}

// vaults is the way to what decides about a key: Azure Resource Manager and the
// vaults themselves. On this machine both are shown a token that is worth
// nothing.
func (c *clients) vaults() (keyvault.Access, error) {
	o := c.options()
	at := c.env.endpoints[serviceManagement]
	if endpoint.Loopback(at) {
		o.Cloud.Services[cloud.ResourceManager] = cloud.ServiceConfiguration{Audience: c.cloud.Audience, Endpoint: at}
		o.InsecureAllowCredentialWithHTTP = true
		return keyvault.Access{Credential: localCredential{}, ARM: arm.ClientOptions{ClientOptions: o, DisableRPRegistration: true}, Keys: o, VaultEndpoint: c.env.endpoints[serviceKeyVault]}, nil
	}
	credential, err := c.credential()
	if err != nil {
		return keyvault.Access{}, err
	}
	return keyvault.Access{Credential: credential, ARM: arm.ClientOptions{ClientOptions: o, DisableRPRegistration: true}, Keys: o}, nil
}

// container makes the client of a container of blobs.
func (c *clients) container(account, name string) (*container.Client, error) {
	at := c.env.endpoints[serviceBlob]
	base, err := endpoint.AzureBlobs(at, c.cloud, account)
	if err != nil {
		return nil, err
	}
	var credential azcore.TokenCredential = localCredential{}
	if !endpoint.Loopback(at) {
		if credential, err = c.credential(); err != nil {
			return nil, err
		}
	}
	o := c.options()
	o.Retry = policy.RetryOptions{MaxRetries: 3, TryTimeout: 5 * time.Second, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second}
	return blobstore.Client(base, name, credential, o)
}

// newCredential speaks as the function app's managed identity. What hands out its
// tokens is on this machine or beside it, so the secret that it is asked with
// goes through no proxy.
func (c *clients) newCredential() (azcore.TokenCredential, error) {
	near := transport()
	near.Proxy = nil
	o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: policy.ClientOptions{
		Cloud: c.options().Cloud, Telemetry: policy.TelemetryOptions{ApplicationID: userAgent}, Transport: &http.Client{Transport: near},
		Retry: policy.RetryOptions{MaxRetries: 2, TryTimeout: 5 * time.Second, RetryDelay: 300 * time.Millisecond, MaxRetryDelay: 2 * time.Second},
	}}
	if c.env.clientID != "" {
		o.ID = azidentity.ClientID(c.env.clientID)
	}
	credential, err := azidentity.NewManagedIdentityCredential(o)
	if err != nil {
		return nil, fmt.Errorf("the function app's managed identity: %w", err)
	}
	return credential, nil
}

// localCredential is for emulators on this machine.
type localCredential struct{}

// localToken is worth nothing anywhere.
const localToken = "byokwatch-local"

func (localCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: localToken, ExpiresOn: time.Now().Add(24 * time.Hour)}, nil
}

// secret looks up what a ${NAME} of the configuration refers to, when it is
// about to be used. "" means that it is not there.
func (c *clients) secret(_ context.Context, name string) (string, error) {
	return secretVariable(name)
}
