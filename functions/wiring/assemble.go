package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/config"
	"byokwatch/core/notify"
	"byokwatch/core/record"
	"byokwatch/core/record/dirstore"
	"byokwatch/core/watchdog"
)

// Lookup finds what a ${…} of the configuration refers to, when it is about to
// be used. "" means that it is not there.
type Lookup = func(ctx context.Context, name string) (string, error)

// Parts are what a main gives beside the configuration.
type Parts struct {
	Cloud core.Cloud
	// Objects opens a store of the cloud's own kind; file:// is opened here.
	Objects func(config.Location) (record.Objects, error)
	// InKMS signs with a key of AWS KMS; nil where that can't be reached, and
	// snapshots that such a key signs are not signed.
	InKMS  func(arn string) func(ctx context.Context, message []byte) ([]byte, error)
	Lookup Lookup
	// Dog is the watchdog but for Store, Notifiers and Now.
	Dog watchdog.Config
}

// Assemble puts a configuration to work. It returns an error rather than a watch
// that would protect less than the configuration says.
func Assemble(cfg *config.Config, p Parts) (*Watch, error) {
	place, err := config.ParseStore(cfg.Store[p.Cloud])
	if err != nil {
		return nil, err
	}
	signing, err := p.signing(cfg.Signing)
	if err != nil {
		return nil, err
	}
	objects, err := p.objects(place)
	if err != nil {
		return nil, err
	}
	client := notify.NewClient(notify.ClientOptions{Loopback: place.Scheme == "file"})
	notifiers, err := Notifiers(cfg, client, os.Stdout, p.Lookup)
	if err != nil {
		return nil, err
	}
	beat, err := heartbeat(cfg, client, p.Lookup, len(p.Dog.Keys))
	if err != nil {
		return nil, err
	}
	p.Dog.Store, p.Dog.Notifiers, p.Dog.Now = record.NewStore(objects, signing), notifiers, time.Now
	dog, err := watchdog.New(p.Dog)
	if err != nil {
		return nil, err
	}
	return &Watch{Keys: p.Dog.Keys, Dog: dog, Beat: beat}, nil
}

// objects opens where records are kept.
func (p Parts) objects(place config.Location) (record.Objects, error) {
	own := stores[p.Cloud]
	switch place.Scheme {
	case own.scheme:
		return p.Objects(place)
	case "file":
		return dirstore.New(place.Dir)
	}
	return nil, fmt.Errorf("a store of the scheme %s can't be reached from %s: use %s/prefix", place.Scheme, own.name, own.bucket)
}

// signing makes the signer of snapshots; nil where none is configured.
func (p Parts) signing(c *config.Signing) (*record.Signing, error) {
	if c == nil {
		return nil, nil
	}
	arn, held := c.KMSKey()
	if held && p.InKMS == nil {
		// Whole snapshots, which need signatures, are for AWS alone; elsewhere a
		// snapshot only says what Confluent had.
		p.Dog.Log.Warn("snapshots of " + stores[p.Cloud].name + " keys are not signed: signing.key is held by AWS KMS")
		return nil, nil
	}
	public, err := record.ParsePublicKey(c.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("signing.public_key: %w", err)
	}
	if held {
		return &record.Signing{Sign: p.InKMS(arn), Public: public}, nil
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

// Notifiers makes the configured channels; out is where stdout writes. Their
// addresses are resolved when something is sent, so a missing secret delays an
// alert and nothing else.
func Notifiers(cfg *config.Config, client *notify.Client, out io.Writer, lookup Lookup) ([]watchdog.Notifier, error) {
	var all []watchdog.Notifier
	for _, c := range cfg.Alerts {
		n, err := notifier(c, client, out, lookup)
		if err != nil {
			return nil, fmt.Errorf("alerts: %s: %w", c.Name, err)
		}
		all = append(all, n)
	}
	return all, nil
}

func notifier(c config.Channel, client *notify.Client, out io.Writer, lookup Lookup) (watchdog.Notifier, error) {
	filter := notify.Filter{Min: alert.Severity(c.Min), Keys: c.Keys}
	switch c.Kind {
	case "slack":
		return notify.NewSlack(notify.SlackConfig{Name: c.Name, Resolve: resolver(c.URL, lookup), Client: client, Filter: filter})
	case "stdout":
		return notify.NewStdout(out, filter)
	}
	return nil, errors.New("no such channel is known here")
}

func heartbeat(cfg *config.Config, client *notify.Client, lookup Lookup, keys int) (func(context.Context) error, error) {
	if cfg.Heartbeat == nil {
		return nil, nil
	}
	h, err := notify.NewHeartbeat(resolver(cfg.Heartbeat.URL, lookup), client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return h.Beat(ctx, notify.Beat{Keys: keys}) }, nil
}

func resolver(s config.Secret, lookup Lookup) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return s.Resolve(ctx, lookup) }
}
