package azuretest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// dataDecision says whether a vault lets somebody do something to a key: by Azure
// RBAC or by its access policies, as it is set. Call with the lock held.
func (c *Cloud) dataDecision(v *vault, who, action, word, id string) decision {
	at := v.now()
	if at.rbac {
		return c.decide(question{who: who, action: action, data: true, resource: id})
	}
	ids := c.identities(who)
	switch {
	case ids == nil:
		return decision{why: "nobody has the object ID " + who}
	case !strings.EqualFold(at.tenant, c.opts.Tenant):
		return decision{why: "the vault belongs to another tenant"}
	}
	return at.permits(ids, word)
}

// admitData authorizes a call on the data plane: the firewall first, then the
// vault's permission model
// (https://learn.microsoft.com/azure/key-vault/general/rest-error-codes).
func (c *Cloud) admitData(k *call) *Failure {
	at := k.vault.now()
	forbidden := func(inner, format string, args ...any) *Failure {
		f := fail(http.StatusForbidden, "Forbidden", format, args...)
		f.Inner = inner
		return f
	}
	if why := at.admits(k.who); why != "" {
		c.use(k, k.route.right, true, k.id, false)
		return forbidden("ForbiddenByFirewall", "Client address is not authorized and caller is not a trusted service.\r\nClient address: %s\r\nCaller: oid=%s\r\nVault: %s;location=%s (%s)", k.who.Address, k.who.ObjectID, k.vault.name, k.vault.location, why)
	}
	d := c.dataDecision(k.vault, k.who.ObjectID, k.route.right, k.route.word, k.id)
	c.use(k, k.route.right, true, k.id, d.ok)
	switch {
	case d.ok:
		return nil
	case at.rbac:
		return forbidden("ForbiddenByRbac", "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: oid=%s\r\nAction: '%s'\r\nResource: '%s'\r\nAssignment: (not found)\r\nDenyAssignmentId: %s\r\nDecisionReason: 'DeniedWithNoValidRBAC'\r\nVault: %s;location=%s",
			k.who.ObjectID, k.route.right, k.id, d.deny, k.vault.name, k.vault.location)
	}
	return forbidden("AccessDenied", "The user, group or application 'oid=%s' does not have keys %s permission on key vault '%s;location=%s'.", k.who.ObjectID, k.route.word, k.vault.name, k.vault.location)
}

// bundle is a version of a key as Key Vault shows it
// (https://learn.microsoft.com/rest/api/keyvault/keys/get-key/get-key).
func (v *vault) bundle(of *key, at keyContent, ver version, whole bool) map[string]any {
	kid := "https://" + strings.ToLower(v.name) + ".vault.azure.net/keys/" + of.name + "/" + ver.id
	attributes := map[string]any{"enabled": ver.enabled, "created": ver.created.Unix(), "updated": ver.updated.Unix(), "recoveryLevel": v.recovery(),
		"recoverableDays": 90, "exportable": false}
	ver.dates(attributes)
	out := map[string]any{"attributes": attributes}
	if len(at.tags) > 0 {
		out["tags"] = at.tags
	}
	if !whole {
		out["kid"] = kid
		return out
	}
	modulus := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(ver.id, max(1, ver.size/256))))
	out["key"] = map[string]any{"kid": kid, "kty": ver.kind, "key_ops": ver.ops, "n": modulus, "e": "AQAB"}
	return out
}

// wanted finds the key and version that a call on the data plane is about.
func (c *Cloud) wanted(k *call) (*key, keyContent, int, *Failure) {
	_, of, at, f := c.readKey(k, k.id)
	if f != nil {
		return nil, keyContent{}, 0, f
	}
	if !k.route.reads {
		at = of.history.Now()
	}
	id := ""
	if len(k.vars) > 2 {
		id = k.vars[2]
	}
	i, ok := at.find(id)
	if !ok {
		return nil, keyContent{}, 0, absent("KeyNotFound", "A key with (name/id) %s/%s was not found in this key vault.", of.name, id)
	}
	return of, at, i, nil
}

func dataGetKey(c *Cloud, k *call) (any, *Failure) {
	of, at, i, f := c.wanted(k)
	if f != nil {
		return nil, f
	}
	return k.vault.bundle(of, at, at.versions[i], true), nil
}

func dataListVersions(c *Cloud, k *call) (any, *Failure) {
	of, at, _, f := c.wanted(k)
	if f != nil {
		return nil, f
	}
	list := []any{}
	for _, ver := range at.versions {
		list = append(list, k.vault.bundle(of, at, ver, false))
	}
	return k.page(c, list, 25), nil
}

