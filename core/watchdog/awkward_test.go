package watchdog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
)

// own is the event of our own write.
func (w *world) ownEvent() core.Change { return w.event(self, w.cloud.text) }

func (w *world) dontTell(code alert.Code) {
	w.Helper()
	if slices.Contains(w.chat.codes(), code) {
		w.Errorf("told %q; %s is false", w.chat.codes(), code)
	}
}

// store read-only while restoring, then its own event.
func TestRestoreWithoutRecordIsNotRoleMisuse(t *testing.T) {
	armed(t, func(w *world) {
		store := &brokenStore{Objects: w.memory, put: errDown}
		w.objects, w.process = store, w.with(w.cloud, store, w.chat)
		event := w.edit("terraform", gone)
		if err := w.handle(event); err == nil {
			t.Fatal("no error")
		}
		own := w.ownEvent()
		store.put = nil
		time.Sleep(time.Minute)
		w.mustHandle(event) // retry records the restore
		w.mustHandle(own)
		if n := len(w.record().Restores); n != 1 {
			t.Errorf("%d restores on record after the retry, want 1", n)
		}
		w.passes(time.Hour)
		w.dontTell(alert.RoleMisused)
		ins, _ := record.NewStore(w.memory, nil).Incidents(w.Context(), w.key)
		if len(ins) != 1 {
			t.Errorf("%d incidents kept, want 1", len(ins))
		}
	})
}

// outcome of the write unknown, it took effect after our read.
func TestAWriteOfUnknownOutcomeIsStillOurs(t *testing.T) {
	armed(t, func(w *world) {
		w.cloud.applyErr = []error{errDown}
		event := w.edit("terraform", gone)
		_ = w.handle(event)
		w.cloud.set(whole) // the write came through after all
		own := w.event(self, whole)
		time.Sleep(time.Minute)
		w.mustHandle(event)
		w.mustHandle(own)
		w.passes(time.Hour)
		w.dontTell(alert.RoleMisused)
		if !slices.Contains(w.chat.codes(), alert.Restored) {
			t.Errorf("told %q, never restored", w.chat.codes())
		}
	})
}

func partialRules(w *world) {
	w.rules.Candidates = func(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error) {
		lost = slices.DeleteFunc(slices.Clone(lost), func(r core.Requirement) bool { return r.Permission == "decrypt" })
		all, err := toyCandidates(live, good, q, lost)
		return all[:1], err
	}
}

// crash after a partial write.
func TestCrashAfterAPartialWrite(t *testing.T) {
	armed(t, func(w *world) {
		partialRules(w)
		event := w.edit("terraform", gone)
		p := &process{world: w, after: true}
		// find the call number of Apply: die right after it
		d := &dieAfterApply{process: p}
		ctx, cancel := context.WithTimeout(w.Context(), 90*time.Second)
		_ = w.with(d, p, p).Handle(ctx, "x", event)
		cancel()
		w.wantWrites(1)
		time.Sleep(2 * time.Minute)
		w.chat.got = nil
		w.mustHandle(event)
		w.mustHandle(w.ownEvent())
		w.passes(time.Hour)
		w.dontTell(alert.RoleMisused)
		if !slices.Contains(w.chat.codes(), alert.RestoredPartly) {
			t.Errorf("told %q", w.chat.codes())
		}
	})
}

type dieAfterApply struct{ *process }

func (d *dieAfterApply) Apply(ctx context.Context, k core.Key, s core.Step) error {
	_ = d.cloud.Apply(ctx, k, s)
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	return errDead
}

// crash after the write, then another edit before the next look
func TestCrashAfterAWriteAndAnotherEdit(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		p := &process{world: w, after: true}
		ctx, cancel := context.WithTimeout(w.Context(), 90*time.Second)
		_ = w.with(&dieAfterApply{process: p}, p, p).Handle(ctx, "x", event)
		cancel()
		w.wantWrites(1)
		own := w.ownEvent()
		time.Sleep(2 * time.Minute)
		w.mustHandle(w.edit("jane", whole+"\ndeny * sign"))
		w.mustHandle(own)
		w.passes(time.Hour)
		w.dontTell(alert.RoleMisused)
	})
}

