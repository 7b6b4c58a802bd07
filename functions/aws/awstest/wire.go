package awstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"byokwatch/core/watchdog/chaostest"
)

// failure is an error answer of a JSON 1.1 service.
type failure struct {
	status        int
	code, message string
}

func refuse(code, format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// answer writes a JSON 1.1 answer: out where f is nil; nothing at all where out
// is nil too, as KMS does for operations without output.
func answer(w http.ResponseWriter, requestID string, f *failure, out any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", requestID)
	if f != nil {
		name := "message"
		if f.code == "AccessDeniedException" {
			name = "Message" // KMS spells it so where authorization answers
		}
		w.WriteHeader(f.status)
		out = map[string]string{"__type": f.code, name: f.message}
	}
	if out == nil {
		return
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(fmt.Sprintf("awstest: answer %T does not marshal: %v", out, err))
	}
	_, _ = w.Write(body) // a client that is gone misses its answer, as everywhere
}

// input is the union of the parameters of all operations here.
type input struct {
	KeyId, PolicyName, Policy, Description   string
	BypassPolicyLockoutSafetyCheck           bool
	PendingWindowInDays                      *int
	GrantId, GranteePrincipal                string
	RetiringPrincipal, Name                  string
	Operations                               []string
	Constraints                              json.RawMessage
	Message                                  []byte
	MessageType, SigningAlgorithm            string
	KeySpec, CustomerMasterKeySpec, KeyUsage string
	MultiRegion                              bool
	ReplicaRegion                            string
}

// call is one request as it goes through an operation.
type call struct {
	op     operation
	name   string
	region string
	who    Caller
	in     input
	arn    string // of the key that the request means, whether it exists or not
	key    *key
	fate   chaostest.Fate // N orders what KMS orders at will
	id     string
	extra  map[string]any // responseElements of the event, where there are any
}

// serveKMS answers one request of the KMS API, JSON 1.1.
func (c *Cloud) serveKMS(w http.ResponseWriter, r *http.Request, s scope) {
	id := c.nextID("request")
	k, f := c.open(r, s)
	if f != nil {
		answer(w, id, f, nil)
		return
	}
	k.id = id
	k.fate = c.Fate(k.name, k.arn)
	if err := c.opts.Sleep(r.Context(), k.fate.Slow); err != nil || k.fate.Kind == chaostest.Dropped {
		panic(http.ErrAbortHandler)
	}
	if c.overQuota(s.region, k.name) {
		answer(w, id, refuse("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."), nil)
		return
	}
	if f := doomed(k.fate); f != nil {
		answer(w, id, f, nil)
		return
	}
	out, f, event := c.perform(k)
	defer c.deliver(event)
	if k.fate.Kind == chaostest.Lost {
		panic(http.ErrAbortHandler)
	}
	answer(w, id, f, out)
}

// open reads a request as far as it can be read without looking at any key.
func (c *Cloud) open(r *http.Request, s scope) (*call, *failure) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	op, known := operations[name]
	if !ok || !known || r.Method != http.MethodPost || r.URL.Path != "/" {
		return nil, refuse("UnknownOperationException", "")
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/x-amz-json-1.1" {
		return nil, refuse("UnknownOperationException", "content type %q", ct)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	who, f := c.authenticate(r, s)
	if f != nil {
		return nil, f
	}
	k := &call{op: op, name: name, region: s.region, who: who}
	if err := json.Unmarshal(body, &k.in); err != nil {
		return nil, refuse("SerializationException", "%v", err)
	}
	if op.noKey {
		return k, nil
	}
	k.arn, f = resolve(k.in.KeyId, s.region, who.Account())
	return k, f
}

// perform runs an operation under the lock: find the key, authorize, check the
// key's state, act; and says what CloudTrail tells of it.
func (c *Cloud) perform(k *call) (any, *failure, *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, f := c.run(k)
	if f != nil && k.who.Account() != accountOf(k.arn) && k.arn != "" {
		return nil, f, nil // logged in the caller's account only
	}
	if k.op.reads {
		return out, f, nil
	}
	e := c.event(k, f)
	c.events = append(c.events, *e)
	return out, f, e
}

func (c *Cloud) run(k *call) (any, *failure) {
	k.key = c.alive(k.arn)
	foreign := !k.op.noKey && accountOf(k.arn) != k.who.Account()
	if !k.op.noKey && k.key == nil && !foreign {
		c.use(k, false)
		return nil, refuse("NotFoundException", "Key '%s' does not exist", k.arn)
	}
	d := c.authorize(k)
	c.use(k, d.allowed)
	if !d.allowed {
		on := ""
		if !k.op.noKey {
			on = " on resource: " + k.arn
		}
		return nil, refuse("AccessDeniedException", "User: %s is not authorized to perform: kms:%s%s %s", k.who.ARN(), k.name, on, d.why)
	}
	if foreign && k.op.ownAccount {
		return nil, refuse("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s because the operation is not supported across accounts", k.who.ARN(), k.name, k.arn)
	}
	if k.key != nil {
		if f := k.key.usable(k.name); f != nil {
			return nil, f
		}
	}
	return k.op.run(c, k)
}

func (c *Cloud) authorize(k *call) decision {
	r := c.newRequest(k.who, "kms:"+k.name, k.arn, k.context())
	if k.op.noKey {
		r.resource = "*"
		for _, p := range c.iam.policies[k.who.Principal] {
			if weighIdentity(p, r) == allows {
				return decision{true, ""}
			}
		}
		return decision{rootARN.MatchString(k.who.Principal), "because no identity-based policy allows the kms:" + k.name + " action"}
	}
	if k.key == nil {
		return decision{false, "because no resource-based policy allows the kms:" + k.name + " action"}
	}
	d := c.decide(k.key.now().policy, r)
	if !d.allowed && !strings.Contains(d.why, "explicit deny") && k.key.granted(k.who, k.name) {
		return decision{true, ""}
	}
	return d
}

// context is what a policy may bind this request to.
func (k *call) context() map[string]string {
	switch k.name {
	case "PutKeyPolicy", "CreateKey", "ReplicateKey":
		return map[string]string{"kms:BypassPolicyLockoutSafetyCheck": fmt.Sprint(k.in.BypassPolicyLockoutSafetyCheck)}
	case "CreateGrant", "RevokeGrant", "ListGrants":
		return map[string]string{"kms:GrantIsForAWSResource": "false"}
	case "Sign":
		return map[string]string{"kms:SigningAlgorithm": k.in.SigningAlgorithm, "kms:MessageType": k.messageType()}
	}
	return nil
}

func (c *Cloud) use(k *call, allowed bool) {
	c.actions = append(c.actions, Action{Caller: k.who.Principal, Name: "kms:" + k.name, Resource: k.arn, Context: k.context(), At: c.opts.Now(), Allowed: allowed})
}
