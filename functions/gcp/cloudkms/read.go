package cloudkms

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/functions/adapter"
)

// Read returns every document of the key: CryptoKey, CryptoKeyVersions, an
// IAMPolicy for the key and each level above it, DenyPolicies for each level
// from the project up, and a Role for each role that matters. One that we may
// not read is there with the reason; so is one of the key's own three that
// could not be read in time. The error wraps core.ErrNotFound where Google Cloud
// knows no such key, and core.ErrDenied where we may see nothing of it.
func (k *Keeper) Read(ctx context.Context, key core.Key) (core.Policy, error) {
	m := keyName.FindStringSubmatch(key.ID)
	if m == nil {
		return nil, notOurs(key.ID)
	}
	ring, project := m[1], m[2]
	ctx, cancel := context.WithTimeout(ctx, k.opts.Reading)
	defer cancel()
	first, cancel := context.WithTimeout(ctx, k.opts.Reading*6/10) // the roles come after
	defer cancel()
	r := &reading{Keeper: k, key: key, view: share.Of(ctx, key.ID)}
	var own [3]core.Document
	var failed [3]error
	var above core.Policy
	var all errgroup.Group
	for i, read := range []func(context.Context, string) (core.Document, error){k.readKey, k.readVersions, k.readKeyPolicy} {
		all.Go(func() error {
			own[i], failed[i] = read(first, key.ID)
			return nil // all three count, below
		})
	}
	var atRing core.Document
	all.Go(func() (err error) { atRing, err = r.ringPolicy(first, ring); return err })
	all.Go(func() (err error) { above, err = r.nodes(first, project); return err })
	err := all.Wait()
	if failed[0] != nil && failed[1] != nil && failed[2] != nil {
		return nil, fmt.Errorf("read key %s: %w", key.ID, adapter.Nothing(failed[:]...))
	}
	if err != nil {
		return nil, fmt.Errorf("read what is above key %s: %w", key.ID, err)
	}
	for i, right := range []string{"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeyVersions.list", "cloudkms.cryptoKeys.getIamPolicy"} {
		if failed[i] != nil {
			own[i] = core.Document{Kind: ownKinds[i], ID: key.ID, Unreadable: plainly(failed[i], right, key.ID), Denied: errors.Is(failed[i], core.ErrDenied)}
		}
	}
	p := append(append(core.Policy(own[:]), atRing), above...)
	roles, err := r.rolesOf(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("read the roles of key %s: %w", key.ID, err)
	}
	return append(p, roles...), nil
}

var ownKinds = [3]core.Kind{core.CryptoKey, core.CryptoKeyVersions, core.IAMPolicy}

func notOurs(id string) error {
	return fmt.Errorf("%q is not the name of a Cloud KMS key: projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY", id)
}

// reading is one Read under way.
type reading struct {
	*Keeper
	key  core.Key
	view *share.View
}

// maybe makes a document of something above the key: its text, or why we may not
// read it. Any other failure is an error, because what such a level gives must
// not seem lost while nobody can look.
func maybe(kind core.Kind, id, right string, text string, err error) (core.Document, error) {
	switch {
	case err == nil:
		return core.Document{Kind: kind, ID: id, Text: text}, nil
	case errors.Is(err, core.ErrDenied), errors.Is(err, core.ErrNotFound):
		return core.Document{Kind: kind, ID: id, Unreadable: plainly(err, right, id), Denied: errors.Is(err, core.ErrDenied)}, nil
	}
	return core.Document{}, fmt.Errorf("%s %s: %w", kind, id, err)
}
