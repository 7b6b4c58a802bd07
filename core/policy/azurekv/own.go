package azurekv

import (
	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

// The attributes of a request to assign a role that conditions may turn on, as
// they are spelled there, folded.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/conditions-authorization-actions-attributes
const (
	askedRole      = "@request[microsoft.authorization/roleassignments:roledefinitionid]"
	askedPrincipal = "@request[microsoft.authorization/roleassignments:principalid]"
	askedType      = "@request[microsoft.authorization/roleassignments:principaltype]"
)

// rightAsks are the requests that a right of the watchdog is needed for. To
// assign roles is asked twice: each of Confluent's two roles must be one that a
// condition lets it assign to Confluent.
func (c *court) rightAsks(right string) []ask {
	switch right {
	case rightAssign:
		var out []ask
		for _, r := range confluent.AzureRoles() {
			out = append(out, ask{action: wording.Lower(right), request: map[string]string{askedRole: r.ID, askedPrincipal: c.confluent.subject.id, askedType: "ServicePrincipal"}})
		}
		return out
	case rightKeyUpdate:
		return []ask{{action: wording.Lower(right), data: true, onKey: true}}
	case rightKeyRead, rightListKeys, rightAssigned, rightDenied:
		return []ask{{action: wording.Lower(right), onKey: true}}
	}
	return []ask{{action: wording.Lower(right)}}
}

// writeRight is the right without which nothing can be given back.
func (c *court) writeRight() core.Requirement {
	right := rightAssign
	if !c.file.rbac() {
		right = rightPolicies
	}
	return core.Requirement{Aspect: core.Own, Permission: right, Severity: core.Critical}
}

// own answers for a right of the watchdog. Azure's list of what is assigned to it
// is complete; without that list nobody knows.
func (c *court) own(f *core.Finding) {
	switch b := c.self; {
	case b.subject.id == "":
		f.Reason = "the watchdog's own identity is not known"
	case c.file.deleted():
		f.Reason = "the vault is deleted, and with it what was assigned on it"
	case !b.listed && b.unread != "":
		f.Reason = "what is assigned to the watchdog can't be read: " + b.unread
		c.rightsAssumed = true
	case !b.listed && (c.file.rbac() || f.Permission != rightKeyUpdate):
		f.Reason = "what is assigned to the watchdog was not read"
		c.rightsAssumed = true
	default:
		c.settle(f, b, c.rightAsks(f.Permission))
	}
}
