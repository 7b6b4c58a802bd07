package azuretest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/emulatortest"
)

// What Options leave open.
const (
	DefaultTenant       = "0aa00aaa-1111-4222-8333-444455556666"
	DefaultSubscription = "11112222-3333-4444-8555-666677778888"
	DefaultLocation     = "westeurope"
	// LocalToken is what a built function shows to an emulator on loopback.
	LocalToken = "byokwatch-local"

	// maxAssignments is the most that a subscription holds
	// (https://learn.microsoft.com/azure/role-based-access-control/troubleshoot-limits).
	maxAssignments = 4000
)

// Options say what kind of Azure this is. The zero value is a strict and healthy
// one on the real clock.
type Options struct {
	Tenant, Subscription string
	// ManagementGroups are the names of those above the subscription, from below.
	ManagementGroups []string
	Seed             uint64
	// Now is the service's clock. Sleep waits, and must end with the context.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Odds are what goes wrong by chance; Inject makes single faults happen.
	Odds chaostest.Odds
	// PageSize is how many items a page of a list has; 0 means as many as Azure's
	// do: 25 keys and versions, 200 of everything else.
	PageSize int
	// MaxAssignments is the most role assignments that there may be; 0 means
	// 4,000.
	MaxAssignments int
	// Events receives every event, in the goroutine that serves the call, and so
	// must not wait for anything. Cloud.Events keeps them as well.
	Events func(Event)
}

// Cloud is one emulated Azure: one tenant with one subscription. Its zero value
// is not usable; call New. All methods are safe for concurrent use. Resource IDs
// may be given in any casing, as to Azure.
type Cloud struct {
	opts Options
	dice *chaostest.Dice

	mu          sync.Mutex
	callers     map[string]Caller  // by token
	members     map[string]*member // by object ID
	parents     map[string]string  // by folded scope
	groups      map[string]string  // resource groups as they are spelled, by folded ID
	vaults      map[string]*vault  // by folded ID
	deleted     map[string]*vault  // soft-deleted ones, by folded ID
	customs     map[string]*custom // roles by GUID
	assignments []*entry           // in the order in which they were made
	byID        map[string]*entry  // by folded ID
	newest      *entry             // the one that was changed last
	denies      []*deny
	storage     map[string]string // resource IDs of storage accounts, by name
	uses        []Use
	writes      []Write
	events      []Event
	serial      uint64
}

// New makes an Azure without any vaults.
func New(o Options) *Cloud {
	for _, d := range []struct {
		set   *string
		value string
	}{{&o.Tenant, DefaultTenant}, {&o.Subscription, DefaultSubscription}} {
		if *d.set == "" {
			*d.set = d.value
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = emulatortest.Sleep
	}
	if o.MaxAssignments <= 0 {
		o.MaxAssignments = maxAssignments
	}
	c := &Cloud{opts: o, dice: chaostest.NewDice(o.Seed, o.Odds), callers: map[string]Caller{}, members: map[string]*member{}, parents: map[string]string{},
		groups: map[string]string{}, vaults: map[string]*vault{}, deleted: map[string]*vault{}, customs: map[string]*custom{}, byID: map[string]*entry{}, storage: map[string]string{}}
	scope := fold(c.Subscription())
	for _, name := range o.ManagementGroups {
		c.parents[scope] = fold(ManagementGroup(name))
		scope = c.parents[scope]
	}
	return c
}

// Calls counts the requests that reached an operation so far, whatever became of
// them; op "" counts all operations. Those of people (see As) don't count.
func (c *Cloud) Calls(op string) int { return c.dice.Calls(op) }

// Inject queues a fault. Its Op is an operation as Calls knows it, its Resource
// an ID.
func (c *Cloud) Inject(f chaostest.Fault) {
	if f.Resource != "" {
		f.Resource = fold(f.Resource)
	}
	c.dice.Inject(f)
}

// Heal forgets the injected faults that have not happened yet.
func (c *Cloud) Heal() { c.dice.Heal() }

// SetOdds changes what goes wrong by chance, from the next call on.
func (c *Cloud) SetOdds(o chaostest.Odds) { c.dice.SetOdds(o) }

// plane is one of Azure's two ways to a key vault.
type plane int

const (
	managementPlane plane = iota
	dataPlane
)

// call is one request on its way.
type call struct {
	route          *route
	id             string // of the resource, in lower case
	path           string // as it was sent, without the host
	method, rawURL string
	base           string // scheme and host, and what else stands before path
	rawQuery       string
	query          parameters
	vars           []string // what the route's pattern captured
	vault          *vault   // of calls on the data plane
	who            Caller
	person         bool // spared by faults
	body           []byte
	fate           chaostest.Fate
	status         int
	by             *assignment // that let it pass
	events         []Event
}

// parameters holds the first value of each parameter of a query.
type parameters map[string]string

// Get is the value of a parameter, whose name's case does not count.
func (m parameters) Get(name string) string { return m[strings.ToLower(name)] }

// ServeHTTP serves every service.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	k, f := c.find(r)
	if f != nil {
		c.dice.Fate("", r.URL.Path) // it counts as a call all the same
		answer(w, 0, nil, f)
		return
	}
	k.body, k.status = body, http.StatusOK
	if k.person = r.Context().Value(spared{}) != nil; !k.person {
		k.fate = c.dice.Fate(k.route.op, k.id)
	}
	if c.opts.Sleep(r.Context(), k.fate.Slow) != nil || k.fate.Kind == chaostest.Dropped {
		panic(http.ErrAbortHandler)
	}
	if f := failureOf(k.fate, k.route.plane); f != nil {
		answer(w, 0, nil, f)
		return
	}
	if f := c.authenticate(k, r); f != nil {
		answer(w, 0, nil, f)
		return
	}
	out, f := c.perform(k)
	for _, e := range k.events {
		if c.opts.Events != nil {
			c.opts.Events(e)
		}
	}
	if k.fate.Kind == chaostest.Lost {
		panic(http.ErrAbortHandler)
	}
	c.head(w, k)
	answer(w, k.status, out, f)
}

