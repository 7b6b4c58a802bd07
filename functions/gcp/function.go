package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"byokwatch/core"
	"byokwatch/functions/gcp/auditlog"
	"byokwatch/functions/wiring"
)

// maxRun is the longest that one invocation works, whatever Cloud Run would let
// it: Pub/Sub waits for an answer for ten minutes at most and then delivers
// again, and a lease must not outlive a crash for longer
// (https://docs.cloud.google.com/pubsub/docs/push#receive_push).
const maxRun = 9*time.Minute + 30*time.Second

// function is what the platform invokes. It holds what outlives an invocation:
// the clients and, once it could be loaded, the configuration.
type function struct {
	wiring.Loader
	log   *slog.Logger
	nonce func() string // of a delivery
}

func newFunction(log *slog.Logger, load func(ctx context.Context) (*wiring.Watch, error)) *function {
	return &function{Loader: wiring.Loader{Load: load}, log: log, nonce: rand.Text}
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
		f.log.ErrorContext(ctx, "failed", "error", wiring.Brief(err))
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
	w, err := f.Ready(ctx)
	if err != nil {
		return err
	}
	if unread != nil {
		return w.Dog.Unparsable(ctx, invocation, core.GCP, cmp.Or(d.ID, auditlog.ID(d.Entry)), unread)
	}
	changes, err := d.Changes(w.Keys)
	if err != nil {
		return w.Dog.Unparsable(ctx, invocation, core.GCP, auditlog.ID(d.Entry), err)
	}
	return w.Handle(ctx, invocation, auditlog.ID(d.Entry), changes)
}