// conflict on the save after the write, with stale reads.
func TestConflictAfterTheWriteDoesNotRepeatIt(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		wrote := false
		w.cloud.onApply = func(int) {
			if !wrote {
				w.cloud.stale, w.cloud.staleN = gone, 60
			}
			wrote = true
		}
		once := false
		w.memory.Hook = func(op, name string, done bool) error {
			if op == "Put" && strings.HasPrefix(name, "records/") && !done && wrote && !once {
				once = true
				return fmt.Errorf("somebody else: %w", core.ErrConflict)
			}
			return nil
		}
		w.mustHandle(event)
		w.wantWrites(1)
	})
}

func TestConflictAfterAPartialWrite(t *testing.T) {
	armed(t, func(w *world) {
		partialRules(w)
		event := w.edit("terraform", gone)
		wrote, once := false, false
		w.cloud.onApply = func(int) { wrote = true }
		w.memory.Hook = func(op, name string, done bool) error {
			if op == "Put" && strings.HasPrefix(name, "records/") && !done && wrote && !once {
				once = true
				return fmt.Errorf("somebody else: %w", core.ErrConflict)
			}
			return nil
		}
		w.mustHandle(event)
		if !slices.Contains(w.chat.codes(), alert.RestoredPartly) || len(w.record().Restores) != 1 {
			t.Errorf("told %q, %d restores on record", w.chat.codes(), len(w.record().Restores))
		}
	})
}

// beforeApply runs something in the moment before a write, outside of the
// cloud's lock.
type beforeApply struct {
	watchdog.Cloud
	do func()
}

func (b *beforeApply) Apply(ctx context.Context, k core.Key, s core.Step) error {
	if b.do != nil {
		do := b.do
		b.do = nil
		do()
	}
	return b.Cloud.Apply(ctx, k, s)
}

// a revocation falls between our read and our write.
func TestRevocationOverwritten(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("jane", gone)
		var rev core.Change
		c := &beforeApply{Cloud: w.cloud, do: func() { rev = w.edit("jane", gone+"\nrevoked SEC-812") }}
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
		defer cancel()
		_ = w.with(c, w.memory, w.chat).Handle(ctx, "first", event)
		w.mustHandle(rev)
		w.passes(time.Hour)
		if w.record().Revocation == nil {
			t.Errorf("the owner's revocation was overwritten by our restore and is not remembered")
		}
	})
}

// asked once, asked for ever?
func TestASecondDenyInOneIncidentIsAskedAboutAgain(t *testing.T) {
	edit := whole + "\ndeny kafka decrypt"
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", edit))
		time.Sleep(5 * time.Minute)
		w.mustHandle(w.edit("jane", whole))
		time.Sleep(26 * time.Minute)
		w.mustHandle(w.edit("jane", edit))
		w.wantWrites(0)
	})
}

func TestAHoldThatEndedWellDoesNotDelayALaterLoss(t *testing.T) {
	armed(t, func(w *world) {
		w.request(record.Hold{Until: time.Now().Add(time.Hour), By: "jane", Reason: "maintenance"})
		w.mustHandle(w.edit("jane", gone))
		time.Sleep(50 * time.Minute)
		w.mustHandle(w.edit("jane", whole))
		time.Sleep(15 * time.Minute) // the hold ends over a good key
		w.mustHandle(w.edit("terraform", gone))
		w.wantWrites(1)
	})
}

// 6
func TestAnUnconfirmedWriteIsNotPromoted(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("terraform", gone+"\ndeny * sign")
		var base int
		wrote := false
		w.cloud.onApply = func(int) { base, wrote = w.cloud.reads, true }
		w.cloud.onRead = func(n int) {
			if wrote && (n-base)%2 == 0 && n-base < 31 {
				w.cloud.stale, w.cloud.staleN = gone+"\ndeny * sign", 1
			}
		}
		w.mustHandle(event)
		if g := w.record().Snapshot.Generation; g != 1 && slices.Contains(w.chat.codes(), alert.RestoredUnsure) {
			t.Errorf("promoted generation %d while unconfirmed", g)
		}
	})
}

// /35: second promotion of the same widening
func TestTheSameWideningIsToldEachTime(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("mallory", whole+"\nallow mallory decrypt"))
		time.Sleep(time.Hour)
		w.mustHandle(w.edit("jane", whole))
		time.Sleep(24 * time.Hour)
		w.chat.got = nil
		w.mustHandle(w.edit("mallory", whole+"\nallow mallory decrypt"))
		w.wantTold(alert.Widened)
	})
}

