package azuretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// VaultAPIVersion is the first version of Key Vault's management API that will
// not be retired in 2027
// (https://learn.microsoft.com/azure/key-vault/general/access-control-default).
const VaultAPIVersion = "2026-02-01"

// recorder collects a handler's answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()), Request: r,
	}
}

// RoundTripper serves requests in the calling goroutine, with no socket in
// between, so that it works inside a testing/synctest bubble.
func (c *Cloud) RoundTripper() Transport { return InProcess(c) }

// InProcess is RoundTripper for any handler.
func InProcess(h http.Handler) Transport { return Transport{h} }

// Transport is the way to a handler in this process, as net/http and as
// Microsoft's clients want it.
type Transport struct{ handler http.Handler }

// Do is RoundTrip, as policy.Transporter calls it.
func (t Transport) Do(r *http.Request) (*http.Response, error) { return t.RoundTrip(r) }

// RoundTrip serves one request.
func (t Transport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	for name, values := range r.Header { // Microsoft's clients spell them as they like, and a server reads them in one way
		delete(r.Header, name)
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	r.RequestURI = r.URL.RequestURI()
	for name, values := range r.Header {
		// Microsoft's clients write names in lower case. A server reads them in its
		// own form, whatever came over the wire.
		if plain := http.CanonicalHeaderKey(name); plain != name {
			delete(r.Header, name)
			r.Header[plain] = values
		}
	}
	rec := &recorder{header: http.Header{}}
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler:
			resp, err = nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Host, abortCause(r.Context()))
		default:
			panic(p)
		}
	}()
	t.handler.ServeHTTP(rec, r)
	return rec.response(r), nil
}

// abortCause is what a client sees of a connection that breaks.
func abortCause(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

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
