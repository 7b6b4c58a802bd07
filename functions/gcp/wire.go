package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/config"
	"byokwatch/core/notify"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/core/record"
	"byokwatch/core/record/dirstore"
	"byokwatch/core/watchdog"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcsstore"
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

// maxConfig is more than the configuration's reader accepts.
const maxConfig = 16 << 20

// source is where a configuration is: an object of a bucket, or a file.
type source struct {
	bucket, path string
	sum          string // hex SHA-256 that the bytes must have; empty for a file of the image
}

// wiring builds the watch from the environment and the configuration.
type wiring struct {
	env     environment
	log     *slog.Logger
	clients *clients
}

func newWiring(env environment, log *slog.Logger) *wiring {
	return &wiring{env, log, newClients(env)}
}

// load reads the configuration and puts it to work. It returns an error rather
// than a watch that would protect less than the configuration says.
func (w *wiring) load(ctx context.Context) (*watch, error) {
	if err := w.env.checkSelf(); err != nil {
		return nil, err
	}
	cfg, err := w.config(ctx)
	if err != nil {
		return nil, err
	}
	keys := cfg.KeysOf(core.GCP)
	if len(keys) == 0 {
		return nil, errors.New("the configuration has no key of Google Cloud: add one, or remove this service")
	}
	place, err := config.ParseStore(cfg.Store[core.GCP])
	if err != nil {
		return nil, err
	}
	store, err := w.store(ctx, cfg, place)
	if err != nil {
		return nil, err
	}
	client := notify.NewClient(notify.ClientOptions{Loopback: place.Scheme == "file"})
	notifiers, err := w.notifiers(cfg, client)
	if err != nil {
		return nil, err
	}
	beat, err := w.heartbeat(cfg, client, len(keys))
	if err != nil {
		return nil, err
	}
	api, err := w.clients.kms(ctx)
	if err != nil {
		return nil, err
	}
	keeper := newKeeper(api, w.env.self)
	dog, err := watchdog.New(watchdog.Config{
		Cloud: keeper, Rules: rules, Expect: expect(keeper),
		Store: store, Notifiers: notifiers, Keys: keys, Self: w.env.self, Scope: w.env.self,
		Now: time.Now, Log: w.log,
		Reads: confirmReads, Every: confirmEvery, Settle: settle,
	})
	if err != nil {
		return nil, err
	}
	return &watch{keys: keys, dog: dog, beat: beat}, nil
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

// config reads, verifies and parses, in that order: of a file with another sum
// nothing is looked at.
func (w *wiring) config(ctx context.Context) (*config.Config, error) {
	src, err := w.env.source()
	if err != nil {
		return nil, err
	}
	data, err := w.read(ctx, src)
	if err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", w.env.place, err)
	}
	if src.sum != "" {
		if err := config.Verify(data, src.sum); err != nil {
			return nil, err
		}
	}
	cfg, err := config.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", w.env.place, err)
	}
	return cfg, nil
}

func (w *wiring) read(ctx context.Context, src source) ([]byte, error) {
	var body io.ReadCloser
	if src.bucket == "" {
		f, err := os.Open(src.path)
		if err != nil {
			return nil, err
		}
		body = f
	} else {
		client, err := w.clients.storage(ctx)
		if err != nil {
			return nil, err
		}
		out, err := client.Objects.Get(src.bucket, src.path).Context(ctx).Download()
		if err != nil {
			return nil, err
		}
		body = out.Body
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxConfig))
}

// store opens where records are kept.
func (w *wiring) store(ctx context.Context, cfg *config.Config, place config.Location) (*record.Store, error) {
	signing, err := w.signing(cfg.Signing)
	if err != nil {
		return nil, err
	}
	switch place.Scheme {
	case "gs":
		client, err := w.clients.storage(ctx)
		if err != nil {
			return nil, err
		}
		return record.NewStore(gcsstore.New(client, place.Bucket, place.Prefix), signing), nil
	case "file":
		objects, err := dirstore.New(place.Dir)
		if err != nil {
			return nil, err
		}
		return record.NewStore(objects, signing), nil
	}
	return nil, fmt.Errorf("a store of the scheme %s can't be reached from Google Cloud: use gs://bucket/prefix", place.Scheme)
}

// signing makes the signer of snapshots; nil where none is configured.
func (w *wiring) signing(c *config.Signing) (*record.Signing, error) {
	if c == nil {
		return nil, nil
	}
	if _, ok := c.KMSKey(); ok {
		// Whole snapshots, which need signatures, are for AWS alone; here a
		// snapshot only says what Confluent had.
		w.log.Warn("snapshots of Google Cloud keys are not signed: signing.key is held by AWS KMS")
		return nil, nil
	}
	public, err := record.ParsePublicKey(c.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("signing.public_key: %w", err)
	}
	pem, err := os.ReadFile(c.Key)
	if err != nil {
		return nil, fmt.Errorf("signing.key: %w", err)
	}
	sign, err := record.KeyFileSigner(pem)
	if err != nil {
		return nil, fmt.Errorf("signing.key: %w", err)
	}
	return &record.Signing{Sign: sign, Public: public}, nil
}

// notifiers makes the configured channels. Their addresses are resolved when
// something is sent, so a missing secret delays an alert and nothing else.
func (w *wiring) notifiers(cfg *config.Config, client *notify.Client) ([]watchdog.Notifier, error) {
	var out []watchdog.Notifier
	for _, c := range cfg.Alerts {
		n, err := w.notifier(c, client)
		if err != nil {
			return nil, fmt.Errorf("alerts: %s: %w", c.Name, err)
		}
		out = append(out, n)
	}
	return out, nil
}

func (w *wiring) notifier(c config.Channel, client *notify.Client) (watchdog.Notifier, error) {
	filter := notify.Filter{Min: alert.Severity(c.Min), Keys: c.Keys}
	switch c.Kind {
	case "slack":
		return notify.NewSlack(notify.SlackConfig{Name: c.Name, Resolve: w.resolver(c.URL), Client: client, Filter: filter})
	case "stdout":
		return notify.NewStdout(os.Stdout, filter)
	}
	return nil, errors.New("this function knows no such channel")
}

func (w *wiring) heartbeat(cfg *config.Config, client *notify.Client, keys int) (func(context.Context) error, error) {
	if cfg.Heartbeat == nil {
		return nil, nil
	}
	h, err := notify.NewHeartbeat(w.resolver(cfg.Heartbeat.URL), client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return h.Beat(ctx, notify.Beat{Keys: keys}) }, nil
}

func (w *wiring) resolver(s config.Secret) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return s.Resolve(ctx, w.clients.secret) }
}
