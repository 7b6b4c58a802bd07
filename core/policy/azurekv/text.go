package azurekv

import (
	"strings"

	"byokwatch/core/pattern"
	"byokwatch/core/policy/wording"
)

// foldAll folds a list in place.
func foldAll(list []string) []string {
	for i := range list {
		list[i] = wording.Lower(list[i])
	}
	return list
}

// covered says that a pattern of a role's actions stands for an action: * is any
// run of characters, slashes included, and between two slashes also no segment at
// all, since Key Vault Reader, which is there to read the metadata of vaults,
// has no other action for it than vaults/*/read. Both are folded.
//
// Sources: https://learn.microsoft.com/azure/role-based-access-control/role-definitions#actions-format,
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security#key-vault-reader
func covered(pattern, action string) bool {
	return like(pattern, action) || strings.Contains(pattern, "/*/") && like(strings.ReplaceAll(pattern, "/*/", "/"), action)
}

// like matches a text against a pattern in which * is any run of characters.
func like(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// reaches says that what is given at a scope counts on a resource: they are the
// same, or the scope is above it, by whole segments of the ID. Which management
// groups are above a subscription an ID does not show; Azure lists only those.
// Both are folded.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/scope-overview
func reaches(scope, resource string) bool {
	scope = strings.TrimRight(scope, "/")
	switch {
	case scope == "", strings.HasPrefix(scope, managementGroups) && !strings.Contains(scope[len(managementGroups):], "/"):
		return true
	case !strings.HasPrefix(resource, scope):
		return false
	}
	return len(resource) == len(scope) || resource[len(scope)] == '/'
}

const managementGroups = "/providers/microsoft.management/managementgroups/"

// lastSegment is the name at the end of a resource ID.
func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

var (
	guidGrammar    = pattern.New(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`) // folded
	versionGrammar = pattern.New(`^[0-9a-f]{32}$`)                                                 // folded
)
