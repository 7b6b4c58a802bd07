package azuretest

import (
	"slices"
	"strings"
)

// deny is a deny assignment.
type deny struct {
	DenyAssignment
	id string
}

func (d *deny) name() string {
	if d.DisplayName != "" {
		return d.DisplayName
	}
	return last(d.id)
}

// Deny makes a deny assignment, as Azure does for a deployment stack or a managed
// application; nobody else can. No event tells of it. It returns its ID.
func (c *Cloud) Deny(d DenyAssignment) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.Name == "" {
		d.Name = c.guid("deny")
	}
	id := strings.TrimSuffix(d.Scope, "/") + "/providers/Microsoft.Authorization/denyAssignments/" + strings.ToLower(d.Name)
	c.denies = append(c.denies, &deny{d, id})
	return id
}

// Undeny takes a deny assignment away.
func (c *Cloud) Undeny(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denies = slices.DeleteFunc(c.denies, func(d *deny) bool { return fold(d.id) == fold(id) })
}

// show is a deny assignment on the wire
// (https://learn.microsoft.com/rest/api/authorization/deny-assignments/get).
func (c *Cloud) showDeny(d *deny) any {
	of := func(ids []string) []map[string]string {
		out := []map[string]string{}
		for _, id := range ids {
			kind := ServicePrincipal
			if m := c.members[strings.ToLower(id)]; m != nil {
				kind = m.Type
			}
			out = append(out, map[string]string{"id": id, "type": kind})
		}
		return out
	}
	principals := of(d.Principals)
	if d.Principals == nil {
		principals = []map[string]string{{"id": everybody, "type": "SystemDefined"}}
	}
	return map[string]any{"id": d.id, "name": last(d.id), "type": "Microsoft.Authorization/denyAssignments", "properties": map[string]any{
		"denyAssignmentName": d.DisplayName, "description": "", "permissions": showPermissions(d.Permissions), "scope": d.Scope,
		"doNotApplyToChildScopes": d.NotBelow, "principals": principals, "excludePrincipals": of(d.Exclude), "isSystemProtected": true,
	}}
}

func listDenies(c *Cloud, k *call) (any, *Failure) {
	below := true
	switch filter := k.query.Get("$filter"); {
	case filter == "":
	case atScope.MatchString(filter):
		below = false
	default:
		return nil, invalid("InvalidFilter", "The filter '%s' is not supported.", filter)
	}
	chain := c.chain(k.id)
	list := []any{}
	for _, d := range c.denies {
		if at := fold(d.Scope); slices.Contains(chain, at) || below && slices.Contains(c.chain(at), k.id) {
			list = append(list, c.showDeny(d))
		}
	}
	return k.page(c, list, 200), nil
}

func getDeny(c *Cloud, k *call) (any, *Failure) {
	for _, d := range c.denies {
		if fold(d.id) == k.id {
			return c.showDeny(d), nil
		}
	}
	return nil, absent("DenyAssignmentNotFound", "The deny assignment '%s' is not found.", last(k.id))
}
