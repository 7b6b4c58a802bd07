package main

import (
	"testing"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// TestOneRoundOfReadsAndOneSaveComeBeforeTheWrite makes every answer take a
// second of virtual time, so that time counts round trips.
func TestOneRoundOfReadsAndOneSaveComeBeforeTheWrite(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		s.edit(without)
		event := s.cloud.Events()[0].Data
		s.cloud.SetOdds(chaostest.Odds{Slow: 1, SlowFor: time.Second})
		begun := time.Now()
		if err := s.invoke(event); err != nil {
			t.Fatal(err)
		}
		writes := s.cloud.Writes(payments)
		rounds := writes[len(writes)-1].At.Sub(begun)
		t.Logf("rounds before the restoring write's answer: %d (reads; save beside a second look; the write)", rounds/time.Second)
		// The reads; the save, with everything read again beside it; the write.
		if want := 3 * time.Second; rounds.Round(time.Second) != want {
			t.Errorf("%s, want %s", rounds, want)
		}
	})
}
