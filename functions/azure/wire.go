package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
	"byokwatch/functions/azure/blobstore"
	"byokwatch/functions/azure/keyvault"
	"byokwatch/functions/wiring"
)

// How a write is confirmed. Azure Resource Manager shows an assignment at once as
// a rule; until it is in force, and is seen everywhere, it may take ten minutes
// (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected).
const (
	confirmReads = 3
	confirmEvery = 2 * time.Second
	settle       = 10 * time.Minute
	// reserve is kept for saving and telling, of the 25 s that an event has.
	reserve = 4 * time.Second
	// What one request and one read may take, so that an event has the time for
	// two reads and a write between them.
	attempt = 4 * time.Second
	reading = 8 * time.Second
)

// rules is how keys of Key Vault are judged and restored.
var rules = watchdog.Rules{
	Needs: azurekv.Needs, Judge: azurekv.Judge, Candidates: azurekv.Candidates, Guard: azurekv.Guard,
	Trim: azurekv.Trim, Diff: azurekv.Diff, Fragment: azurekv.Fragment, Unlock: azurekv.Unlock,
	Explains: azurekv.Explains,
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
	cfg, err := b.env.Configuration(ctx, core.Azure, b.object)
	if err != nil {
		return nil, err
	}
	keys := cfg.KeysOf(core.Azure)
	if len(keys) == 0 {
		return nil, errors.New("the configuration has no key of Azure Key Vault: add one, or remove this function app")
	}
	access, err := b.clients.vaults()
	if err != nil {
		return nil, err
	}
	keeper := newKeeper(access, b.env.Self)
	return wiring.Assemble(cfg, wiring.Parts{
		Cloud: core.Azure, Lookup: b.clients.secret, Objects: b.objects,
		Dog: watchdog.Config{
			Cloud: keeper, Rules: rules, Expect: expect(keeper),
			Keys: keys, Self: b.env.Self, Scope: b.env.Self, Log: b.log,
			Reads: confirmReads, Every: confirmEvery, Settle: settle, Reserve: reserve,
		},
	})
}

// expect makes reads bring the roles that the snapshot names: an assignment may
// be gone, and its role have grown since.
func expect(k *keyvault.Keeper) func(core.Key, core.Policy) {
	return func(key core.Key, good core.Policy) {
		for _, d := range good {
			if d.Kind == core.RoleDefinitions {
				k.Remember(key, d.ID)
			}
		}
	}
}

func newKeeper(access keyvault.Access, self string) *keyvault.Keeper {
	return keyvault.New(access, keyvault.Options{Self: self, Builtin: azurekv.Builtin, Attempt: attempt, Reading: reading, Reserve: reserve})
}

// object opens a configuration that is a blob.
func (b *builder) object(ctx context.Context, src wiring.Source) (io.ReadCloser, error) {
	client, err := b.clients.container(src.Account, src.Bucket)
	if err != nil {
		return nil, err
	}
	out, err := client.NewBlobClient(src.Path).DownloadStream(ctx, nil)
	if err != nil {
		return nil, err
	}
	return out.Body, nil
}

// objects opens the container in which records are kept.
func (b *builder) objects(place config.Location) (record.Objects, error) {
	client, err := b.clients.container(place.Account, place.Bucket)
	if err != nil {
		return nil, err
	}
	return blobstore.New(client, place.Prefix), nil
}
