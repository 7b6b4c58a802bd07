package gcptest

import (
	"net/http"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// doomed is what a fate says instead of doing anything; nil where nothing.
func doomed(f chaostest.Fate) *failure {
	switch f.Kind {
	case chaostest.Throttle:
		return &failure{http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute'."}
	case chaostest.Unavailable:
		return &failure{http.StatusServiceUnavailable, "UNAVAILABLE", "The service is currently unavailable."}
	case chaostest.Internal:
		return &failure{http.StatusInternalServerError, "INTERNAL", "Internal error encountered."}
	case chaostest.Other:
		return &failure{f.Fault.Status, f.Fault.Code, "made to happen"}
	case chaostest.Dropped, chaostest.Lost, chaostest.Stale, chaostest.Slow:
	}
	return nil
}

// seenFrom draws when reads show a write. Nobody documents that reads of
// policies see the last one.
func (c *Cloud) seenFrom(k *call) time.Time {
	if k == nil {
		return c.opts.Now()
	}
	return c.SeenFrom(k.route.op, k.resource, k.fate.N, c.opts.Now())
}
