package azuretest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// assignment is a role assignment. It is replaced, never changed.
type assignment struct {
	id               string // as it is shown
	scope            string // as it was sent
	role             string // GUID
	principal, kind  string
	condition        string
	description      string
	created, updated time.Time
	creator, updater string
}

// entry is an assignment and what it was before; nil is one that was deleted.
type entry struct {
	history chaostest.History[*assignment]
}

// Assign makes a role assignment by hand: no event, no rights. It returns its
// ID.
func (c *Cloud) Assign(a Assignment) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	role := c.role(a.Role)
	if role == nil {
		panic("azuretest: there is no role " + a.Role)
	}
	if a.Name == "" {
		a.Name = c.guid("assignment")
	}
	if a.Type == "" {
		a.Type = c.must(a.Principal).Type
	}
	now := c.opts.Now()
	scope := strings.TrimSuffix(a.Scope, "/")
	g := &assignment{id: scope + "/providers/Microsoft.Authorization/roleAssignments/" + strings.ToLower(a.Name), scope: a.Scope, role: role.GUID,
		principal: strings.ToLower(a.Principal), kind: a.Type, condition: a.Condition, description: a.Description, created: now, updated: now}
	c.entry(fold(g.id)).history.Set(g, now)
	return g.id
}

// entry finds the entry of an assignment, or makes one. Call with the lock held.
func (c *Cloud) entry(id string) *entry {
	if e := c.byID[id]; e != nil {
		return e
	}
	e := &entry{}
	c.byID[id] = e
	c.assignments = append(c.assignments, e)
	return e
}

// Assignments lists the newest role assignments at a scope and above it that
// reach somebody, or all of them if objectID is empty.
func (c *Cloud) Assignments(scope, objectID string) []Assignment {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids, chain := c.identities(objectID), c.chain(scope)
	var out []Assignment
	for _, e := range c.assignments {
		g := e.history.Now()
		if g == nil || !slices.Contains(chain, fold(g.scope)) || objectID != "" && !slices.Contains(ids, g.principal) {
			continue
		}
		out = append(out, Assignment{Name: last(g.id), Scope: g.scope, Role: g.role, Principal: g.principal, Type: g.kind, Condition: g.condition, Description: g.description})
	}
	return out
}

// assignmentBody is a role assignment on the wire
// (https://learn.microsoft.com/rest/api/authorization/role-assignments/create?view=rest-authorization-2022-04-01).
type assignmentBody struct {
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Type       string `json:"type,omitempty"`
	Properties struct {
		RoleDefinitionID                   string  `json:"roleDefinitionId"`
		PrincipalID                        string  `json:"principalId"`
		PrincipalType                      string  `json:"principalType,omitempty"`
		Scope                              string  `json:"scope,omitempty"`
		Condition                          *string `json:"condition"`
		ConditionVersion                   *string `json:"conditionVersion"`
		CreatedOn                          string  `json:"createdOn,omitempty"`
		UpdatedOn                          string  `json:"updatedOn,omitempty"`
		CreatedBy                          string  `json:"createdBy"`
		UpdatedBy                          string  `json:"updatedBy"`
		DelegatedManagedIdentityResourceID *string `json:"delegatedManagedIdentityResourceId"`
		Description                        *string `json:"description"`
	} `json:"properties"`
}

func (c *Cloud) showAssignment(g *assignment) assignmentBody {
	b := assignmentBody{ID: g.id, Name: last(g.id), Type: "Microsoft.Authorization/roleAssignments"}
	p := &b.Properties
	p.RoleDefinitionID, p.PrincipalID, p.PrincipalType, p.Scope = c.RoleID(g.role), g.principal, g.kind, g.scope
	if !strings.HasPrefix(fold(g.scope), "/subscriptions/") {
		p.RoleDefinitionID = "/providers/Microsoft.Authorization/roleDefinitions/" + g.role
	}
	p.CreatedOn, p.UpdatedOn, p.CreatedBy, p.UpdatedBy = stamp(g.created), stamp(g.updated), g.creator, g.updater
	if g.condition != "" {
		version := "2.0"
		p.Condition, p.ConditionVersion = &g.condition, &version
	}
	if g.description != "" {
		p.Description = &g.description
	}
	return b
}

