package auditlog

import (
	"byokwatch/core"
	"byokwatch/core/loose"
)

// actor says who an entry names. Its address may be left out for callers whom
// the reader of the log must not know, and for workforce and workload
// identities, which have a subject instead:
// https://docs.cloud.google.com/logging/docs/audit#user-id
//
// Name is the human as well as the entry tells: whoever stands at the beginning
// of a chain of impersonation, else the caller.
// https://docs.cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog#AuthenticationInfo
func actor(payload loose.Object) core.Actor {
	who, from := payload.Object("authenticationInfo"), payload.Object("requestMetadata")
	id := principal(who)
	a := core.Actor{ID: loose.Cut(id), Name: loose.Cut(id), Address: loose.Cut(from.Text("callerIp")), Agent: loose.Cut(from.Text("callerSuppliedUserAgent"))}
	if chain := who.Objects("serviceAccountDelegationInfo"); len(chain) > 0 {
		first := chain[0]
		if human := principal(first.Object("firstPartyPrincipal")); human != "" {
			a.Name = loose.Cut(human)
		} else if subject := principal(first); subject != "" {
			a.Name = loose.Cut(subject)
		}
	}
	return a
}

func principal(o loose.Object) string {
	if email := o.Text("principalEmail"); email != "" {
		return email
	}
	return o.Text("principalSubject")
}
