package azuretest

import (
	"context"
	"sync"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// What Options leave open.
const (
	DefaultTenant       = "0aa00aaa-1111-4222-8333-444455556666"
	DefaultSubscription = "11112222-3333-4444-8555-666677778888"
	DefaultLocation     = "westeurope"
	// LocalToken is what a built function shows to an emulator on loopback.
	LocalToken = "byokwatch-local"
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
	// MaxAssignments is the most role assignments that a subscription holds; 0
	// means 4,000, as in Azure.
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

	mu sync.Mutex
}

// New makes an Azure without any vaults.
func New(o Options) *Cloud { return &Cloud{opts: o, dice: chaostest.NewDice(o.Seed, o.Odds)} }
