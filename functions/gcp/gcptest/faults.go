package gcptest

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"net/http"
	"strings"
	"time"
)

// FaultKind is one way in which a call goes wrong.
type FaultKind string

const (
	Throttle    FaultKind = "throttle"    // 429 RESOURCE_EXHAUSTED, nothing done
	Unavailable FaultKind = "unavailable" // 503, nothing done
	Internal    FaultKind = "internal"    // 500, nothing done
	Dropped     FaultKind = "dropped"     // the connection breaks, nothing done
	Lost        FaultKind = "lost-answer" // the connection breaks after the work was done
	Stale       FaultKind = "stale"       // a read shows what was there before the last write
	Slow        FaultKind = "slow"        // the answer takes Faults.SlowFor
	Other       FaultKind = "other"       // the error that Fault.Code and Fault.Status say, nothing done
)

// Faults are probabilities from 0 to 1, drawn anew for each call from
// hash(seed, operation, resource, n-th call).
type Faults struct {
	Throttle, Unavailable, Internal, Dropped, Lost, Slow float64
	SlowFor                                              time.Duration
	// StaleFor bounds how long after a write reads may show what was before it;
	// each write draws its own time up to that. Nobody documents that reads of
	// policies see the last write.
	StaleFor time.Duration
}

// Fault is one fault made to happen: to the next Times calls of an operation,
// such as SetIamPolicy, on a resource. Empty fields match everything; Times 0
// means once.
type Fault struct {
	Op, Resource string
	Kind         FaultKind
	Times        int
	Code         int    // of Other: HTTP's
	Status       string // of Other: such as ABORTED
}

// Inject queues a fault. Injected ones go before drawn ones, in their order.
func (c *Cloud) Inject(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.Times = max(f.Times, 1)
	c.injected = append(c.injected, f)
}

// Heal forgets the injected faults that have not happened yet.
func (c *Cloud) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.injected = nil
}

// SetFaults changes what goes wrong by chance, from the next call on.
func (c *Cloud) SetFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opts.Faults = f
}

// hash mixes its arguments to 64 evenly spread bits.
func hash(seed uint64, op, key string, n uint64) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for _, v := range []uint64{seed, n} {
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	h.Write([]byte(op + "\x00" + key))
	x := h.Sum64()
	x ^= x >> 30 // FNV alone leaves the low bits of similar input alike
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// chance is a number in [0,1) for one call and one kind of question about it.
func chance(seed uint64, op, key, kind string, n uint64) float64 {
	return float64(hash(seed, op+"/"+kind, key, n)>>11) / (1 << 53)
}

// fate is what happens to one call.
type fate struct {
	kind  FaultKind
	n     uint64 // which call of its operation and resource this is
	slow  time.Duration
	other *failure
}

// Calls counts the requests that reached an operation so far, whatever became
// of them; op "" counts all operations.
func (c *Cloud) Calls(op string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum uint64
	for name, n := range c.calls {
		if op == "" || strings.HasPrefix(name, op+"\x00") {
			sum += n
		}
	}
	return int(sum)
}

// fateOf decides one call's fate and counts it.
func (c *Cloud) fateOf(op, resource string) fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[op+"\x00"+resource]++
	f := fate{n: c.calls[op+"\x00"+resource]}
	odds := c.opts.Faults
	for i := range c.injected {
		in := &c.injected[i]
		if in.Times == 0 || (in.Op != "" && in.Op != op) || (in.Resource != "" && in.Resource != resource) {
			continue
		}
		in.Times--
		f.kind = in.Kind
		if f.kind == Slow {
			f.slow = odds.SlowFor
		}
		f.other = &failure{in.Code, in.Status, "made to happen"}
		return f
	}
	if chance(c.opts.Seed, op, resource, string(Slow), f.n) < odds.Slow {
		f.slow = odds.SlowFor
	}
	for _, o := range []struct {
		kind FaultKind
		p    float64
	}{{Throttle, odds.Throttle}, {Unavailable, odds.Unavailable}, {Internal, odds.Internal}, {Dropped, odds.Dropped}, {Lost, odds.Lost}} {
		if chance(c.opts.Seed, op, resource, string(o.kind), f.n) < o.p {
			f.kind = o.kind
			break
		}
	}
	return f
}

// failure is what the fate says instead of doing anything.
func (f fate) failure() *failure {
	switch f.kind {
	case Throttle:
		return &failure{http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute'."}
	case Unavailable:
		return &failure{http.StatusServiceUnavailable, "UNAVAILABLE", "The service is currently unavailable."}
	case Internal:
		return &failure{http.StatusInternalServerError, "INTERNAL", "Internal error encountered."}
	case Other:
		return f.other
	case Dropped, Lost, Stale, Slow:
	}
	return nil
}

func (c *Cloud) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return c.opts.Sleep(ctx, d)
}

// seenFrom draws when reads show a write. Call with the lock held.
func (c *Cloud) seenFrom(k *call) time.Time {
	now := c.opts.Now()
	if k == nil || c.opts.Faults.StaleFor <= 0 {
		return now
	}
	return now.Add(time.Duration(chance(c.opts.Seed, k.route.op, k.resource, "stale", k.fate.n) * float64(c.opts.Faults.StaleFor)))
}
