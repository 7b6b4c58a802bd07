package keyvault

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"byokwatch/core/endpoint"
	"byokwatch/core/strict"
	"byokwatch/functions/adapter"
)

// enable turns a version of the key on, at the vault itself: Azure Resource
// Manager can't. That is the only attribute, and the only value, that is ever
// written
// (https://learn.microsoft.com/rest/api/keyvault/keys/update-key/update-key).
func (j job) enable(ctx context.Context) error {
	var b struct {
		Attributes struct {
			Enabled bool `json:"enabled"`
		} `json:"attributes"`
	}
	if err := j.body(&b); err != nil {
		return err
	}
	number := below(j.step.ID, j.at.key+"/versions/")
	if !version.MatchString(number) {
		return adapter.Unsent("the step is for another resource than a version of %s", j.at.key)
	}
	if !b.Attributes.Enabled {
		return adapter.Unsent("a version may only be enabled")
	}
	vault, err := j.vaultAt(ctx)
	if err != nil {
		return err
	}
	_, err = vault.send(ctx, j.opts.Reserve, request{method: http.MethodPatch, path: "/keys/" + j.at.name + "/" + number, api: keyAPI, body: j.step.Body})
	return err
}

// vaultAt finds the way to the vault. Its host is what Azure Resource Manager
// says now, and must be the vault's own, since our token goes there.
func (j job) vaultAt(ctx context.Context) (*wire, error) {
	data, err := vaultOf(ctx, j.arm, j.opts.Reserve, j.at)
	if err != nil {
		return nil, fmt.Errorf("find the vault: %w", err)
	}
	var v struct {
		Properties struct {
			VaultURI string `json:"vaultUri"`
		} `json:"properties"`
	}
	if err := strict.UnmarshalOpen(data, &v); err != nil {
		return nil, fmt.Errorf("find the vault: %w: %w", errAnswer, err)
	}
	if err := endpoint.AzureVault(v.Properties.VaultURI, j.at.vaultName); err != nil {
		return nil, adapter.Unsent("where the vault is: %w", err)
	}
	u, err := url.Parse(v.Properties.VaultURI)
	if err != nil {
		return nil, err
	}
	_, suffix, _ := strings.Cut(strings.ToLower(u.Hostname()), ".")
	audience, base := "https://"+suffix, v.Properties.VaultURI
	if emulator := j.access.VaultEndpoint; emulator != "" {
		if !endpoint.Loopback(emulator) {
			return nil, adapter.Unsent("the emulator of vaults must be on this machine")
		}
		if base, err = url.JoinPath(emulator, j.at.vaultName); err != nil {
			return nil, err
		}
	}
	return j.newVault(base, audience), nil
}
