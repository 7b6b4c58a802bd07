package awstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// Key states (https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html).
const (
	Enabled         = "Enabled"
	Disabled        = "Disabled"
	PendingDeletion = "PendingDeletion"
	PendingImport   = "PendingImport"
	Unavailable     = "Unavailable"
	PendingReplicas = "PendingReplicaDeletion"
)

// key is one KMS key in one Region. A replica of a multi-Region key is a key of
// its own, with its own policy, state and grants
// (https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html#mrk-sync-properties).
type key struct {
	arn, description string
	created          time.Time
	usage, spec      string
	multi            string // PRIMARY, REPLICA or nothing
	related          []string
	history          chaostest.History[version]
	grants           []grant
	signer           *ecdsa.PrivateKey
	aliases          []string
}

// version is what a key was from one write to the next.
type version struct {
	policy   *document
	state    string
	deletion time.Time
}

type grant struct {
	id, grantee, retiring, name string
	operations                  []string
	constraints                 json.RawMessage
	created                     time.Time
}

func (k *key) now() version { return k.history.Now() }
func (k *key) id() string   { return k.arn[strings.LastIndexByte(k.arn, '/')+1:] }

// set makes a new version; reads may lag behind it for a while.
func (c *Cloud) set(k *key, turn uint64, change func(*version)) {
	v := k.now()
	change(&v)
	k.history.Set(v, c.opts.Now().Add(c.Lag("set", k.arn, "lag", turn)))
}

// read is what one read shows of a key: usually the newest version, else an
// older one (https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency).
func (c *Cloud) read(k *call) version {
	if k.fate.Ahead {
		return k.key.now()
	}
	return k.key.history.At(c.opts.Now(), k.fate.Kind == chaostest.Stale)
}

// usable refuses an operation that the key's state forbids.
func (k *key) usable(op string) *failure {
	state := k.now().state
	ok := func(states ...string) bool { return slices.Contains(states, state) }
	switch op {
	case "GetKeyPolicy", "PutKeyPolicy", "DescribeKey", "ListKeyPolicies", "ListGrants", "RevokeGrant":
		return nil
	case "EnableKey", "DisableKey":
		if ok(Enabled, Disabled) {
			return nil
		}
	case "ScheduleKeyDeletion":
		if !ok(PendingDeletion, PendingReplicas) {
			return nil
		}
	case "CancelKeyDeletion":
		if ok(PendingDeletion, PendingReplicas) {
			return nil
		}
		return refuse("KMSInvalidStateException", "%s is not pending deletion.", k.arn)
	default:
		if ok(Enabled) {
			return nil
		}
		if ok(Disabled) {
			return refuse("DisabledException", "%s is disabled.", k.arn)
		}
	}
	words := map[string]string{PendingDeletion: "is pending deletion", PendingReplicas: "is pending replica deletion", PendingImport: "is pending import", Unavailable: "is unavailable"}
	return refuse("KMSInvalidStateException", "%s %s.", k.arn, words[state])
}

func (k *key) granted(w Caller, op string) bool {
	return slices.ContainsFunc(k.grants, func(g grant) bool {
		return (g.grantee == w.Principal || g.grantee == w.ARN()) && slices.Contains(g.operations, op)
	})
}

// alive finds a key that was not deleted by now. Call with the lock held.
func (c *Cloud) alive(arn string) *key {
	k := c.keys[arn]
	if k == nil {
		return nil
	}
	if v := k.now(); v.state == PendingDeletion && !c.opts.Now().Before(v.deletion) {
		delete(c.keys, arn)
		return nil
	}
	return k
}

var (
	keyID  = regexp.MustCompile(`^(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
	keyARN = regexp.MustCompile(`^arn:aws:kms:([a-z0-9-]+):([0-9]{12}):key/([^/:]+)$`)
)

// resolve turns the KeyId of a request into an ARN. Aliases are not accepted
// here, as by the operations on key policies.
func resolve(id, region, account string) (string, *failure) {
	switch m := keyARN.FindStringSubmatch(id); {
	case id == "":
		return "", refuse("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	case keyID.MatchString(id):
		return "arn:aws:kms:" + region + ":" + account + ":key/" + id, nil
	case m != nil && m[1] != region:
		return "", refuse("NotFoundException", "Invalid arn %s", m[1])
	case m != nil && keyID.MatchString(m[3]):
		return id, nil
	case strings.HasPrefix(id, "arn:"):
		return "", refuse("InvalidArnException", "Invalid arn %s", id)
	}
	return "", refuse("NotFoundException", "Invalid keyId '%s'", id)
}

// NewKey describes a key to AddKey.
type NewKey struct {
	ARN    string
	Policy string // "" is the default one, which leaves all to the account's IAM
	// Signing makes an ECC_NIST_P256 key for SIGN_VERIFY; otherwise it is a
	// symmetric one.
	Signing bool
	// Replica of the multi-Region key with that ARN.
	Replica string
	// Aliases of the key, for kms:ResourceAliases. Those of keys that AWS manages
	// begin with alias/aws/, and nobody else's do.
	Aliases []string
}

// AddKey makes a key without a request: for what is there before a test begins.
// Its policy passes every check but that for lockout.
func (c *Cloud) AddKey(n NewKey) error {
	m := keyARN.FindStringSubmatch(n.ARN)
	if m == nil || !keyID.MatchString(m[3]) {
		return fmt.Errorf("%q is not the ARN of a KMS key", n.ARN)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[n.ARN] != nil {
		return fmt.Errorf("%s exists", n.ARN)
	}
	c.iam.account(m[2])
	k, f := c.newKey(n)
	if f != nil {
		return fmt.Errorf("%s: %s: %s", n.ARN, f.code, f.message)
	}
	c.keys[n.ARN] = k
	return nil
}

func (c *Cloud) newKey(n NewKey) (*key, *failure) {
	if n.Policy == "" {
		n.Policy = `{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + accountOf(n.ARN) + `:root"},"Action":"kms:*","Resource":"*"}]}`
	}
	doc, f := c.admit(n.Policy, n.ARN)
	if f != nil {
		return nil, f
	}
	k := &key{arn: n.ARN, created: c.opts.Now(), usage: "ENCRYPT_DECRYPT", spec: "SYMMETRIC_DEFAULT", aliases: n.Aliases}
	k.history.Set(version{policy: doc, state: Enabled}, c.opts.Now())
	if strings.HasPrefix(k.id(), "mrk-") {
		k.multi = "PRIMARY"
	}
	if p := c.keys[n.Replica]; p != nil {
		k.multi, k.related = "REPLICA", []string{p.arn}
		p.related = append(p.related, k.arn)
	}
	if n.Signing {
		signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, &failure{status: 500, code: "KMSInternalException", message: err.Error()}
		}
		k.usage, k.spec, k.signer = "SIGN_VERIFY", "ECC_NIST_P256", signer
	}
	return k, nil
}

// SetState puts a key into a state that no request leads to, such as
// Unavailable for one in a disconnected key store.
func (c *Cloud) SetState(arn, state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.keys[arn]
	v := k.now()
	v.state = state
	k.history.Set(v, c.opts.Now())
}

// Policy is the newest policy of a key as GetKeyPolicy will show it, without a
// request. Empty if there is no such key.
func (c *Cloud) Policy(arn string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.alive(arn)
	if k == nil {
		return ""
	}
	return c.show(k.now().policy, 0)
}

// State is the state of a key now, empty if there is no such key.
func (c *Cloud) State(arn string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.alive(arn)
	if k == nil {
		return ""
	}
	return k.now().state
}
