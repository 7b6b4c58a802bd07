package watchdog_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
)

// A hint left by one event does not keep the next event from promoting.
func TestAHintKeepsLaterEventsFromPromoting(t *testing.T) {
	armed(t, func(w *world) {
		edit := whole + "\ndeny * sign"
		w.cloud.set(edit)
		// An event shows a loss that the read doesn't.
		w.mustHandle(w.event("terraform", gone+"\ndeny * sign"))
		if w.record().Hint == nil || w.record().Snapshot.Generation != 1 {
			t.Fatalf("hint %v generation %d", w.record().Hint, w.record().Snapshot.Generation)
		}
		w.mustHandle(core.Change{Key: keyID, Kind: core.PolicyChange, EventID: "tag", At: time.Now(), Op: "TagResource", Actor: core.Actor{ID: "jane"}})
		if g := w.record().Snapshot.Generation; g != 1 {
			t.Errorf("promoted generation %d while a hint stands", g)
		}
	})
}

// The record is deleted after a revocation whose marker a pipeline wrote over.
func TestARevocationOutlivesItsRecord(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", gone+"\nrevoked SEC-812"))
		w.tick()
		w.memory.Remove("records/" + record.Name(w.key) + ".json")
		w.mustHandle(w.edit("mallory", gone))
		w.wantWrites(0)
	})
}

// ---- signing
type signed struct {
	*world
	store *record.Store
}

func (s signed) dog() *watchdog.Watchdog {
	wd, err := watchdog.New(watchdog.Config{
		Cloud: s.cloud, Rules: s.rules, Store: s.store, Notifiers: []watchdog.Notifier{s.chat},
		Keys: []core.Key{s.key}, Self: self, Now: s.now, Log: slog.New(slog.DiscardHandler),
		Reads: 3, Every: time.Second, Settle: time.Minute,
	})
	if err != nil {
		s.Fatal(err)
	}
	return wd
}

func (s signed) run(c core.Change) error {
	s.runs++
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	return s.dog().Handle(ctx, fmt.Sprintf("signed-%d", s.runs), c)
}

func (s signed) sweep() error {
	return s.run(core.Change{Key: keyID, Kind: core.Tick, EventID: "tick", At: s.now()})
}

func inSigned(t *testing.T, play func(s signed)) {
	in(t, func(w *world) {
		pub, priv, _ := ed25519.GenerateKey(rand.Reader)
		w.key.Restore = core.WholeSnapshot
		st := record.NewStore(w.memory, &record.Signing{Public: pub, Sign: func(_ context.Context, m []byte) ([]byte, error) { return ed25519.Sign(priv, m), nil }})
		s := signed{w, st}
		if err := s.sweep(); err != nil {
			t.Fatal(err)
		}
		w.chat.got = nil
		time.Sleep(time.Minute)
		play(s)
	})
}

// replaying an older signed snapshot in the record must not be adopted by a promotion
func TestSignedReplay(t *testing.T) {
	inSigned(t, func(s signed) {
		name := "records/" + record.Name(s.key) + ".json"
		old, _ := s.memory.Get(s.Context(), name)
		// gen 2: forbids sign to all
		if err := s.run(s.edit("jane", whole+"\ndeny * sign")); err != nil {
			t.Fatal(err)
		}
		rec, _, err := s.store.Load(s.Context(), s.key)
		if err != nil || rec.Snapshot.Generation != 2 {
			t.Fatalf("%v %+v", err, rec.Snapshot)
		}
		// The old record is put back, and the Deny goes: compared with generation 1 nothing widens.
		s.memory.Plant(name, old.Data)
		if err := s.run(s.edit("mallory", whole)); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(s.chat.codes(), alert.NeedsAcceptance) && !slices.Contains(s.chat.codes(), alert.RecordLost) {
			t.Errorf("told %q: a replayed older snapshot is last-known-good again, silently", s.chat.codes())
		}
	})
}

