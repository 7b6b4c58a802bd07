package awskms

import (
	"byokwatch/core"
	"byokwatch/core/confluent"
)

// keyEnabled is the property that the key can be used at all.
const keyEnabled = "key:Enabled"

// The watchdog's own rights on a key. The first two are for looking, the third
// for giving back, the last for a key whose state is restored too.
const (
	getKeyPolicy = "kms:GetKeyPolicy"
	describeKey  = "kms:DescribeKey"
	putKeyPolicy = "kms:PutKeyPolicy"
	enableKey    = "kms:EnableKey"
)

// Needs lists what Confluent and the watchdog need of an AWS key: every
// concrete action for every configured principal, that the key is enabled, and
// the watchdog's own rights, as many as the key's mode needs. The last have no
// principal: they are asked of [core.Question.Self].
//
// A live policy without key metadata is a file that somebody checks offline:
// neither the key's state nor the watchdog's rights are asked for then, and
// [Judge] lists the state as assumed. The snapshot changes nothing on AWS.
func Needs(k core.Key, live, _ core.Policy) []core.Requirement {
	var needs []core.Requirement
	seen := map[string]bool{}
	for _, principal := range configured(k) {
		if seen[principal] {
			continue
		}
		seen[principal] = true
		for _, p := range confluent.AWSPermissions() {
			needs = append(needs, core.Requirement{Aspect: core.Access, Principal: principal, Permission: p.Name, Severity: p.Severity})
		}
	}
	if _, ok := live.Find(core.KeyMetadata); !ok {
		return needs
	}
	needs = append(needs, core.Requirement{Aspect: core.Property, Permission: keyEnabled, Severity: core.Critical})
	for _, right := range ownRights(k) {
		needs = append(needs, core.Requirement{Aspect: core.Own, Permission: right, Severity: core.Critical})
	}
	return needs
}

// configured lists Confluent's principals on a key, roles first.
func configured(k core.Key) []string {
	return append(append([]string(nil), k.Needs.Roles...), k.Needs.Principals...)
}

func ownRights(k core.Key) []string {
	rights := []string{getKeyPolicy, describeKey}
	if k.Mode == core.Enforce {
		rights = append(rights, putKeyPolicy)
		if k.KeyState == core.CareRestore {
			rights = append(rights, enableKey)
		}
	}
	return rights
}
