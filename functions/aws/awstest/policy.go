package awstest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// document is a policy of either kind: that of a key, or of an identity.
type document struct {
	Version   string           `json:"Version"`
	ID        string           `json:"Id"`
	Statement many[*statement] `json:"Statement"`
}

type statement struct {
	Sid          string       `json:"Sid"`
	Effect       string       `json:"Effect"`
	Principal    *principals  `json:"Principal"`
	NotPrincipal *principals  `json:"NotPrincipal"`
	Action       many[string] `json:"Action"`
	NotAction    many[string] `json:"NotAction"`
	Resource     many[string] `json:"Resource"`
	NotResource  many[string] `json:"NotResource"`
	Condition    conditions   `json:"Condition"`
}

// conditions are operator, key, values.
type conditions map[string]map[string]many[value]

// value is a condition's value: booleans and numbers become their text.
type value string

func (v *value) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	tok, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case '"', 't', 'f', '0':
		*v = value(tok.String())
		return nil
	}
	return fmt.Errorf("a condition's value is a %v", tok.Kind())
}

// many is one element or a list of them.
type many[T any] []T

func (m *many[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '[' {
		var list []T
		if err := json.UnmarshalDecode(d, &list); err != nil {
			return err
		}
		*m = append(many[T]{}, list...)
		return nil
	}
	var one T
	if err := json.UnmarshalDecode(d, &one); err != nil {
		return err
	}
	*m = many[T]{one}
	return nil
}

// principals are kind (AWS, Service, …) and who. The bare "*" is remembered.
type principals struct {
	bare bool
	who  map[string]many[string]
}

func (p *principals) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		var s string
		if err := json.UnmarshalDecode(d, &s); err != nil {
			return err
		}
		if s != "*" {
			return fmt.Errorf("principal %q is neither a map nor *", s)
		}
		p.bare, p.who = true, map[string]many[string]{"AWS": {"*"}}
		return nil
	}
	return json.UnmarshalDecode(d, &p.who)
}

// What a key policy may be
// (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html,
// https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html).
const (
	maxPolicy    = 32768
	maxParameter = 131072
)

var allowedText = regexp.MustCompile(`^[\x{09}\x{0A}\x{0D}\x{20}-\x{FF}]+$`)

const (
	invalidPrincipals = "Policy contains a statement with one or more invalid principals."
	locksOut          = "The new key policy will not allow you to update the key policy in the future."
)

func malformed(format string, args ...any) *failure {
	return refuse("MalformedPolicyDocumentException", format, args...)
}

// admit parses the text of a PutKeyPolicy or CreateKey for a key, refuses
// whatever KMS refuses about the document itself, and returns what it stores.
// The lockout check is not part of it. Call with the lock held.
func (c *Cloud) admit(text, keyARN string) (*document, *failure) {
	switch {
	case text == "" || len(text) > maxParameter || !allowedText.MatchString(text):
		return nil, refuse("ValidationException", "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length between 1 and %d and satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", maxParameter)
	case len(text) > maxPolicy:
		return nil, refuse("LimitExceededException", "The policy is %d bytes long. The maximum is %d.", len(text), maxPolicy)
	}
	doc, err := parse([]byte(text))
	if err != nil {
		return nil, malformed("Policy document is not valid: %v", err)
	}
	for i, s := range doc.Statement {
		if f := c.admitStatement(s, keyARN); f != nil {
			if f.message != invalidPrincipals { // which is AWS's own and names none
				f.message = fmt.Sprintf("%s (statement %d)", f.message, i)
			}
			return nil, f
		}
	}
	return doc, nil
}

func parse(text []byte) (*document, error) {
	var doc document
	if err := json.Unmarshal(text, &doc, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	if doc.Version != "" && doc.Version != "2008-10-17" && doc.Version != "2012-10-17" {
		return nil, fmt.Errorf("unknown Version %q", doc.Version)
	}
	if len(doc.Statement) == 0 {
		return nil, errors.New("no Statement")
	}
	for i, s := range doc.Statement {
		if s == nil {
			return nil, fmt.Errorf("statement %d is null", i)
		}
		if s.Effect != "Allow" && s.Effect != "Deny" {
			return nil, fmt.Errorf("statement %d: unknown Effect %q", i, s.Effect)
		}
		for op := range s.Condition {
			if _, ok := parseOperator(op); !ok {
				return nil, fmt.Errorf("statement %d: unknown condition operator %q", i, op)
			}
		}
	}
	return &doc, nil
}

// parseIdentity is parse for a policy that is attached to a role or user.
func parseIdentity(text []byte) (*document, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	for i, s := range doc.Statement {
		if s.Principal != nil || s.NotPrincipal != nil {
			return nil, fmt.Errorf("statement %d: an identity policy has no Principal", i)
		}
		if len(s.Action)+len(s.NotAction) == 0 || len(s.Resource)+len(s.NotResource) == 0 {
			return nil, fmt.Errorf("statement %d: Action or Resource is missing", i)
		}
	}
	return doc, nil
}

// admitStatement checks one statement and replaces its principals by what KMS
// stores. Statements without Action or Resource are refused since 2025-08-18,
// and "*" is then the only Resource
// (notice quoted in github.com/ministryofjustice/analytical-platform/issues/7691).
func (c *Cloud) admitStatement(s *statement, keyARN string) *failure {
	switch {
	case (s.Principal == nil) == (s.NotPrincipal == nil):
		return malformed("A statement needs one of Principal and NotPrincipal.")
	case (len(s.Action) == 0) == (len(s.NotAction) == 0):
		return malformed("A statement needs one of Action and NotAction.")
	case len(s.Resource) == 0 || len(s.NotResource) != 0:
		return malformed("A statement needs a Resource.")
	}
	for _, r := range s.Resource {
		if r != "*" && (!c.opts.OwnARN || r != keyARN) {
			return malformed("The only valid Resource of a key policy is \"*\", not %q.", r)
		}
	}
	for _, a := range slices.Concat(s.Action, s.NotAction) {
		if name, ok := cutPrefixFold(a, "kms:"); a != "*" && (!ok || name == "") {
			return malformed("Action %q is not one of AWS KMS.", a)
		}
	}
	for _, p := range []*principals{s.Principal, s.NotPrincipal} {
		if p == nil {
			continue
		}
		if f := c.admitPrincipals(p); f != nil {
			return f
		}
	}
	return nil
}

var (
	servicePrincipal   = regexp.MustCompile(`^[a-z0-9.-]+\.amazonaws\.com$`)
	federatedPrincipal = regexp.MustCompile(`^(arn:aws:iam::[0-9]{12}:(saml|oidc)-provider/.+|[a-z0-9.-]+\.(com|net|org))$`)
	canonicalPrincipal = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (c *Cloud) admitPrincipals(p *principals) *failure {
	if len(p.who) == 0 || (p.bare && c.opts.RefuseBareStar) {
		return malformed(invalidPrincipals)
	}
	for kind, list := range p.who {
		if len(list) == 0 {
			return malformed(invalidPrincipals)
		}
		for i, name := range list {
			ok := false
			switch kind {
			case "AWS":
				list[i], ok = c.iam.store(name, c.opts.SessionsAsRoles)
			case "Service":
				ok = servicePrincipal.MatchString(name)
			case "Federated":
				ok = federatedPrincipal.MatchString(name)
			case "CanonicalUser":
				ok = canonicalPrincipal.MatchString(name)
			}
			if !ok {
				return malformed(invalidPrincipals)
			}
		}
		slices.Sort(list)
		p.who[kind] = slices.Compact(list)
	}
	return nil
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
