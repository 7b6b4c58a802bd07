package awstest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// operation is one operation of the KMS API.
type operation struct {
	run        func(*Cloud, *call) (any, *failure)
	reads      bool // changes nothing, so no event
	noKey      bool // is about no existing key
	ownAccount bool // not allowed on keys of other accounts
}

var operations = map[string]operation{
	"GetKeyPolicy":        {run: getKeyPolicy, reads: true, ownAccount: true},
	"PutKeyPolicy":        {run: putKeyPolicy, ownAccount: true},
	"ListKeyPolicies":     {run: listKeyPolicies, reads: true, ownAccount: true},
	"DescribeKey":         {run: describeKey, reads: true},
	"EnableKey":           {run: enableKey, ownAccount: true},
	"DisableKey":          {run: disableKey, ownAccount: true},
	"ScheduleKeyDeletion": {run: scheduleKeyDeletion, ownAccount: true},
	"CancelKeyDeletion":   {run: cancelKeyDeletion, ownAccount: true},
	"ListGrants":          {run: listGrants, reads: true},
	"CreateGrant":         {run: createGrant},
	"RevokeGrant":         {run: revokeGrant},
	"CreateKey":           {run: createKey, noKey: true},
	"ReplicateKey":        {run: replicateKey, ownAccount: true},
	"GetPublicKey":        {run: getPublicKey, reads: true},
	"Sign":                {run: sign, reads: true},
}

const policyName = "default"

func getKeyPolicy(c *Cloud, k *call) (any, *failure) {
	if k.in.PolicyName != "" && k.in.PolicyName != policyName {
		return nil, refuse("NotFoundException", "Policy %s does not exist", k.in.PolicyName)
	}
	return map[string]any{"Policy": c.show(c.read(k).policy, k.fate.N), "PolicyName": policyName}, nil
}

func listKeyPolicies(*Cloud, *call) (any, *failure) {
	return map[string]any{"PolicyNames": []string{policyName}, "Truncated": false}, nil
}

func putKeyPolicy(c *Cloud, k *call) (any, *failure) {
	if k.in.PolicyName != "" && k.in.PolicyName != policyName {
		return nil, refuse("ValidationException", "The only valid policy name is %q.", policyName)
	}
	doc, f := c.admit(k.in.Policy, k.arn)
	if f != nil {
		return nil, f
	}
	if f := c.lockout(k, doc); f != nil {
		return nil, f
	}
	before := c.show(k.key.now().policy, 0)
	c.set(k.key, k.fate.N, func(v *version) { v.policy = doc })
	c.writes = append(c.writes, Write{Key: k.arn, Caller: k.who.Principal, At: c.opts.Now(), Before: before, After: c.show(doc, 0)})
	return nil, nil
}

// lockout is the safety check: whoever writes a policy must be able to write
// the next one by it. A statement for the caller's account counts, because the
// key policy is all that the check looks at
// (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#allow-access-lockout).
func (c *Cloud) lockout(k *call, doc *document) *failure {
	if k.in.BypassPolicyLockoutSafetyCheck {
		return nil
	}
	next := c.newRequest(k.who, "kms:PutKeyPolicy", k.arn, k.context())
	name, account := c.weigh(doc, next)
	if name != allows && !account {
		return malformed(locksOut)
	}
	return nil
}

func enableKey(c *Cloud, k *call) (any, *failure)  { return c.turnTo(k, Enabled) }
func disableKey(c *Cloud, k *call) (any, *failure) { return c.turnTo(k, Disabled) }

func (c *Cloud) turnTo(k *call, state string) (any, *failure) {
	c.set(k.key, k.fate.N, func(v *version) { v.state, v.deletion = state, time.Time{} })
	// Since December 2022 some of these records carry the ARN, others null.
	if c.Chance(k.name, k.arn, "response", k.fate.N) < 0.5 {
		k.extra = map[string]any{"keyId": k.arn}
	}
	return nil, nil
}

func scheduleKeyDeletion(c *Cloud, k *call) (any, *failure) {
	days := 30
	if k.in.PendingWindowInDays != nil {
		days = *k.in.PendingWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, refuse("ValidationException", "PendingWindowInDays must be between 7 and 30")
	}
	at := c.opts.Now().AddDate(0, 0, days)
	out := map[string]any{"KeyId": k.arn, "KeyState": PendingDeletion, "DeletionDate": epoch(at), "PendingWindowInDays": days}
	k.extra = map[string]any{"keyId": k.arn, "keyState": PendingDeletion, "deletionDate": at.UTC().Format("Jan 2, 2006 15:04:05 PM"), "pendingWindowInDays": days}
	state := PendingDeletion
	if k.key.multi == "PRIMARY" && len(k.key.related) > 0 {
		state = PendingReplicas
		delete(out, "DeletionDate")
		delete(k.extra, "deletionDate")
		out["KeyState"], k.extra["keyState"] = state, state
	}
	c.set(k.key, k.fate.N, func(v *version) { v.state, v.deletion = state, at })
	return out, nil
}

