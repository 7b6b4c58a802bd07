package cloudtrail

import (
	"slices"
	"strings"
	"unicode/utf8"

	"byokwatch/core"
)

// maxText bounds each text about an actor. CloudTrail cuts the user agent at
// 1 KB, and an ARN is shorter.
const maxText = 1024

// actor says who an event names. The layouts of userIdentity are those of
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func actor(identity, detail object, source string) core.Actor {
	if len(identity) == 0 {
		if source != kms {
			return core.Actor{} // a tick
		}
		return core.Actor{Via: "kms.amazonaws.com"} // KMS itself, in one of its own events
	}
	return core.Actor{
		ID:      cut(identityOf(identity)),
		Name:    cut(nameOf(identity)),
		Address: cut(detail.text("sourceIPAddress")),
		Agent:   cut(detail.text("userAgent")),
		Via:     cut(identity.text("invokedBy")),
	}
}

// identityOf is the ARN that IAM knows: the role for a session of it, because
// the session's own ARN ends in a name that its user chose.
func identityOf(identity object) string {
	issuer := identity.object("sessionContext").object("sessionIssuer")
	if role := issuer.text("arn"); role != "" && issuer.text("type") == "Role" {
		return role
	}
	if arn := identity.text("arn"); arn != "" {
		return arn
	}
	if identity.text("type") == "AWSAccount" { // a caller in another account, whose ARN stays there
		return identity.text("accountId")
	}
	return identity.text("principalId")
}

// nameOf is the human as well as the event tells: the source identity, else the
// session's name, else the role or user.
func nameOf(identity object) string {
	session := identity.object("sessionContext")
	arn := identity.text("arn")
	_, sessionName, _ := strings.Cut(identity.text("principalId"), ":")
	if _, tail, ok := strings.Cut(arn, ":assumed-role/"); ok {
		_, sessionName, _ = strings.Cut(tail, "/")
	}
	for _, name := range []string{
		session.text("sourceIdentity"),
		sessionName,
		session.object("sessionIssuer").text("userName"),
		identity.text("userName"),
	} {
		if name != "" {
			return name
		}
	}
	if identity.text("type") == "Root" {
		return "root"
	}
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// routine says whether a grant was revoked by somebody who revokes his own:
// Confluent, by one of the key's roles or from one of its accounts, or a
// service of AWS acting for itself. Whose grant it was a record does not tell.
func routine(identity object, k *core.Key) bool {
	if identity.text("type") == "AWSService" {
		return true
	}
	id := identityOf(identity)
	if slices.Contains(k.Needs.Roles, id) {
		return true
	}
	account := identity.text("accountId")
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
