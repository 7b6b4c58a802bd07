package gcptest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// States of a key version
// (https://docs.cloud.google.com/kms/docs/key-states).
const (
	Enabled   = "ENABLED"
	Disabled  = "DISABLED"
	Scheduled = "DESTROY_SCHEDULED"
)

// key is a CryptoKey for ENCRYPT_DECRYPT. Its content is replaced, never
// changed.
type key struct {
	created time.Time
	history chaostest.History[keyContent]
}

type keyContent struct {
	labels  map[string]string
	primary int
	states  map[int]string
	destroy map[int]time.Time
}

func (k keyContent) clone() keyContent {
	k.labels, k.states, k.destroy = maps.Clone(k.labels), maps.Clone(k.states), maps.Clone(k.destroy)
	return k
}

// AddKey makes a key with enabled versions 1 to n, the last of them primary, and
// its key ring where that does not exist.
func (c *Cloud) AddKey(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !isKey.MatchString(name) || n < 1 {
		panic("gcptest: " + name + " is no key with versions")
	}
	v := keyContent{labels: map[string]string{}, primary: n, states: map[int]string{}, destroy: map[int]time.Time{}}
	for i := range n {
		v.states[i+1] = Enabled
	}
	k := &key{created: c.opts.Now()}
	k.history.Set(v, c.opts.Now())
	c.keys[name], c.rings[up(name, 2)] = k, true
}

// State is the newest state of a key version.
func (c *Cloud) State(version string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, v, n := c.version(version)
	return v.states[n]
}

// Labels are a key's newest labels.
func (c *Cloud) Labels(name string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.keys[name].history.Now().labels)
}

// version finds a version by its name. Call with the lock held.
func (c *Cloud) version(name string) (*key, keyContent, int) {
	k := c.keys[up(name, 2)]
	n, err := strconv.Atoi(last(name))
	if k == nil || err != nil {
		return nil, keyContent{}, 0
	}
	return k, k.history.Now(), n
}

func (c *Cloud) seen(k *call, of *key) keyContent {
	return of.history.At(c.opts.Now(), k.fate.Kind == chaostest.Stale)
}

// change puts a changed content in place.
func (c *Cloud) change(k *call, of *key, edit func(*keyContent)) keyContent {
	v := of.history.Now().clone()
	edit(&v)
	of.history.Set(v, c.seenFrom(k))
	return v
}

func getKey(c *Cloud, k *call) (any, *failure) {
	return showKey(k.resource, c.keys[k.resource], c.seen(k, c.keys[k.resource])), nil
}

func showKey(name string, k *key, v keyContent) map[string]any {
	out := map[string]any{
		"name": name, "purpose": "ENCRYPT_DECRYPT", "createTime": k.created.UTC().Format(time.RFC3339Nano),
		"versionTemplate":          map[string]string{"protectionLevel": "SOFTWARE", "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"},
		"destroyScheduledDuration": "2592000s", "primary": showVersion(name, k, v, v.primary),
	}
	if len(v.labels) > 0 {
		out["labels"] = v.labels
	}
	return out
}

func showVersion(key string, k *key, v keyContent, n int) map[string]any {
	at := k.created.UTC().Format(time.RFC3339Nano)
	out := map[string]any{
		"name": fmt.Sprintf("%s/cryptoKeyVersions/%d", key, n), "state": v.states[n], "protectionLevel": "SOFTWARE",
		"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "createTime": at, "generateTime": at,
	}
	if d, ok := v.destroy[n]; ok {
		out["destroyTime"] = d.UTC().Format(time.RFC3339Nano)
	}
	return out
}

// pageSize is the most that a list of versions has; the API's default is 100
// (https://docs.cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/list).
const pageSize = 100

func listVersions(c *Cloud, k *call) (any, *failure) {
	of := c.keys[k.resource]
	v := c.seen(k, of)
	all := slices.Sorted(maps.Keys(v.states))
	size, from := pageSize, 0
	if s := k.query.Get("pageSize"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return nil, invalid("Invalid page size %q.", s)
		}
		if n > 0 {
			size = min(n, pageSize)
		}
	}
	if t := k.query.Get("pageToken"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 0 || n > len(all) {
			return nil, invalid("Invalid page token.")
		}
		from = n
	}
	list := []map[string]any{}
	to := min(from+size, len(all))
	for _, n := range all[from:to] {
		list = append(list, showVersion(k.resource, of, v, n))
	}
	out := map[string]any{"cryptoKeyVersions": list, "totalSize": len(all)}
	if to < len(all) {
		out["nextPageToken"] = strconv.Itoa(to)
	}
	return out, nil
}

