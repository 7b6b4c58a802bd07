package gcptest

import (
	"maps"
	"slices"
	"time"
)

// Use is one use of a permission, whether it was allowed or not.
type Use struct {
	Caller     string // in the form of a policy's member
	Permission string
	Resource   string
	At         time.Time
	Allowed    bool
}

// Write is one policy put in place of another. Before and After are as a read
// in version 3 shows them.
type Write struct {
	Resource, Caller string
	At               time.Time
	Before, After    string
}

// Uses lists the permissions used so far, in order.
func (c *Cloud) Uses() []Use {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.uses)
}

// Writes lists the policies written to a resource so far, or to all if it is
// empty, oldest first.
func (c *Cloud) Writes(resource string) []Write {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Write
	for _, w := range c.writes {
		if resource == "" || w.Resource == resource {
			out = append(out, w)
		}
	}
	return out
}

// sortedKeys lists a map's keys in order, for answers that must not depend on
// Go's own.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
