package awskms

import (
	"errors"
	"fmt"
	"strings"

	"byokwatch/core"
)

var (
	// ErrRevoked: the key already carries a revocation marker.
	ErrRevoked = errors.New("already revoked")
	// ErrNotRevoked: the key carries no revocation marker.
	ErrNotRevoked = errors.New("not revoked")
)

// Revoke takes Confluent's access to a key away and marks the key as revoked,
// in one: a Deny of everything, put first, whose Sid begins ByokwatchRevoked
// and goes on with the reason. Confluent's allows stay, for a Deny beats them,
// and the grants made under them as well, which taking the allows away would
// not; and so [Reinstate] ends with the policy of before. The Deny names
// Confluent in a condition, because KMS takes a Principal only while it exists.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/grants.html
func Revoke(live core.Policy, q core.Question, reason string) (core.Candidate, error) {
	p, err := parsed(live)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("revoke %s: %w", q.Key.Name(), err)
	}
	if marker(p) != "" {
		return core.Candidate{}, fmt.Errorf("revoke %s: %w", q.Key.Name(), ErrRevoked)
	}
	markers, err := markers(q.Key, reason)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("revoke %s: %w", q.Key.Name(), err)
	}
	d, left := clean(p)
	d.statements = append(markers, d.statements...)
	return edit("revoke", live, q.Key.ID, d, left)
}

// Reinstate takes the revocation marker off a key, and nothing else. Statements
// that a person named like the marker go too: all of them say the same.
func Reinstate(live core.Policy, q core.Question) (core.Candidate, error) {
	p, err := parsed(live)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("reinstate %s: %w", q.Key.Name(), err)
	}
	if marker(p) == "" {
		return core.Candidate{}, fmt.Errorf("reinstate %s: %w", q.Key.Name(), ErrNotRevoked)
	}
	d, left := clean(p)
	var kept []statement
	for _, s := range d.statements {
		if !strings.HasPrefix(s.Sid, revocationMarker) {
			kept = append(kept, s)
		}
	}
	d.statements = kept
	return edit("reinstate", live, q.Key.ID, d, left)
}

// edit is the candidate that writes a draft.
func edit(name string, live core.Policy, key string, d draft, left []string) (core.Candidate, error) {
	text, err := d.text()
	if err != nil {
		return core.Candidate{}, fmt.Errorf("%s: %w", name, err)
	}
	s, err := putStep(key, text)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("%s: %w", name, err)
	}
	return core.Candidate{Name: name, Result: withText(live, text), Steps: []core.Step{s}, Left: left}, nil
}

// markers are the statements that deny everything to Confluent: its roles with
// the role through which EC2 uses their grants, and its accounts. The account
// that holds the key is never denied as a whole: nobody could undo that.
func markers(k core.Key, reason string) ([]statement, error) {
	owner, _ := parseARN(k.ID)
	var roles, accounts []string
	for _, principal := range configured(k) {
		e, ok := exemptionOf(principal)
		switch {
		case !ok:
			return nil, fmt.Errorf("%q is neither a role's ARN nor an account's", principal)
		case e.key == principalArn:
			roles = appendNew(roles, e.values...)
		case e.values[0] == owner.account:
			return nil, fmt.Errorf("account %s holds the key itself; denying it everything could not be undone", owner.account)
		default:
			accounts = appendNew(accounts, e.values...)
		}
	}
	var out []statement
	add := func(c condition) {
		sid := revocationMarker
		if len(out) > 0 {
			sid += "Accounts"
		}
		out = append(out, statement{Sid: sidWith(sid, reason), Effect: "Deny", Principal: &principals{AWS: []string{"*"}},
			Action: []string{"kms:*"}, Resource: []string{"*"}, Conditions: []condition{c}})
	}
	if len(roles) > 0 {
		add(condition{Operator: "ArnLike", Key: principalArn, Values: roles})
	}
	if len(accounts) > 0 {
		add(condition{Operator: "StringEquals", Key: principalAccount, Values: accounts})
	}
	if len(out) == 0 {
		return nil, errors.New("no Confluent principal is configured")
	}
	return out, nil
}

// maxReason keeps a Sid readable in a list.
const maxReason = 128

// sidWith adds a reason to a Sid, in the characters that AWS's own key policies
// have in theirs: letters, digits, spaces and hyphens.
// Sources: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html,
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
func sidWith(sid, reason string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
			return r
		}
		return ' '
	}, reason)
	plain = strings.Join(strings.Fields(plain), " ")
	if len(plain) > maxReason {
		plain = strings.TrimSpace(plain[:maxReason])
	}
	if plain == "" {
		return sid
	}
	return sid + " " + plain
}

func appendNew(list []string, more ...string) []string {
	for _, s := range more {
		if !subset([]string{s}, list) {
			list = append(list, s)
		}
	}
	return list
}
