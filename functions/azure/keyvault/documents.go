package keyvault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/core/strict"
)

// readVault reads the vault, or what is left of it. Keys of one vault share it.
func (r *reading) readVault(ctx context.Context) (string, error) {
	return share.Once(ctx, r.view, "vault "+r.vault, func(ctx context.Context) (string, error) {
		data, err := vaultOf(ctx, r.wire, 0, r.address)
		switch {
		case errors.Is(err, core.ErrNotFound):
			return r.readDeleted(ctx, err)
		case err != nil:
			return "", fmt.Errorf("get the vault: %w", err)
		}
		return printed(data)
	})
}

func vaultOf(ctx context.Context, w *wire, reserve time.Duration, at address) ([]byte, error) {
	return w.get(ctx, reserve, request{path: at.vault, api: vaultAPI}, func(id string) bool { return strings.EqualFold(id, at.vault) })
}

// deletedVault is what is left of a vault that is soft-deleted
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/list-deleted).
type deletedVault struct {
	Properties struct {
		VaultID string `json:"vaultId"`
	} `json:"properties"`
}

func isDeleted(text string) bool {
	var v deletedVault
	return strict.UnmarshalOpen([]byte(text), &v) == nil && v.Properties.VaultID != ""
}

// readDeleted looks for a vault among those that were deleted. Its location,
// without which one can't be asked for by itself, is not known. Who may not look
// takes it for gone, as Azure says.
func (r *reading) readDeleted(ctx context.Context, gone error) (string, error) {
	list, err := r.list(ctx, 0, request{path: r.subscription + "/providers/Microsoft.KeyVault/deletedVaults", api: vaultAPI})
	if err != nil && !errors.Is(err, core.ErrDenied) {
		return "", fmt.Errorf("list deleted vaults: %w", err)
	}
	for _, item := range list {
		var v deletedVault
		if err := strict.UnmarshalOpen(item, &v); err != nil {
			return "", fmt.Errorf("list deleted vaults: %w: %w", errAnswer, err)
		}
		if strings.EqualFold(v.Properties.VaultID, r.vault) {
			return printed(item)
		}
	}
	if err != nil {
		return "", fmt.Errorf("the vault is not there, and whether it was deleted we may not see (%v): %w", err, gone)
	}
	return "", fmt.Errorf("the vault is not there, nor among those that were deleted: %w", gone)
}

func (r *reading) readKey(ctx context.Context) (string, error) {
	data, err := r.get(ctx, 0, request{path: r.key, api: vaultAPI}, func(id string) bool { return strings.EqualFold(id, r.key) })
	if err != nil {
		return "", fmt.Errorf("get the key: %w", err)
	}
	return printed(data)
}

func (r *reading) readVersions(ctx context.Context) (string, error) {
	list, err := r.list(ctx, 0, request{path: r.key + "/versions", api: vaultAPI})
	for i := 0; err == nil && i < len(list); i++ {
		err = named(list[i], func(id string) bool { return version.MatchString(below(id, r.key+"/versions/")) })
	}
	if err != nil {
		return "", fmt.Errorf("list the key's versions: %w", err)
	}
	return printedList(list)
}

// readAssignments lists the role assignments at the key and above it that reach a
// principal, by whatever group
// (https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest).
func (r *reading) readAssignments(ctx context.Context, principal string) (string, error) {
	list, err := assignmentsOf(ctx, r.wire, 0, r.key, principal)
	if err != nil {
		return "", fmt.Errorf("list what is assigned to %s: %w", principal, err)
	}
	return printedList(list)
}

// assignmentsOf lists what reaches a principal at a scope, each as az prints it.
func assignmentsOf(ctx context.Context, w *wire, reserve time.Duration, scope, principal string) ([]json.RawMessage, error) {
	list, err := w.list(ctx, reserve, request{path: scope + strings.TrimSuffix(ofAssignments, "/"), api: rightsAPI, filter: "atScope() and assignedTo('" + principal + "')"})
	for i := 0; err == nil && i < len(list); i++ {
		list[i], err = flat(list[i], nil, "condition", "conditionVersion", "delegatedManagedIdentityResourceId", "description")
	}
	return list, err
}

func (r *reading) readDenials(ctx context.Context) (string, error) {
	list, err := r.list(ctx, 0, request{path: r.key + strings.TrimSuffix(ofDenials, "/"), api: rightsAPI, filter: "atScope()"})
	if err != nil {
		return "", fmt.Errorf("list deny assignments: %w", err)
	}
	return printedList(list)
}