func dataListKeys(c *Cloud, k *call) (any, *Failure) {
	list := []any{}
	for _, name := range sortedKeys(k.vault.keys) {
		of := k.vault.keys[name]
		at := of.history.At(c.opts.Now(), k.fate.Kind == chaostest.Stale)
		if at.gone.IsZero() && len(at.versions) > 0 {
			b := k.vault.bundle(of, at, at.current(), false)
			b["kid"] = strings.TrimSuffix(b["kid"].(string), "/"+at.current().id)
			list = append(list, b)
		}
	}
	return k.page(c, list, 25), nil
}

// attributesBody are the attributes of a key that can be set.
type attributesBody struct {
	Enabled    *bool  `json:"enabled"`
	NotBefore  *int64 `json:"nbf"`
	Expires    *int64 `json:"exp"`
	Exportable *bool  `json:"exportable"`
}

func (a *attributesBody) apply(ver *version) {
	if a == nil {
		return
	}
	if a.Enabled != nil {
		ver.enabled = *a.Enabled
	}
	if a.NotBefore != nil {
		ver.begins = unix(a.NotBefore)
	}
	if a.Expires != nil {
		ver.ends = unix(a.Expires)
	}
}

// dataUpdateKey changes attributes, operations and tags; what is absent stays
// (https://learn.microsoft.com/rest/api/keyvault/keys/update-key/update-key).
func dataUpdateKey(c *Cloud, k *call) (any, *Failure) {
	of, at, i, f := c.wanted(k)
	if f != nil {
		return nil, f
	}
	var in struct {
		Attributes *attributesBody   `json:"attributes"`
		KeyOps     []string          `json:"key_ops"`
		Tags       map[string]string `json:"tags"`
	}
	if f := k.decode(&in); f != nil {
		f.Code = "BadParameter"
		return nil, f
	}
	at.versions = slices.Clone(at.versions)
	ver := &at.versions[i]
	in.Attributes.apply(ver)
	for _, op := range in.KeyOps {
		if !slices.Contains(everything, op) {
			return nil, invalid("BadParameter", "Property 'key_ops' has invalid value '%s'", op)
		}
	}
	if in.KeyOps != nil {
		ver.ops = in.KeyOps
	}
	if in.Tags != nil {
		at.tags = in.Tags
	}
	ver.updated = c.opts.Now()
	c.alter(k, k.vault, of, at)
	return k.vault.bundle(of, at, *ver, true), nil
}

func dataCreateKey(c *Cloud, k *call) (any, *Failure) {
	var in struct {
		Kty        string            `json:"kty"`
		Size       int               `json:"key_size"`
		Ops        []string          `json:"key_ops"`
		Attributes *attributesBody   `json:"attributes"`
		Tags       map[string]string `json:"tags"`
	}
	if f := k.decode(&in); f != nil {
		f.Code = "BadParameter"
		return nil, f
	}
	of := k.vault.keys[k.vars[1]]
	if of == nil {
		of = &key{name: strings.Split(strings.Trim(k.path, "/"), "/")[1]}
		k.vault.keys[k.vars[1]] = of
	}
	if !of.history.Now().gone.IsZero() {
		return nil, conflicting(of)
	}
	ver := c.newVersion(k.vault, KeySpec{Name: of.name, Type: in.Kty, Size: in.Size, Ops: in.Ops})
	in.Attributes.apply(&ver)
	return c.grow(k, of, ver)
}

func conflicting(of *key) *Failure {
	f := fail(http.StatusConflict, "Conflict", "Key %s is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.", of.name)
	f.Inner = "ObjectIsDeletedButRecoverable"
	return f
}

func dataRotateKey(c *Cloud, k *call) (any, *Failure) {
	of, at, _, f := c.wanted(k)
	if f != nil {
		return nil, f
	}
	now := at.current()
	return c.grow(k, of, c.newVersion(k.vault, KeySpec{Name: of.name, Type: now.kind, Size: now.size, Ops: now.ops}))
}

// grow makes a version the current one.
func (c *Cloud) grow(k *call, of *key, ver version) (any, *Failure) {
	at := of.history.Now()
	at.versions = append(slices.Clone(at.versions), ver)
	c.alter(k, k.vault, of, at)
	c.tellNewVersion(k, k.vault, of, ver)
	return k.vault.bundle(of, at, ver, true), nil
}

