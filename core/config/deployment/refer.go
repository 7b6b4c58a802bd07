package deployment

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/config"
)

// references are what the secrets refer to that the function of these keys
// resolves: those of the channels that take alerts about one of them, and that
// of the heartbeat.
func references(c *config.Config, keys []core.Key) []string {
	var all []string
	for _, ch := range c.Alerts {
		if slices.ContainsFunc(keys, ch.Covers) {
			all = append(all, ch.URL.Reference())
		}
	}
	if c.Heartbeat != nil {
		all = append(all, c.Heartbeat.URL.Reference())
	}
	return slices.DeleteFunc(all, func(ref string) bool { return ref == "" })
}

// storeOf takes the store apart. A directory serves one machine: a function
// would forget with each of its instances what it knows.
func storeOf(c *config.Config, cloud core.Cloud) (Store, error) {
	l, err := config.ParseStore(c.Store[cloud])
	if err != nil {
		return Store{}, err
	}
	switch l.Scheme {
	case "file":
		return Store{}, fmt.Errorf("the store is the directory %q, which no function reaches: write store: %s", l.Dir, buckets[cloud])
	case "azblob":
		return Store{Account: l.Account, Container: l.Bucket, Prefix: l.Prefix}, nil
	}
	return Store{Bucket: l.Bucket, Prefix: l.Prefix}, nil
}

var buckets = map[core.Cloud]string{
	core.AWS:   "s3://BUCKET/PREFIX",
	core.Azure: "azblob://ACCOUNT/CONTAINER/PREFIX",
	core.GCP:   "gs://BUCKET/PREFIX",
}

// noKeys says where there are keys instead.
func noKeys(c *config.Config, cloud core.Cloud, place Place) error {
	if cloud != core.AWS {
		var s sets
		for _, k := range c.Keys {
			s.add("clouds", string(k.Cloud))
		}
		return fmt.Errorf("the configuration has no key of the cloud %s, so there is nothing to deploy: it has keys of %s", cloud, strings.Join(s.list("clouds"), " and "))
	}
	var s sets
	for _, k := range c.KeysOf(core.AWS) {
		p := placeOf(k)
		s.add("places", p.Account+" in "+p.Region)
	}
	others := "it has no key of AWS"
	if places := s.list("places"); len(places) > 0 {
		others = "its AWS keys are in " + strings.Join(places, ", ")
	}
	return fmt.Errorf("the configuration has no key of the account %s in %s, so there is nothing to deploy there: %s", place.Account, place.Region, others)
}

// placeOf is where the function of an AWS key runs; empty for other keys.
func placeOf(k core.Key) Place {
	// arn:aws:kms:us-west-2:111122223333:key/…
	if p := strings.Split(k.ID, ":"); k.Cloud == core.AWS && len(p) == 6 {
		return Place{Account: p[4], Region: p[3]}
	}
	return Place{}
}