func getVersion(c *Cloud, k *call) (any, *failure) {
	of := c.keys[up(k.resource, 2)]
	v := c.seen(k, of)
	_, _, n := c.version(k.resource)
	if v.states[n] == "" {
		return nil, absent("%s not found.", k.resource)
	}
	return showVersion(up(k.resource, 2), of, v, n), nil
}

func patchKey(c *Cloud, k *call) (any, *failure) {
	var in struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	}
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	if mask := k.query.Get("updateMask"); mask != "labels" {
		return nil, invalid("update_mask %q is not supported here.", mask)
	}
	k.request = map[string]any{"@type": kmsRequest("UpdateCryptoKey"), "cryptoKey": map[string]any{"name": k.resource, "labels": in.Labels}, "updateMask": "labels"}
	for name, value := range in.Labels {
		if !label.MatchString(name) || (value != "" && !labelValue.MatchString(value)) {
			return nil, invalid("Label %q: %q is not valid.", name, value)
		}
	}
	of := c.keys[k.resource]
	v := c.change(k, of, func(v *keyContent) { v.labels = in.Labels })
	return showKey(k.resource, of, v), nil
}

func kmsRequest(op string) string { return "type.googleapis.com/google.cloud.kms.v1." + op + "Request" }

func patchVersion(c *Cloud, k *call) (any, *failure) {
	var in struct {
		Name  string `json:"name"`
		State string `json:"state"`
	}
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	k.request = map[string]any{"@type": kmsRequest(k.route.op), "cryptoKeyVersion": map[string]any{"name": k.resource, "state": in.State}, "updateMask": k.query.Get("updateMask")}
	if k.query.Get("updateMask") != "state" {
		return nil, invalid("update_mask must be state.")
	}
	if in.State != Enabled && in.State != Disabled {
		return nil, invalid("Invalid value for state: %s.", in.State)
	}
	return c.turn(k, []string{Enabled, Disabled}, in.State, time.Time{})
}

func destroyVersion(c *Cloud, k *call) (any, *failure) {
	k.request = map[string]any{"@type": kmsRequest(k.route.op), "name": k.resource}
	return c.turn(k, []string{Enabled, Disabled}, Scheduled, c.opts.Now().AddDate(0, 0, 30))
}

func restoreVersion(c *Cloud, k *call) (any, *failure) {
	k.request = map[string]any{"@type": kmsRequest(k.route.op), "name": k.resource}
	return c.turn(k, []string{Scheduled}, Disabled, time.Time{})
}

// turn moves a version from one of some states to another.
func (c *Cloud) turn(k *call, from []string, to string, destroyed time.Time) (any, *failure) {
	of, v, n := c.version(k.resource)
	if v.states[n] == "" {
		return nil, absent("%s not found.", k.resource)
	}
	if !slices.Contains(from, v.states[n]) {
		return nil, precondition("%s is not in a state that allows this, current state is: %s.", k.resource, v.states[n])
	}
	v = c.change(k, of, func(v *keyContent) {
		v.states[n] = to
		delete(v.destroy, n)
		if !destroyed.IsZero() {
			v.destroy[n] = destroyed
		}
	})
	return showVersion(up(k.resource, 2), of, v, n), nil
}

func setPrimary(c *Cloud, k *call) (any, *failure) {
	var in struct {
		ID json.Number `json:"cryptoKeyVersionId"`
	}
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	k.request = map[string]any{"@type": kmsRequest(k.route.op), "name": k.resource, "cryptoKeyVersionId": in.ID}
	of := c.keys[k.resource]
	n, err := strconv.Atoi(in.ID.String())
	if err != nil || of.history.Now().states[n] != Enabled {
		return nil, precondition("Version %s is not enabled.", in.ID)
	}
	return showKey(k.resource, of, c.change(k, of, func(v *keyContent) { v.primary = n })), nil
}
