package auditlog

import (
	"unicode/utf8"

	"byokwatch/core"
)

// maxText bounds each text about an actor.
const maxText = 1024

// actor says who an entry names. Its address may be left out for callers whom
// the reader of the log must not know, and for workforce and workload
// identities, which have a subject instead:
// https://docs.cloud.google.com/logging/docs/audit#user-id
//
// Name is the human as well as the entry tells: whoever stands at the beginning
// of a chain of impersonation, else the caller.
// https://docs.cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog#AuthenticationInfo
func actor(payload object) core.Actor {
	who, from := payload.object("authenticationInfo"), payload.object("requestMetadata")
	id := principal(who)
	a := core.Actor{ID: cut(id), Name: cut(id), Address: cut(from.text("callerIp")), Agent: cut(from.text("callerSuppliedUserAgent"))}
	if chain := who.objects("serviceAccountDelegationInfo"); len(chain) > 0 {
		first := chain[0]
		if human := principal(first.object("firstPartyPrincipal")); human != "" {
			a.Name = cut(human)
		} else if subject := principal(first); subject != "" {
			a.Name = cut(subject)
		}
	}
	return a
}

func principal(o object) string {
	if email := o.text("principalEmail"); email != "" {
		return email
	}
	return o.text("principalSubject")
}

// cut shortens a text to maxText bytes at a character's border.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
