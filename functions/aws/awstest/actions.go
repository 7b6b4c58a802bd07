package awstest

import "time"

// Action is one use of an IAM right, whether it was allowed or not.
type Action struct {
	Caller   string // ARN of the role, user or account root, without session
	Name     string // such as kms:GetKeyPolicy
	Resource string // ARN; of what the caller named, where that does not exist
	// Context holds the condition keys of the request that a policy may want to
	// bind the right to, such as kms:BypassPolicyLockoutSafetyCheck.
	Context map[string]string
	At      time.Time
	Allowed bool
}

// Write is one policy that a PutKeyPolicy put in place of another. Before and
// After are as GetKeyPolicy shows them.
type Write struct {
	Key, Caller   string
	At            time.Time
	Before, After string
}

// Used records the use of a right, for services that are mounted from outside
// as well.
func (c *Cloud) Used(a Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.At.IsZero() {
		a.At = c.opts.Now()
	}
	c.actions = append(c.actions, a)
}

// Actions lists the rights used so far, in order.
func (c *Cloud) Actions() []Action {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Action(nil), c.actions...)
}

// Writes lists the policies written to a key so far, or to all keys if key is
// empty, oldest first.
func (c *Cloud) Writes(key string) []Write {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Write
	for _, w := range c.writes {
		if key == "" || w.Key == key {
			out = append(out, w)
		}
	}
	return out
}

// Who returns the caller behind a signed request, for services that are mounted
// from outside.
func (c *Cloud) Who(accessKey string) (Caller, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.callers[accessKey]
	return w, ok
}
