package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/watchdog"
	"byokwatch/functions/gcp/auditlog"
	"byokwatch/functions/gcp/cloudkms"
)

// maxRun is the longest that one invocation works, whatever Cloud Run would let
// it: Pub/Sub waits for an answer for ten minutes at most and then delivers
// again, and a lease must not outlive a crash for longer
// (https://docs.cloud.google.com/pubsub/docs/push#receive_push).
const maxRun = 9*time.Minute + 30*time.Second

// function is what the platform invokes. It holds what outlives an invocation:
// the clients and, once it could be loaded, the configuration.
type function struct {
	log   *slog.Logger
	load  func(ctx context.Context) (*watch, error)
	nonce func() string // of a delivery

	mu    sync.Mutex
	watch *watch
}

// watch is the configuration at work.
type watch struct {
	keys []core.Key
	dog  *watchdog.Watchdog
	// beat tells the outside of a complete sweep; nil where nobody listens.
	beat func(ctx context.Context) error
}

func newFunction(log *slog.Logger, load func(ctx context.Context) (*watch, error)) *function {
	return &function{log: log, load: load, nonce: rand.Text}
}

// ServeHTTP handles one delivery. 2xx means that it is done with; anything else
// makes the platform deliver it again and, in the end, keep it among the dead
// letters. So 500 is the answer to what a later try may do better, and to what
// can't be understood, which must not be lost.
func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "events are posted", http.StatusMethodNotAllowed)
		return
	}
	ctx := r.Context()
	defer func() {
		if p := recover(); p != nil {
			f.log.ErrorContext(ctx, "panic", "error", fmt.Sprint(p), "stack", string(debug.Stack()))
			http.Error(w, "failed; the log says why", http.StatusInternalServerError)
		}
	}()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3*auditlog.MaxBytes))
	if err != nil {
		f.log.ErrorContext(ctx, "failed", "error", "read the request: "+err.Error())
		http.Error(w, "failed; the log says why", http.StatusInternalServerError)
		return
	}
	d, unread := auditlog.Open(r.Header, body)
	// Pub/Sub may deliver a message again while an earlier delivery is still
	// being handled. The two must not take each other's lease for their own.
	invocation := cmp.Or(d.ID, auditlog.ID(d.Entry)) + "/" + f.nonce()
	ctx = withOrigin(ctx, originOf(r.Header, invocation))
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := f.handle(ctx, invocation, d, unread); err != nil {
		f.log.ErrorContext(ctx, "failed", "error", brief(err))
		http.Error(w, "failed; the log says why", http.StatusInternalServerError)
	}
}

// bound keeps the deadline that the framework sets and forgets the caller's
// going away: what was begun is brought to an end.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(maxRun)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

func (f *function) handle(ctx context.Context, invocation string, d auditlog.Delivery, unread error) error {
	w, err := f.ready(ctx)
	if err != nil {
		return err
	}
	if unread != nil {
		return w.dog.Unparsable(ctx, invocation, core.GCP, cmp.Or(d.ID, auditlog.ID(d.Entry)), unread)
	}
	changes, err := d.Changes(w.keys)
	if err != nil {
		return w.dog.Unparsable(ctx, invocation, core.GCP, auditlog.ID(d.Entry), err)
	}
	if len(changes) == 0 {
		f.log.DebugContext(ctx, "nothing to look at", "event", auditlog.ID(d.Entry))
		return nil
	}
	if len(changes) > 1 {
		ctx = cloudkms.WithPass(ctx)
	}
	if err := w.dog.Handle(ctx, invocation, changes...); err != nil {
		return err
	}
	if changes[0].Kind == core.Tick && w.beat != nil {
		if err := w.beat(ctx); err != nil {
			// The sweep is done, and repeating it would help nobody: whoever
			// waits for the beat is told by its absence.
			f.log.ErrorContext(ctx, "heartbeat not sent", "error", err)
		}
	}
	return nil
}

// maxError bounds what is logged of an error: a sweep that finds the store gone
// has one per key, and Cloud Logging cuts a line at 256 KB
// (https://docs.cloud.google.com/logging/quotas).
const maxError = 8 << 10

func brief(err error) string {
	text := err.Error()
	if len(text) <= maxError {
		return text
	}
	return strings.ToValidUTF8(text[:maxError], "") + " … (cut here; each key has its own line in the log)"
}

var errUnprotected = errors.New("nothing is protected")

// ready loads the configuration unless that was done. What fails is tried again
// at the next invocation, and fails that one if it still does: a service that
// exits instead would be started over and over without ever saying why.
func (f *function) ready(ctx context.Context) (*watch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watch != nil {
		return f.watch, nil
	}
	w, err := f.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnprotected, err)
	}
	f.watch = w
	return w, nil
}
