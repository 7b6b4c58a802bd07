package azuretest

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"byokwatch/core/watchdog/chaostest"
)

// custom is a custom role definition and what it was before; a nil Role is one
// that was deleted.
type custom struct {
	history chaostest.History[*Role]
}

// AddCustomRole makes or replaces a custom role by hand, and returns its GUID.
func (c *Cloud) AddCustomRole(r Role) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.GUID == "" {
		r.GUID = c.guid("role")
	}
	if r.Scopes == nil {
		r.Scopes = []string{c.Subscription()}
	}
	if r.Name == "" {
		r.Name = r.GUID
	}
	r.GUID = strings.ToLower(r.GUID)
	c.customs[r.GUID] = &custom{}
	c.customs[r.GUID].history.Set(&r, c.opts.Now())
	return r.GUID
}

// role finds a role by its GUID, its ID or a built-in role's name; nil if it is
// gone. Call with the lock held.
func (c *Cloud) role(name string) *Role {
	if r := builtin(name); r != nil {
		return r
	}
	if r := c.customs[last(fold(name))]; r != nil {
		return r.history.Now()
	}
	return nil
}

// roleBody is a role definition on the wire
// (https://learn.microsoft.com/rest/api/authorization/role-definitions/create-or-update?view=rest-authorization-2022-04-01).
type roleBody struct {
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Type       string `json:"type,omitempty"`
	Properties struct {
		RoleName         string           `json:"roleName"`
		Type             string           `json:"type"`
		Description      string           `json:"description"`
		AssignableScopes []string         `json:"assignableScopes"`
		Permissions      []permissionBody `json:"permissions"`
		CreatedOn        string           `json:"createdOn,omitempty"`
		UpdatedOn        string           `json:"updatedOn,omitempty"`
		CreatedBy        *string          `json:"createdBy"`
		UpdatedBy        *string          `json:"updatedBy"`
	} `json:"properties"`
}

type permissionBody struct {
	Actions          []string `json:"actions"`
	NotActions       []string `json:"notActions"`
	DataActions      []string `json:"dataActions"`
	NotDataActions   []string `json:"notDataActions"`
	Condition        string   `json:"condition,omitempty"`
	ConditionVersion string   `json:"conditionVersion,omitempty"`
}

func showPermissions(list []Permission) []permissionBody {
	out := []permissionBody{}
	for _, p := range list {
		b := permissionBody{Actions: some(p.Actions), NotActions: some(p.NotActions), DataActions: some(p.DataActions), NotDataActions: some(p.NotDataActions), Condition: p.Condition}
		if p.Condition != "" {
			b.ConditionVersion = "2.0"
		}
		out = append(out, b)
	}
	return out
}

// some makes nil an empty list, as which Azure shows it.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// showRole is a definition as a read at a scope shows it: below a subscription
// its ID is that subscription's.
func (c *Cloud) showRole(r *Role, scope string) roleBody {
	b := roleBody{ID: c.RoleID(r.GUID), Name: r.GUID, Type: "Microsoft.Authorization/roleDefinitions"}
	if !strings.HasPrefix(scope, "/subscriptions/") {
		b.ID = "/providers/Microsoft.Authorization/roleDefinitions/" + r.GUID
	}
	b.Properties.RoleName, b.Properties.Permissions = r.Name, showPermissions(r.Permissions)
	b.Properties.Type, b.Properties.AssignableScopes = "BuiltInRole", []string{"/"}
	if builtin(r.GUID) == nil {
		b.Properties.Type, b.Properties.AssignableScopes = "CustomRole", r.Scopes
	}
	return b
}

// seenRole is the role that a read shows at a scope: built-in ones everywhere,
// custom ones where they can be assigned, and below.
func (c *Cloud) seenRole(k *call, guid, scope string) *Role {
	if r := builtin(guid); r != nil {
		return r
	}
	own := c.customs[guid]
	if own == nil {
		return nil
	}
	r := own.history.At(c.opts.Now(), k.fate.Kind == chaostest.Stale)
	chain := c.chain(scope)
	if r == nil || scope != "/" && !slices.ContainsFunc(r.Scopes, func(s string) bool { return slices.Contains(chain, fold(s)) }) {
		return nil
	}
	return r
}

func getRole(c *Cloud, k *call) (any, *Failure) {
	r := c.seenRole(k, last(k.id), scopeOf(k.id))
	if r == nil {
		return nil, absent("RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", strings.ReplaceAll(last(k.id), "-", ""))
	}
	return c.showRole(r, scopeOf(k.id)), nil
}

