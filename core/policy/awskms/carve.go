package awskms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/confluent"
	lazy "byokwatch/core/pattern"
	"byokwatch/core/policy/wording"
)

// exemption is a condition that leaves somebody out of a Deny.
type exemption struct {
	operator, key string
	values        []string
}

// roleARN is the grammar of the one form of role that is ever exempted or
// written into a command: without the characters that IAM allows in a path and
// that mean something in a pattern.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
var roleARN = lazy.New(`^arn:(aws[a-z-]*):iam::([0-9]{12}):role/[A-Za-z0-9_+=,.@/-]+$`)

// The condition keys that tell who calls.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
const (
	principalArn     = "aws:PrincipalArn"
	principalAccount = "aws:PrincipalAccount"
)

// accountOf is the account that a principal stands for as a whole.
func accountOf(principal string) (string, bool) {
	account, ok := strings.CutPrefix(whoAWS(principal), "AWS ")
	return account, ok && isAccount(account)
}

// exemptionOf says how a Confluent principal is left out of a Deny: a role by
// its ARN, together with the role through which EC2 uses the grants that it
// made; an account by its ID, because the ARN of who calls is not known.
func exemptionOf(principal string) (exemption, bool) {
	if m := roleARN.FindStringSubmatch(principal); m != nil {
		return exemption{"ArnNotLike", principalArn, []string{principal, confluent.AWSBlockStorageRole(m[1], m[2])}}, true
	}
	if account, ok := accountOf(principal); ok {
		return exemption{"StringNotEquals", principalAccount, []string{account}}, true
	}
	return exemption{}, false
}

// carve leaves Confluent's principals out of a Deny and binds everybody else as
// before: conditions are ANDed, and the values of one negated operator are all
// excluded, so adding a value or an operator only ever spares whom it names. A
// request that lacks the key stays denied. It reports whether that changed
// anything.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
func (s statement) carve(spared []string) (statement, bool) {
	changed := false
	s.Conditions = slices.Clone(s.Conditions)
	for _, principal := range spared {
		e, ok := exemptionOf(principal)
		if !ok {
			continue
		}
		i := slices.IndexFunc(s.Conditions, e.fits)
		if i < 0 {
			s.Conditions = append(s.Conditions, condition{Operator: s.spelling(e.operator), Key: e.key})
			i = len(s.Conditions) - 1
		}
		values := slices.Clone(s.Conditions[i].Values)
		for _, v := range e.values {
			if !slices.Contains(values, v) {
				values, changed = append(values, v), true
			}
		}
		s.Conditions[i].Values = values
	}
	if changed {
		s.raw = nil
	}
	return s, changed
}

// fits says that c is a condition to which the exemption's values can be added.
// ArnNotEquals and ArnNotLike are the same operator.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func (e exemption) fits(c condition) bool {
	return sameNegation(wording.Lower(c.Operator), wording.Lower(e.operator)) && canonicalKey(c.Key) == canonicalKey(e.key)
}

func sameNegation(a, b string) bool {
	return a == b || strings.HasPrefix(a, "arnnot") && strings.HasPrefix(b, "arnnot") &&
		!strings.HasSuffix(a, "ifexists") && !strings.HasSuffix(b, "ifexists")
}

// spelling is how the statement already writes an operator: it may stand there
// only once, in whatever case.
func (s statement) spelling(operator string) string {
	for _, c := range s.Conditions {
		if wording.Lower(c.Operator) == wording.Lower(operator) {
			return c.Operator
		}
	}
	return operator
}

// namesOnly says that the statement's Principal lists nobody but the given
// principals.
func (s statement) namesOnly(principals []string) bool {
	if s.Principal == nil {
		return false
	}
	who := whoOf(*s.Principal)
	return len(who) > 0 && subset(who, whoAll(principals))
}

func whoAll(arns []string) []string {
	out := make([]string, len(arns))
	for i, a := range arns {
		out[i] = whoAWS(a)
	}
	return out
}

// without leaves AWS principals out of the statement's Principal, never out of
// NotPrincipal: shortening that list would widen the statement. The second
// result is false when nobody is left.
func (s statement) without(gone func(aws string) bool) (statement, bool) {
	if s.Principal == nil || !slices.ContainsFunc(s.Principal.AWS, gone) {
		return s, true
	}
	p := *s.Principal
	p.AWS = slices.DeleteFunc(slices.Clone(p.AWS), gone)
	s.Principal, s.raw = &p, nil
	return s, len(p.AWS)+len(p.Federated)+len(p.Service)+len(p.Canonical) > 0
}

// clean makes a policy that KMS would refuse, though it serves it, fit to be
// written again, and says what it left out.
func clean(p policy) (draft, []string) {
	d := draft{version: p.Version, id: p.ID}
	var left []string
	for _, s := range p.Statements {
		if effectless(s) {
			left = append(left, fmt.Sprintf("Statement %d has no Action or no Resource: it has no effect, and KMS refuses it.", s.index))
			continue
		}
		if s.Principal != nil {
			for _, id := range s.Principal.AWS {
				if deadID(id) {
					left = append(left, fmt.Sprintf("Statement %d names %s, a principal that IAM no longer knows; KMS refuses it.", s.index, id))
				}
			}
		}
		s, some := s.without(deadID)
		if !some {
			continue
		}
		if bareStar(s) {
			s.raw = nil
		}
		d.statements = append(d.statements, s)
	}
	return d, left
}

// bareStar says that the statement's own bytes hold a Principal or NotPrincipal
// that is "*" rather than {"AWS": "*"}.
func bareStar(s statement) bool {
	var members map[string]jsontext.Value
	if s.raw == nil || json.Unmarshal(s.raw, &members) != nil {
		return false
	}
	return members["Principal"].Kind() == '"' || members["NotPrincipal"].Kind() == '"'
}

// starred writes the key's own ARN in Resource as "*". In a key policy both mean
// this key; since 2025-08-18 KMS may take the latter only.
// Source: https://github.com/ministryofjustice/analytical-platform/issues/7691
func (p policy) starred(key string) (policy, bool) {
	changed := false
	p.Statements = slices.Clone(p.Statements)
	for i, s := range p.Statements {
		if slices.Contains(s.Resource, key) && subset(s.Resource, []string{"*", key}) {
			p.Statements[i].Resource, p.Statements[i].raw = []string{"*"}, nil
			changed = true
		}
	}
	return p, changed
}
