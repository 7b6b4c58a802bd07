package keyvault

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"

	"byokwatch/core"
	"byokwatch/functions/adapter"
)

// Access is the way to Azure.
type Access struct {
	Credential azcore.TokenCredential
	ARM        arm.ClientOptions    // of requests to Azure Resource Manager, in the cloud that it names
	Keys       azcore.ClientOptions // of requests to vaults
	// VaultEndpoint stands in for the hosts of all vaults: an emulator on this
	// machine, in which the vault's name is the first part of the path.
	VaultEndpoint string
}

// Options refine a Keeper. The zero value reads every role that is assigned to
// Confluent, but nothing for the watchdog's own rights.
type Options struct {
	// Self is the object ID of our own identity: what is assigned to it is read
	// as well, since that says whether we may write.
	Self string
	// Builtin says which roles, by GUID, the judge knows by itself: those are not
	// read. nil: it knows none.
	Builtin func(guid string) bool
	// Attempt bounds one request, Reading all attempts of one read together, and
	// Reserve is left over of the context's time when a write gives up; 0 means
	// [adapter.Attempt], [adapter.Reading] and [adapter.Reserve].
	Attempt, Reading, Reserve time.Duration
}

// Keeper is the watchdog's way to the keys of Azure. It is safe for concurrent
// use.
type Keeper struct {
	access Access
	opts   Options
	arm    func() (*wire, error)

	mu    sync.Mutex
	roles map[string]map[string]bool // by key: GUIDs of those that once mattered to it
}

// New makes a Keeper.
func New(a Access, opts Options) *Keeper {
	opts.Attempt = cmp.Or(opts.Attempt, adapter.Attempt)
	opts.Reading = cmp.Or(opts.Reading, adapter.Reading)
	opts.Reserve = cmp.Or(opts.Reserve, adapter.Reserve)
	if opts.Builtin == nil {
		opts.Builtin = func(string) bool { return false }
	}
	k := &Keeper{access: a, opts: opts, roles: map[string]map[string]bool{}}
	k.arm = sync.OnceValues(k.newManagement)
	return k
}

// Remember makes every later read of a key bring these roles with it, for
// example those of its snapshot. A role is named by its GUID or by an ID that
// ends in it. It returns the GUIDs of all that are read with the key, sorted.
func (k *Keeper) Remember(key core.Key, roles ...string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.roles[key.ID] == nil {
		k.roles[key.ID] = map[string]bool{}
	}
	for _, name := range roles {
		if id := lastOf(name); guid.MatchString(id) && !k.opts.Builtin(id) {
			k.roles[key.ID][id] = true
		}
	}
	return slices.Sorted(maps.Keys(k.roles[key.ID]))
}
