package awskms

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
)

var (
	// ErrPrepared: the key policy gives the watchdog's role its rights already.
	ErrPrepared = errors.New("already prepared")
	// ErrNotPrepared: the key policy does not name the watchdog's role.
	ErrNotPrepared = errors.New("not prepared")
)

// Sids of the statements that let the watchdog do its work.
const (
	sidOwn        = "Byokwatch"
	sidOwnRestore = "ByokwatchRestore"
)

// Own are the statements that let the watchdog's role q.Self do what the key's
// mode asks for, as a JSON list. PutKeyPolicy is given with KMS's own check
// against lockout alone.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-bypass-policy-lockout-safety-check
func Own(q core.Question) (json.RawMessage, error) {
	own, err := ownStatements(q)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(statementList(own)), nil
}

// statementList is a JSON list of statements.
func statementList(statements []statement) string {
	var texts []string
	for _, s := range statements {
		texts = append(texts, "\n  "+string(s.text("  ")))
	}
	return "[" + strings.Join(texts, ",") + "\n]"
}

func ownStatements(q core.Question) ([]statement, error) {
	role := roleARN.FindStringSubmatch(q.Self)
	key, ok := parseARN(q.Key.ID)
	switch {
	case !ok || key.service != "kms":
		return nil, fmt.Errorf("%q is not the ARN of a KMS key", q.Key.ID)
	case role == nil:
		return nil, fmt.Errorf("%q is not the ARN of an IAM role (arn:aws:iam::ACCOUNT:role/NAME)", q.Self)
	case role[1] != key.partition || role[2] != key.account:
		// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html#cross-account-console
		return nil, fmt.Errorf("%s is not in the key's account %s (partition %s), and KMS takes GetKeyPolicy and PutKeyPolicy from there alone", q.Self, key.account, key.partition)
	}
	return allowing(q.Self, ownRights(q.Key)), nil
}

// allowing are the statements that give our role some of its rights.
func allowing(self string, rights []string) []statement {
	one := func(sid string, actions ...string) statement {
		return statement{Sid: sid, Effect: "Allow", Principal: &principals{AWS: []string{self}}, Action: actions, Resource: []string{"*"}}
	}
	var out []statement
	if plain := slices.DeleteFunc(slices.Clone(rights), func(r string) bool { return r == putKeyPolicy }); len(plain) > 0 {
		out = append(out, one(sidOwn, plain...))
	}
	if slices.Contains(rights, putKeyPolicy) {
		s := one(sidOwnRestore, putKeyPolicy)
		s.Conditions = []condition{{Operator: "Bool", Key: "kms:BypassPolicyLockoutSafetyCheck", Values: []string{"false"}}}
		out = append(out, s)
	}
	return out
}

// Prepare adds the statements of [Own] to a key policy, in the place of older
// ones. What still keeps a right from the role, such as a Deny, is left to a
// person, as is what can't be written again.
func Prepare(live core.Policy, q core.Question) (core.Candidate, error) {
	p, err := parsed(live)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("prepare %s: %w", q.Key.Name(), err)
	}
	own, err := ownStatements(q)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("prepare %s: %w", q.Key.Name(), err)
	}
	d, left := clean(p)
	d.statements = append(slices.DeleteFunc(d.statements, func(s statement) bool { return s.owned(q.Self) }), own...)
	if key := partition(q.Key.ID); canonical(p, key) == canonical(d.policy(), key) {
		return core.Candidate{}, fmt.Errorf("prepare %s: %w", q.Key.Name(), ErrPrepared)
	}
	c, err := edit("prepare", live, q.Key.ID, d, left)
	if err != nil {
		return core.Candidate{}, err
	}
	q.Needs = nil
	for _, right := range ownRights(q.Key) {
		q.Needs = append(q.Needs, core.Requirement{Aspect: core.Own, Permission: right, Severity: core.Critical})
	}
	for _, f := range Judge(c.Result, q).Findings {
		if f.Result != core.Met {
			c.Left = append(c.Left, fmt.Sprintf("%s is still not sure for the role: %s", f.Permission, f.Reason))
		}
	}
	return c, nil
}

// owned says that a statement is one of Own for the role.
func (s statement) owned(role string) bool {
	return s.Effect == "Allow" && (s.Sid == sidOwn || s.Sid == sidOwnRestore) &&
		s.Principal != nil && slices.Equal(s.Principal.AWS, []string{role})
}

// Unprepare takes the watchdog's role out of a key policy, whoever put it there.
// Once the role is deleted the policy would show an ID in its place, and KMS
// refuses every later edit that still has it. A Deny and a NotPrincipal are
// never shortened: what they say of the role is left to a person.
//
// Source: https://repost.aws/knowledge-center/kms-policy-error-invalid-principals
func Unprepare(live core.Policy, q core.Question) (core.Candidate, error) {
	p, err := parsed(live)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("unprepare %s: %w", q.Key.Name(), err)
	}
	if !roleARN.MatchString(q.Self) {
		return core.Candidate{}, fmt.Errorf("unprepare %s: %q is not the ARN of an IAM role", q.Key.Name(), q.Self)
	}
	d, left := clean(p)
	role := func(id string) bool { return id == q.Self }
	found := false
	var kept []statement
	for _, s := range d.statements {
		if s.Effect == "Allow" && s.Principal != nil && slices.ContainsFunc(s.Principal.AWS, role) {
			found = true
			var some bool
			if s, some = s.without(role); !some {
				continue
			}
		} else if s.Principal != nil && slices.ContainsFunc(s.Principal.AWS, role) || s.NotPrincipal != nil && slices.ContainsFunc(s.NotPrincipal.AWS, role) {
			found = true
			left = append(left, fmt.Sprintf("Statement %d names the role where taking it out would change what others may do: edit it by hand before the role is deleted.", s.index))
		}
		kept = append(kept, s)
	}
	if !found {
		return core.Candidate{}, fmt.Errorf("unprepare %s: %w", q.Key.Name(), ErrNotPrepared)
	}
	d.statements = kept
	return edit("unprepare", live, q.Key.ID, d, left)
}