// 6
func TestOurRoleReplaysAnOldWrite(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("mallory", gone+"\nallow mallory decrypt"))
		w.mustHandle(w.ownEvent())
		w.passes(time.Hour)
		w.mustHandle(w.edit("jane", whole))
		time.Sleep(24 * time.Hour)
		w.chat.got = nil
		w.mustHandle(w.edit(self, whole+"\nallow mallory decrypt"))
		w.passes(time.Hour)
		if !slices.Contains(w.chat.codes(), alert.RoleMisused) {
			t.Errorf("told %q: a misuse of our role a day later passes for our old write", w.chat.codes())
		}
	})
}

func TestOurRoleDisablesTheKeyRightAfterARestore(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("terraform", gone))
		time.Sleep(time.Minute)
		w.cloud.set(whole + "\ndisabled")
		w.mustHandle(core.Change{Key: keyID, Kind: core.StateChange, Takes: true, EventID: "d", At: time.Now(), Op: "DisableKey", Actor: core.Actor{ID: self}})
		w.passes(time.Hour)
		if !slices.Contains(w.chat.codes(), alert.RoleMisused) {
			t.Errorf("told %q: DisableKey by our identity, which never disables, passes for ours", w.chat.codes())
		}
	})
}

// 8
func TestAnOldEditIsNotBlamedForANewLoss(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", gone))
		w.passes(time.Hour)
		time.Sleep(6 * 24 * time.Hour)
		w.cloud.set(gone) // terraform, whose event is not here yet
		at := time.Now()
		w.tick()
		f := w.chat.last(alert.Restored).Facts
		if f.Who != nil && f.Who.Actor.Name == "jane" {
			t.Errorf("blames jane's edit of last week")
		}
		if at.Sub(f.LostAt) > time.Hour {
			t.Errorf("says that access was gone for %s", at.Sub(f.LostAt))
		}
	})
}

// 7
func TestASecondLossHasItsOwnTime(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", gone))
		time.Sleep(20 * time.Minute)
		w.tick()
		at := time.Now()
		w.mustHandle(w.edit("jane", gutted))
		if f := w.chat.last(alert.Restored).Facts; at.Sub(f.LostAt) > time.Minute {
			t.Errorf("says that access was gone for %s", f.Restored.Sub(f.LostAt))
		}
	})
}

// 5
func TestARestoreThatLeavesADoubtIsTold(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", "maybe kafka encrypt\nallow self write"))
		w.wantWrites(1)
		w.passes(2 * time.Hour)
		c := w.chat.codes()
		if !slices.Contains(c, alert.Restored) && !slices.Contains(c, alert.RestoredPartly) {
			t.Errorf("told %q: nobody hears that the key was written", c)
		}
	})
}

// 4
func TestAStoreOutageDoesNotFloodTheChat(t *testing.T) {
	armed(t, func(w *world) {
		w.key.Mode = core.Observe
		w.tick()
		w.chat.got = nil
		w.cloud.set(gone)
		wd := w.with(w.cloud, &brokenStore{Objects: w.memory, put: errDown}, w.chat)
		for i := range 25 {
			ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
			_ = wd.Handle(ctx, fmt.Sprintf("s%d", i), core.Change{Key: keyID, Kind: core.Tick, EventID: "t", At: time.Now()})
			cancel()
			time.Sleep(time.Minute)
		}
		n := 0
		for _, c := range w.chat.codes() {
			if c == alert.Observed {
				n++
			}
		}
		if n > 2 {
			t.Errorf("%d pages for one loss in 25 minutes: %q", n, w.chat.codes())
		}
	})
}

// 6
func TestAnUnreadableEventDuringAChatOutageIsToldLater(t *testing.T) {
	armed(t, func(w *world) {
		w.chat.down = errDown
		for range 3 {
			_ = w.watchdog().Unparsable(w.Context(), "run", core.AWS, "e-1", fmt.Errorf("no detail"))
			time.Sleep(2 * time.Minute)
		}
		w.chat.down = nil
		w.passes(2 * time.Hour)
		w.wantTold(alert.EventUnreadable)
	})
}

