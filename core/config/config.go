// Package config reads byokwatch.yaml, the one file that says which keys are
// protected, for whom, and how far the watchdog may go. Whoever edits it steers
// what the watchdog may write, so it is read the way a policy is: bytes in,
// either a whole [Config] or every fault with its line and field, and nothing
// in between. A field that nobody knows, a key named twice, a value that YAML
// would quietly turn into another type: each is an error, never a guess.
//
// The package reads no file, no environment and no clock. The caller pins the
// bytes with [Verify] before it parses them, and resolves a [Secret] at the
// moment of sending, so that a missing secret delays an alert and never a
// restore.
//
// docs/configuration.md explains each field; [Schema] is the same for editors.
package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"byokwatch/core"
)

// Config is a configuration that passed every check. Keys hold their settings
// resolved: what stands on the key, else at the top, else the default.
type Config struct {
	Mode core.Mode
	Keys []core.Key // in the file's order, at least one
	// Store holds one URL for each cloud that has keys; ParseStore reads it.
	Store     map[core.Cloud]string
	Alerts    []Channel
	Heartbeat *Heartbeat // nil: none
	Signing   *Signing   // nil: snapshots are not signed
}

// Channel is one place that alerts go to.
type Channel struct {
	Kind string // slack or stdout
	// Name tells channels of one file apart: kind and, for a secret named by
	// reference, that reference. It holds no secret and stays the same while
	// the entry does, because records remember deliveries by it.
	Name string
	URL  Secret // empty for stdout
	// Min is the least severity that is sent: info, warning or critical.
	Min string
	// Keys are globs over labels and IDs; empty means every key.
	Keys []string
}

// Covers says whether the channel takes alerts about k. In a glob, * stands for
// any characters, slashes included.
func (c Channel) Covers(k core.Key) bool {
	if len(c.Keys) == 0 {
		return true
	}
	for _, glob := range c.Keys {
		if matches(glob, k.Label) || matches(glob, k.ID) {
			return true
		}
	}
	return false
}

// matches is path.Match in which a slash is a character like any other. The
// glob's grammar was checked by Parse.
func matches(glob, name string) bool {
	flat := strings.NewReplacer("/", ":")
	ok, err := path.Match(flat.Replace(glob), flat.Replace(name))
	return err == nil && ok
}

// Heartbeat is called after each complete sweep, so that somebody outside
// notices when sweeps end.
type Heartbeat struct {
	URL Secret
}

// Signing says how snapshots are sealed.
type Signing struct {
	// Key is awskms:// and the ARN of a signing key, or the path of a PEM file
	// with an ed25519 private key (PKCS #8).
	Key string
	// PublicKey is the matching public key: base64 of its DER SubjectPublicKeyInfo.
	PublicKey string
}

// KMSKey is the ARN of the signing key, if the key is held by AWS KMS.
func (s Signing) KMSKey() (arn string, ok bool) {
	return strings.CutPrefix(s.Key, kmsScheme)
}

// KeysOf returns the keys of one cloud, in the file's order.
func (c *Config) KeysOf(cloud core.Cloud) []core.Key {
	var keys []core.Key
	for _, k := range c.Keys {
		if k.Cloud == cloud {
			keys = append(keys, k)
		}
	}
	return keys
}

// KeysIn returns the AWS keys of one account and Region: those that the
// function deployed there protects.
func (c *Config) KeysIn(account, region string) []core.Key {
	var keys []core.Key
	for _, k := range c.KeysOf(core.AWS) {
		if a, r := awsPlace(k.ID); a == account && r == region {
			keys = append(keys, k)
		}
	}
	return keys
}

// Find returns the one key that a person means by name: a label, a full ID, the
// URL of a vault key, or the end of exactly one ID. The error lists the
// candidates where there are several.
func (c *Config) Find(name string) (core.Key, error) {
	var exact, suffix []core.Key
	for _, k := range c.Keys {
		switch {
		case name == "":
		case name == k.Label, sameID(k, name):
			exact = append(exact, k)
		case endsID(k, name):
			suffix = append(suffix, k)
		}
	}
	found := exact
	if len(found) == 0 {
		found = suffix
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return core.Key{}, fmt.Errorf("no key %q in the configuration, which has %s: %w", name, nameList(c.Keys), core.ErrNotFound)
	}
	return core.Key{}, fmt.Errorf("%q could be any of %s: write the label or more of the ID", name, nameList(found))
}

func sameID(k core.Key, name string) bool {
	if k.Cloud != core.Azure {
		return name == k.ID
	}
	if url, err := parseVaultKey(name); err == nil {
		return strings.HasSuffix(k.ID, url.suffix())
	}
	return strings.EqualFold(name, k.ID)
}

func endsID(k core.Key, name string) bool {
	if k.Cloud == core.Azure {
		name = strings.ToLower(name)
	}
	return strings.HasSuffix(k.ID, name)
}

// nameList names at most ten keys, with ID where the label alone would not tell.
func nameList(keys []core.Key) string {
	const most = 10
	var names []string
	for _, k := range keys[:min(len(keys), most)] {
		if k.Label == "" {
			names = append(names, k.ID)
			continue
		}
		names = append(names, k.Label+" ("+k.ID+")")
	}
	if more := len(keys) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// Parse reads a configuration, YAML or JSON (JSON if it begins with a brace).
// The error is [Faults]: everything that is wrong, in the order of the file.
func Parse(data []byte) (*Config, error) {
	root, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	d := &decoder{}
	c := d.config(root)
	if len(d.faults) > 0 {
		slices.SortStableFunc(d.faults, func(a, b Fault) int { return a.Line - b.Line })
		return nil, d.faults
	}
	return c, nil
}
