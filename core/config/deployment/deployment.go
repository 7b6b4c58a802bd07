// Package deployment says what a configuration asks of the deployment of one
// function: which keys it may read, which of them it may write, where its
// records are, which secrets it needs. Deployments are made from this alone, so
// that byokwatch.yaml has one reader and a role never holds a right that the
// configuration does not ask for.
//
// Like the configuration itself it is bytes in, data out: no file, no
// environment, no clock.
package deployment

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/config"
)

// Deployment is what `byokwatch config deployment` prints. Lists are sorted and
// never null, so that equal configurations give equal bytes.
type Deployment struct {
	Cloud   core.Cloud `json:"cloud"`
	Account string     `json:"account,omitempty"` // AWS
	Region  string     `json:"region,omitempty"`  // AWS

	Projects      []string `json:"projects,omitempty"`      // Google Cloud: IDs
	Tenants       []string `json:"tenants,omitempty"`       // Azure: of Confluent's principals
	Subscriptions []string `json:"subscriptions,omitempty"` // Azure: IDs
	Vaults        []string `json:"vaults,omitempty"`        // Azure: ARM IDs

	// Mode is enforce if any key of this function is in mode enforce.
	Mode core.Mode `json:"mode"`
	// SweepMinutes lie between two sweeps.
	SweepMinutes int   `json:"sweep_minutes"`
	Store        Store `json:"store"`
	// Scopes are sets of what rights are given on, by the names that the
	// function's permissions.json has for them.
	Scopes map[string][]string `json:"scopes"`
	// Principals are those of Confluent that an enforced key needs, by the
	// resource group in which they may be given a role. Azure alone.
	Principals map[string][]string `json:"principals,omitzero"`
	// Secrets are the NAMEs of each ${NAME} that this function resolves.
	Secrets []string `json:"secrets"`
	// Labels are what people call the keys, by ID.
	Labels map[string]string `json:"labels"`
}

// Store is where the function keeps its records.
type Store struct {
	Account   string `json:"account,omitempty"`   // Azure
	Container string `json:"container,omitempty"` // Azure
	Bucket    string `json:"bucket,omitempty"`    // elsewhere
	Prefix    string `json:"prefix"`              // without slashes at its ends; may be empty
}

// Place says which of a cloud's functions is meant. On AWS there is one for each
// account and Region, elsewhere one for all keys, and Place is empty.
type Place struct{ Account, Region string }

// Of returns what c asks of the function of one cloud.
func Of(c *config.Config, cloud core.Cloud, place Place) (Deployment, error) {
	if (cloud == core.AWS) != (place.Account != "" && place.Region != "") || cloud != core.AWS && place != (Place{}) {
		return Deployment{}, fmt.Errorf("a function on AWS is of one account and Region, others of neither: %q, %q", place.Account, place.Region)
	}
	keys := c.KeysOf(cloud)
	if cloud == core.AWS {
		keys = c.KeysIn(place.Account, place.Region)
	}
	if len(keys) == 0 {
		return Deployment{}, noKeys(c, cloud, place)
	}
	store, err := storeOf(c, cloud)
	if err != nil {
		return Deployment{}, err
	}
	d := Deployment{
		Cloud: cloud, Account: place.Account, Region: place.Region,
		Mode: core.Observe, SweepMinutes: sweepMinutes(len(keys)), Store: store,
		Labels: map[string]string{},
	}
	var secrets sets
	for _, s := range references(c, keys) {
		if arn, managed := strings.CutPrefix(s, "secret:"); managed {
			secrets.add("arn", arn)
		} else {
			secrets.add("name", s)
		}
	}
	d.Secrets = secrets.list("name")
	for _, k := range keys {
		if k.Mode == core.Enforce {
			d.Mode = core.Enforce
		}
		if k.Label != "" {
			d.Labels[k.ID] = k.Label
		}
	}
	switch cloud {
	case core.AWS:
		d.aws(c, keys, secrets.list("arn"))
	case core.Azure:
		d.azure(keys)
	case core.GCP:
		d.gcp(keys)
	}
	return d, nil
}

// sweepMinutes is how often keys are looked at: each minute, unless they are so
// many that this would eat into the account's quota of calls.
func sweepMinutes(keys int) int {
	const most = 100
	if keys > most {
		return 5
	}
	return 1
}

func (d *Deployment) aws(c *config.Config, keys []core.Key, secrets []string) {
	var s sets
	for _, k := range keys {
		s.add("keys", k.ID)
		if k.Mode != core.Enforce {
			s.add("observed", k.ID)
			continue
		}
		s.add("enforced", k.ID)
		if k.KeyState == core.CareRestore {
			s.add("enabling", k.ID)
		}
	}
	if c.Signing != nil {
		if arn, held := c.Signing.KMSKey(); held {
			s.add("signing-key", arn)
		}
	}
	d.Scopes = s.named("keys", "observed", "enforced", "enabling", "signing-key")
	d.Scopes["secrets"] = secrets
}

func (d *Deployment) gcp(keys []core.Key) {
	var s sets
	for _, k := range keys {
		s.add("projects", strings.Split(k.ID, "/")[1])
		s.add("keys", k.ID)
		if k.Mode != core.Enforce {
			continue
		}
		s.add("enforced", k.ID)
		if k.KeyState == core.CareRestore {
			s.add("enabling", k.ID)
		}
	}
	d.Projects = s.list("projects")
	d.Scopes = s.named("keys", "enforced", "enabling")
}

func (d *Deployment) azure(keys []core.Key) {
	var s, principals sets
	for _, k := range keys {
		group, _, _ := strings.Cut(k.Vault, "/providers/")
		subscription := strings.Split(k.Vault, "/")[2]
		s.add("tenants", k.Needs.Tenant)
		s.add("ids", subscription)
		s.add("vaults", k.Vault)
		s.add("groups", group)
		s.add("subscriptions", "/subscriptions/"+subscription)
		if k.Mode != core.Enforce {
			continue
		}
		s.add("enforced_groups", group)
		s.add("enforced_vaults", k.Vault)
		principals.add(group, k.Needs.Principal)
		if k.Network == core.CareRestore {
			s.add("firewalls", k.Vault)
		}
		if k.KeyState == core.CareRestore {
			s.add("enabling", k.ID)
		}
	}
	d.Tenants, d.Subscriptions, d.Vaults = s.list("tenants"), s.list("ids"), s.list("vaults")
	d.Scopes = s.named("groups", "enforced_groups", "enforced_vaults", "firewalls", "enabling", "subscriptions")
	d.Principals = principals.named(slices.Collect(maps.Keys(principals))...)
}
