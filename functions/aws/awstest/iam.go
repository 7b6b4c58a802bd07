package awstest

import (
	"fmt"
	"regexp"
	"strings"
)

// iam is the part of IAM that a key policy depends on: who exists, under which
// unique ID, and what their own policies allow. It spans all accounts.
type iam struct {
	accounts map[string]bool
	ids      map[string]string // principal ARN -> unique ID, of those that exist
	arns     map[string]string // unique ID -> principal ARN, of those that exist
	policies map[string][]*document
	born     uint64
}

func newIAM() iam {
	return iam{accounts: map[string]bool{}, ids: map[string]string{}, arns: map[string]string{}, policies: map[string][]*document{}}
}

func (m *iam) account(id string) { m.accounts[id] = true }

// create gives a principal a unique ID that no other ever had: a role that is
// deleted and created again is another one
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids).
func (m *iam) create(arn string) {
	if m.ids[arn] != "" {
		return
	}
	m.born++
	prefix := "AROA"
	if strings.Contains(arn, ":user/") {
		prefix = "AIDA"
	}
	id := fmt.Sprintf("%sEMULATED%09d", prefix, m.born)
	m.ids[arn], m.arns[id] = id, arn
	m.account(accountOf(arn))
}

func (m *iam) remove(arn string) {
	delete(m.arns, m.ids[arn])
	delete(m.ids, arn)
	delete(m.policies, arn)
}

func (m *iam) arn(id string) string { return m.arns[id] }

var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	rootARN    = regexp.MustCompile(`^arn:aws:iam::([0-9]{12}):root$`)
	entityARN  = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:(role|user)/[\x21-\x7e]+$`)
	sessionARN = regexp.MustCompile(`^arn:aws:sts::([0-9]{12}):assumed-role/([\w+=,.@-]+)/([\w+=,.@-]+)$`)
)

// accountOf is the fifth field of an ARN.
func accountOf(arn string) string {
	if p := strings.SplitN(arn, ":", 6); len(p) == 6 {
		return p[4]
	}
	return ""
}

// roleNamed finds a role by account and name. Session ARNs drop the path.
func (m *iam) roleNamed(account, name string) string {
	for arn := range m.ids {
		if strings.HasPrefix(arn, "arn:aws:iam::"+account+":role/") && strings.HasSuffix(arn, "/"+name) {
			return arn
		}
	}
	return ""
}

// store turns one value of {"AWS": …} into what KMS keeps: unique IDs of roles
// and users, everything else as it is. False means that there is no such
// principal, which is what an orphaned unique ID amounts to
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html).
func (m *iam) store(value string, sessionsAsRoles bool) (string, bool) {
	switch {
	case value == "*":
		return value, true
	case accountID.MatchString(value):
		return "arn:aws:iam::" + value + ":root", m.accounts[value]
	case rootARN.MatchString(value):
		return value, m.accounts[accountOf(value)]
	case entityARN.MatchString(value):
		id := m.ids[value]
		return id, id != ""
	}
	if s := sessionARN.FindStringSubmatch(value); s != nil {
		role := m.roleNamed(s[1], s[2])
		if sessionsAsRoles && role != "" {
			return m.ids[role], true
		}
		return value, role != ""
	}
	return "", false // groups, unique IDs, wildcards, other partitions
}

// show is the reverse of store: the ARN of whoever still exists, else the bare
// unique ID.
func (m *iam) show(stored string) string {
	if arn := m.arns[stored]; arn != "" {
		return arn
	}
	return stored
}

// Create makes a role or user exist. Confluent's are created in their own
// accounts just so.
func (c *Cloud) Create(arns ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, arn := range arns {
		if rootARN.MatchString(arn) {
			c.iam.account(accountOf(arn))
			continue
		}
		if !entityARN.MatchString(arn) {
			panic("awstest: not the ARN of a role, user or account root: " + arn)
		}
		c.iam.create(arn)
	}
}

// Delete removes roles or users. Policies that name them show their unique IDs
// from now on, and creating them again does not bring them back.
func (c *Cloud) Delete(arns ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, arn := range arns {
		c.iam.remove(arn)
	}
}

// Attach gives a role or user an identity policy, in addition to those it has.
// Without one it may do what a key policy allows it by name and nothing else.
func (c *Cloud) Attach(principal, policy string) error {
	doc, err := parseIdentity([]byte(policy))
	if err != nil {
		return fmt.Errorf("identity policy of %s: %w", principal, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.iam.ids[principal] == "" {
		return fmt.Errorf("identity policy of %s: no such role or user", principal)
	}
	c.iam.policies[principal] = append(c.iam.policies[principal], doc)
	return nil
}

// Caller is somebody with credentials.
type Caller struct {
	AccessKey string
	Principal string // ARN of the role, user or account root
	Session   string // of a role
	// Details that only CloudTrail tells of.
	SourceIdentity string
	Via            string // a service that calls on the caller's behalf
	Console        bool
	Address, Agent string

	id string // unique ID at the time of Login; "" for an account's root
}

// Account is the account that the caller belongs to.
func (w Caller) Account() string { return accountOf(w.Principal) }

// ARN is how AWS names the caller in messages and events.
func (w Caller) ARN() string {
	if w.Session == "" {
		return w.Principal
	}
	name := w.Principal[strings.LastIndexByte(w.Principal, '/')+1:]
	return "arn:aws:sts::" + w.Account() + ":assumed-role/" + name + "/" + w.Session
}

// Login hands out credentials: from now on requests signed with the access key
// come from this caller. The principal must exist; a role without a session
// name gets one.
func (c *Cloud) Login(w Caller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !rootARN.MatchString(w.Principal) {
		w.id = c.iam.ids[w.Principal]
		if w.id == "" {
			panic("awstest: log in as somebody who does not exist: " + w.Principal)
		}
		if strings.Contains(w.Principal, ":role/") && w.Session == "" {
			w.Session = "session"
		}
	}
	c.callers[w.AccessKey] = w
}