// stamp is a time as Azure Resource Manager writes it, to 100 ns.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// seen is what a read shows of an entry; with a stale read the change that was
// made last of all is not there yet.
func (c *Cloud) seen(k *call, e *entry) *assignment {
	return e.history.At(c.opts.Now(), k.fate.Kind == chaostest.Stale && e == c.newest)
}

var (
	atScope    = regexp.MustCompile(`(?i)^atScope\(\)$`)
	assignedTo = regexp.MustCompile(`(?i)^assignedTo\('(` + guidForm + `)'\)$`)
	principal  = regexp.MustCompile(`(?i)^principalId eq '(` + guidForm + `)'$`)
	conjoined  = regexp.MustCompile(`(?i) +and +`)
)

// listAssignments is
// https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest:
// without atScope() what is below the scope is in it as well.
func listAssignments(c *Cloud, k *call) (any, *Failure) {
	var below, only = true, []func(*assignment) bool{}
	if filter := k.query.Get("$filter"); filter != "" {
		for _, term := range conjoined.Split(strings.TrimSpace(filter), -1) {
			if atScope.MatchString(term) {
				below = false
			} else if m := assignedTo.FindStringSubmatch(term); m != nil {
				ids := append(c.identities(m[1]), strings.ToLower(m[1]))
				only = append(only, func(g *assignment) bool { return slices.Contains(ids, g.principal) })
			} else if m := principal.FindStringSubmatch(term); m != nil {
				only = append(only, func(g *assignment) bool { return strings.EqualFold(g.principal, m[1]) })
			} else {
				return nil, invalid("InvalidFilter", "The filter '%s' is not supported. Supported filters are 'atScope()', 'assignedTo()' and 'principalId eq'.", filter)
			}
		}
	}
	scope := k.id
	chain := c.chain(scope)
	list := []any{}
	for _, e := range c.assignments {
		g := c.seen(k, e)
		if g == nil {
			continue
		}
		at := fold(g.scope)
		if !slices.Contains(chain, at) && !(below && slices.Contains(c.chain(at), scope)) {
			continue
		}
		if !slices.ContainsFunc(only, func(want func(*assignment) bool) bool { return !want(g) }) {
			list = append(list, c.showAssignment(g))
		}
	}
	return k.page(c, list, 200), nil
}

func getAssignment(c *Cloud, k *call) (any, *Failure) {
	if e := c.byID[k.id]; e != nil {
		if g := c.seen(k, e); g != nil {
			return c.showAssignment(g), nil
		}
	}
	return nil, absent("RoleAssignmentNotFound", "The role assignment '%s' is not found.", last(k.id))
}

// about are the attributes that a condition on the right to write or delete
// assignments may turn on
// (https://learn.microsoft.com/azure/role-based-access-control/conditions-authorization-actions-attributes).
func about(side, role, principal, kind string) map[string]string {
	prefix := "@" + side + "[microsoft.authorization/roleassignments:"
	return map[string]string{prefix + "roledefinitionid]": role, prefix + "principalid]": principal, prefix + "principaltype]": kind}
}

func writtenAssignment(c *Cloud, k *call) map[string]string {
	var in assignmentBody
	if k.decode(&in) != nil {
		return nil // the operation itself will say so
	}
	kind := in.Properties.PrincipalType
	if m := c.members[strings.ToLower(in.Properties.PrincipalID)]; kind == "" && m != nil {
		kind = m.Type
	}
	return about("request", last(fold(in.Properties.RoleDefinitionID)), in.Properties.PrincipalID, kind)
}

func deletedAssignment(c *Cloud, k *call) map[string]string {
	if e := c.byID[k.id]; e != nil && e.history.Now() != nil {
		g := e.history.Now()
		return about("resource", g.role, g.principal, g.kind)
	}
	return nil
}

