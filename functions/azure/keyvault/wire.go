package keyvault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"byokwatch/core/strict"
	"byokwatch/functions/adapter"
)

// Versions of the APIs. Those of Key Vault before this one are retired in
// February 2027
// (https://learn.microsoft.com/azure/key-vault/general/access-control-default).
const (
	vaultAPI  = "2026-02-01"
	rightsAPI = "2022-04-01"
	tagsAPI   = "2021-04-01"
	keyAPI    = "2025-07-01" // of vaults themselves
)

// module and release are what the pipeline calls us in its user agent.
const module, release = "byokwatch", "v1.0.0"

// errAnswer marks an answer that Azure would not give to what was asked.
var errAnswer = errors.New("an answer that is none")

// wire is one of Azure's services: Microsoft's pipeline, which brings the token,
// and where it leads.
type wire struct {
	pipeline runtime.Pipeline
	base     string
	attempt  time.Duration
}

// newManagement is the way to Azure Resource Manager. The pipeline repeats
// nothing, because only [adapter.Call] knows how much time there is; it registers
// no resource provider; and it rewrites no version of an API, for there are
// several.
func (k *Keeper) newManagement() (*wire, error) {
	o := k.access.ARM.Clone()
	o.Retry = policy.RetryOptions{MaxRetries: -1, TryTimeout: k.opts.Attempt}
	o.DisableRPRegistration, o.APIVersion = true, ""
	c, err := arm.NewClient(module, release, k.access.Credential, o)
	if err != nil {
		return nil, fmt.Errorf("make the client of Azure Resource Manager: %w", err)
	}
	return &wire{c.Pipeline(), c.Endpoint(), k.opts.Attempt}, nil
}

// newVault is the way to one vault's keys.
func (k *Keeper) newVault(base, audience string) *wire {
	o := k.access.Keys
	o.Retry = policy.RetryOptions{MaxRetries: -1, TryTimeout: k.opts.Attempt}
	o.APIVersion = ""
	token := runtime.NewBearerTokenPolicy(k.access.Credential, []string{audience + "/.default"}, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: o.InsecureAllowCredentialWithHTTP})
	return &wire{runtime.NewPipeline(module, release, runtime.PipelineOptions{PerRetry: []policy.Policy{token}}, &o), base, k.opts.Attempt}
}

// request is one request. Its path is an ID, or what stands below the base.
type request struct {
	method, path, api, filter string
	body                      []byte
}

func (w *wire) url(r request) (string, error) {
	u, err := url.Parse(w.base)
	if err != nil {
		return "", fmt.Errorf("the endpoint: %w", err)
	}
	u = u.JoinPath((&url.URL{Path: r.path}).EscapedPath())
	query := url.Values{"api-version": {r.api}}
	if r.filter != "" {
		query.Set("$filter", r.filter)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// send sends one request until there is an answer, and returns its body.
func (w *wire) send(ctx context.Context, reserve time.Duration, r request) ([]byte, error) {
	at, err := w.url(r)
	if err != nil {
		return nil, err
	}
	return w.at(ctx, reserve, r.method, at, r.body)
}

func (w *wire) at(ctx context.Context, reserve time.Duration, method, at string, body []byte) ([]byte, error) {
	return adapter.Call(ctx, w.attempt, reserve, understand, func(ctx context.Context) ([]byte, error) {
		req, err := runtime.NewRequest(ctx, method, at)
		if err != nil {
			return nil, err
		}
		req.Raw().Header.Set("Accept", "application/json")
		if body != nil {
			if err := req.SetBody(streaming.NopCloser(bytes.NewReader(body)), "application/json"); err != nil {
				return nil, err
			}
		}
		resp, err := w.pipeline.Do(req)
		if err != nil {
			return nil, err
		}
		if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated, http.StatusNoContent) {
			return nil, runtime.NewResponseError(resp)
		}
		return runtime.Payload(resp)
	})
}

// get reads one resource, of which nothing but its ID is looked at: it must be
// the one that was asked for.
func (w *wire) get(ctx context.Context, reserve time.Duration, r request, wanted func(id string) bool) ([]byte, error) {
	r.method = http.MethodGet
	data, err := w.send(ctx, reserve, r)
	if err != nil {
		return nil, err
	}
	return data, named(data, wanted)
}

// named is an error unless a resource's ID is one that is wanted.
func named(resource []byte, wanted func(id string) bool) error {
	var r struct {
		ID string `json:"id"`
	}
	if err := strict.UnmarshalOpen(resource, &r); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	if !wanted(r.ID) {
		return fmt.Errorf("%w: it is about %.200q", errAnswer, r.ID)
	}
	return nil
}

// maxPages bounds a list that never ends.
const maxPages = 1000

// list reads all pages of a list. Of the link to the next page only what follows
// the host counts, so that a token goes nowhere else.
func (w *wire) list(ctx context.Context, reserve time.Duration, r request) ([]json.RawMessage, error) {
	at, err := w.url(r)
	if err != nil {
		return nil, err
	}
	all := []json.RawMessage{}
	for range maxPages {
		data, err := w.at(ctx, reserve, http.MethodGet, at, nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Value    []json.RawMessage `json:"value"`
			NextLink string            `json:"nextLink"`
		}
		if err := strict.UnmarshalOpen(data, &page); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		if page.Value == nil {
			return nil, fmt.Errorf("%w: it holds no list", errAnswer)
		}
		all = append(all, page.Value...)
		if page.NextLink == "" {
			return all, nil
		}
		if at, err = w.next(page.NextLink); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: the list does not end", errAnswer)
}

// next is the URL of the page to which a link leads. Some services leave the
// filter in it unencoded.
func (w *wire) next(link string) (string, error) {
	encoded, err := runtime.EncodeQueryParams(link)
	if err != nil {
		return "", fmt.Errorf("%w: the link to the next page: %w", errAnswer, err)
	}
	to, err := url.Parse(encoded)
	base, ofBase := url.Parse(w.base)
	if err := errors.Join(err, ofBase); err != nil {
		return "", fmt.Errorf("%w: the link to the next page: %w", errAnswer, err)
	}
	to.Scheme, to.Host, to.User, to.Fragment = base.Scheme, base.Host, nil, ""
	return to.String(), nil
}
