package awstest

import (
	"maps"
	"slices"
	"strings"
)

// request is one question to the policies: who, what, on which key, and under
// which circumstances.
type request struct {
	caller   Caller
	action   string // kms:PutKeyPolicy
	resource string
	context  map[string][]string // condition keys in lower case; absent is absent
}

// newRequest fills in the circumstances that every request of a caller has. Call
// with the lock held.
func (c *Cloud) newRequest(w Caller, action, resource string, context map[string]string) request {
	account := w.Account()
	r := request{caller: w, action: action, resource: resource, context: map[string][]string{
		"aws:principalarn":          {w.Principal},
		"aws:principalaccount":      {account},
		"aws:principaltype":         {principalType(w)},
		"aws:principalisawsservice": {"false"},
		"aws:securetransport":       {"true"},
		"aws:resourceaccount":       {accountOf(resource)},
		"aws:currenttime":           {c.opts.Now().UTC().Format("2006-01-02T15:04:05Z")},
		"kms:calleraccount":         {account},
	}}
	if k := c.keys[resource]; k != nil && len(k.aliases) > 0 {
		r.context["kms:resourcealiases"] = k.aliases
	}
	if org := c.opts.Organizations[account]; org != "" {
		r.context["aws:principalorgid"] = []string{org}
	}
	if p := strings.SplitN(resource, ":", 6); len(p) == 6 {
		r.context["aws:requestedregion"] = []string{p[3]}
	}
	for k, v := range context {
		r.context[strings.ToLower(k)] = []string{v}
	}
	return r
}

func principalType(w Caller) string {
	switch {
	case rootARN.MatchString(w.Principal):
		return "Account"
	case w.Session != "":
		return "AssumedRole"
	}
	return "User"
}

// decision says whether a request is allowed and, if not, in AWS's words why.
type decision struct {
	allowed bool
	why     string
}

// decide is the evaluation of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// for a key: an explicit Deny anywhere ends it; a key policy that names the
// caller is enough within the account; one that names the caller's account, or
// a caller of another account, also needs the caller's own policies. Call with
// the lock held.
func (c *Cloud) decide(doc *document, r request) decision {
	own := c.iam.policies[r.caller.Principal]
	root := rootARN.MatchString(r.caller.Principal)
	byPolicy, byAccount := c.weigh(doc, r)
	byIdentity := none
	for _, p := range own {
		byIdentity = max(byIdentity, weighIdentity(p, r))
	}
	same := accountOf(r.resource) == r.caller.Account()
	switch {
	case byPolicy == denies:
		return decision{false, "with an explicit deny in a resource-based policy"}
	case byIdentity == denies:
		return decision{false, "with an explicit deny in an identity-based policy"}
	case same && byPolicy == allows:
		return decision{true, ""}
	case byPolicy == allows || byAccount:
		if root || byIdentity == allows {
			return decision{true, ""}
		}
		return decision{false, "because no identity-based policy allows the " + r.action + " action"}
	}
	return decision{false, "because no resource-based policy allows the " + r.action + " action"}
}

type effect int

const (
	none effect = iota
	allows
	denies
)

// weigh returns what the key policy says of the caller by name, and whether it
// allows the caller's account, which may then delegate.
func (c *Cloud) weigh(doc *document, r request) (byName effect, byAccount bool) {
	for _, s := range doc.Statement {
		name, account := c.reaches(s, r)
		if !(name || account) || !actionMatches(s, r.action) || !resourceMatches(s, r.resource) || !conditionsMatch(s.Condition, r.context) {
			continue
		}
		switch {
		case s.Effect == "Deny":
			return denies, false
		case name:
			byName = allows
		default:
			byAccount = true
		}
	}
	return byName, byAccount
}

func weighIdentity(doc *document, r request) effect {
	out := none
	for _, s := range doc.Statement {
		if !actionMatches(s, r.action) || !resourceMatches(s, r.resource) || !conditionsMatch(s.Condition, r.context) {
			continue
		}
		if s.Effect == "Deny" {
			return denies
		}
		out = allows
	}
	return out
}

// reaches says whether a statement is about the caller by name (or everybody),
// or about the caller's account as a whole. A Deny of an account denies every
// principal in it; an Allow of it only delegates.
func (c *Cloud) reaches(s *statement, r request) (name, account bool) {
	if s.NotPrincipal != nil {
		name, account := c.lists(s.NotPrincipal, r.caller)
		return !name && !account, false
	}
	return c.lists(s.Principal, r.caller)
}

func (c *Cloud) lists(p *principals, w Caller) (name, account bool) {
	for _, v := range p.who["AWS"] {
		switch v {
		case "*", w.id, w.ARN():
			name = true
		case "arn:aws:iam::" + w.Account() + ":root":
			if w.id == "" {
				name = true
			} else {
				account = true
			}
		}
	}
	return name, account
}

func actionMatches(s *statement, action string) bool {
	matches := func(p string) bool { return like(strings.ToLower(p), strings.ToLower(action)) }
	if len(s.NotAction) > 0 {
		return !slices.ContainsFunc(s.NotAction, matches)
	}
	return slices.ContainsFunc(s.Action, matches)
}

func resourceMatches(s *statement, resource string) bool {
	matches := func(p string) bool { return like(p, resource) }
	if len(s.NotResource) > 0 {
		return !slices.ContainsFunc(s.NotResource, matches)
	}
	return slices.ContainsFunc(s.Resource, matches)
}

// like matches IAM's wildcards: * for any text, ? for one character.
func like(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p, i = p+1, i+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Can says whether a principal, a role, user or account root of any account,
// may now do something to a key, by the key's newest policy, its state, and the
// principal's own policies; if not, why. A principal of another account is
// taken to have the permission on its own side.
func (c *Cloud) Can(principal, action, keyARN string) (bool, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.keys[keyARN]
	if k == nil {
		return false, "the key does not exist"
	}
	w := Caller{Principal: principal, Session: "session", id: c.iam.ids[principal]}
	if w.id == "" && !rootARN.MatchString(principal) {
		return false, "the principal does not exist"
	}
	if f := k.usable(strings.TrimPrefix(action, "kms:")); f != nil {
		return false, f.message
	}
	r := c.newRequest(w, action, keyARN, nil)
	if accountOf(keyARN) != w.Account() {
		name, account := c.weigh(k.now().policy, r)
		if name == denies {
			return false, "an explicit deny in the key policy"
		}
		return name == allows || account, "no statement of the key policy allows it"
	}
	d := c.decide(k.now().policy, r)
	return d.allowed, d.why
}

// sortedKeys lists a map's keys in order, for answers that must not depend on
// Go's own.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
