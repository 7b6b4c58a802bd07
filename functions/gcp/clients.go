package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"
	htransport "google.golang.org/api/transport/http"

	"byokwatch/core/endpoint"
	keeper "byokwatch/functions/gcp/cloudkms"
)

const (
	dialTimeout = 3 * time.Second
	// connections per host that a sweep keeps open to an emulator; Google speaks
	// HTTP/2, over one.
	connections = 32
	// scope is that of every service called here; what we may do is a matter of
	// roles. https://docs.cloud.google.com/docs/authentication#authorization-gcp
	scope     = "https://www.googleapis.com/auth/cloud-platform"
	userAgent = "byokwatch"
)

// clients makes Google's clients.
type clients struct {
	env  environment
	base http.RoundTripper

	mu     sync.Mutex
	authed *http.Client
}

func newClients(env environment) *clients {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &clients{env: env, base: &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: connections, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}}
}

// kms makes the clients of what decides about a key.
func (c *clients) kms(ctx context.Context) (out keeper.Clients, err error) {
	var errs [4]error
	out.KMS, errs[0] = made(ctx, c, serviceKMS, cloudkms.NewService)
	out.Projects, errs[1] = made(ctx, c, serviceProjects, cloudresourcemanager.NewService)
	out.Roles, errs[2] = made(ctx, c, serviceIAM, iam.NewService)
	out.Deny, errs[3] = made(ctx, c, serviceIAM, iamv2.NewService)
	return out, errors.Join(errs[:]...)
}

// storage makes the client of the bucket.
func (c *clients) storage(ctx context.Context) (*storage.Service, error) {
	return made(ctx, c, serviceStorage, storage.NewService)
}

func made[T any](ctx context.Context, c *clients, service string, client func(context.Context, ...option.ClientOption) (*T, error)) (*T, error) {
	opts, err := c.options(service)
	if err != nil {
		return nil, err
	}
	return client(ctx, opts...)
}

// options say where a service is and how it is spoken to. Nothing on this
// machine is ever shown a credential.
func (c *clients) options(service string) ([]option.ClientOption, error) {
	at := c.env.endpoints[service]
	if endpoint.Loopback(at) {
		return []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: c.base}), option.WithEndpoint(base(service, at)), option.WithUserAgent(userAgent)}, nil
	}
	hc, err := c.authenticated()
	if err != nil {
		return nil, err
	}
	opts := []option.ClientOption{option.WithHTTPClient(hc), option.WithUserAgent(userAgent)}
	if at != "" {
		opts = append(opts, option.WithEndpoint(base(service, at)))
	}
	return opts, nil
}

// base completes the address of Cloud Storage, whose methods are below a path.
func base(service, at string) string {
	u, err := url.Parse(at)
	if err != nil || service != serviceStorage || strings.Trim(u.Path, "/") != "" {
		return at
	}
	return u.JoinPath("storage", "v1/").String()
}

// authenticated speaks with the service's own identity. It is made when first
// needed, because finding out who we are may take calls.
func (c *clients) authenticated() (*http.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.authed == nil {
		// The context stays with the credentials for as long as they live.
		t, err := htransport.NewTransport(context.Background(), c.base, option.WithScopes(scope), option.WithTelemetryDisabled())
		if err != nil {
			return nil, fmt.Errorf("find the service's own credentials: %w", err)
		}
		c.authed = &http.Client{Transport: t}
	}
	return c.authed, nil
}