func TestSignedReplayThenWiderPromotion(t *testing.T) {
	inSigned(t, func(s signed) {
		name := "records/" + record.Name(s.key) + ".json"
		old, _ := s.memory.Get(s.Context(), name)
		if err := s.run(s.edit("jane", whole+"\ndeny * sign")); err != nil {
			t.Fatal(err)
		}
		s.memory.Plant(name, old.Data)
		s.cloud.set(whole + "\ndeny * tag")
		if err := s.sweep(); err != nil {
			t.Fatal(err)
		}
		rec, _, _ := s.store.Load(s.Context(), s.key)
		if strings.Contains(rec.Snapshot.Policy[0].Text, "tag") {
			t.Errorf("promoted generation %d, which lost the Deny of generation 2, without acceptance: %q", rec.Snapshot.Generation, s.chat.codes())
		}
	})
}

// A write that KMS refuses whole, fallback etc: unsigned record snapshot
func TestUnsignedRecordSnapshot(t *testing.T) {
	inSigned(t, func(s signed) {
		forger := record.NewStore(s.memory, nil)
		rec, version, err := forger.Load(s.Context(), s.key)
		if err != nil {
			t.Fatal(err)
		}
		snap := *rec.Snapshot
		snap.Generation, snap.Policy, snap.Digest = 9, toyDoc(whole+"\nallow mallory decrypt"), toyDigest(toyDoc(whole+"\nallow mallory decrypt"))
		sealed, err := forger.Keep(s.Context(), s.key, snap)
		if err != nil {
			t.Fatal(err)
		}
		rec.Snapshot, rec.Revision = &sealed, "forged"
		if _, err := forger.Save(s.Context(), s.key, rec, version); err != nil {
			t.Fatal(err)
		}
		if err := s.run(s.edit("mallory", gone)); err != nil {
			t.Fatal(err)
		}
		s.wantText(whole)
		if !slices.Contains(s.chat.codes(), alert.RecordLost) {
			t.Errorf("told %q", s.chat.codes())
		}
	})
}

// a sweep over many keys with too little time, tried again by the platform
func TestARetriedSweepReachesTheKeysThatItMissed(t *testing.T) {
	in(t, func(w *world) {
		var keys []core.Key
		for i := range 60 {
			k := w.key
			k.ID = fmt.Sprintf("arn:aws:kms:us-west-2:111122223333:key/%08d-12ab-34cd-56ef-1234567890ab", i)
			keys = append(keys, k)
		}
		seen := map[string]bool{}
		slow := &slowCloud{toyCloud: w.cloud, seen: seen}
		wd, err := watchdog.New(watchdog.Config{
			Cloud: slow, Rules: w.rules, Store: record.NewStore(w.memory, nil), Notifiers: []watchdog.Notifier{w.chat},
			Keys: keys, Self: self, Now: w.now, Log: slog.New(slog.DiscardHandler), Reads: 3, Every: time.Second, Settle: time.Minute, Scope: "here",
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
			_ = wd.Handle(ctx, "same-request", wd.Sweep("tick", w.now())...)
			cancel()
		}
		if len(seen) != 60 {
			t.Errorf("five passes reached %d of 60 keys", len(seen))
		}
	})
}

type slowCloud struct {
	*toyCloud
	seen map[string]bool
}

func (c *slowCloud) Read(ctx context.Context, k core.Key) (core.Policy, error) {
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.Lock()
	c.seen[k.ID] = true
	c.mu.Unlock()
	return c.toyCloud.Read(ctx, k)
}

// observe writes nothing ever, under random scenario
func TestObserveAfterEnforceWithAnIntent(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		p := &process{world: w}
		ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
		_ = w.with(&dieBeforeApply{process: p}, p, p).Handle(ctx, "dead", event)
		cancel()
		w.key.Mode = core.Observe
		w.passes(2 * time.Hour)
		w.wantWrites(0)
	})
}

// a slow chat at the end of an invocation fails the event?
type hangingChat struct{ *toyChat }