var roleFilter = regexp.MustCompile(`(?i)^(roleName|type) eq '([^']*)'$`)

func listRoles(c *Cloud, k *call) (any, *Failure) {
	name, value := "", ""
	if f := k.query.Get("$filter"); f != "" && !strings.EqualFold(f, "atScopeAndBelow()") {
		m := roleFilter.FindStringSubmatch(f)
		if m == nil {
			return nil, invalid("InvalidFilter", "The filter '%s' is not supported.", f)
		}
		name, value = strings.ToLower(m[1]), m[2]
	}
	var all []string
	for _, r := range builtins {
		all = append(all, r.GUID)
	}
	list := []any{}
	for _, guid := range append(all, slices.Sorted(maps.Keys(c.customs))...) {
		r := c.seenRole(k, guid, k.id)
		if r == nil {
			continue
		}
		b := c.showRole(r, k.id)
		if name == "" || name == "type" && strings.EqualFold(b.Properties.Type, value) || name == "rolename" && strings.EqualFold(r.Name, value) {
			list = append(list, b)
		}
	}
	return k.page(c, list, 200), nil
}

func putRole(c *Cloud, k *call) (any, *Failure) {
	var in roleBody
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	guid := last(k.id)
	switch {
	case builtin(guid) != nil:
		return nil, fail(http.StatusForbidden, "CannotUpdateBuiltInRoleDefinition", "Built-in role definition '%s' can't be changed.", guid)
	case in.Properties.RoleName == "" || len(in.Properties.AssignableScopes) == 0:
		return nil, invalid("InvalidRoleDefinition", "A role name and assignable scopes are required.")
	}
	r := &Role{GUID: guid, Name: in.Properties.RoleName, Scopes: in.Properties.AssignableScopes}
	for _, p := range in.Properties.Permissions {
		if p.Condition != "" {
			return nil, invalid("InvalidRoleDefinition", "Custom roles have no conditions.")
		}
		r.Permissions = append(r.Permissions, Permission{Actions: p.Actions, NotActions: p.NotActions, DataActions: p.DataActions, NotDataActions: p.NotDataActions})
	}
	if c.customs[guid] == nil {
		c.customs[guid] = &custom{}
	}
	h := &c.customs[guid].history
	c.wrote(k, k.id, h.Now(), r)
	h.Set(r, c.seenFrom(k))
	k.status = http.StatusCreated
	return c.showRole(r, scopeOf(k.id)), nil
}

func deleteRole(c *Cloud, k *call) (any, *Failure) {
	guid := last(k.id)
	if builtin(guid) != nil {
		return nil, fail(http.StatusForbidden, "CannotDeleteBuiltInRoleDefinition", "Built-in role definition '%s' can't be deleted.", guid)
	}
	old := c.customs[guid]
	if old == nil || old.history.Now() == nil {
		k.status = http.StatusNoContent
		return nil, nil
	}
	for _, e := range c.assignments {
		// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---unable-to-delete-a-custom-role
		if a := e.history.Now(); a != nil && a.role == guid {
			return nil, invalid("RoleDefinitionHasAssignments", "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments)")
		}
	}
	r := old.history.Now()
	c.wrote(k, k.id, r, (*Role)(nil))
	old.history.Set(nil, c.seenFrom(k))
	return c.showRole(r, scopeOf(k.id)), nil
}

// page cuts a list into pages and links the next one.
func (k *call) page(c *Cloud, list []any, size int) any {
	if c.opts.PageSize > 0 {
		size = c.opts.PageSize
	}
	from := k.skip(list)
	to := min(from+size, len(list))
	out := map[string]any{"value": list[from:to]}
	if to < len(list) {
		out["nextLink"] = k.link(to)
	} else if k.route.plane == dataPlane {
		out["nextLink"] = nil
	}
	return out
}

// link is the address of the page that begins with the n-th item.
func (k *call) link(n int) string {
	var kept []string
	for part := range strings.SplitSeq(k.rawQuery, "&") {
		if name, _, _ := strings.Cut(part, "="); !strings.EqualFold(name, "$skipToken") && !strings.EqualFold(name, "%24skiptoken") {
			kept = append(kept, part)
		}
	}
	return k.base + k.path + "?" + strings.Join(kept, "&") + "&%24skiptoken=" + url.QueryEscape(token(n))
}
