package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcsstore"
	"byokwatch/functions/wiring"
)

// How a write is confirmed. Cloud KMS says that changes of IAM are seen within
// seconds (https://docs.cloud.google.com/kms/docs/consistency), IAM that they
// take two minutes, or seven and more, to be in force
// (https://docs.cloud.google.com/iam/docs/access-change-propagation). That a
// read of a policy shows the last write is promised nowhere.
const (
	confirmReads = 3
	confirmEvery = 2 * time.Second
	settle       = 7 * time.Minute
)

// rules is how keys of Cloud KMS are judged and restored.
var rules = watchdog.Rules{
	Needs: gcpkms.Needs, Judge: gcpkms.Judge, Candidates: gcpkms.Candidates, Guard: gcpkms.Guard,
	Trim: gcpkms.Trim, Diff: gcpkms.Diff, Fragment: gcpkms.Fragment, Unlock: gcpkms.Unlock,
}

// builder builds the watch from the environment and the configuration.
type builder struct {
	env     environment
	log     *slog.Logger
	clients *clients
}

func newBuilder(env environment, log *slog.Logger) *builder {
	return &builder{env, log, newClients(env)}
}

// load reads the configuration and puts it to work.
func (b *builder) load(ctx context.Context) (*wiring.Watch, error) {
	if err := b.env.checkSelf(); err != nil {
		return nil, err
	}
	cfg, err := b.env.Configuration(ctx, core.GCP, b.object)
	if err != nil {
		return nil, err
	}
	keys := cfg.KeysOf(core.GCP)
	if len(keys) == 0 {
		return nil, errors.New("the configuration has no key of Google Cloud: add one, or remove this service")
	}
	api, err := b.clients.kms(ctx)
	if err != nil {
		return nil, err
	}
	keeper := newKeeper(api, b.env.Self)
	return wiring.Assemble(cfg, wiring.Parts{
		Cloud: core.GCP, Lookup: b.clients.secret,
		Objects: func(place config.Location) (record.Objects, error) { return b.objects(ctx, place) },
		Dog: watchdog.Config{
			Cloud: keeper, Rules: rules, Expect: expect(keeper),
			Keys: keys, Self: b.env.Self, Scope: b.env.Self, Log: b.log,
			Reads: confirmReads, Every: confirmEvery, Settle: settle,
		},
	})
}

// expect makes reads bring the roles that the snapshot names: a binding may be
// gone, and its role have grown since.
func expect(k *cloudkms.Keeper) func(core.Key, core.Policy) {
	return func(key core.Key, good core.Policy) {
		for _, d := range good {
			if d.Kind == core.Role {
				k.Remember(key, d.ID)
			}
		}
	}
}

func newKeeper(api cloudkms.Clients, self string) *cloudkms.Keeper {
	return cloudkms.New(api, cloudkms.Options{Self: self, Builtin: gcpkms.Builtin})
}

// object opens a configuration that is an object of a bucket.
func (b *builder) object(ctx context.Context, src wiring.Source) (io.ReadCloser, error) {
	client, err := b.clients.storage(ctx)
	if err != nil {
		return nil, err
	}
	out, err := client.Objects.Get(src.Bucket, src.Path).Context(ctx).Download()
	if err != nil {
		return nil, err
	}
	return out.Body, nil
}

// objects opens the bucket in which records are kept.
func (b *builder) objects(ctx context.Context, place config.Location) (record.Objects, error) {
	client, err := b.clients.storage(ctx)
	if err != nil {
		return nil, err
	}
	return gcsstore.New(client, place.Bucket, place.Prefix), nil
}
