package watchdog_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
)

func (w *world) many(n int) []core.Key {
	var keys []core.Key
	for i := range n {
		k := w.key
		k.Label = fmt.Sprint("k", i)
		k.ID = fmt.Sprintf("arn:aws:kms:us-west-2:111122223333:key/%08d-12ab-34cd-56ef-1234567890ab", i)
		keys = append(keys, k)
	}
	return keys
}

func (w *world) dogFor(keys []core.Key, n ...watchdog.Notifier) *watchdog.Watchdog {
	wd, err := watchdog.New(watchdog.Config{
		Cloud: w.cloud, Rules: w.rules, Store: record.NewStore(w.memory, nil), Notifiers: n,
		Keys: keys, Self: self, Now: w.now, Log: slog.New(slog.DiscardHandler), Reads: 3, Every: time.Second, Settle: time.Minute,
	})
	if err != nil {
		w.Fatal(err)
	}
	return wd
}

func TestFirstSnapshotsOfManyKeysAfterAnOutage(t *testing.T) {
	in(t, func(w *world) {
		keys := w.many(20)
		w.chat.down = errDown
		wd := w.dogFor(keys, w.chat)
		for i := range 6 {
			ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
			_ = wd.Handle(ctx, fmt.Sprint("s", i), wd.Sweep("t", w.now())...)
			cancel()
			time.Sleep(5 * time.Minute)
			if i == 2 {
				w.chat.down = nil
			}
		}
		n := 0
		names := map[string]bool{}
		for _, a := range w.chat.got {
			n++
			for _, k := range a.Facts.Keys {
				names[k] = true
			}
		}
		if n != 1 || len(names) != 20 {
			t.Errorf("%d posts for %d keys", n, len(names))
		}
	})
}

// A sweep and one key's event overlap while all channels accept: told once.
func TestOverlapOfSweepAndEvents(t *testing.T) {
	for seed := range 20 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(w *world) {
				keys := w.many(3)
				wd := w.dogFor(keys, w.chat)
				if err := wd.Handle(w.Context(), "arm", wd.Sweep("t", w.now())...); err != nil {
					t.Fatal(err)
				}
				w.chat.got = nil
				time.Sleep(time.Minute)
				w.cloud.set(whole + "\nallow audit decrypt")
				var wg sync.WaitGroup
				for i := range 6 {
					wg.Go(func() {
						time.Sleep(time.Duration((seed*7+i*13)%50) * time.Millisecond)
						ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
						defer cancel()
						_ = w.dogFor(keys, w.chat).Handle(ctx, fmt.Sprint("o", i), wd.Sweep("t", w.now())...)
					})
				}
				wg.Wait()
				if n := len(w.chat.got); n != 3 {
					t.Errorf("%d told: %q", n, w.chat.codes())
				}
			})
		})
	}
}

// One hostile record of another format must not be written over.
func TestANewerRecordIsLeftAlone(t *testing.T) {
	armed(t, func(w *world) {
		name := "records/" + record.Name(w.key) + ".json"
		w.memory.Plant(name, []byte(`{"format":2,"key":"`+keyID+`","revision":"x","new":1}`))
		if err := w.handle(w.edit("jane", gone)); err == nil {
			t.Error("no error")
		}
		w.wantWrites(0)
		o, _ := w.memory.Get(w.Context(), name)
		if string(o.Data[:11]) != `{"format":2` {
			t.Errorf("%s", o.Data)
		}
	})
}

// Alerts of a state that is over before they were sent
func TestObserveWritesNothingWhateverHappens(t *testing.T) {
	texts := []string{whole, gone, gutted, whole + "\ndeny kafka decrypt", gone + "\ndisabled", "nonsense", gone + "\nrevoked X", "maybe kafka decrypt\nallow self write"}
	for seed := range 60 {
		in(t, func(w *world) {
			w.key.Mode = core.Observe
			w.key.KeyState = core.CareRestore
			w.tick()
			for i := range 30 {
				x := seed*31 + i*17
				text := texts[(x*x+7*x)%len(texts)]
				_ = w.handle(w.edit("x", text))
				if x%3 == 0 && toyDigest(toyDoc(text)) != "" {
					w.request(record.Accept{Digest: toyDigest(toyDoc(text))})
				}
				if x%5 == 0 {
					w.request(record.Hold{Released: true})
				}
				if x%7 == 0 {
					w.request(record.Reinstate{})
				}
				time.Sleep(time.Duration(x%45) * time.Minute)
			}
			w.wantWrites(0)
		})
	}
}

// Enforce: a revoked key is never written until reinstated, in any order of things.
func TestRevokedIsNeverWritten(t *testing.T) {
	texts := []string{whole, gone, gutted, whole + "\ndeny kafka decrypt", "nonsense", gone + "\ndisabled", "maybe kafka decrypt\nallow self write"}
	for seed := range 60 {
		armed(t, func(w *world) {
			w.key.KeyState = core.CareRestore
			w.mustHandle(w.edit("jane", gone+"\nrevoked X"))
			for i := range 30 {
				x := seed*31 + i*17
				text := texts[(x*x+3*x)%len(texts)]
				if x%4 == 0 {
					text += "\nrevoked again"
				}
				_ = w.handle(w.edit("x", text))
				if x%3 == 0 && toyDigest(toyDoc(text)) != "" {
					w.request(record.Accept{Digest: toyDigest(toyDoc(text))})
				}
				if x%5 == 0 {
					w.request(record.Hold{Released: true})
				}
				time.Sleep(time.Duration(x%45) * time.Minute)
			}
			w.wantWrites(0)
		})
	}
}

// The alert about a first snapshot of a key that is already broken/disabled.
func TestAFirstSnapshotOfAKeyThatLacksEverything(t *testing.T) {
	in(t, func(w *world) {
		w.cloud.set(gone)
		w.tick()
		if !slices.Contains(w.chat.codes(), alert.NeverHad) {
			t.Errorf("told %q", w.chat.codes())
		}
		// the owner adds it, then it is lost
		w.mustHandle(w.edit("jane", whole))
		w.mustHandle(w.edit("jane", gone))
		w.wantText(whole)
	})
}

// An event in the future must not switch off the freshness rules.
func TestAnEventFromTheFuture(t *testing.T) {
	armed(t, func(w *world) {
		c := core.Change{Key: keyID, Kind: core.PolicyChange, EventID: "future", At: time.Now().Add(1000 * time.Hour), Op: "TagResource", Actor: core.Actor{ID: "x"}}
		w.mustHandle(c)
		n := 0
		w.cloud.onApply = func(int) {
			n++
			if n == 1 {
				w.cloud.stale, w.cloud.staleN = gone, 500
			}
		}
		w.mustHandle(w.edit("terraform", gone))
		w.tick()
		w.wantWrites(1)
	})
}