func (h hangingChat) Send(ctx context.Context, _ alert.Alert) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAHangingChatDoesNotFailTheEvent(t *testing.T) {
	armed(t, func(w *world) {
		ctx, cancel := context.WithTimeout(w.Context(), 14*time.Second)
		defer cancel()
		err := w.with(w.cloud, w.memory, hangingChat{w.chat}).Handle(ctx, "x", w.edit("terraform", gone))
		if err != nil {
			t.Errorf("%v", err)
		}
	})
}

// Overwrote: fixer's event handled while the lease stands and time runs out
func TestAnOverwrittenFixSeenDuringTheLeaseIsTold(t *testing.T) {
	fix := whole + "\nallow fixer sign"
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		var fixed core.Change
		c := &beforeApply{Cloud: w.cloud}
		c.do = func() {
			fixed = w.edit("fixer", fix)
			ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
			defer cancel()
			if err := w.watchdog().Handle(ctx, "fixer", fixed); err != nil {
				t.Error(err)
			}
		}
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
		defer cancel()
		if err := w.with(c, w.memory, w.chat).Handle(ctx, "first", event); err != nil {
			t.Error(err)
		}
		w.passes(time.Hour)
		w.wantWrites(1)
		if !slices.Contains(w.chat.codes(), alert.Overwrote) {
			t.Errorf("told %q", w.chat.codes())
		}
	})
}

// reinstate written before our clock's Since
func TestClockSkewOfReinstate(t *testing.T) {
	armed(t, func(w *world) {
		w.now = func() time.Time { return time.Now().Add(90 * time.Second) } // our clock is ahead of the store's
		w.mustHandle(w.edit("jane", gone+"\nrevoked SEC-812"))
		time.Sleep(time.Minute)
		w.cloud.set(gone)
		w.request(record.Reinstate{By: "jane", Reason: "SEC-813"})
		w.passes(time.Hour)
		w.wantWrites(0)
		w.wantTold(alert.Revoked, alert.RequestRefused, alert.MarkerGone) // aloud, so that it is asked again
	})
}

// Lost + never: NeverHad told though restored?
func TestNeverHadIsToldWhileSomethingIsLost(t *testing.T) {
	armed(t, func(w *world) {
		w.key.Needs.Roles = []string{"kafka", "kafka2"}
		w.key.Mode = core.Observe
		w.mustHandle(w.edit("jane", gone))
		a := w.chat.last(alert.Observed)
		if len(a.Facts.Never) != 2 {
			t.Errorf("never %v", a.Facts.Never)
		}
	})
}

// Key disabled + contested etc: hold then disabled
func TestDisabledUnderHold(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", whole+"\ndisabled"))
		w.request(record.Hold{Until: time.Now().Add(2 * time.Hour), By: "jane"})
		w.passes(time.Hour)
		n := len(w.chat.got)
		w.passes(2 * time.Hour)
		if !slices.Contains(w.chat.codes()[n:], alert.KeyDisabled) {
			t.Errorf("told %q", w.chat.codes())
		}
	})
}

// An accept that became old
func TestAnOldAcceptIsRefusedAloud(t *testing.T) {
	armed(t, func(w *world) {
		edit := "maybe kafka decrypt\nallow kafka encrypt\nallow self write"
		w.request(record.Accept{Digest: toyDigest(toyDoc(edit)), By: "jane"})
		time.Sleep(25 * time.Hour)
		w.mustHandle(w.edit("jane", edit))
		if w.record().Snapshot.Generation != 1 {
			t.Error("followed")
		}
	})
}

// flooded: late redelivery of our own event after 20+ restores
func TestFloodOfEventsThenOwnRedelivered(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("terraform", gone))
		own := w.ownEvent()
		w.mustHandle(own)
		for i := range 40 {
			w.mustHandle(core.Change{Key: keyID, Kind: core.PolicyChange, EventID: fmt.Sprintf("f%d", i), At: time.Now(), Op: "TagResource"})
		}
		w.mustHandle(own)
		w.passes(time.Hour)
		w.dontTell(alert.RoleMisused)
	})
}

var _ = errors.New
