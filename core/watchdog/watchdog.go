package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// Config is everything a Watchdog works with. All fields but Notifiers, Self
// and those with a default are required.
type Config struct {
	Cloud     Cloud
	Rules     Rules
	Store     *record.Store
	Notifiers []Notifier
	Keys      []core.Key
	Self      string // our own identity; "" where the deployment tells none
	// Scope names what this watchdog is responsible for, such as account and
	// Region; a key that leaves its configuration is told of. "" tells nothing.
	Scope string
	Now   func() time.Time
	Log   *slog.Logger

	// Expect, where the cloud needs it, is told of the snapshot once it is loaded:
	// what the snapshot names, such as a role that nothing binds any more, is
	// then part of what is read before a write. Optional.
	Expect func(k core.Key, good core.Policy)

	// Reads equal reads, Every apart, confirm a write (KMS: 5, a second apart).
	// A write may stay invisible for Settle.
	Reads         int
	Every, Settle time.Duration
	// Reserve is how much of an invocation's time is kept for saving and
	// telling. Default: 5 s.
	Reserve time.Duration
	// Parallel is how many keys a sweep looks at side by side. Default: 8.
	Parallel int
}

// Watchdog protects the keys of one cloud account and Region.
type Watchdog struct {
	Config
	keys map[string]core.Key

	mu      sync.Mutex
	shouts  map[string]time.Time     // alerts told from memory, to not repeat them at every retry
	unsaved map[string]record.Record // by key, what the store did not take
	judged  map[string]time.Time     // by key, when the last look began that judged it; at first, when we began
}

// New checks that nothing required is missing, so that a wrong wiring shows at
// the start and not at the first event.
func New(c Config) (*Watchdog, error) {
	if c.Cloud == nil || c.Store == nil || c.Now == nil || c.Log == nil || c.Reads < 1 ||
		c.Rules.Needs == nil || c.Rules.Judge == nil || c.Rules.Candidates == nil || c.Rules.Guard == nil ||
		c.Rules.Trim == nil || c.Rules.Diff == nil || c.Rules.Fragment == nil || c.Rules.Unlock == nil {
		return nil, errors.New("watchdog: a required part is missing")
	}
	if c.Reserve == 0 {
		c.Reserve = 5 * time.Second
	}
	if c.Parallel == 0 {
		c.Parallel = 8
	}
	w := &Watchdog{Config: c, keys: map[string]core.Key{}, shouts: map[string]time.Time{}, unsaved: map[string]record.Record{}, judged: map[string]time.Time{}}
	for _, k := range c.Keys {
		if _, twice := w.keys[k.ID]; twice {
			return nil, fmt.Errorf("watchdog: key %s is listed twice", k.ID)
		}
		w.keys[k.ID], w.judged[k.ID] = k, c.Now()
	}
	return w, nil
}

// Sweep returns the changes of one schedule tick: a look at every key.
func (w *Watchdog) Sweep(tickID string, at time.Time) []core.Change {
	var out []core.Change
	for _, k := range w.Keys {
		out = append(out, core.Change{Key: k.ID, Kind: core.Tick, EventID: tickID, At: at, Op: "Sweep"})
	}
	return out
}

// Handle looks at every key that the changes select and does what has to be
// done. invocation names this run: a retry of the same run has the same name.
// An error means that the platform shall deliver the changes again; one key's
// failure doesn't keep the others from being looked at.
func (w *Watchdog) Handle(ctx context.Context, invocation string, changes ...core.Change) error {
	byKey := map[string][]core.Change{}
	var order []string
	sweep := false
	for _, c := range changes {
		if _, ok := w.keys[c.Key]; !ok {
			w.Log.DebugContext(ctx, "not a protected key", "event", c.EventID)
			continue
		}
		if byKey[c.Key] == nil {
			order = append(order, c.Key)
		}
		byKey[c.Key] = append(byKey[c.Key], c)
		sweep = sweep || c.Kind == core.Tick
	}
	if len(order) == 0 {
		return nil
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = w.Now().Add(time.Minute)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	run := &run{Watchdog: w, invocation: invocation, deadline: deadline, sweep: sweep}
	if sweep && len(order) > 1 {
		names, err := w.Store.RequestNames(ctx, w.keys[order[0]].Cloud)
		if err != nil {
			return w.storeUnreadable(ctx, fmt.Errorf("list requests: %w", err))
		}
		run.requests = append([]string{}, names...) // never nil: nil means "not listed"
	}
	whole := sweep && len(order) == len(w.Keys)
	if whole {
		start, err := run.cursor(ctx)
		if err != nil {
			return err
		}
		order = rotate(order, start)
	}
	// The end of the time is for what comes after the looks.
	looking, stop := context.WithDeadline(ctx, deadline.Add(-w.Reserve/2))
	defer stop()
	missed, errs := run.each(looking, order, func(key string) error {
		return run.look(looking, w.keys[key], byKey[key])
	})
	errs = append(errs, run.postFirsts(ctx))
	if whole {
		errs = append(errs, run.finish(ctx, missed))
	}
	return errors.Join(errs...)
}

// run is one invocation.
type run struct {
	*Watchdog
	invocation string
	deadline   time.Time
	sweep      bool
	requests   []string // names of all requests, listed once per sweep

	mu     sync.Mutex
	firsts []first // first snapshots, posted together
	saves  int
}

// each works on all keys, Parallel at a time. It returns the first key for
// which there was not enough time, and what went wrong.
func (r *run) each(ctx context.Context, keys []string, do func(string) error) (missed string, errs []error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	first := len(keys)
	fail := func(i int, late bool, err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
		if late {
			first = min(first, i)
		}
	}
	slots := make(chan struct{}, r.Parallel)
	for i, key := range keys {
		slots <- struct{}{}
		if r.Now().Add(r.Reserve).After(r.deadline) || ctx.Err() != nil {
			fail(i, true, fmt.Errorf("out of time: %d of %d keys are left to the next sweep", len(keys)-i, len(keys)))
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(key); err != nil {
				fail(i, ctx.Err() != nil, err)
			}
		})
	}
	wg.Wait()
	if first < len(keys) {
		missed = keys[first]
	}
	return missed, errs
}

// rotate starts a pass at the key for which the last one had no time.
func rotate(keys []string, start string) []string {
	n := max(slices.Index(keys, start), 0)
	return slices.Concat(keys[n:], keys[:n])
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// left is the time in which this invocation may still begin something.
func (r *run) left() time.Duration { return r.deadline.Sub(r.Now()) - r.Reserve }

// wanted names the channels that take an alert.
func (w *Watchdog) wanted(a alert.Alert) []string {
	var out []string
	for _, n := range w.Notifiers {
		if n.Wants(a) {
			out = append(out, n.Name())
		}
	}
	return out
}
