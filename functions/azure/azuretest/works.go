package azuretest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The kinds of Confluent's clusters, which reach a vault in different ways.
const (
	Dedicated  = "dedicated"  // through Microsoft's trusted services
	Enterprise = "enterprise" // from public addresses
)

// Works says whether Confluent, as the service principal of the given object ID,
// really can use a key now as a cluster of the given kind does: look at the
// vault, read the key, wrap by its current version and unwrap by every version
// that was ever in use. The error says all that stands against it.
//
// A vault without Azure RBAC must not be looked at: nobody tells customers who
// use access policies to assign a role for that.
func (c *Cloud) Works(objectID, cluster, keyID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := fold(keyID)
	v, of := c.key(id)
	switch {
	case v == nil:
		return errors.New("there is no vault " + up(id, 2))
	case of == nil || !of.history.Now().gone.IsZero():
		return errors.New("there is no key " + id)
	}
	var against []error
	ask := func(d decision, what string) {
		if !d.ok {
			against = append(against, fmt.Errorf("%s: %s", what, d.why))
		}
	}
	if why := v.now().admits(Caller{Address: "198.51.100.77", Trusted: cluster == Dedicated}); why != "" {
		against = append(against, errors.New("firewall: "+why))
	}
	if v.now().rbac {
		ask(c.decide(question{who: objectID, action: "Microsoft.KeyVault/vaults/read", resource: up(id, 2)}), "look at the vault")
	}
	for _, a := range []struct{ action, what string }{{"read", "read"}, {"wrap/action", "wrap"}, {"unwrap/action", "unwrap"}} {
		full := "Microsoft.KeyVault/vaults/keys/" + a.action
		ask(c.dataDecision(v, objectID, full, policyWords[strings.ToLower(full)], id), a.what)
	}
	return errors.Join(append(against, c.worksIn(of)...)...)
}

// worksIn says what in a key itself stands against its use.
func (c *Cloud) worksIn(of *key) []error {
	var against []error
	at := of.history.Now()
	if kind := at.current().kind; !slices.Contains([]string{"RSA", "RSA-HSM"}, kind) {
		against = append(against, errors.New("the key is of type "+kind))
	}
	if _, why := c.usable(at.current(), "wrapKey"); why != "" {
		against = append(against, errors.New("the current version: "+why))
	}
	for i, ver := range at.versions {
		if _, why := c.usable(ver, "unwrapKey"); why != "" && i >= of.retired {
			against = append(against, fmt.Errorf("version %s: %s", ver.id, why))
		}
	}
	return against
}
