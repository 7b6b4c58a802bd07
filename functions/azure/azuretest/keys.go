package azuretest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// key is a key with its versions. Its content is replaced, never changed.
type key struct {
	name    string
	retired int // versions that were turned off before anybody used the key
	history chaostest.History[keyContent]
}

type keyContent struct {
	versions []version // the last one is current
	tags     map[string]string
	gone     time.Time // when it was deleted; zero means that it was not
}

type version struct {
	id               string
	kind             string
	size             int
	ops              []string
	enabled          bool
	begins, ends     time.Time
	created, updated time.Time
}

func (k keyContent) current() version { return k.versions[len(k.versions)-1] }

// find returns a version by its ID, the current one for "".
func (k keyContent) find(id string) (int, bool) {
	if id == "" {
		return len(k.versions) - 1, true
	}
	i := slices.IndexFunc(k.versions, func(v version) bool { return v.id == strings.ToLower(id) })
	return i, i >= 0
}

// everything is what a new RSA key can do.
var everything = []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}

// AddKey makes a key by hand, and returns its ID.
func (c *Cloud) AddKey(s KeySpec) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.vaults[fold(s.Vault)]
	if v == nil {
		panic("azuretest: there is no vault " + s.Vault)
	}
	k := &key{name: s.Name, retired: s.Retired}
	var content keyContent
	for range max(s.Versions, 1) {
		content.versions = append(content.versions, c.newVersion(v, s))
	}
	for i := range s.Retired {
		content.versions[i].enabled = false
	}
	now := &content.versions[len(content.versions)-1]
	now.begins, now.ends = s.NotBefore, s.Expires
	k.history.Set(content, c.opts.Now())
	v.keys[strings.ToLower(s.Name)] = k
	return v.id + "/keys/" + s.Name
}

func (c *Cloud) newVersion(v *vault, s KeySpec) version {
	if s.Type == "" {
		s.Type = "RSA"
	}
	if s.Size == 0 {
		s.Size = 2048
	}
	if s.Ops == nil {
		s.Ops = everything
	}
	id := strings.ReplaceAll(c.guid(v.name+"/"+s.Name), "-", "")
	return version{id: id, kind: s.Type, size: s.Size, ops: s.Ops, enabled: true, created: c.opts.Now(), updated: c.opts.Now()}
}

// key finds a key, deleted or not, by its ID. Call with the lock held.
func (c *Cloud) key(id string) (*vault, *key) {
	id = fold(id)
	v := c.vaults[up(id, 2)]
	if v == nil {
		return nil, nil
	}
	return v, v.keys[last(id)]
}

// Versions lists the IDs of a key's versions, the oldest first and the current
// one last.
func (c *Cloud) Versions(keyID string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, k := c.key(keyID)
	if k == nil {
		return nil
	}
	var out []string
	for _, v := range k.history.Now().versions {
		out = append(out, v.id)
	}
	return out
}

// Key is what a read of a key's newest state by Azure Resource Manager shows; ""
// if it is not there.
func (c *Cloud) Key(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, k := c.key(id)
	if k == nil || !k.history.Now().gone.IsZero() {
		return ""
	}
	at := k.history.Now()
	return string(text(v.showKey(k, at, at.current(), false)))
}

// showKey is a key, or one of its versions, as Azure Resource Manager shows it
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/keys/get).
func (v *vault) showKey(k *key, at keyContent, ver version, own bool) any {
	uri := "https://" + strings.ToLower(v.name) + ".vault.azure.net/keys/" + k.name
	id, name, kind := v.id+"/keys/"+k.name, k.name, "Microsoft.KeyVault/vaults/keys"
	if own {
		id, name, kind = id+"/versions/"+ver.id, ver.id, kind+"/versions"
	}
	attributes := map[string]any{"enabled": ver.enabled, "created": ver.created.Unix(), "updated": ver.updated.Unix(), "recoveryLevel": v.recovery(), "exportable": false}
	ver.dates(attributes)
	return map[string]any{"id": id, "name": name, "type": kind, "location": v.location, "tags": shownTags(at.tags), "properties": map[string]any{
		"attributes": attributes, "kty": ver.kind, "keyOps": ver.ops, "keySize": ver.size, "keyUri": uri, "keyUriWithVersion": uri + "/" + ver.id}}
}

func (ver version) dates(attributes map[string]any) {
	if !ver.begins.IsZero() {
		attributes["nbf"] = ver.begins.Unix()
	}
	if !ver.ends.IsZero() {
		attributes["exp"] = ver.ends.Unix()
	}
}