func (c *Cloud) showDeletedKey(k *call, of *key, at keyContent) any {
	b := k.vault.bundle(of, at, at.current(), true)
	b["recoveryId"] = "https://" + strings.ToLower(k.vault.name) + ".vault.azure.net/deletedkeys/" + of.name
	b["deletedDate"], b["scheduledPurgeDate"] = at.gone.Unix(), at.gone.AddDate(0, 0, 90).Unix()
	return b
}

func dataDeleteKey(c *Cloud, k *call) (any, *Failure) {
	of, at, _, f := c.wanted(k)
	if f != nil {
		return nil, f
	}
	at.gone = c.opts.Now()
	c.alter(k, k.vault, of, at)
	return c.showDeletedKey(k, of, at), nil
}

// deletedKey finds a key that was deleted.
func (c *Cloud) deletedKey(k *call) (*key, *Failure) {
	of := k.vault.keys[k.vars[1]]
	if of == nil || of.history.Now().gone.IsZero() {
		return nil, absent("KeyNotFound", "Deleted Key not found: %s", k.vars[1])
	}
	return of, nil
}

func dataGetDeleted(c *Cloud, k *call) (any, *Failure) {
	of, f := c.deletedKey(k)
	if f != nil {
		return nil, f
	}
	return c.showDeletedKey(k, of, of.history.Now()), nil
}

func dataRecoverKey(c *Cloud, k *call) (any, *Failure) {
	of, f := c.deletedKey(k)
	if f != nil {
		return nil, f
	}
	at := of.history.Now()
	at.gone = time.Time{}
	c.alter(k, k.vault, of, at)
	return k.vault.bundle(of, at, at.current(), true), nil
}

// usable says whether a version can be used for an operation now; if not, why.
// Outside its dates a key still unwraps
// (https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#date-time-controlled-operations).
func (c *Cloud) usable(ver version, op string) (inner, why string) {
	now := c.opts.Now()
	switch {
	case !ver.enabled:
		return "KeyDisabled", "Operation " + op + " is not allowed on a disabled key."
	case !slices.Contains(ver.ops, op):
		return "KeyOperationForbidden", "Operation '" + op + "' is not permitted on this key."
	case op != "wrapKey":
	case !ver.begins.IsZero() && now.Before(ver.begins):
		return "KeyNotYetValid", "Operation " + op + " is not allowed on a key that is not yet valid."
	case !ver.ends.IsZero() && !now.Before(ver.ends):
		return "KeyExpired", "Operation " + op + " is not allowed on an expired key."
	}
	return "", ""
}

// wrapBody is what is wrapped or unwrapped. What this emulator calls wrapping
// hides nothing: it only names the version.
type wrapBody struct {
	Alg   string `json:"alg"`
	Value string `json:"value"`
	IV    string `json:"iv,omitempty"`
	Tag   string `json:"tag,omitempty"`
	AAD   string `json:"aad,omitempty"`
}

func (c *Cloud) operate(k *call, op string, work func(ver version, value []byte) ([]byte, bool)) (any, *Failure) {
	of, at, i, f := c.wanted(k)
	if f != nil {
		return nil, f
	}
	var in wrapBody
	if f := k.decode(&in); f != nil {
		f.Code = "BadParameter"
		return nil, f
	}
	if inner, why := c.usable(at.versions[i], op); why != "" {
		f := fail(http.StatusForbidden, "Forbidden", "%s", why)
		f.Inner = inner
		return nil, f
	}
	value, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(in.Value, "="))
	if err != nil {
		return nil, invalid("BadParameter", "Property value has invalid value")
	}
	out, ok := work(at.versions[i], value)
	if !ok {
		return nil, invalid("BadParameter", "The parameter is incorrect.")
	}
	kid := fmt.Sprintf("https://%s.vault.azure.net/keys/%s/%s", strings.ToLower(k.vault.name), of.name, at.versions[i].id)
	return map[string]any{"kid": kid, "value": base64.RawURLEncoding.EncodeToString(out)}, nil
}

func wrap(c *Cloud, k *call) (any, *Failure) {
	return c.operate(k, "wrapKey", func(ver version, value []byte) ([]byte, bool) { return append([]byte(ver.id), value...), true })
}

func unwrap(c *Cloud, k *call) (any, *Failure) {
	return c.operate(k, "unwrapKey", func(ver version, value []byte) ([]byte, bool) {
		plain, ok := strings.CutPrefix(string(value), ver.id)
		return []byte(plain), ok
	})
}
