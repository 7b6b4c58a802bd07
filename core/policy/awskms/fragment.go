package awskms

import (
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

// Fragment is what a person may add to the key policy's Statement to give what
// is missing: Confluent's own statements as a JSON list, with the principals
// and actions that need them and no others. It is empty when nothing of
// Confluent's access is missing.
func Fragment(q core.Question, missing []core.Requirement) string {
	statements := lacking(q, missing)
	if len(statements) == 0 {
		return ""
	}
	return statementList(statements) + "\n"
}

// lacking narrows Confluent's statements to what is missing: one statement for
// all principals that lack the same of it.
func lacking(q core.Question, missing []core.Requirement) []statement {
	var out []statement
	for _, asked := range confluent.AWSStatements() {
		first := len(out)
		for _, principal := range configured(q.Key) {
			if _, known := exemptionOf(principal); !known {
				continue
			}
			var actions []string
			for _, a := range asked.Actions {
				if slices.ContainsFunc(missing, func(r core.Requirement) bool {
					return r.Aspect == core.Access && r.Principal == principal && patternWithin(wording.Lower(r.Permission), wording.Lower(a))
				}) {
					actions = append(actions, a)
				}
			}
			out = joinTo(out, first, asked.Sid, principal, actions)
		}
	}
	return out
}

// joinTo adds a principal to the statement, from the first on, that has just
// these actions, or makes one.
func joinTo(list []statement, first int, sid, principal string, actions []string) []statement {
	if len(actions) == 0 {
		return list
	}
	for i := first; i < len(list); i++ {
		if slices.Equal(list[i].Action, actions) {
			list[i].Principal.AWS = appendNew(list[i].Principal.AWS, principal)
			return list
		}
	}
	if len(list) > first {
		sid += " " + string(rune('A'+len(list)-first))
	}
	return append(list, statement{Sid: sid, Effect: "Allow", Principal: &principals{AWS: []string{principal}}, Action: actions, Resource: []string{"*"}})
}
