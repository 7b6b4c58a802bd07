package azuretest

import (
	"slices"
	"time"
)

// Use is one use of a permission, whether it was allowed or not. Under access
// policies, too, uses of a key bear the name of the data action.
type Use struct {
	Caller     string // object ID
	Permission string // such as Microsoft.KeyVault/vaults/read
	DataAction bool
	Resource   string // ID, in lower case
	At         time.Time
	Allowed    bool
}

// Write is one change that a call made. Before and After are what a read shows;
// one is empty for what was made or deleted.
type Write struct {
	Op       string // as Calls knows it, such as Microsoft.Authorization/roleAssignments/write
	Resource string // ID, in lower case
	Caller   string // object ID
	At       time.Time
	Before   string
	After    string
}

// Uses lists the permissions used so far, in order.
func (c *Cloud) Uses() []Use {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.uses)
}

// Writes lists the changes so far to a resource, or to all if it is empty, the
// oldest first. What is made by hand is none of them.
func (c *Cloud) Writes(resource string) []Write {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Write
	for _, w := range c.writes {
		if resource == "" || w.Resource == fold(resource) {
			out = append(out, w)
		}
	}
	return out
}

// Events lists every event so far, the oldest first.
func (c *Cloud) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// use records the use of a right. Call with the lock held.
func (c *Cloud) use(k *call, permission string, data bool, resource string, allowed bool) {
	c.uses = append(c.uses, Use{Caller: k.who.ObjectID, Permission: permission, DataAction: data, Resource: fold(resource), At: c.opts.Now(), Allowed: allowed})
}

// wrote records a change from one value to another; nil is nothing. Call with the
// lock held.
func (c *Cloud) wrote(k *call, resource string, before, after any) {
	w := Write{Op: k.route.op, Resource: fold(resource), Caller: k.who.ObjectID, At: c.opts.Now()}
	if before != nil {
		w.Before = string(text(before))
	}
	if after != nil {
		w.After = string(text(after))
	}
	c.writes = append(c.writes, w)
}
