package cloudtrail

import (
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/loose"
)

// actor says who an event names. The layouts of userIdentity are those of
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func actor(identity, detail loose.Object, source string) core.Actor {
	if len(identity) == 0 {
		if source != kms {
			return core.Actor{} // a tick
		}
		return core.Actor{Via: "kms.amazonaws.com"} // KMS itself, in one of its own events
	}
	return core.Actor{
		ID:      loose.Cut(identityOf(identity)),
		Name:    loose.Cut(nameOf(identity)),
		Address: loose.Cut(detail.Text("sourceIPAddress")),
		Agent:   loose.Cut(detail.Text("userAgent")),
		Via:     loose.Cut(identity.Text("invokedBy")),
	}
}

// identityOf is the ARN that IAM knows: the role for a session of it, because
// the session's own ARN ends in a name that its user chose.
func identityOf(identity loose.Object) string {
	issuer := identity.Object("sessionContext").Object("sessionIssuer")
	if role := issuer.Text("arn"); role != "" && issuer.Text("type") == "Role" {
		return role
	}
	if arn := identity.Text("arn"); arn != "" {
		return arn
	}
	if identity.Text("type") == "AWSAccount" { // a caller in another account, whose ARN stays there
		return identity.Text("accountId")
	}
	return identity.Text("principalId")
}

// nameOf is the human as well as the event tells: the source identity, else the
// session's name, else the role or user.
func nameOf(identity loose.Object) string {
	session := identity.Object("sessionContext")
	arn := identity.Text("arn")
	_, sessionName, _ := strings.Cut(identity.Text("principalId"), ":")
	if _, tail, ok := strings.Cut(arn, ":assumed-role/"); ok {
		_, sessionName, _ = strings.Cut(tail, "/")
	}
	for _, name := range []string{
		session.Text("sourceIdentity"),
		sessionName,
		session.Object("sessionIssuer").Text("userName"),
		identity.Text("userName"),
	} {
		if name != "" {
			return name
		}
	}
	if identity.Text("type") == "Root" {
		return "root"
	}
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// routine says whether a grant was revoked by somebody who revokes his own:
// Confluent, by one of the key's roles or from one of its accounts, or a
// service of AWS acting for itself. Whose grant it was a record does not tell.
func routine(identity loose.Object, k *core.Key) bool {
	if identity.Text("type") == "AWSService" {
		return true
	}
	id := identityOf(identity)
	if slices.Contains(k.Needs.Roles, id) {
		return true
	}
	account := identity.Text("accountId")
	if account == "" {
		account = accountOf(id)
	}
	if account == "" || account == accountOf(k.ID) {
		return false // the owner's account proves nothing, even where Confluent's role is in it
	}
	for _, arn := range slices.Concat(k.Needs.Roles, k.Needs.Principals) {
		if accountOf(arn) == account {
			return true
		}
	}
	return false
}

// accountOf is the account in an ARN, or "".
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}
