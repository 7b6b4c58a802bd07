package awskms

import (
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
)

// setting is what a judgement knows beside the policy.
type setting struct {
	key       arn // zero where no key was named
	keyARN    string
	own       string // the owner's organization, "" if unknown or none
	noOrg     bool   // the owner's account is in no organization
	confluent string // Confluent's organization, "" if unknown
	meta      *metadata
	at        time.Time
}

func settingOf(p core.Policy, q core.Question) setting {
	s := setting{keyARN: q.Key.ID, confluent: q.Key.ConfluentOrganization, at: q.At}
	if a, ok := parseARN(q.Key.ID); ok && a.service == "kms" {
		s.key = a
	}
	switch q.Key.Organization {
	case "none":
		s.noOrg = true
	default:
		s.own = q.Key.Organization
	}
	if m, err := readMetadata(p); err == nil {
		s.meta = &m
	}
	return s
}

// request is one request as the conditions of a statement see it.
type request struct {
	setting
	requester
	action string // lower case
}

// fact is what is known of one condition key in a request: the worlds that are
// possible. A key that nothing is known of may be absent or hold anything.
type fact struct {
	absent  bool      // the key may be absent
	present [][]value // the values that it may hold, world by world; nil: it is absent
	instant bool      // the key is the time of the request
}

// value is one value of a key: its text, only the beginning of it, or an
// organization that is told apart from others by comparing only.
type value struct {
	text string
	open bool // text is followed by something unknown
	org  bool // Confluent's organization, whichever it is
}

var (
	anything = fact{absent: true, present: [][]value{{{open: true}}}}
	nothing  = fact{absent: true}
)

func exactly(text string) fact { return fact{present: [][]value{{{text: text}}}} }

// orUnknown is exactly text, or anything for an empty one.
func orUnknown(text string) fact {
	if text == "" {
		return anything
	}
	return exactly(text)
}

// fact answers for one condition key in lower case. What is not listed here is
// unknown, and whatever turns on it stays undetermined.
//
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
// and https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
func (r request) fact(key string) fact {
	if actions, ok := onlyWith(key); ok && !slices.Contains(actions, r.action) {
		return nothing
	}
	switch key {
	case "aws:currenttime", "aws:epochtime":
		return fact{present: [][]value{{{open: true}}}, instant: true}
	case "aws:principalarn":
		return r.principalARN()
	case "aws:principalaccount", "kms:calleraccount":
		return exactly(r.account)
	case "aws:principaltype":
		if r.kind == aRole || r.kind == aSelf {
			return exactly("AssumedRole")
		}
	case "aws:principalisawsservice":
		if r.kind != aStorage {
			return exactly("false")
		}
	case "aws:principalservicename", "aws:principalservicenameslist":
		if r.kind != aStorage {
			return nothing
		}
	case "aws:username":
		if r.kind != anyOf {
			return nothing
		}
	case "kms:viaservice":
		if r.kind == aSelf {
			return nothing
		}
	case "aws:viaawsservice":
		if r.kind == aSelf {
			return exactly("false")
		}
	case "aws:principalorgid":
		return r.organization("")
	case "aws:principalorgpaths":
		return r.organization("/")
	}
	return r.keyFact(key)
}

// keyFact answers for the keys that are about the connection and the KMS key.
// KMS serves TLS only.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/data-protection.html
func (r request) keyFact(key string) fact {
	switch key {
	case "aws:securetransport":
		return exactly("true")
	case "aws:requestedregion":
		return orUnknown(r.key.region)
	case "aws:resourceaccount":
		return orUnknown(r.key.account)
	case "aws:resourceorgid":
		if r.noOrg {
			return nothing
		}
		return orUnknown(r.own)
	case "kms:bypasspolicylockoutsafetycheck":
		if r.kind == aSelf {
			return exactly("false") // we never send true
		}
	}
	if r.meta == nil {
		return anything
	}
	switch key {
	case "kms:keyspec", "kms:customermasterkeyspec":
		return orUnknown(r.meta.spec())
	case "kms:keyusage", "kms:customermasterkeyusage":
		return orUnknown(r.meta.KeyUsage)
	case "kms:keyorigin":
		return orUnknown(r.meta.Origin)
	case "kms:multiregion":
		if r.meta.MultiRegion {
			return exactly("true")
		}
		return exactly("false")
	}
	return anything
}

