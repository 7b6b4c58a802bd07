package main

import (
	"context"
	"time"
)

// Up to everyMinute keys each tick looks at all of them, and every sparse
// minutes where there are more: with ten calls a key, 100 keys take a tenth of
// what Azure Resource Manager lets one identity read in a subscription.
// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
const (
	everyMinute = 100
	sparse      = 5
)

// tick looks at every key. Nothing in what the timer sends is needed for that, so
// nothing in it can be wrong.
func (f *function) tick(ctx context.Context, c call, _ error) error {
	w, err := f.Ready(ctx)
	if err != nil {
		return err
	}
	at := f.now()
	if len(w.Keys) > everyMinute && !f.due(at, c) {
		f.log.DebugContext(ctx, "left to a later tick", "keys", len(w.Keys))
		return nil
	}
	f.owed.Store(true) // unless it succeeds
	if err := w.Handle(ctx, c.invocation, c.invocation, w.Dog.Sweep(c.invocation, at)); err != nil {
		return err
	}
	f.owed.Store(false)
	return nil
}

// due says whether a tick is one of those that look at many keys: that of every
// fifth minute, the first of this process, the next after one that failed, and
// one that comes late, as after an outage. The timer may be a moment early.
func (f *function) due(at time.Time, c call) bool {
	at = at.Add(time.Second)
	t := c.data.Object(timerBinding)
	late := t.Text("IsPastDue") == "true" || t.Text("isPastDue") == "true"
	return at.Minute()%sparse == 0 || late || f.owed.Load()
}
