package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"byokwatch/core/alert"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
)

// TestNothingIsLostWhenMuchGoesWrong delivers the events of a removal again and
// again, overlapping and out of step with the schedule, to a cloud that
// throttles, fails, answers late, loses answers and shows old states, and to
// processes that are cut off, all by the seed.
func TestNothingIsLostWhenMuchGoesWrong(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			tell(t, opening{azure: azuretest.Options{Seed: seed}, policies: seed%3 == 2, arm: armOf(seed%3 == 2)}, func(s *story) { s.chaos(seed) })
		})
	}
}

func armOf(policies bool) func(*azuretest.Cloud, place) {
	if policies {
		return givePolicies
	}
	return nil
}

func (s *story) chaos(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	s.remove()
	events := s.cloud.Events()[s.seen:]
	s.cloud.SetOdds(chaostest.Odds{
		Throttle: 0.1, Unavailable: 0.05, Internal: 0.05, Dropped: 0.05, Lost: 0.05, Slow: 0.2,
		SlowFor: 2 * time.Second, StaleFor: 20 * time.Second,
	})
	var wg sync.WaitGroup
	again := func(start time.Duration, call func(limit time.Duration) int, limit time.Duration) {
		own := rand.New(rand.NewPCG(seed, rng.Uint64()))
		wg.Go(func() {
			time.Sleep(start)
			for try := range 4 {
				// A process that is cut off in the middle of its work is what a crash
				// looks like from outside.
				if own.IntN(3) == 0 {
					s.restart()
				}
				if call(limit) == http.StatusOK {
					return
				}
				time.Sleep(time.Duration(try+1) * time.Minute)
				limit = maxSweep
			}
		})
	}
	for i := range 10 {
		limit := maxEvent
		if i%3 == 0 {
			limit = time.Duration(500+rng.IntN(8000)) * time.Millisecond
		}
		e := events[rng.IntN(len(events))]
		again(time.Duration(rng.IntN(6000))*time.Millisecond, func(limit time.Duration) int { return s.hand(e, limit) }, limit)
	}
	for i := range 45 {
		again(time.Duration(i)*time.Minute+1300*time.Millisecond, func(limit time.Duration) int { return s.serve(onTick, tickData, limit) }, maxSweep)
	}
	wg.Wait()
	s.cloud.SetOdds(chaostest.Odds{})
	s.restart()
	s.passes(10 * time.Minute)

	s.wantAccess(true)
	s.wantSnapshot()
	s.wantTheirs()
	unmarked := s.chat.Unmarked()
	if unmarked[alert.Restored]+unmarked[alert.RestoredUnsure] == 0 || unmarked[alert.Restored] > 1 || unmarked[alert.Recovered] != 1 {
		s.Errorf("seed %d: told %q", seed, s.codes())
	}
	s.chat.WantOnly(s, alert.Restored, alert.Recovered, alert.RestoredUnsure, alert.Blind, alert.CannotRestore)
}
