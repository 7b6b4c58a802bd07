package watchdog

import (
	"context"
	"time"

	"byokwatch/core"
)

// Preview gathers, judges and plans one key as a sweep would, and writes
// nothing.
func (w *Watchdog) Preview(ctx context.Context, k core.Key) (Sight, Plan, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = w.Now().Add(time.Minute)
	}
	l := &look{
		run: &run{Watchdog: w, invocation: "preview", deadline: deadline},
		key: k, since: w.Now(),
	}
	s, err := l.gather(ctx)
	if s.Live == nil {
		return s, Plan{}, err
	}
	return s, Next(s), err
}