// shownTags are tags as Azure shows them: never null.
func shownTags(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

func (v *vault) recovery() string {
	if v.now().purge {
		return "Recoverable"
	}
	return "Recoverable+Purgeable"
}

// readKey is what a read shows of a key, which must not be deleted.
func (c *Cloud) readKey(k *call, id string) (*vault, *key, keyContent, *Failure) {
	if f := c.present(id); f != nil {
		return nil, nil, keyContent{}, f
	}
	v, of := c.key(id)
	missing := absent("KeyNotFound", "A key with (name/id) %s was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182", last(id))
	if of == nil {
		return nil, nil, keyContent{}, missing
	}
	at := of.history.At(c.opts.Now(), k.fate.Kind == chaostest.Stale)
	if !at.gone.IsZero() || len(at.versions) == 0 {
		return nil, nil, keyContent{}, missing
	}
	return v, of, at, nil
}

func getKey(c *Cloud, k *call) (any, *Failure) {
	v, of, at, f := c.readKey(k, k.id)
	if f != nil {
		return nil, f
	}
	return v.showKey(of, at, at.current(), false), nil
}

func getVersion(c *Cloud, k *call) (any, *Failure) {
	v, of, at, f := c.readKey(k, up(k.id, 2))
	if f != nil {
		return nil, f
	}
	i, ok := at.find(last(k.id))
	if !ok {
		return nil, absent("KeyNotFound", "A key with (name/id) %s/%s was not found in this key vault.", of.name, last(k.id))
	}
	return v.showKey(of, at, at.versions[i], true), nil
}

func listVersions(c *Cloud, k *call) (any, *Failure) {
	v, of, at, f := c.readKey(k, up(k.id, 1))
	if f != nil {
		return nil, f
	}
	list := []any{}
	for _, ver := range at.versions {
		list = append(list, v.showKey(of, at, ver, true))
	}
	return k.page(c, list, 25), nil
}

func listKeys(c *Cloud, k *call) (any, *Failure) {
	if f := c.present(k.id); f != nil {
		return nil, f
	}
	list := []any{}
	for _, name := range sortedKeys(c.vaults[up(k.id, 1)].keys) {
		if v, of, at, f := c.readKey(k, k.id+"/"+name); f == nil {
			list = append(list, v.showKey(of, at, at.current(), false))
		}
	}
	return k.page(c, list, 25), nil
}

// createKey makes a key by Azure Resource Manager, which never changes one that
// is there (https://learn.microsoft.com/rest/api/keyvault/keyvault/keys/create-if-not-exist).
func createKey(c *Cloud, k *call) (any, *Failure) {
	if f := c.present(k.id); f != nil {
		return nil, f
	}
	v, of := c.key(k.id)
	if of != nil {
		_, _, at, f := c.readKey(k, k.id)
		if f != nil {
			return nil, fail(http.StatusConflict, "ObjectIsDeletedButRecoverable", "Key %s is currently in a deleted but recoverable state.", of.name)
		}
		return v.showKey(of, at, at.current(), false), nil
	}
	var in struct {
		Tags       map[string]string
		Location   string
		Properties struct {
			Kty        string
			KeyOps     []string
			KeySize    int
			CurveName  string
			Attributes map[string]any
		}
	}
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	p := in.Properties
	of = &key{name: last(k.path)}
	at := keyContent{tags: in.Tags, versions: []version{c.newVersion(v, KeySpec{Name: of.name, Type: p.Kty, Ops: p.KeyOps, Size: p.KeySize})}}
	v.keys[strings.ToLower(of.name)] = of
	c.alter(k, v, of, at)
	c.tellNewVersion(k, v, of, at.current())
	return v.showKey(of, at, at.current(), false), nil
}

// alter puts a changed content of a key in place.
func (c *Cloud) alter(k *call, v *vault, of *key, next keyContent) {
	var before any
	if old := of.history.Now(); len(old.versions) > 0 && old.gone.IsZero() {
		before = v.showKeyWhole(of, old)
	}
	var after any
	if next.gone.IsZero() {
		after = v.showKeyWhole(of, next)
	}
	c.wrote(k, fold(v.id+"/keys/"+of.name), before, after)
	of.history.Set(next, c.seenFrom(k))
}

// showKeyWhole is all versions of a key.
func (v *vault) showKeyWhole(of *key, at keyContent) []any {
	var out []any
	for _, ver := range at.versions {
		out = append(out, v.showKey(of, at, ver, true))
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func unix(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return time.Unix(*n, 0)
}
