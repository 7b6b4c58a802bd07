package azurekv

import (
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// vaults tells what became of a vault.
func (d *differ) vaults(was, is string) error {
	before, err := readSheet(was)
	if err != nil {
		return err
	}
	after, err := readSheet(is)
	if err != nil {
		return err
	}
	switch {
	case !before.deleted && after.deleted:
		d.other("the vault is deleted, and with it every role assignment below it")
		return nil
	case before.deleted && !after.deleted:
		d.other("the vault is recovered")
		return nil
	case before.deleted:
		return nil
	}
	if a, b := before.tenant(), after.tenant(); a != b {
		d.other("the vault was in tenant %s and is in %s", orNone(a), orNone(b))
	}
	d.model(before, after)
	d.policies(before, after)
	for _, v := range []struct{ name, was, is string }{
		{"bypass", shown(before.rules(), "bypass"), shown(after.rules(), "bypass")},
		{"default action", shown(before.rules(), "defaultAction"), shown(after.rules(), "defaultAction")},
		{"public network access", shown(before.properties, "publicNetworkAccess"), shown(after.properties, "publicNetworkAccess")},
	} {
		if !wording.Same(v.was, v.is) {
			d.other("the vault's %s was %s and is %s", v.name, v.was, v.is)
		}
	}
	if a, b := before.properties.Get("enablePurgeProtection") == "true", after.properties.Get("enablePurgeProtection") == "true"; a != b {
		d.other("purge protection was %s and is %s", onOff(a), onOff(b))
	}
	for _, name := range []string{revocationTag, reasonTag} {
		_, a, had := before.tag(name)
		_, b, has := after.tag(name)
		switch {
		case had && !has:
			d.other("the tag %s=%s is gone", name, a)
		case has && (!had || a != b):
			d.other("the tag %s=%s is set", name, b)
		}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// shown is a value as people read it.
func shown(o rawjson.Object, name string) string {
	if none(o.Get(name)) {
		return "not set"
	}
	return textOf(o, name)
}

// model tells a turn of the switch between Azure RBAC and access policies.
func (d *differ) model(before, after sheet) {
	switch {
	case before.rbac() && !after.rbac():
		d.other("the vault was switched from Azure RBAC to access policies: role assignments no longer count on keys")
	case !before.rbac() && after.rbac():
		d.other("the vault was switched from access policies to Azure RBAC: access policies no longer count")
	}
}

// policies tells who may do what on keys by access policies. Those of a vault
// under Azure RBAC count for nothing until somebody turns the switch.
func (d *differ) policies(before, after sheet) {
	idle := ""
	if before.rbac() && after.rbac() {
		idle = ", which does not count under Azure RBAC"
	}
	was, is := before.holders(idle != ""), after.holders(idle != "")
	for _, h := range was {
		less, _ := changes(h.keys, keysOf(is, h))
		switch {
		case len(less) == 0:
		case idle != "":
			d.other("%s no longer has %s on keys by an access policy%s", h, strings.Join(less, ", "), idle)
		default:
			d.say(core.Withdraws, "%s no longer has %s on keys by an access policy", h, strings.Join(less, ", "))
		}
	}
	for _, h := range is {
		_, more := changes(keysOf(was, h), h.keys)
		switch {
		case len(more) == 0:
		case idle != "":
			d.other("%s has %s on keys by an access policy%s", h, strings.Join(more, ", "), idle)
		default:
			d.admits(h.principal, "%s has %s on keys by an access policy", h, strings.Join(more, ", "))
		}
	}
}

// holder is whom access policies give what on keys.
type holder struct {
	principal, application string
	keys                   []string
}

func (h holder) String() string {
	if h.application != "" {
		return h.principal + " through application " + h.application
	}
	return h.principal
}

// holders lists the holders of access policies that count, and those of a vault
// under Azure RBAC if asked for.
func (s sheet) holders(idle bool) []holder {
	if s.rbac() && !idle {
		return nil
	}
	var out []holder
	for _, e := range s.entries {
		i := slices.IndexFunc(out, func(h holder) bool { return h.principal == e.principal && h.application == e.application })
		if i < 0 {
			i = len(out)
			out = append(out, holder{principal: e.principal, application: e.application})
		}
		for _, k := range e.keys {
			if known := slices.IndexFunc(keyPermissions, func(p string) bool { return wording.Same(p, k) }); known >= 0 {
				k = keyPermissions[known]
			}
			out[i].keys = append(out[i].keys, k)
		}
	}
	return out
}

func keysOf(list []holder, who holder) []string {
	for _, h := range list {
		if h.principal == who.principal && h.application == who.application {
			return h.keys
		}
	}
	return nil
}

// keys tells what became of the key: its current version.
func (d *differ) keys(was, is string) error {
	before, _, err := parseKey(was)
	if err != nil {
		return err
	}
	after, _, err := parseKey(is)
	if err != nil {
		return err
	}
	switch {
	case before.Gone && after.Gone:
		return nil
	case after.Gone:
		d.other("the key is deleted")
		return nil
	case before.Gone:
		d.other("the key is recovered")
		return nil
	}
	if before.number != after.number {
		d.other("the current version was %s and is %s", orNone(before.number), orNone(after.number))
	}
	if a, b := state(before.keyVersion), state(after.keyVersion); a != b {
		d.other("the key was %s and is %s", a, b)
	}
	if !wording.Same(before.Type, after.Type) {
		d.other("the key was of type %s and is of type %s", orNone(before.Type), orNone(after.Type))
	}
	less, more := changes(foldAll(before.Operations), foldAll(after.Operations))
	if len(less) > 0 {
		d.other("the key no longer permits %s", strings.Join(less, ", "))
	}
	if len(more) > 0 {
		d.other("the key now permits %s", strings.Join(more, ", "))
	}
	for _, v := range []struct {
		name    string
		was, is int64
	}{{"begins", before.Starts, after.Starts}, {"ends", before.Ends, after.Ends}} {
		if v.was != v.is {
			d.other("the key's validity %s %s in the place of %s", v.name, moment(v.is), moment(v.was))
		}
	}
	return nil
}

func state(v keyVersion) string {
	if v.Enabled {
		return "enabled"
	}
	return "disabled"
}

func moment(unix int64) string {
	if unix == 0 {
		return "never"
	}
	return time.Unix(unix, 0).UTC().Format(time.RFC3339)
}

// versions tells what became of each version of the key.
func (d *differ) versions(was, is string) error {
	before, _, err := parseVersions(was)
	if err != nil {
		return err
	}
	after, _, err := parseVersions(is)
	if err != nil {
		return err
	}
	find := func(list []keyVersion, number string) (keyVersion, bool) {
		i := slices.IndexFunc(list, func(v keyVersion) bool { return v.number == number })
		if i < 0 {
			return keyVersion{}, false
		}
		return list[i], true
	}
	for _, v := range after {
		switch old, known := find(before, v.number); {
		case !known:
			d.other("version %s is new and %s", v.number, state(v))
		case old.Enabled != v.Enabled:
			d.other("version %s was %s and is %s", v.number, state(old), state(v))
		}
	}
	for _, v := range before {
		if _, there := find(after, v.number); !there {
			d.other("version %s, which was %s, is no longer listed", v.number, state(v))
		}
	}
	return nil
}
