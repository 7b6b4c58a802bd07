package watchdog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
)

var errDead = errors.New("this process is dead")

// process is one running function. It dies before or after its n-th call; what
// a dead process still calls has no effect, as if it never ran.
type process struct {
	*world
	mu    sync.Mutex
	calls int
	dieAt int // 0: it lives
	after bool
	dead  bool
}

// call does work unless the process is dead.
func (p *process) call(work func() error) error {
	p.mu.Lock()
	p.calls++
	n := p.calls
	dies := n == p.dieAt
	dead := p.dead || dies && !p.after
	p.dead = p.dead || dies
	p.mu.Unlock()
	if dead {
		return errDead
	}
	// A call takes a moment, so that processes interleave.
	time.Sleep(time.Duration(1+n%7) * 10 * time.Millisecond)
	err := work()
	if dies {
		return errDead
	}
	return err
}

func (p *process) Read(ctx context.Context, k core.Key) (pol core.Policy, err error) {
	err = p.call(func() error { pol, err = p.cloud.Read(ctx, k); return err })
	return pol, err
}

func (p *process) Apply(ctx context.Context, k core.Key, s core.Step) error {
	return p.call(func() error {
		time.Sleep(3 * time.Second) // long enough for others to look meanwhile
		return p.cloud.Apply(ctx, k, s)
	})
}

func (p *process) Get(ctx context.Context, name string) (o record.Object, err error) {
	err = p.call(func() error { o, err = p.memory.Get(ctx, name); return err })
	return o, err
}

func (p *process) Put(ctx context.Context, name string, data []byte, version string) (v string, err error) {
	err = p.call(func() error { v, err = p.memory.Put(ctx, name, data, version); return err })
	return v, err
}

func (p *process) List(ctx context.Context, prefix string) (l []string, err error) {
	err = p.call(func() error { l, err = p.memory.List(ctx, prefix); return err })
	return l, err
}

func (p *process) Name() string           { return "chat" }
func (p *process) Wants(alert.Alert) bool { return true }
func (p *process) Send(ctx context.Context, a alert.Alert) error {
	return p.call(func() error { return p.chat.Send(ctx, a) })
}

// run handles changes as the platform would: an error is followed by two more
// tries under the same invocation ID, by new processes.
func (w *world) deliver(id string, dieAt int, after bool, changes ...core.Change) {
	for try := range 3 {
		p := &process{world: w, after: after}
		if try == 0 {
			p.dieAt = dieAt
		}
		ctx, cancel := context.WithTimeout(w.Context(), 90*time.Second)
		err := w.with(p, p, p).Handle(ctx, id, changes...)
		cancel()
		if err == nil && !p.dead {
			return
		}
		time.Sleep(time.Duration(try+1) * time.Minute)
	}
}

func TestWhateverCrashesOneRestoreAndOneAlert(t *testing.T) {
	for dieAt := 1; dieAt <= 24; dieAt++ {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("dies at call %d, after it %t", dieAt, after)
			t.Run(name, func(t *testing.T) {
				simulate(t, uint64(dieAt), dieAt, after)
			})
		}
	}
}

func TestTenDeliveriesInAnyOrder(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { simulate(t, seed, 0, false) })
	}
}

// simulate delivers one event ten times, overlapping and out of step with the
// schedule, and checks the promises.
func simulate(t *testing.T, seed uint64, dieAt int, after bool) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		w.tick()
		good := w.record().Snapshot.Digest
		w.memory.Hook = func(op, name string, done bool) error {
			if op == "Put" && done && strings.HasPrefix(name, "kept/") && strings.Contains(name, "snapshots") {
				t.Errorf("seed %d: a snapshot was kept: %s", seed, name)
			}
			return nil
		}
		time.Sleep(time.Minute)
		w.chat.got = nil
		event := w.edit("terraform", gone)
		var wg sync.WaitGroup
		for i := range 10 {
			start := time.Duration(rng.IntN(4000)) * time.Millisecond
			die := 0
			if i == 0 || rng.IntN(3) == 0 {
				die = dieAt
			}
			wg.Go(func() {
				time.Sleep(start)
				w.deliver(fmt.Sprintf("delivery-%d", i), die, after, event)
			})
		}
		for i := range 24 {
			wg.Go(func() {
				time.Sleep(time.Duration(i)*5*time.Minute + 1700*time.Millisecond)
				tick := core.Change{Key: keyID, Kind: core.Tick, EventID: fmt.Sprintf("tick-%d", i), At: time.Now(), Op: "Sweep"}
				w.deliver(fmt.Sprintf("sweep-%d", i), 0, false, tick)
			})
		}
		wg.Wait()

		w.wantText(whole)
		w.wantWrites(1)
		if d := w.record().Snapshot.Digest; d != good {
			t.Errorf("seed %d: snapshot became %s", seed, d)
		}
		// Told at least once, and again only where a sender died in between,
		// with the mark that says so.
		told, unmarked := map[alert.Code]int{}, map[alert.Code]int{}
		for _, a := range w.chat.got {
			told[a.Code]++
			if !a.Again {
				unmarked[a.Code]++
			}
		}
		if told[alert.Restored] < 1 || told[alert.Recovered] < 1 || len(told) != 2 ||
			unmarked[alert.Restored] > 1 || unmarked[alert.Recovered] > 1 || dieAt == 0 && len(w.chat.got) != 2 {
			t.Errorf("seed %d: told %v, of it unmarked %v", seed, told, unmarked)
		}
		if rec := w.record(); rec.Incident != nil || len(rec.Outbox) > 0 || len(rec.Suspects) > 0 {
			t.Errorf("seed %d: left behind %+v", seed, rec)
		}
	})
}

var (
	_ watchdog.Cloud    = (*process)(nil)
	_ watchdog.Notifier = (*process)(nil)
	_ record.Objects    = (*process)(nil)
)
