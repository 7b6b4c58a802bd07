package keyvault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/core/strict"
)

// rolesOf reads the roles that are assigned to whoever matters, and those that
// once were: a restore must know what such a role gives by now, although nothing
// assigns it any more.
func (r *reading) rolesOf(ctx context.Context, p core.Policy) (core.Policy, error) {
	var ids []string
	for _, d := range p {
		var list []struct {
			Role string `json:"roleDefinitionId"`
		}
		if d.Kind != core.RoleAssignments || strict.UnmarshalOpen([]byte(d.Text), &list) != nil {
			continue // what can't be read is said where it is judged
		}
		for _, a := range list {
			ids = append(ids, a.Role)
		}
	}
	ids = r.Remember(r.of, ids...)
	out := make(core.Policy, len(ids))
	var all errgroup.Group
	all.SetLimit(8)
	for i, id := range ids {
		all.Go(func() (err error) { out[i], err = r.readRole(ctx, id); return err })
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// readRole reads a role where it is assigned, at the vault: a custom role is seen
// at and below the scopes for which it is made
// (https://learn.microsoft.com/azure/role-based-access-control/role-definitions#assignablescopes).
// Only a refusal is no error: what a role gives must not seem lost while nobody
// can look.
func (r *reading) readRole(ctx context.Context, role string) (core.Document, error) {
	doc := core.Document{Kind: core.RoleDefinitions, ID: "/providers/microsoft.authorization/roledefinitions/" + role}
	text, err := share.Once(ctx, r.view, "role "+role+" at "+r.vault, func(ctx context.Context) (string, error) {
		data, err := r.get(ctx, 0, request{path: r.vault + ofRoles + role, api: rightsAPI}, func(id string) bool { return lastOf(id) == role })
		if hasCode(err, roleGone) {
			return none, nil
		}
		if err != nil {
			return "", fmt.Errorf("get role %s: %w", role, err)
		}
		item, err := flat(data, map[string]string{"type": "roleType"})
		if err != nil {
			return "", fmt.Errorf("get role %s: %w", role, err)
		}
		return printedList([]json.RawMessage{item})
	})
	switch {
	case errors.Is(err, core.ErrDenied), errors.Is(err, core.ErrNotFound):
		doc.Denied = errors.Is(err, core.ErrDenied)
		doc.Unreadable = plainly(err, "Microsoft.Authorization/roleDefinitions/read", r.vault+ofRoles+role)
	case err != nil:
		return core.Document{}, err
	}
	doc.Text = text
	return doc, nil
}