// cancelKeyDeletion leaves the key disabled
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html).
func cancelKeyDeletion(c *Cloud, k *call) (any, *failure) {
	c.set(k.key, k.fate.N, func(v *version) { v.state, v.deletion = Disabled, time.Time{} })
	k.extra = map[string]any{"keyId": k.arn}
	return map[string]any{"KeyId": k.arn}, nil
}

func describeKey(c *Cloud, k *call) (any, *failure) {
	v := c.read(k)
	return map[string]any{"KeyMetadata": k.key.metadata(v)}, nil
}

func (k *key) metadata(v version) map[string]any {
	m := map[string]any{
		"AWSAccountId": accountOf(k.arn), "KeyId": k.id(), "Arn": k.arn, "CreationDate": epoch(k.created),
		"Enabled": v.state == Enabled, "Description": k.description, "KeyUsage": k.usage, "KeyState": v.state,
		"Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": k.spec, "CustomerMasterKeySpec": k.spec, "MultiRegion": k.multi != "",
	}
	if k.signer == nil {
		m["EncryptionAlgorithms"] = []string{"SYMMETRIC_DEFAULT"}
	} else {
		m["SigningAlgorithms"] = []string{"ECDSA_SHA_256"}
	}
	if v.state == PendingDeletion {
		m["DeletionDate"] = epoch(v.deletion)
	}
	if k.multi != "" {
		m["MultiRegionConfiguration"] = k.relations()
	}
	return m
}

func (k *key) relations() map[string]any {
	entry := func(arn string) map[string]string {
		return map[string]string{"Arn": arn, "Region": strings.Split(arn, ":")[3]}
	}
	primary, replicas := k.arn, k.related
	if k.multi == "REPLICA" {
		primary, replicas = k.related[0], []string{k.arn}
	}
	list := []map[string]string{}
	for _, r := range replicas {
		list = append(list, entry(r))
	}
	return map[string]any{"MultiRegionKeyType": k.multi, "PrimaryKey": entry(primary), "ReplicaKeys": list}
}

// epoch is a time as JSON 1.1 carries it: seconds with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func listGrants(_ *Cloud, k *call) (any, *failure) {
	list := []map[string]any{}
	for _, g := range k.key.grants {
		if k.in.GranteePrincipal != "" && k.in.GranteePrincipal != g.grantee {
			continue
		}
		e := map[string]any{"KeyId": k.arn, "GrantId": g.id, "GranteePrincipal": g.grantee, "Operations": g.operations,
			"IssuingAccount": "arn:aws:iam::" + accountOf(k.arn) + ":root", "CreationDate": epoch(g.created), "Name": g.name}
		if g.retiring != "" {
			e["RetiringPrincipal"] = g.retiring
		}
		if g.constraints != nil {
			e["Constraints"] = g.constraints
		}
		list = append(list, e)
	}
	return map[string]any{"Grants": list, "Truncated": false}, nil
}

func createGrant(c *Cloud, k *call) (any, *failure) {
	if _, ok := c.iam.store(k.in.GranteePrincipal, false); !ok || k.in.GranteePrincipal == "*" {
		return nil, refuse("InvalidArnException", "ARN does not refer to a valid principal: %s", k.in.GranteePrincipal)
	}
	if len(k.in.Operations) == 0 {
		return nil, refuse("ValidationException", "Operations must not be empty")
	}
	g := grant{id: fmt.Sprintf("%016x%016x", chaostest.Hash(c.opts.Seed, "grant", k.arn, k.fate.N), chaostest.Hash(c.opts.Seed, "grant2", k.arn, k.fate.N)),
		grantee: k.in.GranteePrincipal, retiring: k.in.RetiringPrincipal, name: k.in.Name,
		operations: k.in.Operations, constraints: k.in.Constraints, created: c.opts.Now()}
	k.key.grants = append(k.key.grants, g)
	k.extra = map[string]any{"grantId": g.id, "keyId": k.arn}
	return map[string]any{"GrantId": g.id, "GrantToken": "token-" + g.id}, nil
}

