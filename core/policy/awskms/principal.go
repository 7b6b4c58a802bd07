package awskms

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// requester is whoever makes the request that is judged, as far as we know it.
type requester struct {
	kind               requesterKind
	arn                string // of the role; of the account's root; for storage a pattern
	partition, account string
	name               string // the role's name, without its path
}

type requesterKind int

const (
	aRole    requesterKind = iota // one configured Confluent role, in some session
	anyOf                         // somebody in one configured Confluent account
	aStorage                      // AWS's role for block storage in Confluent's account
	aSelf                         // the watchdog
)

// identify reads the ARN of a Confluent principal: a role's, or an account's
// root or bare ID.
func identify(principal, partition string) (requester, error) {
	if isAccount(principal) {
		return requester{kind: anyOf, arn: canonicalPrincipal(principal, partition), partition: partition, account: principal}, nil
	}
	a, ok := parseARN(principal)
	if !ok || a.service != "iam" || a.region != "" || !isAccount(a.account) {
		return requester{}, fmt.Errorf("%q is neither the ARN of an IAM role nor of an account's root", principal)
	}
	if a.resource == "root" {
		return requester{kind: anyOf, arn: principal, partition: a.partition, account: a.account}, nil
	}
	path, ok := strings.CutPrefix(a.resource, "role/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if !ok || name == "" || strings.ContainsAny(path, "*?") {
		return requester{}, fmt.Errorf("%q is neither the ARN of an IAM role nor of an account's root", principal)
	}
	return requester{kind: aRole, arn: principal, partition: a.partition, account: a.account, name: name}, nil
}

// storage is the role through which EC2 uses the grants of r.
func (r requester) storage() requester {
	return requester{
		kind:      aStorage,
		arn:       confluent.AWSBlockStorageRole(r.partition, r.account),
		partition: r.partition, account: r.account,
		name: "aws:ec2-infrastructure",
	}
}

// naming says how an entry of a Principal element relates to a requester.
type naming int

const (
	other      naming = iota // somebody else, or nobody any more
	asSession                // one session of the role
	asMember                 // one principal of the account that may be the requester
	asAccount                // the whole account
	asItself                 // the role by its ARN
	asEveryone               // *
)

// named says how one entry of a Principal's AWS list names r. There are no
// wildcards in principals but the lone *, and a unique ID stands for a deleted
// principal.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (r requester) named(entry string) naming {
	switch {
	case entry == "*":
		return asEveryone
	case entry == r.account:
		return asAccount
	case r.kind != anyOf && r.kind != aStorage && entry == r.arn:
		return asItself
	case !strings.Contains(entry, r.account):
		return other
	}
	a, ok := parseARN(entry)
	if !ok || a.partition != r.partition || a.account != r.account || a.region != "" {
		return other
	}
	switch {
	case a.service == "iam" && a.resource == "root":
		return asAccount
	case r.kind == anyOf && (a.service == "iam" || a.service == "sts"):
		return asMember
	case a.service == "sts" && strings.HasPrefix(a.resource, "assumed-role/"+r.name+"/"):
		return asSession
	case r.kind == aStorage && strings.HasPrefix(a.resource, "role/"+r.name):
		return asMember
	}
	return other
}

// matchPrincipal says whether a statement's Principal or NotPrincipal covers r.
func (r requester) matchPrincipal(s *statement) truth.Truth {
	if s.Principal != nil {
		out := truth.No
		for _, entry := range s.Principal.AWS {
			switch r.named(entry) {
			case asEveryone, asAccount, asItself:
				return truth.Yes
			case asSession, asMember:
				out = truth.Unknown
			case other:
			}
		}
		return out
	}
	return r.spared(s).Not()
}

// spared says whether a NotPrincipal leaves r out. A Deny spares only whom it
// lists in every form, role, account and session, and which session Confluent
// is in we don't know; so a listed role stays unknown.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (r requester) spared(s *statement) truth.Truth {
	if s.NotPrincipal == nil || len(s.NotPrincipal.AWS)+len(s.NotPrincipal.Service)+len(s.NotPrincipal.Federated)+len(s.NotPrincipal.Canonical) == 0 {
		return truth.Unknown
	}
	out := truth.No
	for _, entry := range s.NotPrincipal.AWS {
		switch r.named(entry) {
		case asEveryone:
			return truth.Yes
		case asItself:
			if s.Effect == "Allow" {
				return truth.Yes
			}
			out = truth.Unknown
		case asAccount, asSession, asMember:
			out = truth.Unknown
		case other:
		}
	}
	return out
}

// closest is the most particular way in which a Principal names r.
func (r requester) closest(p *principals) naming {
	best := other
	if p == nil {
		return best
	}
	rank := []naming{other, asSession, asMember, asEveryone, asAccount, asItself}
	for _, entry := range p.AWS {
		if n := r.named(entry); slices.Index(rank, n) > slices.Index(rank, best) {
			best = n
		}
	}
	return best
}

// onlyConfluent says that a statement names nobody but the configured Confluent
// principals, their sessions or accounts: by Principal, or by a condition on
// who calls. Such a Deny is never written by mistake.
func onlyConfluent(s *statement, k core.Key) bool {
	if s.Principal == nil || len(s.Principal.Federated)+len(s.Principal.Service)+len(s.Principal.Canonical) > 0 {
		return false
	}
	theirs := confluentsOwn(k)
	if listsOnly(s.Principal.AWS, func(entry string) bool { return deadID(entry) || theirs(entry) }) {
		return slices.ContainsFunc(s.Principal.AWS, theirs)
	}
	return slices.ContainsFunc(s.Conditions, func(c condition) bool {
		switch wording.Lower(c.Operator) {
		case "stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike":
		default:
			return false
		}
		switch wording.Lower(c.Key) {
		case "aws:principalarn":
			return listsOnly(c.Values, func(v string) bool { return !isAccount(v) && theirs(v) })
		case "aws:principalaccount", "kms:calleraccount":
			return listsOnly(c.Values, func(v string) bool { return isAccount(v) && theirs(v) })
		}
		return false
	})
}

func listsOnly(values []string, good func(string) bool) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !good(v) })
}

// confluentsOwn tells Confluent's principals from others: whoever belongs to an
// account that only Confluent has a configured principal in. In the key's own
// account, where others live too, only the configured role itself counts.
func confluentsOwn(k core.Key) func(entry string) bool {
	owner, _ := parseARN(k.ID)
	var whom []requester
	for _, principal := range configured(k) {
		if r, err := identify(principal, partition(k.ID)); err == nil {
			whom = append(whom, r)
		}
	}
	return func(entry string) bool {
		for _, r := range whom {
			if r.account == owner.account {
				if n := r.named(entry); n == asItself || n == asSession {
					return true
				}
				continue
			}
			if a, ok := parseARN(entry); entry == r.account || ok && a.account == r.account && (a.service == "iam" || a.service == "sts") {
				return true
			}
		}
		return false
	}
}
