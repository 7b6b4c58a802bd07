package azuretest

import (
	"fmt"
	"regexp"
	"strings"
)

// The grammar of resource IDs in lower case. Azure compares them without regard
// to case (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules).
const (
	subscriptionForm = `/subscriptions/[^/]+`
	groupForm        = subscriptionForm + `/resourcegroups/[^/]+`
	vaultForm        = groupForm + `/providers/microsoft\.keyvault/vaults/[a-z0-9-]{3,24}`
	keyForm          = vaultForm + `/keys/[a-z0-9-]{1,127}`
	versionForm      = keyForm + `/versions/[0-9a-f]{32}`
	guidForm         = `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	managementForm   = `/providers/microsoft\.management/managementgroups/[^/]+`

	authorization = "/providers/microsoft.authorization/"
	everybody     = "00000000-0000-0000-0000-000000000000"
)

var (
	isGUID  = regexp.MustCompile(`^` + guidForm + `$`)
	isVault = regexp.MustCompile(`^` + vaultForm + `$`)
	isKey   = regexp.MustCompile(`^` + keyForm + `$`)
)

// fold is the form in which IDs are compared: in lower case, with one slash in
// front. Clients put two there where they are given a scope with its own.
func fold(id string) string { return "/" + strings.ToLower(strings.Trim(id, "/")) }

// up cuts an ID's last n segments.
func up(id string, n int) string {
	for range n {
		id = id[:max(0, strings.LastIndexByte(id, '/'))]
	}
	return id
}

func last(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// scopeOf is what a role or deny assignment, a role definition or a set of tags
// is attached to: the part of its ID before its own provider.
func scopeOf(id string) string {
	for _, own := range []string{authorization, "/providers/microsoft.resources/tags"} {
		if i := strings.LastIndex(id, own); i >= 0 {
			id = id[:i]
		}
	}
	return id
}

// chain lists the scopes whose assignments reach a resource, its own first and
// the tenant's root, "/", last
// (https://learn.microsoft.com/azure/role-based-access-control/scope-overview).
// Call with the lock held.
func (c *Cloud) chain(id string) []string {
	id = scopeOf(fold(id))
	if i := strings.Index(id, "/blobs/"); i >= 0 {
		id = id[:i] // names of blobs hold slashes, and are no scopes
	}
	var out []string
	if strings.HasPrefix(id, "/subscriptions/") {
		parts := strings.Split(id[1:], "/")
		ends := []int{2}
		if len(parts) >= 4 && parts[2] == "resourcegroups" {
			ends = append(ends, 4)
		}
		for at := ends[len(ends)-1]; len(parts) >= at+4 && parts[at] == "providers"; {
			for at += 4; len(parts) >= at; at += 2 {
				ends = append(ends, at)
				if len(parts) >= at+2 && parts[at] == "providers" {
					break
				}
			}
		}
		for _, end := range ends {
			out = append([]string{"/" + strings.Join(parts[:end], "/")}, out...)
		}
		id = c.parents[out[len(out)-1]]
	}
	for id != "" && id != "/" {
		out = append(out, id)
		id = c.parents[id]
	}
	return append(out, "/")
}

// ManagementGroup is the ID of a management group.
func ManagementGroup(name string) string {
	return "/providers/Microsoft.Management/managementGroups/" + name
}

// Subscription is the ID of the cloud's subscription.
func (c *Cloud) Subscription() string { return "/subscriptions/" + c.opts.Subscription }

// RoleID is the ID of a role definition as assignments name it.
func (c *Cloud) RoleID(guid string) string {
	return c.Subscription() + "/providers/Microsoft.Authorization/roleDefinitions/" + strings.ToLower(guid)
}

// guid draws a GUID of version 4. Call with the lock held.
func (c *Cloud) guid(what string) string {
	c.serial++
	a, b := c.draw(what, c.serial), c.draw(what+"/2", c.serial)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

// draw mixes the seed and its arguments to 63 bits.
func (c *Cloud) draw(what string, n uint64) uint64 {
	return uint64(c.dice.Chance("guid", "", what, n)*(1<<53))<<11 | uint64(c.dice.Chance("guid", "more", what, n)*(1<<11))
}
