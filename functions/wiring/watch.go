package wiring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/core/watchdog"
)

// ErrUnprotected is why an invocation fails while the configuration can't be
// put to work.
var ErrUnprotected = errors.New("nothing is protected")

// Loader loads the configuration once. Its methods are safe for concurrent use.
type Loader struct {
	Load func(context.Context) (*Watch, error)

	mu    sync.Mutex
	watch *Watch
}

// Ready loads the configuration unless that was done. What fails is tried again
// at the next invocation, and fails that one if it still does: a function that
// exits instead would be started over and over without ever saying why.
func (l *Loader) Ready(ctx context.Context) (*Watch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watch != nil {
		return l.watch, nil
	}
	w, err := l.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnprotected, err)
	}
	l.watch = w
	return w, nil
}

// Watch is the configuration at work.
type Watch struct {
	Keys []core.Key // those that this function protects
	Dog  *watchdog.Watchdog
	// Beat tells the outside of a complete sweep; nil where nobody listens.
	Beat func(context.Context) error
}

// Handle has the watchdog look at what an event, known by its ID, may have
// touched. An error means that the platform shall deliver the event again.
func (w *Watch) Handle(ctx context.Context, invocation, event string, changes []core.Change) error {
	if len(changes) == 0 {
		w.Dog.Log.DebugContext(ctx, "nothing to look at", "event", event)
		return nil
	}
	if len(changes) > 1 {
		ctx = share.WithPass(ctx, time.Now)
	}
	if err := w.Dog.Handle(ctx, invocation, changes...); err != nil {
		return err
	}
	if changes[0].Kind == core.Tick && w.Beat != nil {
		if err := w.Beat(ctx); err != nil {
			// The sweep is done, and repeating it would help nobody: whoever
			// waits for the beat is told by its absence.
			w.Dog.Log.ErrorContext(ctx, "heartbeat not sent", "error", err)
		}
	}
	return nil
}

// MaxError bounds what [Brief] leaves of an error. A sweep that finds the store
// gone has one error per key; Lambda's runtime library also sends it as a
// header, and Cloud Logging cuts a line at 256 KB
// (https://docs.cloud.google.com/logging/quotas).
const MaxError = 8 << 10

// Brief is err, cut where it is too long for a platform to take.
func Brief(err error) error {
	text := err.Error()
	if len(text) <= MaxError {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:MaxError], "") + " … (cut here; each key has its own line in the log)")
}
