package awstest

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"strings"
	"time"
)

// FaultKind is one way in which a call goes wrong.
type FaultKind string

const (
	Throttle FaultKind = "throttle"           // ThrottlingException, nothing done
	Internal FaultKind = "internal"           // HTTP 500 KMSInternalException, nothing done
	Timeout  FaultKind = "dependency-timeout" // DependencyTimeoutException, nothing done
	Dropped  FaultKind = "dropped"            // the connection breaks, nothing done
	Lost     FaultKind = "lost-answer"        // the connection breaks after the work was done
	Stale    FaultKind = "stale"              // a read shows what was there before the last write
	Slow     FaultKind = "slow"               // the answer takes Faults.SlowFor
	Other    FaultKind = "other"              // the error that Fault.Code and Fault.Status say, nothing done
)

// Faults are probabilities from 0 to 1, drawn anew for each call from
// hash(seed, operation, key, n-th call).
type Faults struct {
	Throttle, Internal, Timeout, Dropped, Lost, Slow float64
	SlowFor                                          time.Duration
	// StaleFor bounds how long after a write reads may show what was before it;
	// each write draws its own time up to that. With Flap a read within that
	// time shows either, at random; without it the old, then the new.
	StaleFor time.Duration
	Flap     bool
}

// Fault is one fault made to happen: to the next Times calls of an operation,
// on a key. Empty fields match everything; Times 0 means once.
type Fault struct {
	Op, Key string
	Kind    FaultKind
	Times   int
	Code    string // of Other
	Status  int
}

// Inject queues a fault. Injected ones go before drawn ones, in their order.
func (c *Cloud) Inject(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.Times = max(f.Times, 1)
	c.injected = append(c.injected, f)
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
	n     uint64 // which call of its operation and key this is
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
func (c *Cloud) fateOf(op, key string) fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[op+"\x00"+key]++
	f := fate{n: c.calls[op+"\x00"+key]}
	odds := c.opts.Faults
	for i := range c.injected {
		in := &c.injected[i]
		if in.Times == 0 || (in.Op != "" && in.Op != op) || (in.Key != "" && in.Key != key) {
			continue
		}
		in.Times--
		f.kind = in.Kind
		if f.kind == Slow {
			f.slow = odds.SlowFor
		}
		f.other = &failure{status: in.Status, code: in.Code, message: "made to happen"}
		return f
	}
	if chance(c.opts.Seed, op, key, string(Slow), f.n) < odds.Slow {
		f.slow = odds.SlowFor
	}
	for _, o := range []struct {
		kind FaultKind
		p    float64
	}{{Throttle, odds.Throttle}, {Internal, odds.Internal}, {Timeout, odds.Timeout}, {Dropped, odds.Dropped}, {Lost, odds.Lost}} {
		if chance(c.opts.Seed, op, key, string(o.kind), f.n) < o.p {
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
		return refuse("ThrottlingException", "Rate exceeded")
	case Internal:
		return &failure{status: 500, code: "KMSInternalException", message: "The request was rejected because an internal exception occurred. The request can be retried."}
	case Timeout:
		return &failure{status: 503, code: "DependencyTimeoutException", message: "The system timed out while trying to fulfill the request. You can retry the request."}
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

// overQuota counts a request against the documented quota of its operation, per
// account, Region and second
// (https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html).
func (c *Cloud) overQuota(region, op string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit, ok := quotas[op]
	if c.opts.NoQuotas || !ok {
		return false
	}
	if now := c.opts.Now().Truncate(time.Second); !now.Equal(c.second) {
		c.second = now
		clear(c.spent)
	}
	c.spent[region+op]++
	return c.spent[region+op] > limit
}

var quotas = map[string]int{
	"GetKeyPolicy": 1000, "DescribeKey": 2000, "GetPublicKey": 2000, "ListGrants": 100, "ListKeyPolicies": 100,
	"PutKeyPolicy": 15, "EnableKey": 5, "DisableKey": 5, "CancelKeyDeletion": 5, "ScheduleKeyDeletion": 15,
	"RevokeGrant": 30, "CreateGrant": 50, "CreateKey": 5, "Sign": 1000,
}
