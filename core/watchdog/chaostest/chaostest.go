// Package chaostest makes things go wrong in emulated clouds, in a way that
// repeats by its seed. What happens to a call is drawn from
// hash(seed, operation, resource, n-th call), so that it does not depend on what
// else runs, and a test can make single faults happen besides. What each kind
// looks like on the wire is the emulator's business.
package chaostest

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is one way in which a call goes wrong.
type Kind string

const (
	Throttle    Kind = "throttle"    // too many requests, nothing done
	Unavailable Kind = "unavailable" // the service or one behind it can't be reached, nothing done
	Internal    Kind = "internal"    // the service failed, nothing done
	Dropped     Kind = "dropped"     // the connection breaks, nothing done
	Lost        Kind = "lost-answer" // the connection breaks after the work was done
	Stale       Kind = "stale"       // a read shows what was there before the last write
	Slow        Kind = "slow"        // the answer takes Odds.SlowFor
	Other       Kind = "other"       // the error that Fault.Code and Fault.Status say, nothing done
)

// Odds are probabilities from 0 to 1, drawn anew for each call.
type Odds struct {
	Throttle, Unavailable, Internal, Dropped, Lost, Slow float64
	SlowFor                                              time.Duration
	// StaleFor bounds how long after a write reads may show what was before it;
	// each write draws its own time up to that. With Flap a read within that
	// time shows either, at random; without it the old, then the new.
	StaleFor time.Duration
	Flap     bool
}

// Fault is one fault made to happen: to the next Times calls of an operation on
// a resource. Empty fields match everything; Times 0 means once.
type Fault struct {
	Op, Resource string
	Kind         Kind
	Times        int
	// Of Other: the error's code, in the cloud's words, and HTTP's number for it.
	Code   string
	Status int
}

// Fate is what happens to one call.
type Fate struct {
	Kind  Kind // "" if all goes well
	Slow  time.Duration
	Fault Fault  // the one that was made to happen, if any
	N     uint64 // which call of its operation and resource this is
	Ahead bool   // by Odds.Flap: a read shows the last write before its time
}

// Dice decide the fates of calls and count them. Their methods are safe for
// concurrent use.
type Dice struct {
	seed uint64

	mu       sync.Mutex
	odds     Odds
	injected []Fault
	calls    map[string]uint64 // by operation and resource
}

// NewDice makes dice that draw by a seed.
func NewDice(seed uint64, odds Odds) *Dice {
	return &Dice{seed: seed, odds: odds, calls: map[string]uint64{}}
}

// Inject queues a fault. Injected ones go before drawn ones, in their order.
func (d *Dice) Inject(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.Times = max(f.Times, 1)
	d.injected = append(d.injected, f)
}

// Heal forgets the injected faults that have not happened yet.
func (d *Dice) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.injected = nil
}

// SetOdds changes what goes wrong by chance, from the next call on.
func (d *Dice) SetOdds(o Odds) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.odds = o
}

// Calls counts the calls of an operation so far, whatever became of them; op ""
// counts all operations.
func (d *Dice) Calls(op string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	var sum uint64
	for name, n := range d.calls {
		if op == "" || strings.HasPrefix(name, op+"\x00") {
			sum += n
		}
	}
	return int(sum)
}

// Fate decides what happens to one call, and counts it.
func (d *Dice) Fate(op, resource string) Fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[op+"\x00"+resource]++
	f := Fate{N: d.calls[op+"\x00"+resource]}
	for i, in := range d.injected {
		if in.Op != "" && in.Op != op || in.Resource != "" && in.Resource != resource {
			continue
		}
		if d.injected[i].Times--; d.injected[i].Times == 0 {
			d.injected = slices.Delete(d.injected, i, i+1)
		}
		f.Kind, f.Fault = in.Kind, in
		if f.Kind == Slow {
			f.Slow = d.odds.SlowFor
		}
		return f
	}
	f.Ahead = d.odds.Flap && d.Chance(op, resource, "flap", f.N) < 0.5
	if d.Chance(op, resource, string(Slow), f.N) < d.odds.Slow {
		f.Slow = d.odds.SlowFor
	}
	for _, o := range []struct {
		kind Kind
		p    float64
	}{{Throttle, d.odds.Throttle}, {Unavailable, d.odds.Unavailable}, {Internal, d.odds.Internal}, {Dropped, d.odds.Dropped}, {Lost, d.odds.Lost}} {
		if d.Chance(op, resource, string(o.kind), f.N) < o.p {
			f.Kind = o.kind
			break
		}
	}
	return f
}

// SeenFrom draws when reads show what the n-th call of an operation on a
// resource wrote at a time.
func (d *Dice) SeenFrom(op, resource string, n uint64, at time.Time) time.Time {
	return at.Add(d.Lag(op, resource, string(Stale), n))
}

// Lag draws a time up to Odds.StaleFor, for one call and one kind of lateness.
func (d *Dice) Lag(op, resource, kind string, n uint64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.Chance(op, resource, kind, n) * float64(d.odds.StaleFor))
}

// Chance is a number in [0,1) for one call and one kind of question about it.
func (d *Dice) Chance(op, resource, kind string, n uint64) float64 {
	return float64(Hash(d.seed, op+"/"+kind, resource, n)>>11) / (1 << 53)
}

// Hash mixes its arguments to 64 evenly spread bits, for whatever an emulator
// makes up: IDs, an order.
func Hash(seed uint64, op, resource string, n uint64) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for _, v := range []uint64{seed, n} {
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	h.Write([]byte(op + "\x00" + resource))
	x := h.Sum64()
	x ^= x >> 30 // FNV alone leaves the low bits of similar input alike
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
