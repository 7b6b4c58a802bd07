package watchdog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

func TestAStoreThatCannotBeReadStopsTheWriteAndFailsTheEvent(t *testing.T) {
	armed(t, func(w *world) {
		w.objects = &brokenStore{Objects: w.memory, get: errDown}
		event := w.edit("terraform", gone)
		if err := w.handle(event); !errors.Is(err, errDown) {
			t.Fatalf("error %v", err)
		}
		w.wantWrites(0)
		w.wantTold(alert.Blind)
		w.objects = w.memory
		w.mustHandle(event)
		w.wantText(whole)
	})
}

func TestAStoreThatCannotBeWrittenDoesNotKeepConfluentWaiting(t *testing.T) {
	armed(t, func(w *world) {
		w.objects = &brokenStore{Objects: w.memory, put: errDown}
		event := w.edit("terraform", gone)
		if err := w.handle(event); !errors.Is(err, errDown) {
			t.Fatalf("error %v", err)
		}
		w.wantText(whole)
		w.wantTold(alert.Restored, alert.StoreReadOnly)
		w.objects = w.memory
		w.mustHandle(event)
		w.passes(time.Hour)
		w.wantWrites(1)
	})
}

func TestAPolicyThatCannotBeReadFailsTheEvent(t *testing.T) {
	armed(t, func(w *world) {
		w.cloud.readErr = fmt.Errorf("GetKeyPolicy: %w", core.ErrDenied)
		event := w.event("jane", gone)
		if err := w.handle(event); !errors.Is(err, core.ErrDenied) {
			t.Fatalf("error %v", err)
		}
		// The event shows what we may no longer read.
		w.wantTold(alert.LockedOut)
		if f := w.chat.last(alert.LockedOut).Facts; len(f.Lost) != 2 || len(f.Commands) == 0 || f.Who == nil {
			t.Errorf("facts %+v", f)
		}
		if err := w.handle(core.Change{Key: keyID, Kind: core.Tick, EventID: "t"}); err == nil {
			t.Error("a tick that could not look succeeded")
		}
		w.wantTold(alert.LockedOut, alert.Blind)
	})
}

// A read that failed says nothing about our rights.
func TestAnOutageIsNotBeingLockedOut(t *testing.T) {
	armed(t, func(w *world) {
		w.cloud.readErr = errDown
		event := w.edit("jane", gone)
		if err := w.handle(event); !errors.Is(err, errDown) {
			t.Fatalf("error %v", err)
		}
		w.wantTold(alert.Blind)
		w.cloud.readErr = nil
		w.mustHandle(event) // as the platform does
		w.wantWrites(1)
		w.wantText(whole)
	})
}

func TestCandidatesThatAreRefused(t *testing.T) {
	refused := fmt.Errorf("MalformedPolicyDocument: %w", core.ErrRejected)
	denied := fmt.Errorf("AccessDenied: %w", core.ErrDenied)
	t.Run("the next one is tried", func(t *testing.T) {
		armed(t, func(w *world) {
			w.cloud.applyErr = []error{refused}
			w.mustHandle(w.edit("terraform", gone+"\nallow extra sign"))
			w.wantWrites(1)
			w.wantText(whole)
		})
	})
	t.Run("none is left", func(t *testing.T) {
		armed(t, func(w *world) {
			w.cloud.applyErr = []error{refused, refused}
			w.mustHandle(w.edit("terraform", gone))
			w.wantTold(alert.CannotRestore)
			if f := w.chat.last(alert.CannotRestore).Facts; len(f.Left) != 2 || !strings.Contains(f.Left[0], "Malformed") {
				t.Errorf("left %q", f.Left)
			}
			w.tick() // too soon for another attempt
			w.wantWrites(0)
			w.passes(10 * time.Minute)
			w.wantText(whole)
		})
	})
	t.Run("we lack the right", func(t *testing.T) {
		armed(t, func(w *world) {
			w.cloud.applyErr = []error{denied, denied}
			w.mustHandle(w.edit("terraform", gone))
			w.wantTold(alert.LockedOut)
		})
	})
	t.Run("nobody knows whether it was done", func(t *testing.T) {
		armed(t, func(w *world) {
			w.cloud.applyErr = []error{errDown}
			event := w.edit("terraform", gone)
			if err := w.handle(event); !errors.Is(err, errDown) {
				t.Fatalf("error %v", err)
			}
			w.wantTold(alert.CannotRestore)
			w.mustHandle(event)
			w.wantText(whole)
		})
	})
}

func TestSomebodyFixesItWhileWeAreAboutToWrite(t *testing.T) {
	fix := whole + "\nallow fixer sign"
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		w.cloud.onRead = func(n int) {
			if w.cloud.text == gone && n > w.readsBefore()+1 {
				w.cloud.text = fix
			}
		}
		w.mustHandle(event)
		w.wantWrites(0)
		w.wantText(fix)
	})
}

