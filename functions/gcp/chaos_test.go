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
	"byokwatch/functions/gcp/gcptest"
)

// TestNothingIsLostWhenMuchGoesWrong delivers one event ten times, overlapping
// and out of step with the schedule, to a cloud that throttles, fails, answers
// late, loses answers, its store's as well, and shows old policies, and to
// processes that crash, all by the seed.
func TestNothingIsLostWhenMuchGoesWrong(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			tell(t, armed, func(s *story) { s.chaos(seed) })
		})
	}
}

func (s *story) chaos(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	s.edit(wiped)
	event := s.cloud.Events()[0]
	s.cloud.SetOdds(chaostest.Odds{
		Throttle: 0.1, Unavailable: 0.05, Internal: 0.05, Dropped: 0.05, Lost: 0.05, Slow: 0.2,
		SlowFor: 2 * time.Second, StaleFor: 20 * time.Second,
	})
	var wg sync.WaitGroup
	deliver := func(start, limit time.Duration, request func() *http.Request) {
		own := rand.New(rand.NewPCG(seed, rng.Uint64()))
		wg.Go(func() {
			time.Sleep(start)
			for try := range 4 {
				// A process that is cut off in the middle of its work is what a crash
				// looks like from outside.
				if own.IntN(3) == 0 {
					s.restart()
				}
				if s.serve(request(), limit) == http.StatusOK {
					return
				}
				time.Sleep(time.Duration(try+1) * time.Minute)
				limit = 90 * time.Second
			}
		})
	}
	for i := range 10 {
		limit := 90 * time.Second
		if i%3 == 0 {
			limit = time.Duration(500+rng.IntN(8000)) * time.Millisecond
		}
		form := gcptest.Deliveries[rng.IntN(len(gcptest.Deliveries))]
		deliver(time.Duration(rng.IntN(6000))*time.Millisecond, limit, func() *http.Request { return event.Request(form, "http://function/") })
	}
	for i := range 14 {
		deliver(time.Duration(i)*5*time.Minute+1300*time.Millisecond, 90*time.Second, func() *http.Request { return s.cloud.Tick(gcptest.Push, "http://function/") })
	}
	wg.Wait()
	s.cloud.SetOdds(chaostest.Odds{})
	s.restart()
	s.passes(10 * time.Minute)

	s.wantAccess(true)
	s.wantTheirs()
	s.wantSnapshot()
	if n := s.ours(); n != 1 {
		s.Errorf("seed %d: the watchdog wrote %d policies, want one: etags let no second one through", seed, n)
	}
	unmarked := s.chat.Unmarked()
	if unmarked[alert.Restored]+unmarked[alert.RestoredUnsure] == 0 || unmarked[alert.Restored] > 1 || unmarked[alert.Recovered] != 1 {
		s.Errorf("seed %d: told %q", seed, s.chat.Codes())
	}
	s.chat.WantOnly(s, alert.Restored, alert.Recovered, alert.RestoredUnsure, alert.Blind, alert.StoreReadOnly, alert.CannotRestore)
}
