package cloudkms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/api/cloudkms/v1"

	"byokwatch/core"
	"byokwatch/core/share"
)

// policyVersion is asked for in every read of a policy, and written with it.
const policyVersion = 3

func (k *Keeper) readKey(ctx context.Context, id string) (core.Document, error) {
	out, err := try(ctx, k.opts, 0, func(ctx context.Context) (*cloudkms.CryptoKey, error) {
		return k.api.KMS.Projects.Locations.KeyRings.CryptoKeys.Get(id).Context(ctx).Do()
	})
	if err != nil {
		return core.Document{}, fmt.Errorf("get the key: %w", err)
	}
	if out.Name != id {
		return core.Document{}, errors.New("get the key: the answer is about another key")
	}
	text, err := printed(out)
	return core.Document{Kind: core.CryptoKey, ID: id, Text: text}, err
}

// maxPages bounds a list that never ends.
const maxPages = 1000

func (k *Keeper) readVersions(ctx context.Context, id string) (core.Document, error) {
	all := []*cloudkms.CryptoKeyVersion{}
	page := ""
	for range maxPages {
		out, err := try(ctx, k.opts, 0, func(ctx context.Context) (*cloudkms.ListCryptoKeyVersionsResponse, error) {
			return k.api.KMS.Projects.Locations.KeyRings.CryptoKeys.CryptoKeyVersions.List(id).PageSize(1000).PageToken(page).Context(ctx).Do()
		})
		if err != nil {
			return core.Document{}, fmt.Errorf("list the key's versions: %w", err)
		}
		all = append(all, out.CryptoKeyVersions...)
		if page = out.NextPageToken; page == "" {
			text, err := printed(all)
			return core.Document{Kind: core.CryptoKeyVersions, ID: id, Text: text}, err
		}
	}
	return core.Document{}, errors.New("list the key's versions: the list does not end")
}

// readKeyPolicy reads the key's own policy. One that was never set is an empty
// one with an etag
// (https://docs.cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/getIamPolicy).
func (k *Keeper) readKeyPolicy(ctx context.Context, id string) (core.Document, error) {
	out, err := k.policyOf(ctx, id, 0)
	if err != nil {
		return core.Document{}, fmt.Errorf("get the key's policy: %w", err)
	}
	text, err := printed(out)
	return core.Document{Kind: core.IAMPolicy, ID: id, Text: text}, err
}

func (k *Keeper) policyOf(ctx context.Context, id string, reserve time.Duration) (*cloudkms.Policy, error) {
	return try(ctx, k.opts, reserve, func(ctx context.Context) (*cloudkms.Policy, error) {
		return k.api.KMS.Projects.Locations.KeyRings.CryptoKeys.GetIamPolicy(id).OptionsRequestedPolicyVersion(policyVersion).Context(ctx).Do()
	})
}

func (r *reading) ringPolicy(ctx context.Context, ring string) (core.Document, error) {
	return share.Once(ctx, r.view, "policy of "+ring, func(ctx context.Context) (core.Document, error) {
		out, err := try(ctx, r.opts, 0, func(ctx context.Context) (*cloudkms.Policy, error) {
			return r.api.KMS.Projects.Locations.KeyRings.GetIamPolicy(ring).OptionsRequestedPolicyVersion(policyVersion).Context(ctx).Do()
		})
		text := ""
		if err == nil {
			text, err = printed(out)
		}
		return maybe(core.IAMPolicy, ring, "cloudkms.keyRings.getIamPolicy", text, err)
	})
}