// readsBefore is how many reads arming took.
func (w *world) readsBefore() int { return 1 }

func TestAnEditBetweenOurReadAndOurWriteIsTold(t *testing.T) {
	fix := whole + "\nallow fixer sign"
	armed(t, func(w *world) {
		event := w.edit("terraform", gone)
		var fixed core.Change
		w.cloud.onApply = func(int) { fixed = w.event("fixer", fix) }
		w.mustHandle(event)
		w.mustHandle(fixed)
		w.wantTold(alert.Restored, alert.Overwrote)
		w.wantWrites(1)
	})
}

func TestAStaleReadIsNotTakenForFine(t *testing.T) {
	t.Run("the loss shows within a minute", func(t *testing.T) {
		armed(t, func(w *world) {
			w.cloud.stale, w.cloud.staleN = whole, 5
			w.mustHandle(w.edit("terraform", gone))
			w.wantText(whole)
			w.wantWrites(1)
		})
	})
	t.Run("it never shows", func(t *testing.T) {
		armed(t, func(w *world) {
			begun := time.Now()
			w.mustHandle(w.event("terraform", gone))
			if waited := time.Since(begun); waited < time.Minute || waited > 90*time.Second {
				t.Errorf("waited %s", waited)
			}
			if w.record().Hint == nil {
				t.Error("no hint for the next tick")
			}
			w.tick()
			if w.record().Hint != nil {
				t.Error("the hint outlived the tick")
			}
			w.wantWrites(0)
			w.wantTold()
		})
	})
	t.Run("our own write does not show at once", func(t *testing.T) {
		armed(t, func(w *world) {
			w.cloud.onApply = func(int) { w.cloud.stale, w.cloud.staleN = gone, 500 }
			w.mustHandle(w.edit("terraform", gone))
			w.tick()
			w.wantWrites(1)
			w.wantTold(alert.RestoredUnsure)
			w.cloud.staleN = 0
			w.tick()
			w.wantTold(alert.RestoredUnsure, alert.Restored)
		})
	})
}

func TestAContestedKey(t *testing.T) {
	armed(t, func(w *world) {
		for range 30 {
			w.mustHandle(w.edit("terraform", gone))
			time.Sleep(time.Minute)
		}
		if n := len(w.cloud.writes); n < 7 || n > 12 {
			t.Errorf("%d restores in half an hour", n)
		}
		told := w.chat.last(alert.Contested)
		if told.Facts.Who == nil || told.Facts.Who.Actor.Name != "terraform" {
			t.Errorf("contested by %+v", told.Facts.Who)
		}
	})
}

func TestOurRoleInSomebodyElsesHands(t *testing.T) {
	t.Run("a write that we did", func(t *testing.T) {
		armed(t, func(w *world) {
			w.mustHandle(w.edit("terraform", gone))
			w.mustHandle(w.event(self, whole))
			w.passes(time.Hour)
			w.wantTold(alert.Restored, alert.Recovered)
		})
	})
	t.Run("a write that we did not", func(t *testing.T) {
		armed(t, func(w *world) {
			w.mustHandle(w.edit(self, whole+"\nallow mallory decrypt"))
			w.passes(10 * time.Minute)
			w.wantTold(alert.Widened)
			w.passes(10 * time.Minute)
			w.wantTold(alert.Widened, alert.RoleMisused)
		})
	})
}

func TestARecordThatIsGone(t *testing.T) {
	name := func(w *world) string { return "records/" + record.Name(w.key) + ".json" }
	t.Run("while the policy is broken", func(t *testing.T) {
		armed(t, func(w *world) {
			w.memory.Remove(name(w))
			w.mustHandle(w.edit("mallory", gone))
			w.wantText(whole)
			if w.chat.last(alert.RecordLost).Code == "" {
				t.Errorf("told %q", w.chat.codes())
			}
		})
	})
	t.Run("nothing is adopted", func(t *testing.T) {
		armed(t, func(w *world) {
			w.memory.Remove(name(w))
			w.mustHandle(w.edit("mallory", whole+"\nallow mallory decrypt"))
			if got := w.record().Snapshot.Generation; got != 1 {
				t.Errorf("generation %d", got)
			}
			w.wantTold(alert.RecordLost)
		})
	})
	t.Run("and an older one is in its place", func(t *testing.T) {
		armed(t, func(w *world) {
			old, err := w.memory.Get(w.Context(), name(w))
			if err != nil {
				t.Fatal(err)
			}
			w.key.Needs.Roles = []string{"kafka", "kafka2"}
			both := whole + "\nallow kafka2 encrypt\nallow kafka2 decrypt"
			w.mustHandle(w.edit("jane", whole+"\nallow kafka2 encrypt"))
			w.mustHandle(w.edit("jane", both))
			w.memory.Plant(name(w), old.Data)
			w.mustHandle(w.edit("mallory", gone))
			w.wantText(both)
			if w.chat.last(alert.RecordLost).Code == "" {
				t.Errorf("told %q", w.chat.codes())
			}
		})
	})
	t.Run("and only forgeries are left", func(t *testing.T) {
		armed(t, func(w *world) {
			names, _ := w.memory.List(w.Context(), "")
			for _, n := range names {
				w.memory.Plant(n, []byte(`{"generation":9,"policy":[{"kind":"toy.policy","text":"allow mallory decrypt"}]}`))
			}
			w.cloud.set(gone)
			w.passes(time.Hour)
			w.wantWrites(0)
			if s := w.record().Snapshot; s != nil {
				t.Errorf("adopted %+v", s)
			}
		})
	})
}

