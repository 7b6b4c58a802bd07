package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/aws/cloudtrail"
)

// TestNothingIsLostWhenMuchGoesWrong delivers one event ten times, overlapping
// and out of step with the schedule, to a cloud that throttles, fails, answers
// late, loses answers and shows old policies, all by the seed.
func TestNothingIsLostWhenMuchGoesWrong(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			tell(t, armedPolicy, func(s *story) { s.chaos(seed) })
		})
	}
}

func (s *story) chaos(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	s.edit(without)
	event := s.cloud.Events()[0].Data
	s.cloud.SetOdds(chaostest.Odds{
		Throttle: 0.15, Internal: 0.1, Unavailable: 0.05, Lost: 0.1, Slow: 0.2,
		SlowFor: 2 * time.Second, StaleFor: 20 * time.Second, Flap: seed%2 == 0,
	})
	var wg sync.WaitGroup
	deliver := func(id string, start time.Duration, event []byte) {
		wg.Go(func() {
			time.Sleep(start)
			for try := range 3 {
				if s.process(id, event) == nil {
					return
				}
				time.Sleep(time.Duration(try+1) * time.Minute)
			}
		})
	}
	for i := range 10 {
		deliver(fmt.Sprintf("delivery-%d", i), time.Duration(rng.IntN(6000))*time.Millisecond, event)
	}
	for i := range 14 {
		deliver(fmt.Sprintf("sweep-%d", i), time.Duration(i)*5*time.Minute+1300*time.Millisecond, s.cloud.Tick(region))
	}
	wg.Wait()
	s.cloud.SetOdds(chaostest.Odds{})
	s.passes(10 * time.Minute)

	s.wantAccess(kafka, true)
	writes := map[string]bool{}
	for _, w := range s.cloud.Writes(payments) {
		if w.Caller != s.cloud.Writes(payments)[0].Caller {
			writes[w.After] = true
		}
	}
	if len(writes) > 1 {
		s.Errorf("seed %d: the watchdog wrote %d different policies", seed, len(writes))
	}
	unmarked := s.chat.Unmarked()
	if unmarked[alert.Restored] > 1 || s.chat.Told(alert.Restored).Code == "" || s.chat.Told(alert.Recovered).Code == "" || unmarked[alert.Recovered] > 1 {
		s.Errorf("seed %d: told %q", seed, s.chat.Codes())
	}
	s.chat.WantOnly(s, alert.Restored, alert.Recovered, alert.RestoredUnsure, alert.Blind, alert.StoreReadOnly, alert.CannotRestore)
}

// process is one delivery to a process of its own.
func (s *story) process(id string, event []byte) error {
	changes, err := cloudtrail.Decode(event, "111122223333", region, []core.Key{s.key})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.Context(), 90*time.Second)
	defer cancel()
	return s.watchdog().Handle(ctx, id, changes...)
}
