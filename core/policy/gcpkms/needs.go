package gcpkms

import (
	"byokwatch/core"
	"byokwatch/core/confluent"
)

// Needs lists what Confluent and the watchdog need of a Google Cloud key: the
// group's permissions; that every version which the snapshot had enabled is
// enabled, since old data is never encrypted anew, and without a snapshot every
// one that is now; that the primary version is; and the watchdog's own rights,
// as many as the key's mode needs. The last have no principal: they are asked
// of [core.Question.Self].
//
// A live policy without the key's description is a file that somebody checks
// offline: the watchdog's rights are not asked for then, the key's state only as
// far as versions are given, and [Judge] lists the rest as assumed.
func Needs(k core.Key, live, good core.Policy) []core.Requirement {
	var needs []core.Requirement
	for _, p := range confluent.GCPPermissions() {
		needs = append(needs, core.Requirement{Aspect: core.Access, Principal: groupOf(k.Needs.Group).member(), Permission: p.Name, Severity: p.Severity})
	}
	_, described := live.Find(core.CryptoKey)
	_, listed := live.Find(core.CryptoKeyVersions)
	if !described && !listed {
		return needs
	}
	property := func(name string) {
		needs = append(needs, core.Requirement{Aspect: core.Property, Permission: name, Severity: core.Critical})
	}
	for _, number := range enabledIn(good, live) {
		property(versionPrefix + number + versionSuffix)
	}
	if !described {
		return needs
	}
	property(primaryEnabled)
	for _, right := range ownRights(k) {
		needs = append(needs, core.Requirement{Aspect: core.Own, Permission: right, Severity: core.Critical})
	}
	return needs
}

// enabledIn lists the versions that are enabled in the first of these policies
// that lists versions at all.
func enabledIn(policies ...core.Policy) []string {
	for _, p := range policies {
		doc, ok := p.Find(core.CryptoKeyVersions)
		if !ok || doc.Unreadable != "" {
			continue
		}
		list, err := parseVersions(doc.Text)
		if err != nil {
			continue
		}
		var out []string
		for _, v := range list {
			if v.State == stateEnabled {
				out = append(out, v.number)
			}
		}
		return out
	}
	return nil
}

func ownRights(k core.Key) []string {
	rights := []string{rightGet, rightGetPolicy, rightList}
	if k.Mode == core.Enforce {
		rights = append(rights, rightSetPolicy)
		if k.KeyState == core.CareRestore {
			rights = append(rights, rightUpdate)
		}
	}
	return rights
}
