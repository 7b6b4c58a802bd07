package cloudkms

import (
	"cmp"
	"sync"
	"time"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"

	"byokwatch/core/pattern"
	"byokwatch/functions/adapter"
)

// Clients are Google's clients of the four APIs; they bring credentials and
// endpoints with them.
type Clients struct {
	KMS      *cloudkms.Service
	Projects *cloudresourcemanager.Service
	Roles    *iam.Service
	Deny     *iamv2.Service
}

// Options refine a Keeper. The zero value reads every role that is bound to
// Confluent's group, but none for the watchdog's own rights.
type Options struct {
	// Self is the address of our own service account: the roles that are bound
	// to it are read as well, since they say whether we may write.
	Self string
	// Builtin says which predefined roles the judge knows by itself: those are
	// not read. nil: it knows none.
	Builtin func(role string) bool
	// Attempt bounds one request; 0 means 5 s.
	Attempt time.Duration
	// Reading bounds all attempts of one read together; 0 means 10 s. A key that
	// can't be read by then is for the next event or sweep.
	Reading time.Duration
	// Reserve is left over of the context's time when a write gives up, so that
	// the caller can still save what happened; 0 means 5 s.
	Reserve time.Duration
}

// Keeper is the watchdog's way to the keys of Google Cloud. It is safe for
// concurrent use.
type Keeper struct {
	api  Clients
	opts Options

	mu    sync.Mutex
	roles map[string]map[string]bool // by key: those that once mattered to it
}

// New makes a Keeper.
func New(api Clients, opts Options) *Keeper {
	opts.Attempt = cmp.Or(opts.Attempt, adapter.Attempt)
	opts.Reading = cmp.Or(opts.Reading, adapter.Reading)
	opts.Reserve = cmp.Or(opts.Reserve, adapter.Reserve)
	if opts.Builtin == nil {
		opts.Builtin = func(string) bool { return false }
	}
	return &Keeper{api: api, opts: opts, roles: map[string]map[string]bool{}}
}

// keyName is the form of a key's name
// (https://docs.cloud.google.com/kms/docs/resource-hierarchy): the whole, the
// key ring, the project.
var keyName = pattern.New(`^((projects/(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{2,62})/locations/[a-z][a-z0-9-]{1,62}/keyRings/[A-Za-z0-9_-]{1,63})/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)

// roleName is the form of a role's name
// (https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.roles).
var roleName = pattern.New(`^(?:(?:projects/(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{2,62}|organizations/[0-9]{1,20})/)?roles/[A-Za-z0-9_.]{1,64}$`)