// head sets what every answer has.
func (c *Cloud) head(w http.ResponseWriter, k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("X-Ms-Request-Id", c.guid("request"))
	if k.route.plane == managementPlane {
		w.Header().Set("X-Ms-Correlation-Request-Id", c.guid("correlation"))
		w.Header().Set("X-Ms-Ratelimit-Remaining-Subscription-Reads", "11999")
	}
}

// audiences are whom a token must be meant for.
var audiences = map[plane][]string{
	managementPlane: {"https://management.azure.com", "https://management.core.windows.net", "https://management.usgovcloudapi.net", "https://management.chinacloudapi.cn"},
	dataPlane:       {"https://vault.azure.net", "https://vault.usgovcloudapi.net", "https://vault.azure.cn"},
}

// authenticate finds out who calls. Key Vault answers whoever shows no token
// with a challenge, by which clients learn the tenant and the audience
// (https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses).
func (c *Cloud) authenticate(k *call, r *http.Request) *Failure {
	token, shown := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, audience, _ := strings.Cut(token, "|")
	c.mu.Lock()
	who, known := c.callers[token]
	c.mu.Unlock()
	if !shown && k.route.plane == dataPlane || !known || audience != "" && !slices.Contains(audiences[k.route.plane], strings.TrimSuffix(audience, "/")) {
		return c.challenge(k.route.plane, shown)
	}
	if who.Agent == "" {
		who.Agent = r.UserAgent()
	}
	k.who = who
	return nil
}

func (c *Cloud) challenge(p plane, shown bool) *Failure {
	login := "https://login.microsoftonline.com/" + c.opts.Tenant
	if p == dataPlane {
		f := fail(http.StatusUnauthorized, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
		if shown {
			f.Message = "AKV10022: Invalid audience. Expected https://vault.azure.net."
		}
		f.challenge = `Bearer authorization="` + login + `", resource="https://vault.azure.net"`
		return f
	}
	f := fail(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	if shown {
		f = fail(http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid.")
	}
	f.challenge = `Bearer authorization_uri="` + login + `", error="invalid_token", error_description="` + f.Message + `"`
	return f
}

// perform authorizes and runs an operation under the lock, and keeps what the
// events tell of it.
func (c *Cloud) perform(k *call) (any, *Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := k.route.admit(c, k); f != nil {
		return nil, f
	}
	out, f := k.route.run(c, k)
	if f == nil && !k.route.reads && k.status != http.StatusNoContent && k.route.plane == managementPlane {
		c.tell(k)
	}
	c.events = append(c.events, k.events...)
	return out, f
}

// seenFrom draws when reads show a write. Call with the lock held.
func (c *Cloud) seenFrom(k *call) time.Time {
	n := k.fate.N
	if k.person {
		c.serial++
		n = c.serial
	}
	return c.dice.SeenFrom(k.route.op, k.id, n, c.opts.Now())
}
