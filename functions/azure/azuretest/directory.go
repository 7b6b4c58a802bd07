package azuretest

import (
	"slices"
	"strings"
)

// member is somebody in the directory, or a group.
type member struct {
	Principal
	deleted bool
	groups  []string // object IDs of the groups that it is in
}

// AddPrincipal makes a user or a service principal exist, and returns its object
// ID, drawing one if there is none.
func (c *Cloud) AddPrincipal(p Principal) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.ObjectID == "" {
		p.ObjectID = c.guid("principal")
	}
	if p.Type == "" {
		p.Type = ServicePrincipal
	}
	if p.Type == ServicePrincipal && p.AppID == "" {
		p.AppID = c.guid("application")
	}
	return c.know(p)
}

func (c *Cloud) know(p Principal) string {
	p.ObjectID = strings.ToLower(p.ObjectID)
	m := &member{Principal: p}
	if old := c.members[p.ObjectID]; old != nil {
		m.groups = old.groups
	}
	c.members[p.ObjectID] = m
	return p.ObjectID
}

// AddGroup makes a group of the given members, which may be groups.
func (c *Cloud) AddGroup(objectID string, members ...string) {
	c.mu.Lock()
	c.know(Principal{ObjectID: objectID, Type: Group})
	c.mu.Unlock()
	for _, m := range members {
		c.Join(objectID, m)
	}
}

// Join puts somebody into a group. No event tells of it.
func (c *Cloud) Join(group, objectID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.must(objectID)
	m.groups = append(m.groups, c.must(group).ObjectID)
}

// Leave takes somebody out of a group.
func (c *Cloud) Leave(group, objectID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.must(objectID)
	m.groups = slices.DeleteFunc(m.groups, func(g string) bool { return g == strings.ToLower(group) })
}

// DeletePrincipal deletes somebody. Their role assignments stay, of an identity
// that nobody finds any more
// (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignments-with-identity-not-found).
func (c *Cloud) DeletePrincipal(objectID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.must(objectID).deleted = true
}

func (c *Cloud) must(objectID string) *member {
	m := c.members[strings.ToLower(objectID)]
	if m == nil {
		panic("azuretest: nobody has the object ID " + objectID)
	}
	return m
}

// Login lets a token speak for somebody. Whoever does not exist yet becomes a
// service principal.
func (c *Cloud) Login(w Caller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.ObjectID = strings.ToLower(w.ObjectID)
	if c.members[w.ObjectID] == nil {
		c.know(Principal{ObjectID: w.ObjectID, Type: ServicePrincipal, AppID: c.guid("application")})
	}
	if w.Address == "" {
		w.Address = "192.0.2.1"
	}
	c.callers[w.Token] = w
}

// identities are all object IDs that count for somebody: their own, and those of
// the groups that they are in, directly or through others. Those of nobody are
// none. Call with the lock held.
func (c *Cloud) identities(objectID string) []string {
	m := c.members[strings.ToLower(objectID)]
	if m == nil || m.deleted {
		return nil
	}
	out := []string{m.ObjectID}
	for i := 0; i < len(out); i++ {
		for _, g := range c.members[out[i]].groups {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}
