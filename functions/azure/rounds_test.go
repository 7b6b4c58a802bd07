package main

import (
	"net/http"
	"testing"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// TestOneRoundOfReadsAndOneSaveComeBeforeTheWrite makes every answer take a
// second of virtual time, so that time counts round trips. A read has two of
// them: which roles matter is known once the assignments are. In a vault with
// access policies, because a lost assignment waits for its replacement first.
func TestOneRoundOfReadsAndOneSaveComeBeforeTheWrite(t *testing.T) {
	tell(t, opening{policies: true, arm: givePolicies}, func(s *story) {
		s.remove()
		e := s.cloud.Events()[s.seen]
		s.cloud.SetOdds(chaostest.Odds{Slow: 1, SlowFor: time.Second})
		begun := time.Now()
		if code := s.hand(e, maxEvent); code != http.StatusOK {
			t.Fatal(code)
		}
		writes := s.ours()
		if len(writes) == 0 {
			t.Fatal("nothing was given back")
		}
		rounds := writes[0].At.Sub(begun)
		t.Logf("rounds before the restoring write's answer: %d (reads; save beside a second look; the write)", rounds/time.Second)
		if want := 5 * time.Second; rounds.Round(time.Second) != want {
			t.Errorf("%s, want %s", rounds, want)
		}
		if took := time.Since(begun); took > maxEvent {
			t.Errorf("the event took %s", took)
		}
	})
}
