package gcptest

import (
	"fmt"
	"slices"
	"strings"
)

// allowed is the evaluation of
// https://docs.cloud.google.com/iam/docs/policy-types#evaluation: a deny policy
// anywhere above ends it, then one binding anywhere on the way up is enough.
// Call with the lock held.
func (c *Cloud) allowed(member, permission, resource string) (bool, string) {
	id := c.identities[fold(member)]
	if id == nil || id.deleted {
		return false, member + " does not exist"
	}
	chain := c.chain(resource)
	who := append([]string{fold(member)}, id.groups...)
	for _, node := range chain {
		for _, d := range c.denyOn(node) {
			if d.hits(who, permission) {
				return false, "denied by " + d.Name
			}
		}
	}
	about := subject{name: resource, now: c.opts.Now()}
	why := "no binding gives " + permission
	for _, node := range chain {
		p := c.live(node)
		if p == nil {
			continue
		}
		for _, b := range p.bindings {
			switch {
			case !c.binds(b, who):
			case !c.grants(b.Role, permission):
				why = fmt.Sprintf("%s is bound on %s, but does not give %s", b.Role, node, permission)
			case b.Condition != nil && !holds(b.Condition.Expression, about):
				why = fmt.Sprintf("the condition of %s on %s does not hold", b.Role, node)
			default:
				return true, ""
			}
		}
	}
	return false, why
}

// binds says whether a binding is for one of some living members.
func (c *Cloud) binds(b binding, who []string) bool {
	return slices.ContainsFunc(b.Members, func(stored string) bool {
		shown := c.show(stored)
		return shown == "allUsers" || shown == "allAuthenticatedUsers" || slices.Contains(who, shown)
	})
}

// Can says whether a member may now do something to a key or to a version of
// it, by the newest policies, roles and states; if not, why. Use of a key is use
// of its primary version.
func (c *Cloud) Can(member, permission, name string) (bool, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purge()
	key := name
	if isVersion.MatchString(name) {
		key = up(name, 2)
	}
	k := c.keys[key]
	if k == nil {
		return false, "the key does not exist"
	}
	if strings.Contains(permission, ".useTo") {
		n := k.history.Now().primary
		if key != name {
			_, _, n = c.version(name)
		}
		if s := k.history.Now().states[n]; s != Enabled {
			return false, fmt.Sprintf("version %d is %s", n, s)
		}
	}
	return c.allowed(member, permission, key)
}

// May says the same of any resource and permission, such as the rights of a
// service account on a bucket.
func (c *Cloud) May(member, permission, resource string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purge()
	ok, _ := c.allowed(member, permission, resource)
	return ok
}