func revokeGrant(_ *Cloud, k *call) (any, *failure) {
	i := slices.IndexFunc(k.key.grants, func(g grant) bool { return g.id == k.in.GrantId })
	if i < 0 {
		return nil, refuse("NotFoundException", "Grant ID %s not found", k.in.GrantId)
	}
	k.key.grants = slices.Delete(k.key.grants, i, i+1)
	return nil, nil
}

func createKey(c *Cloud, k *call) (any, *failure) {
	spec := k.in.KeySpec + k.in.CustomerMasterKeySpec
	if spec != "" && spec != "SYMMETRIC_DEFAULT" && spec != "ECC_NIST_P256" {
		return nil, refuse("UnsupportedOperationException", "KeySpec %s is not supported here", spec)
	}
	id := c.nextIDLocked("key")
	if k.in.MultiRegion {
		id = "mrk-" + strings.ReplaceAll(id, "-", "")
	}
	k.arn = "arn:aws:kms:" + k.region + ":" + k.who.Account() + ":key/" + id
	return c.make(k, NewKey{ARN: k.arn, Policy: k.in.Policy, Signing: spec == "ECC_NIST_P256"}, "KeyMetadata")
}

// make creates a key of a request, under the same lockout check as a change of
// its policy.
func (c *Cloud) make(k *call, n NewKey, member string) (any, *failure) {
	made, f := c.newKey(n)
	if f != nil {
		return nil, f
	}
	check := *k
	check.arn = n.ARN
	if f := c.lockout(&check, made.now().policy); f != nil {
		return nil, f
	}
	made.description = k.in.Description
	c.keys[n.ARN] = made
	k.extra = map[string]any{"keyMetadata": map[string]any{"arn": n.ARN, "keyId": made.id(), "keyState": Enabled}}
	return map[string]any{member: made.metadata(made.now())}, nil
}

func replicateKey(c *Cloud, k *call) (any, *failure) {
	if k.key.multi != "PRIMARY" {
		return nil, refuse("UnsupportedOperationException", "%s is not a multi-Region primary key.", k.arn)
	}
	arn := "arn:aws:kms:" + k.in.ReplicaRegion + ":" + accountOf(k.arn) + ":key/" + k.key.id()
	if k.in.ReplicaRegion == k.region || c.keys[arn] != nil {
		return nil, refuse("AlreadyExistsException", "%s already exists.", arn)
	}
	return c.make(k, NewKey{ARN: arn, Policy: k.in.Policy, Replica: k.arn}, "ReplicaKeyMetadata")
}

func getPublicKey(_ *Cloud, k *call) (any, *failure) {
	if k.key.signer == nil {
		return nil, refuse("UnsupportedOperationException", "%s is not an asymmetric key.", k.arn)
	}
	spki, err := x509.MarshalPKIXPublicKey(&k.key.signer.PublicKey)
	if err != nil {
		return nil, &failure{status: 500, code: "KMSInternalException", message: err.Error()}
	}
	return map[string]any{"KeyId": k.arn, "PublicKey": spki, "KeySpec": k.key.spec, "CustomerMasterKeySpec": k.key.spec, "KeyUsage": k.key.usage, "SigningAlgorithms": []string{"ECDSA_SHA_256"}}, nil
}

func (k *call) messageType() string {
	if k.in.MessageType == "" {
		return "RAW"
	}
	return k.in.MessageType
}

// sign signs at most 4096 bytes, or their digest
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html).
func sign(_ *Cloud, k *call) (any, *failure) {
	if k.key.signer == nil {
		return nil, refuse("InvalidKeyUsageException", "%s key usage is %s which is not valid for Sign.", k.arn, k.key.usage)
	}
	if k.in.SigningAlgorithm != "ECDSA_SHA_256" {
		return nil, refuse("ValidationException", "Algorithm %s and key spec ECC_NIST_P256 are incompatible.", k.in.SigningAlgorithm)
	}
	var sum []byte
	switch n := len(k.in.Message); {
	case n == 0 || n > 4096:
		return nil, refuse("ValidationException", "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length between 1 and 4096")
	case k.messageType() == "RAW":
		s := sha256.Sum256(k.in.Message)
		sum = s[:]
	case k.messageType() == "DIGEST" && n == sha256.Size:
		sum = k.in.Message
	default:
		return nil, refuse("ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.")
	}
	sig, err := ecdsa.SignASN1(rand.Reader, k.key.signer, sum)
	if err != nil {
		return nil, &failure{status: 500, code: "KMSInternalException", message: err.Error()}
	}
	return map[string]any{"KeyId": k.arn, "Signature": sig, "SigningAlgorithm": "ECDSA_SHA_256"}, nil
}