// principalARN is the role, also for a session of it. Whoever calls from an
// account does so as something of that account's.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
func (r request) principalARN() fact {
	switch r.kind {
	case aStorage:
		return fact{present: [][]value{{{text: strings.TrimSuffix(r.arn, "*"), open: true}}}}
	case anyOf:
		return fact{present: [][]value{
			{{text: "arn:" + r.partition + ":iam::" + r.account + ":", open: true}},
			{{text: "arn:" + r.partition + ":sts::" + r.account + ":", open: true}},
		}}
	case aRole, aSelf:
	}
	return exactly(r.arn)
}

// organization is the organization of the requester's account: the owner's for
// the owner's own account, Confluent's else. What the latter is we know only if
// it is configured; that it is not the owner's we know always. after is what
// follows the ID in the key's values: nothing, or the path.
func (r request) organization(after string) fact {
	mine := r.key.account != "" && r.account == r.key.account
	switch {
	case mine && r.noOrg:
		return nothing
	case mine && r.own == "":
		return anything
	case mine:
		return fact{present: [][]value{{{text: r.own + after, open: after != ""}}}}
	case r.confluent != "":
		return fact{present: [][]value{{{text: after, org: true, open: after != ""}}}}
	}
	return fact{absent: true, present: [][]value{{{text: after, org: true, open: after != ""}}}}
}

// compareOrganization compares Confluent's organization with a listed text: no
// for the owner's own, yes for the configured one, else nobody knows.
func (s setting) compareOrganization(v value, p pattern) truth.Truth {
	listed, ok := p.plain()
	if v.text == "" { // aws:PrincipalOrgID
		switch {
		case ok && listed == s.confluent && s.confluent != "":
			return truth.Yes
		case ok && listed == s.own && s.own != "":
			return truth.No
		}
		return truth.Unknown
	}
	// aws:PrincipalOrgPaths: the ID, a slash, and a path that we don't know.
	if s.own != "" && s.own != s.confluent && len(p) > len(s.own) {
		if head, ok := p[:len(s.own)+1].plain(); ok && head == s.own+"/" {
			return truth.No
		}
	}
	if s.confluent != "" && p.matchOpen(s.confluent+"/") == truth.Yes {
		return truth.Yes
	}
	return truth.Unknown
}

// onlyWith lists the actions whose requests can hold a condition key of KMS's;
// with any other action the key is absent.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
func onlyWith(key string) ([]string, bool) {
	name, ok := strings.CutPrefix(key, "kms:")
	if !ok {
		return nil, false
	}
	if i := strings.IndexByte(name, ':'); i >= 0 {
		name = name[:i]
	}
	switch name {
	case "grantisforawsresource":
		return []string{"kms:creategrant", "kms:listgrants", "kms:revokegrant"}, true
	case "grantoperations", "grantconstrainttype", "granteeprincipal", "retiringprincipal":
		return []string{"kms:creategrant"}, true
	case "reencryptonsamekey":
		return []string{"kms:reencryptfrom", "kms:reencryptto"}, true
	case "encryptionalgorithm":
		return []string{"kms:encrypt", "kms:decrypt", "kms:reencryptfrom", "kms:reencryptto"}, true
	case "encryptioncontext", "encryptioncontextkeys":
		return []string{
			"kms:encrypt", "kms:decrypt", "kms:reencryptfrom", "kms:reencryptto", "kms:creategrant",
			"kms:generatedatakey", "kms:generatedatakeywithoutplaintext", "kms:generatedatakeypair", "kms:generatedatakeypairwithoutplaintext",
		}, true
	case "datakeypairspec":
		return []string{"kms:generatedatakeypair", "kms:generatedatakeypairwithoutplaintext"}, true
	case "bypasspolicylockoutsafetycheck":
		return []string{"kms:putkeypolicy"}, true
	}
	return nil, false
}