// 2
func TestOneCauseIsPagedOnce(t *testing.T) {
	armed(t, func(w *world) {
		denied := fmt.Errorf("AccessDenied: %w", core.ErrDenied)
		w.cloud.applyErr = []error{denied, denied}
		w.mustHandle(w.edit("terraform", gone))
		w.tick()
		w.wantTold(alert.LockedOut)
	})
}

// 1
func TestAChatOutageDoesNotPileUpReminders(t *testing.T) {
	armed(t, func(w *world) {
		w.key.Mode = core.Observe
		w.chat.down = errDown
		w.mustHandle(w.edit("terraform", gone))
		w.passes(24 * time.Hour)
		n := len(w.record().Outbox)
		w.chat.down = nil
		w.passes(time.Hour)
		if n > 10 {
			t.Errorf("%d notices wait, and all came at once: %d", n, len(w.chat.got))
		}
	})
}

// 5
func TestAnOrphanSnapshotIsHarmless(t *testing.T) {
	armed(t, func(w *world) {
		edit := w.edit("jane", whole+"\ndeny * sign")
		failing := true
		w.memory.Hook = func(op, name string, done bool) error {
			if failing && op == "Put" && strings.HasPrefix(name, "records/") && !done {
				return errDown
			}
			return nil
		}
		_ = w.handle(edit)
		failing = false
		w.mustHandle(w.edit("terraform", gone))
		w.wantText(whole)
		w.dontTell(alert.RecordLost)
	})
}

// 1
func TestTwoRunsWithOneInvocationID(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		c := &beforeApply{Cloud: w.cloud}
		done := make(chan struct{})
		c.do = func() {
			go func() {
				ctx, cancel := context.WithTimeout(w.Context(), 61*time.Second)
				defer cancel()
				defer close(done)
				_ = w.watchdog().Handle(ctx, "same", event)
			}()
			time.Sleep(10 * time.Second)
		}
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		_ = w.with(c, w.memory, w.chat).Handle(ctx, "same", event)
		<-done
		w.wantWrites(1)
	})
}

// 8
func TestWaitingForALongLease(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		p := &process{world: w}
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Minute)
		_ = w.with(&dieBeforeApply{process: p}, p, p).Handle(ctx, "dead", event)
		cancel()
		ctx, cancel = context.WithTimeout(w.Context(), 12*time.Minute)
		defer cancel()
		if err := w.watchdog().Handle(ctx, "next", event); err != nil {
			t.Errorf("%v", err)
		}
		w.wantText(whole)
	})
}

type dieBeforeApply struct{ *process }

func (d *dieBeforeApply) Apply(ctx context.Context, k core.Key, s core.Step) error {
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	return errDead
}

// every store call fails once, in turn; a retry follows.
func TestEachStoreCallFailsOnce(t *testing.T) {
	for _, done := range []bool{false, true} {
		for n := 1; n <= 16; n++ {
			t.Run(fmt.Sprintf("call %d done %t", n, done), func(t *testing.T) {
				armed(t, func(w *world) {
					var calls atomic.Int32
					w.memory.Hook = func(op, name string, after bool) error {
						if after != done {
							return nil
						}
						if calls.Add(1) == int32(n) {
							return fmt.Errorf("%s %s: %w", op, name, errDown)
						}
						return nil
					}
					event := w.edit("terraform", gone)
					for try := range 3 {
						ctx, cancel := context.WithTimeout(w.Context(), 90*time.Second)
						err := w.watchdog().Handle(ctx, "x", event)
						cancel()
						if err == nil {
							break
						}
						time.Sleep(time.Duration(try+1) * time.Minute)
					}
					own := w.ownEvent()
					for w.handle(own) != nil {
						time.Sleep(time.Minute)
					}
					for range 24 {
						time.Sleep(5 * time.Minute)
						_ = w.handle(core.Change{Key: keyID, Kind: core.Tick, EventID: "tick", At: w.now(), Op: "Sweep"})
					}
					w.wantText(whole)
					w.wantWrites(1)
					told := map[alert.Code]int{}
					for _, a := range w.chat.got {
						told[a.Code]++
					}
					ins, _ := record.NewStore(w.memory, nil).Incidents(w.Context(), w.key)
					if told[alert.RoleMisused] > 0 || told[alert.Restored] < 1 || told[alert.Recovered] < 1 || len(ins) != 1 {
						t.Errorf("told %q, %d incidents kept", w.chat.codes(), len(ins))
					}
				})
			})
		}
	}
}
