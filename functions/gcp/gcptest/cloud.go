package gcptest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/emulatortest"
)

// DefaultProject is the project where Options name no other.
const DefaultProject = "acme-prod"

// Options say what kind of Google Cloud this is. The zero value is a strict and
// healthy one on the real clock.
type Options struct {
	Project string // ID of the first project
	// Parents are what stands above it, from below: folders/1, organizations/2.
	Parents []string
	Seed    uint64
	// Now is the service's clock. Sleep waits, and must end with the context.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Odds are what goes wrong by chance; Inject makes single faults happen.
	Odds chaostest.Odds
	// Events receives every audit log entry, in the goroutine that serves the
	// call, and so must not wait for anything. Cloud.Events keeps them as well.
	Events func(Event)
}

// Caller is somebody with a token. Member is in the form of a policy, such as
// serviceAccount:byokwatch@acme-prod.iam.gserviceaccount.com.
type Caller struct {
	Token, Member  string
	Address, Agent string // for the audit log
	// Subject, if set, is logged in place of the address of a caller whom the
	// log must not name.
	Subject string
}

// Cloud is one emulated Google Cloud. Its zero value is not usable; call New.
// All methods are safe for concurrent use.
type Cloud struct {
	*chaostest.Dice
	opts Options

	mu         sync.Mutex
	callers    map[string]Caller // by token
	identities map[string]*identity
	parents    map[string]string // by node
	keys       map[string]*key   // by name
	rings      map[string]bool
	policies   map[string]*chaostest.History[*policy] // by resource
	roles      map[string]*chaostest.History[*role]   // custom ones
	deny       map[string]*denyPolicy                 // by name
	uses       []Use
	writes     []Write
	events     []Event
	serial     uint64
}

// New makes a Google Cloud with one empty project.
func New(o Options) *Cloud {
	if o.Project == "" {
		o.Project = DefaultProject
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = emulatortest.Sleep
	}
	c := &Cloud{Dice: chaostest.NewDice(o.Seed, o.Odds), opts: o, callers: map[string]Caller{}, identities: map[string]*identity{}, parents: map[string]string{},
		keys: map[string]*key{}, rings: map[string]bool{}, policies: map[string]*chaostest.History[*policy]{},
		roles: map[string]*chaostest.History[*role]{}, deny: map[string]*denyPolicy{}}
	c.AddProject(o.Project, o.Parents...)
	return c
}

// AddProject makes a project under the given nodes, listed from below.
func (c *Cloud) AddProject(id string, parents ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	node := "projects/" + id
	for _, p := range append(parents, "") {
		c.parents[node] = p
		node = p
	}
}

// Login lets a token speak for a member. Token "" is that of requests without
// one.
func (c *Cloud) Login(w Caller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.know(w.Member)
	c.callers[w.Token] = w
}

// call is one request on its way.
type call struct {
	route    *route
	resource string
	who      Caller
	body     []byte
	query    url.Values
	fate     chaostest.Fate
	request  map[string]any // as the audit log shows it
	response map[string]any
	service  map[string]any // serviceData of the audit log
}

// decode reads the request's body. Like the real front end it refuses members
// that it does not know.
func (k *call) decode(v any) *failure {
	if len(k.body) == 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(k.body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalid("Invalid JSON payload received. %v", err)
	}
	return nil
}

// ServeHTTP serves every service; their paths tell them apart.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, resource := find(r)
	if at == nil {
		c.Fate("", r.URL.Path) // it counts as a call all the same
		answer(w, nil, absent("The requested URL %s %s was not found on this server.", r.Method, r.URL.Path))
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	k := &call{route: at, resource: resource, body: body, query: r.URL.Query(), fate: c.Fate(at.op, resource)}
	if c.opts.Sleep(r.Context(), k.fate.Slow) != nil || k.fate.Kind == chaostest.Dropped {
		panic(http.ErrAbortHandler)
	}
	if f := doomed(k.fate); f != nil {
		answer(w, nil, f)
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	who, ok := c.callers[token]
	c.mu.Unlock()
	if !ok {
		answer(w, nil, &failure{http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."})
		return
	}
	if who.Agent == "" {
		who.Agent = r.UserAgent()
	}
	k.who = who
	out, f, events := c.perform(k)
	for _, e := range events {
		if c.opts.Events != nil {
			c.opts.Events(e)
		}
	}
	if k.fate.Kind == chaostest.Lost {
		panic(http.ErrAbortHandler)
	}
	answer(w, out, f)
}

// perform authorizes and runs an operation under the lock, and says what the
// audit log tells of it.
func (c *Cloud) perform(k *call) (any, *failure, []Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purge()
	out, f := c.run(k)
	if k.route.reads {
		return out, f, nil
	}
	events := c.log(k, f)
	c.events = append(c.events, events...)
	return out, f, events
}

func (c *Cloud) run(k *call) (any, *failure) {
	if p := k.route.permission(k); p != "" {
		ok, _ := c.allowed(k.who.Member, p, k.resource)
		c.uses = append(c.uses, Use{Caller: k.who.Member, Permission: p, Resource: k.resource, At: c.opts.Now(), Allowed: ok})
		if !ok {
			return nil, k.refusal(p)
		}
	}
	if f := c.exists(k); f != nil {
		return nil, f
	}
	return k.route.run(c, k)
}

// refusal words a 403. Cloud KMS does not tell a key that is not there from one
// that the caller may not see.
func (k *call) refusal(permission string) *failure {
	if k.route.service == kmsService {
		return denied("Permission '%s' denied on resource '%s' (or it may not exist).", permission, k.resource)
	}
	return denied("The caller does not have permission %s on %s.", permission, k.resource)
}

// exists refuses what is not there, to those who may know.
func (c *Cloud) exists(k *call) *failure {
	name := k.resource
	if isVersion.MatchString(name) {
		name = up(name, 2)
	}
	switch {
	case isKey.MatchString(name) && c.keys[name] == nil, isRing.MatchString(name) && !c.rings[name]:
		return absent("%s not found.", k.resource)
	case k.route.service == crmService:
		if _, ok := c.parents[k.resource]; !ok {
			return denied("The caller does not have permission")
		}
	}
	return nil
}
