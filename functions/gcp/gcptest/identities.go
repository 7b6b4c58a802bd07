package gcptest

import (
	"fmt"
	"regexp"
	"strings"

	"byokwatch/core/watchdog/chaostest"
)

// identity is one user, group or service account. A policy is bound to its
// unique ID: an address that is taken again after a deletion is somebody else
// (https://docs.cloud.google.com/iam/docs/principal-identifiers).
type identity struct {
	uid     string // of 21 digits
	kind    string // group, user, serviceAccount
	address string
	deleted bool
	groups  []string // member names of the groups that it is in
	past    []string // uids that had this address before
}

var (
	named   = regexp.MustCompile(`^(user|group|serviceAccount):([^@?\s]+@[^@?\s]+)$`)
	dead    = regexp.MustCompile(`^deleted:(user|group|serviceAccount):([^@?\s]+@[^@?\s]+)\?uid=([0-9]+)$`)
	general = regexp.MustCompile(`^(allUsers|allAuthenticatedUsers|domain:[^\s:]+|project(Owner|Editor|Viewer):[a-z0-9.:-]+|principal(Set)?://\S+)$`)
)

// fold is the form in which addresses are compared: in lower case
// (https://docs.cloud.google.com/iam/docs/reference/rest/v1/Policy).
func fold(member string) string {
	if m := named.FindStringSubmatch(member); m != nil {
		return m[1] + ":" + strings.ToLower(m[2])
	}
	return member
}

// know makes sure that an identity exists. Call with the lock held.
func (c *Cloud) know(member string) *identity {
	member = fold(member)
	if id := c.identities[member]; id != nil {
		return id
	}
	kind, address, _ := strings.Cut(member, ":")
	id := &identity{uid: c.newUID(member), kind: kind, address: address}
	c.identities[member] = id
	return id
}

func (c *Cloud) newUID(member string) string {
	c.serial++
	return fmt.Sprintf("1%020d", chaostest.Hash(c.opts.Seed, "uid", member, c.serial))
}

// Create makes users, groups or service accounts exist, such as
// group:cck-12345@confluent.io. One that was deleted is made anew, as somebody
// else.
func (c *Cloud) Create(members ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range members {
		if id := c.know(m); id.deleted {
			id.past = append(id.past, id.uid)
			id.uid, id.deleted = c.newUID(m), false
		}
	}
}

// Delete deletes an identity; Recover brings the same one back.
func (c *Cloud) Delete(member string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.know(member).deleted = true
}

// Recover undoes Delete.
func (c *Cloud) Recover(member string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.know(member).deleted = false
}

// Join puts a member into a group.
func (c *Cloud) Join(group, member string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.know(group)
	id := c.know(member)
	id.groups = append(id.groups, fold(group))
}

// admit turns a member of a request into what is stored: kind:address?uid=N for
// an identity, the text itself otherwise.
func (c *Cloud) admit(member string) (string, *failure) {
	if general.MatchString(member) {
		return member, nil
	}
	if m := dead.FindStringSubmatch(member); m != nil {
		id := c.identities[m[1]+":"+strings.ToLower(m[2])]
		if id == nil {
			return "", invalid("Email '%s' is not the primary email address for unique ID '%s' of deleted member.", m[2], m[3])
		}
		for _, uid := range append(id.past, id.uid) {
			if uid == m[3] {
				return id.kind + ":" + id.address + "?uid=" + uid, nil
			}
		}
		return "", invalid("Email '%s' is not the primary email address for unique ID '%s' of deleted member '%s'.", m[2], m[3], member)
	}
	m := named.FindStringSubmatch(member)
	if m == nil {
		return "", invalid("The member %s is of an unknown type. Please set a valid type prefix for the member.", member)
	}
	id := c.identities[fold(member)]
	if id == nil || id.deleted {
		kind := map[string]string{"user": "User", "group": "Group", "serviceAccount": "Service account"}[m[1]]
		return "", invalid("%s %s does not exist.", kind, m[2])
	}
	return id.kind + ":" + id.address + "?uid=" + id.uid, nil
}

// show is how a stored member reads now. An identity that was deleted shows as
// that, and as itself again once it is recovered.
func (c *Cloud) show(stored string) string {
	member, uid, ok := strings.Cut(stored, "?uid=")
	if !ok {
		return stored
	}
	if id := c.identities[member]; id.uid == uid && !id.deleted {
		return member
	}
	return "deleted:" + stored
}
