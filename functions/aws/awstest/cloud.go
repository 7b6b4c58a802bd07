package awstest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/emulatortest"
)

// DefaultAccount owns the keys where Options name no other.
const DefaultAccount = "111122223333"

// Options say what kind of AWS this is. The zero value is a strict and healthy
// one on the real clock.
type Options struct {
	Account string // owner of the keys, 12 digits
	// Organizations are the AWS Organizations IDs of accounts that are in one.
	Organizations map[string]string
	Seed          uint64 // of faults and of everything that KMS orders at will
	// Now is the service's clock. Sleep waits, and must end with the context.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Odds are what goes wrong by chance; Inject makes single faults happen.
	Odds chaostest.Odds
	// Events receives every EventBridge event, in the goroutine that serves the
	// call, and so must not wait for anything. Cloud.Events keeps them as well.
	Events func(region string, event []byte)
	// OwnARN lets statements name the key's own ARN as Resource; otherwise only
	// "*" is accepted, as AWS announced for 2025-08-18.
	OwnARN bool
	// RefuseBareStar refuses "Principal": "*" as KMS was seen to do in 2021.
	// Otherwise it is accepted and read back as {"AWS": "*"}.
	RefuseBareStar bool
	// SessionsAsRoles stores the role where a statement names a role session, as
	// one user reports; otherwise the session is kept.
	SessionsAsRoles bool
	// NoQuotas turns off the documented requests per second.
	NoQuotas bool
}

// Cloud is one emulated AWS with all its Regions. Its zero value is not usable;
// call New. All methods are safe for concurrent use.
type Cloud struct {
	*chaostest.Dice
	opts Options

	mu       sync.Mutex
	iam      iam
	callers  map[string]Caller // by access key ID
	keys     map[string]*key   // by ARN
	secrets  map[string]string
	services map[string]http.Handler
	actions  []Action
	writes   []Write
	events   []Event
	spent    map[string]int // requests of this second, by Region and operation
	second   time.Time
	serial   uint64
}

// New makes an empty AWS: no principals, no keys.
func New(o Options) *Cloud {
	if o.Account == "" {
		o.Account = DefaultAccount
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = emulatortest.Sleep
	}
	c := &Cloud{Dice: chaostest.NewDice(o.Seed, o.Odds), opts: o, iam: newIAM(), callers: map[string]Caller{}, keys: map[string]*key{},
		secrets: map[string]string{}, services: map[string]http.Handler{}, spent: map[string]int{}}
	c.iam.account(o.Account)
	return c
}

// Mount adds another service, such as s3, under its name in the credential
// scope of SigV4.
func (c *Cloud) Mount(service string, h http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services[service] = h
}

// ServeHTTP routes a signed request to the service that its signature names.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, err := scopeOf(r)
	if err != nil {
		answer(w, c.nextID("request"), refuse("MissingAuthenticationTokenException", "%v", err), nil)
		return
	}
	switch s.service {
	case "kms":
		c.serveKMS(w, r, s)
	case "secretsmanager":
		c.serveSecrets(w, r, s)
	default:
		c.mu.Lock()
		h := c.services[s.service]
		c.mu.Unlock()
		if h == nil {
			http.Error(w, "no such service here: "+s.service, http.StatusNotFound)
			return
		}
		h.ServeHTTP(w, r)
	}
}

// scope is the credential of a SigV4 signature.
type scope struct{ accessKey, region, service string }

// scopeOf reads the credential scope. The form is that of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
func scopeOf(r *http.Request) (scope, error) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return scope{}, fmt.Errorf("request is missing an AWS4-HMAC-SHA256 signature")
	}
	for field := range strings.SplitSeq(rest, ",") {
		credential, ok := strings.CutPrefix(strings.TrimSpace(field), "Credential=")
		if !ok {
			continue
		}
		p := strings.Split(credential, "/")
		if len(p) != 5 || p[4] != "aws4_request" {
			return scope{}, fmt.Errorf("credential scope %q has another form than KEY/DATE/REGION/SERVICE/aws4_request", credential)
		}
		return scope{accessKey: p[0], region: p[2], service: p[3]}, nil
	}
	return scope{}, fmt.Errorf("signature has no Credential")
}

// authenticate finds who signed a request.
func (c *Cloud) authenticate(r *http.Request, s scope) (Caller, *failure) {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return Caller{}, refuse("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.")
	}
	if skew := c.opts.Now().Sub(at).Abs(); skew > 15*time.Minute {
		return Caller{}, refuse("InvalidSignatureException", "Signature expired: %s is now earlier or later than 15 min. from the service's clock", at.Format("20060102T150405Z"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	who, ok := c.callers[s.accessKey]
	if !ok || (who.id != "" && c.iam.arn(who.id) == "") {
		return Caller{}, refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	return who, nil
}

// nextID returns a UUID that depends on the seed and on what came before.
func (c *Cloud) nextID(kind string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nextIDLocked(kind)
}

func (c *Cloud) nextIDLocked(kind string) string {
	c.serial++
	a, b := chaostest.Hash(c.opts.Seed, kind, "a", c.serial), chaostest.Hash(c.opts.Seed, kind, "b", c.serial)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}
