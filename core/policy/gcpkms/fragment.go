package gcpkms

import (
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/rawjson"
)

// Fragment is what a person may add to the bindings of the key's IAM policy to
// give what is missing: the predefined roles that Confluent documents, those
// that are needed and no others, as a JSON list. [Unlock] says the same as
// commands. It is empty when nothing of Confluent's access is missing.
func Fragment(q core.Question, missing []core.Requirement) string {
	group := q.Key.Needs.Group
	roles := lacking(q, missing)
	if len(roles) == 0 {
		return ""
	}
	var texts []string
	for _, role := range roles {
		texts = append(texts, "\n  {\n    \"members\": [\n      "+rawjson.Quote("group:"+group)+"\n    ],\n    \"role\": "+rawjson.Quote(role)+"\n  }")
	}
	return "[" + strings.Join(texts, ",") + "\n]\n"
}

// lacking lists the predefined roles that give what the group lacks. A group
// that is no address gets nothing.
func lacking(q core.Question, missing []core.Requirement) []string {
	if !groupGrammar.MatchString(q.Key.Needs.Group) {
		return nil
	}
	var out []string
	for _, role := range confluent.GCPRoles() {
		if slices.ContainsFunc(missing, func(r core.Requirement) bool {
			return r.Aspect == core.Access && isGroup(r.Principal, q.Key.Needs.Group) && slices.Contains(role.Permissions, r.Permission)
		}) {
			out = append(out, role.Name)
		}
	}
	return out
}