// putAssignment makes an assignment, or changes its condition or description
// (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting).
func putAssignment(c *Cloud, k *call) (any, *Failure) {
	g, f := c.readAssignment(k)
	if f != nil {
		return nil, f
	}
	k.status = http.StatusCreated
	count := 0
	for _, e := range c.assignments {
		old := e.history.Now()
		if old == nil {
			continue
		}
		count++
		same := old.role == g.role && old.principal == g.principal && fold(old.scope) == fold(g.scope)
		switch {
		case last(fold(old.id)) == last(k.id) && !same:
			return nil, invalid("RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
		case last(fold(old.id)) == last(k.id):
			k.status = http.StatusOK
			g.created, g.creator = old.created, old.creator
			if old.condition == g.condition && old.description == g.description {
				return c.showAssignment(old), nil
			}
		case same:
			return nil, fail(http.StatusConflict, "RoleAssignmentExists", "The role assignment already exists. The ID of the conflicting role assignment is %s.", strings.ReplaceAll(last(old.id), "-", ""))
		}
	}
	if most := c.opts.MaxAssignments; k.status == http.StatusCreated && count >= most {
		// https://learn.microsoft.com/azure/role-based-access-control/troubleshoot-limits
		return nil, invalid("RoleAssignmentLimitExceeded", "No more role assignments can be created (code: RoleAssignmentLimitExceeded)")
	}
	e := c.entry(k.id)
	c.wrote(k, k.id, c.shown(e.history.Now()), c.shown(g))
	if k.status == http.StatusCreated && e.history.Now() == nil {
		e.history.Set(nil, time.Time{}) // reads may not see it yet
	}
	e.history.Set(g, c.seenFrom(k))
	c.newest = e
	return c.showAssignment(g), nil
}

// shown is an assignment for the list of writes; nil for none.
func (c *Cloud) shown(g *assignment) any {
	if g == nil {
		return nil
	}
	return c.showAssignment(g)
}

// readAssignment checks what was sent, apart from what else there is.
func (c *Cloud) readAssignment(k *call) (*assignment, *Failure) {
	var in assignmentBody
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	p := in.Properties
	name := last(k.id)
	if !isGUID.MatchString(name) {
		return nil, invalid("InvalidRoleAssignmentId", "The role assignment ID '%s' is not valid. The role assignment ID must be a GUID.", name)
	}
	if !isGUID.MatchString(strings.ToLower(p.PrincipalID)) {
		return nil, invalid("InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
	}
	role := last(fold(p.RoleDefinitionID))
	if !strings.Contains(fold(p.RoleDefinitionID), authorization+"roledefinitions/") || c.role(role) == nil || !isGUID.MatchString(role) {
		return nil, absent("RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", strings.ReplaceAll(role, "-", ""))
	}
	if f := c.present(scopeOf(k.id)); f != nil {
		return nil, f
	}
	g := &assignment{scope: k.path[:len(k.path)-len("/providers/Microsoft.Authorization/roleAssignments/")-len(name)], role: role,
		principal: strings.ToLower(p.PrincipalID), kind: p.PrincipalType, created: c.opts.Now(), updated: c.opts.Now(), creator: k.who.ObjectID, updater: k.who.ObjectID}
	g.id = g.scope + "/providers/Microsoft.Authorization/roleAssignments/" + name
	m := c.members[g.principal]
	switch known := m != nil && !m.deleted; {
	case g.kind == "" && !known:
		return nil, invalid("PrincipalNotFound", "Principal %s does not exist in the directory %s.", strings.ReplaceAll(g.principal, "-", ""), c.opts.Tenant)
	case g.kind == "":
		g.kind = m.Type
	case known && !strings.EqualFold(g.kind, m.Type):
		return nil, invalid("UnmatchedPrincipalType", "The PrincipalId '%s' has type '%s', which is different from specified PrincipalType '%s'.", g.principal, m.Type, g.kind)
	}
	if p.Description != nil {
		g.description = *p.Description
	}
	if p.Condition != nil && *p.Condition != "" {
		if p.ConditionVersion == nil || *p.ConditionVersion != "2.0" {
			return nil, invalid("InvalidConditionVersion", "The condition version must be 2.0.")
		}
		if _, err := lex(*p.Condition); err != nil {
			return nil, invalid("InvalidCondition", "The condition can't be parsed: %v", err)
		}
		g.condition = *p.Condition
	}
	return g, nil
}

func deleteAssignment(c *Cloud, k *call) (any, *Failure) {
	e := c.byID[k.id]
	if e == nil || e.history.Now() == nil {
		k.status = http.StatusNoContent
		return nil, nil
	}
	g := e.history.Now()
	c.wrote(k, k.id, c.shown(g), nil)
	e.history.Set(nil, c.seenFrom(k))
	c.newest = e
	return c.showAssignment(g), nil
}
