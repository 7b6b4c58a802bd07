package main

import (
	"net/http"
	"testing"
	"time"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/gcp/gcptest"
)

// TestOneRoundOfReadsAndOneSaveComeBeforeTheWrite makes every answer take a
// second of virtual time, so that time counts round trips. A read has two of
// them: which roles matter is known once the policies are.
func TestOneRoundOfReadsAndOneSaveComeBeforeTheWrite(t *testing.T) {
	tell(t, armed, func(s *story) {
		s.edit(wiped)
		event := s.cloud.Events()[0]
		s.cloud.SetOdds(chaostest.Odds{Slow: 1, SlowFor: time.Second})
		begun := time.Now()
		if code := s.serve(event.Request(gcptest.Push, "http://function/"), 2*time.Minute); code != http.StatusOK {
			t.Fatal(code)
		}
		writes := s.cloud.Writes(payments)
		rounds := writes[len(writes)-1].At.Sub(begun)
		t.Logf("rounds before the restoring write's answer: %d (reads; save beside a second look; the write)", rounds/time.Second)
		if want := 5 * time.Second; rounds.Round(time.Second) != want {
			t.Errorf("%s, want %s", rounds, want)
		}
	})
}
