package eventgrid

import (
	"strings"

	"byokwatch/core"
)

// What an extension resource's ID holds after the scope that it is attached to:
// https://learn.microsoft.com/azure/azure-resource-manager/management/extension-resource-types
var attached = []string{
	"/providers/microsoft.authorization/roleassignments", "/providers/microsoft.authorization/denyassignments",
	"/providers/microsoft.resources/tags",
}

// managementGroups are scopes above subscriptions. Keys do not say which are
// above them.
const managementGroups = "/providers/microsoft.management/managementgroups"

// resource is an ARM ID in the form in which it is compared: in lower case,
// because Azure mixes cases, and without a slash at its end. It may be written as
// the URL that it has.
func resource(id string) string {
	if _, rest, ok := strings.Cut(id, "://"); ok {
		_, id, _ = strings.Cut(rest, "/")
		id, _, _ = strings.Cut(id, "?")
	}
	id = strings.TrimRight(strings.ToLower(id), "/")
	if id != "" && id[0] != '/' {
		id = "/" + id
	}
	return id
}

// scopeOf is what a resource is attached to, or the resource itself; "" is the
// tenant's root.
func scopeOf(id string) string {
	for _, infix := range attached {
		if i := strings.LastIndex(id, infix); i >= 0 && atBorder(id[i+len(infix):]) {
			return id[:i]
		}
	}
	return id
}

// atBorder says whether what is left of an ID begins a segment.
func atBorder(rest string) bool { return rest == "" || rest[0] == '/' }

// within says whether an ID is that of a scope or of something below it.
func within(id, scope string) bool {
	rest, ok := strings.CutPrefix(id, scope)
	return ok && atBorder(rest)
}

// touches says whether something done at a scope may decide about a key.
func (r Reach) touches(scope string, k *core.Key) bool {
	switch r {
	case Everywhere:
		return true
	case Scope:
		return scope == "" || within(scope, managementGroups) || within(k.ID, scope) || within(scope, k.ID)
	}
	return within(scope, k.ID) || within(scope, k.Vault) && !within(scope, k.Vault+"/keys")
}