func TestAConfigurationThatProtectsLess(t *testing.T) {
	armed(t, func(w *world) {
		w.key.Mode = core.Observe
		w.tick()
		w.tick()
		w.wantTold(alert.ProtectsLess)
	})
}

func TestAKeyThatLeavesTheConfigurationIsToldOf(t *testing.T) {
	armed(t, func(w *world) {
		w.scope = "111122223333/us-west-2"
		w.tick()
		w.wantTold()
		w.key.ID = strings.Replace(keyID, "1234abcd", "eeeeeeee", 1)
		tick := core.Change{Key: w.key.ID, Kind: core.Tick, EventID: "tick", At: w.now()}
		w.mustHandle(tick)
		w.mustHandle(tick)
		w.wantTold(alert.FirstSnapshot, alert.ProtectsLess)
		if got := w.chat.last(alert.ProtectsLess).Facts.Keys; len(got) != 1 || got[0] != keyID {
			t.Errorf("told of %q", got)
		}
	})
}

func TestAChatOutageDelaysAnAlertAndNothingElse(t *testing.T) {
	armed(t, func(w *world) {
		w.chat.down = errDown
		w.mustHandle(w.edit("terraform", gone))
		w.wantText(whole)
		w.passes(15 * time.Minute)
		w.wantTold()
		w.chat.down = nil
		w.passes(15 * time.Minute)
		w.wantTold(alert.Restored, alert.Recovered)
	})
}

func TestASenderThatDiedIsTakenOverAndTheRepeatIsMarked(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("terraform", gone))
		rec := w.record()
		notice := record.Notice{
			Alert: alert.Alert{ID: "x/restored", Code: alert.Restored, At: time.Now()},
			Sent:  map[string]record.Delivery{"chat": {Claimed: "dead", Until: time.Now().Add(time.Minute)}},
		}
		rec.Outbox = append(rec.Outbox, notice)
		store := record.NewStore(w.memory, nil)
		_, version, _ := store.Load(w.Context(), w.key)
		rec.Revision = "planted"
		if _, err := store.Save(w.Context(), w.key, rec, version); err != nil {
			t.Fatal(err)
		}
		w.tick() // still claimed
		w.wantTold(alert.Restored)
		time.Sleep(2 * time.Minute)
		w.tick()
		w.wantTold(alert.Restored, alert.Restored)
		if !w.chat.got[1].Again {
			t.Error("the repeat is not marked")
		}
	})
}

func TestAnUnreadableEventIsToldOnceAndAlwaysFails(t *testing.T) {
	in(t, func(w *world) {
		for range 3 {
			err := w.watchdog().Unparsable(w.Context(), "run", core.AWS, "e-1", errors.New("no detail"))
			if err == nil {
				t.Fatal("the dead letter queue would never see it")
			}
		}
		w.wantTold(alert.EventUnreadable)
	})
}

func TestAHealthySweepWritesNothing(t *testing.T) {
	armed(t, func(w *world) {
		ops := map[string]int{}
		w.memory.Hook = func(op, _ string, done bool) error {
			if done {
				ops[op]++
			}
			return nil
		}
		w.tick()
		// One key: its three requests are asked for directly. And once per sweep
		// what was told of no key.
		if ops["Put"] != 0 || ops["List"] != 0 || ops["Get"] > 5 {
			t.Errorf("store calls %v", ops)
		}
	})
}

func TestARecordHoldsNoSecretsOfAChannel(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("terraform", gone))
		b, err := json.Marshal(w.record())
		if err != nil || strings.Contains(string(b), "https://") {
			t.Errorf("record %s, %v", b, err)
		}
	})
}
