package watchdog_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// Two broken policies by turns: every read shows another one.
func TestAPolicyThatFlipsBetweenReadsIsTold(t *testing.T) {
	armed(t, func(w *world) {
		event := w.edit("mallory", gone)
		w.cloud.onRead = func(n int) {
			if len(w.cloud.writes) > 0 {
				return
			}
			w.cloud.text = gone
			if n%2 == 0 {
				w.cloud.text = gutted
			}
		}

		err := w.handle(event)
		if len(w.chat.got) == 0 {
			t.Errorf("Confluent is out, %d writes were made, and nobody was told: %v", len(w.cloud.writes), err)
		}
	})
}

// A doubt is open, then our own right goes as well.
func TestADoubtIsNotRecoveredBecauseARightIsGone(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", "maybe kafka decrypt\nallow kafka encrypt\nallow self write"))
		w.wantTold(alert.Unclear)
		w.mustHandle(w.edit("jane", "maybe kafka decrypt\nallow kafka encrypt"))
		w.passes(time.Hour)
		if slices.Contains(w.chat.codes(), alert.Recovered) {
			t.Errorf("told recovered over a policy that nobody can decide: %q", w.chat.codes())
		}
	})
}

func TestADoubtIsToldThoughARightIsGone(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", "maybe kafka decrypt\nallow kafka encrypt"))
		w.passes(time.Hour)
		if !slices.Contains(w.chat.codes(), alert.Unclear) && len(w.chat.last(alert.RightsGone).Facts.Findings) < 2 {
			t.Errorf("told %q, and the doubt about decrypt nowhere", w.chat.codes())
		}
	})
}

// Planted objects beside the kept snapshots stop every restore.
func TestPlantedSnapshotsDoNotStopARestore(t *testing.T) {
	armed(t, func(w *world) {
		for i := range 150 {
			w.memory.Plant(fmt.Sprintf("kept/%s/snapshots/%010d-%08x.json", record.Name(w.key), 9000+i, i), []byte("{}"))
		}
		_ = w.handle(w.edit("mallory", gone))
		w.wantText(whole)
	})
}

// Without a store that can be written, somebody re-applies the loss all the time.
func TestContestedWithoutAStore(t *testing.T) {
	armed(t, func(w *world) {
		wd := w.with(w.cloud, &brokenStore{Objects: w.memory, put: errDown}, w.chat)
		for i := range 60 {
			_ = wd.Handle(w.Context(), fmt.Sprintf("x%d", i), w.edit("terraform", gone))
			time.Sleep(20 * time.Second)
		}
		if n := len(w.cloud.writes); n > 12 {
			t.Errorf("%d restores in half an hour", n)
		}
	})
}

// Blind twice within half an hour.
func TestASecondBlindnessIsTold(t *testing.T) {
	armed(t, func(w *world) {
		w.cloud.readErr = errDown
		_ = w.handle(core.Change{Key: keyID, Kind: core.Tick, EventID: "t", At: time.Now()})
		w.cloud.readErr = nil
		time.Sleep(2 * time.Hour)
		w.tick()
		w.chat.got = nil
		w.cloud.readErr = errDown
		_ = w.handle(core.Change{Key: keyID, Kind: core.Tick, EventID: "t", At: time.Now()})
		if a := w.chat.last(alert.Blind); a.Repeat != 0 {
			t.Errorf("a new outage is told as reminder %d of the old one", a.Repeat)
		}
	})
}

// Told once under a hold, and never again after it in another hold.
func TestEachHoldIsToldOf(t *testing.T) {
	armed(t, func(w *world) {
		w.request(record.Hold{Until: time.Now().Add(24 * time.Hour), By: "mallory"})
		w.mustHandle(w.edit("mallory", gone))
		for range 10 { // renewed every 23 h, before the warning
			time.Sleep(23 * time.Hour)
			w.request(record.Hold{Until: time.Now().Add(24 * time.Hour), By: "mallory"})
			w.tick()
		}
		if len(w.chat.got) < 2 {
			t.Errorf("Confluent is out for ten days under renewed holds, told %q", w.chat.codes())
		}
	})
}
