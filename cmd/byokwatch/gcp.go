package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	kmsapi "google.golang.org/api/cloudkms/v1"
	crmapi "google.golang.org/api/cloudresourcemanager/v3"
	iamapi "google.golang.org/api/iam/v1"
	denyapi "google.golang.org/api/iam/v2"
	"google.golang.org/api/option"
	storageapi "google.golang.org/api/storage/v1"
	htransport "google.golang.org/api/transport/http"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/endpoint"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/core/record"
	"byokwatch/core/strict"
	"byokwatch/core/watchdog"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcsstore"
)

// google makes Google's clients with the operator's own application default
// credentials, as `gcloud auth application-default login` leaves them. They are
// looked for only if something is not on this machine.
type google struct {
	env    func(string) string
	client *http.Client // that sends credentials; nil until needed
}

// google loads the settings once.
func (a *app) google() (*google, error) {
	if a.googleClients != nil {
		return a.googleClients, nil
	}
	if err := endpoint.CheckGCP(environmentFor(core.GCP), os.ReadFile); err != nil {
		return nil, err
	}
	a.googleClients = &google{env: a.env}
	return a.googleClients, nil
}

// googleServices are those whose address BYOKWATCH_<SERVICE>_ENDPOINT moves.
var googleServices = []string{"CLOUDKMS", "CLOUDRESOURCEMANAGER", "IAM", "STORAGE"}

// scope covers every API that is called; what the caller may do, IAM decides.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// options are those of one service's client. path is where its methods begin,
// for services that have one.
func (g *google) options(ctx context.Context, moved, path string) ([]option.ClientOption, error) {
	var out []option.ClientOption
	if moved != "" {
		if u, err := url.Parse(moved); err == nil && strings.Trim(u.Path, "/") == "" {
			moved = strings.TrimRight(moved, "/") + "/" + path
		}
		out = append(out, option.WithEndpoint(moved))
		if endpoint.Loopback(moved) {
			return append(out, option.WithHTTPClient(&http.Client{})), nil // no credentials go there
		}
	}
	if g.client == nil {
		client, _, err := htransport.NewClient(ctx, option.WithScopes(scope))
		if err != nil {
			return nil, fmt.Errorf("there are no Google Cloud credentials to use; run gcloud auth application-default login: %w", err)
		}
		g.client = client
	}
	return append(out, option.WithHTTPClient(g.client)), nil
}

// gcpKeys reads and writes keys of any project.
func gcpKeys(ctx context.Context, a *app) (watchdog.Cloud, error) {
	g, err := a.google()
	if err != nil {
		return nil, err
	}
	var c cloudkms.Clients
	for _, open := range []func() error{
		func() error { return client(ctx, g, "CLOUDKMS", kmsapi.NewService, &c.KMS) },
		func() error { return client(ctx, g, "CLOUDRESOURCEMANAGER", crmapi.NewService, &c.Projects) },
		func() error { return client(ctx, g, "IAM", iamapi.NewService, &c.Roles) },
		func() error { return client(ctx, g, "IAM", denyapi.NewService, &c.Deny) },
	} {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return googleKeys{cloudkms.New(c, cloudkms.Options{Self: accountSelf(a.env("BYOKWATCH_SELF")), Builtin: gcpkms.Builtin}), c.KMS}, nil
}

func client[T any](ctx context.Context, g *google, service string, open func(context.Context, ...option.ClientOption) (T, error), into *T) error {
	opts, err := g.options(ctx, g.env("BYOKWATCH_"+service+"_ENDPOINT"), "")
	if err != nil {
		return err
	}
	if *into, err = open(ctx, opts...); err != nil {
		return fmt.Errorf("make the client of %s: %w", service, err)
	}
	return nil
}

func gcpObjects(ctx context.Context, a *app, place config.Location, _ []core.Key) (record.Objects, error) {
	if place.Scheme != "gs" {
		return nil, fmt.Errorf("a store of the scheme %s holds no records of Google Cloud keys", place.Scheme)
	}
	g, err := a.google()
	if err != nil {
		return nil, err
	}
	moved := g.env("BYOKWATCH_STORAGE_ENDPOINT")
	if emulator := g.env("STORAGE_EMULATOR_HOST"); moved == "" && emulator != "" {
		moved = endpoint.Emulator(emulator)
	}
	opts, err := g.options(ctx, moved, "storage/v1/")
	if err != nil {
		return nil, err
	}
	service, err := storageapi.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("make the client of Cloud Storage: %w", err)
	}
	return gcsstore.New(service, place.Bucket, place.Prefix), nil
}

// accountSelf takes the address of a service account.
func accountSelf(id string) string {
	if !strings.Contains(id, "@") {
		return ""
	}
	return id
}

// googleKeys is what the function has, and the one step that the command line
// alone may take: the label of a revocation.
type googleKeys struct {
	*cloudkms.Keeper
	api *kmsapi.Service
}

// expect makes reads bring the roles that a snapshot names: a binding may be
// gone, and its role have grown since.
func (g googleKeys) expect(k core.Key, good core.Policy) {
	for _, d := range good {
		if d.Kind == core.Role {
			g.Remember(k, d.ID)
		}
	}
}

// Apply implements watchdog.Cloud.
func (g googleKeys) Apply(ctx context.Context, k core.Key, s core.Step) error {
	if s.Op != "UpdateCryptoKey" {
		return g.Keeper.Apply(ctx, k, s)
	}
	var b struct {
		CryptoKey struct {
			Labels map[string]string `json:"labels"`
		} `json:"cryptoKey"`
		UpdateMask string `json:"updateMask"`
	}
	if err := strict.Unmarshal(s.Body, &b); err != nil || s.ID != k.ID || b.UpdateMask != "labels" {
		return fmt.Errorf("the step is not one that sets the labels of %s: nothing was sent: %w", k.ID, cmp.Or(err, core.ErrRejected))
	}
	_, err := g.api.Projects.Locations.KeyRings.CryptoKeys.Patch(k.ID, &kmsapi.CryptoKey{Labels: b.CryptoKey.Labels}).UpdateMask("labels").Context(ctx).Do()
	return err
}
