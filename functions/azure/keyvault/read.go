package keyvault

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/functions/adapter"
)

// Read returns every document of the key: Vault, VaultKey, VaultKeyVersions, the
// RoleAssignments that reach Confluent and ourselves, DenyAssignments, and
// RoleDefinitions for each role that matters. One that we may not read is there
// with the reason. A key that is not in its vault is there as what Azure says
// then, and a vault that is soft-deleted as what is left of it. The error wraps
// core.ErrNotFound where there is no such vault, nor a deleted one that we may
// see, and core.ErrDenied where we may see nothing of the key.
func (k *Keeper) Read(ctx context.Context, key core.Key) (core.Policy, error) {
	at, err := addressOf(key)
	if err != nil {
		return nil, err
	}
	w, err := k.arm()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.opts.Reading)
	defer cancel()
	first, cancel := context.WithTimeout(ctx, k.opts.Reading*6/10) // the roles come after
	defer cancel()
	r := &reading{Keeper: k, address: at, wire: w, of: key, view: share.Of(ctx, key.ID)}
	asked := r.asks()
	texts, errs := make([]string, len(asked)), make([]error, len(asked))
	var all errgroup.Group
	for i, a := range asked {
		all.Go(func() error {
			texts[i], errs[i] = a.read(first)
			return nil // all of them count, below
		})
	}
	_ = all.Wait()
	p, err := settle(asked, texts, errs)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", key.ID, err)
	}
	roles, err := r.rolesOf(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("read the roles of key %s: %w", key.ID, err)
	}
	return append(p, roles...), nil
}

// reading is one Read under way.
type reading struct {
	*Keeper
	address
	*wire
	of   core.Key
	view *share.View
}

// ask is one document to be read, with the right that this takes and what it is
// on.
type ask struct {
	kind      core.Kind
	id        string
	right, on string
	read      func(context.Context) (string, error)
}

func (r *reading) asks() []ask {
	out := []ask{
		{core.Vault, r.vault, "Microsoft.KeyVault/vaults/read", r.vault, r.readVault},
		{core.VaultKey, r.key, "Microsoft.KeyVault/vaults/keys/read", r.key, r.readKey},
		{core.VaultKeyVersions, r.key, "Microsoft.KeyVault/vaults/keys/versions/read", r.key, r.readVersions},
	}
	for _, principal := range []string{r.of.Needs.Principal, r.opts.Self} {
		if !guid.MatchString(principal) || len(out) > 3 && out[3].id == core.AssignedTo(r.key, principal) {
			continue
		}
		out = append(out, ask{core.RoleAssignments, core.AssignedTo(r.key, principal), "Microsoft.Authorization/roleAssignments/read", r.key,
			func(ctx context.Context) (string, error) { return r.readAssignments(ctx, principal) }})
	}
	return append(out, ask{core.DenyAssignments, r.key, "Microsoft.Authorization/denyAssignments/read", r.key, r.readDenials})
}

// settle makes documents of what came back.
func settle(asked []ask, texts []string, errs []error) (core.Policy, error) {
	if errors.Is(errs[0], core.ErrNotFound) {
		return nil, errs[0] // of the vault, which is the first: whatever else there is, it is of nothing
	}
	denied := 0
	for i, err := range errs {
		switch {
		case errors.Is(err, core.ErrDenied):
			denied++
		case err != nil && !errors.Is(err, core.ErrNotFound):
			return nil, fmt.Errorf("%s: %w", asked[i].kind, err)
		}
	}
	if denied == len(errs) {
		return nil, adapter.Nothing(errs...)
	}
	p := make(core.Policy, len(asked))
	for i, a := range asked {
		p[i] = core.Document{Kind: a.kind, ID: a.id, Text: texts[i]}
		if errs[i] != nil {
			p[i].Text, p[i].Unreadable, p[i].Denied = "", plainly(errs[i], a.right, a.on), errors.Is(errs[i], core.ErrDenied)
		}
	}
	if lives := errs[0] == nil && !isDeleted(texts[0]); lives {
		agree(&p[1], &p[2], errs[1], errs[2])
	}
	return p, nil
}

// keyGone is what Azure answers about a key that is not in a vault.
const keyGone = `{
  "error": {
    "code": "KeyNotFound"
  }
}`

// none is a list of nothing.
const none = "[]"

// agree says of a key in a vault that is there what its absence means. Where key
// and versions were asked for at different moments, and one of them was there, it
// is not known what holds.
func agree(key, versions *core.Document, ofKey, ofVersions error) {
	gone, noVersions := errors.Is(ofKey, core.ErrNotFound), errors.Is(ofVersions, core.ErrNotFound)
	const unsure = "Azure says that it does not exist, and in the same moment that it does"
	switch {
	case gone && ofVersions == nil && versions.Text != none:
		key.Unreadable = unsure
	case gone:
		key.Text, key.Unreadable = keyGone, ""
	case noVersions:
		versions.Unreadable = unsure
	}
	if gone && noVersions {
		versions.Text, versions.Unreadable = none, ""
	}
}
