package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"byokwatch/core"
	"byokwatch/core/loose"
	"byokwatch/functions/azure/eventgrid"
	"byokwatch/functions/wiring"
)

// The functions of the app, each of which is a folder beside host.json, and the
// names of their triggers in function.json.
const (
	onChange     = "OnChange"
	onTick       = "Sweep"
	eventBinding = "event"
	timerBinding = "timer"
)

const (
	// maxEvent is the longest that we work on an event: Event Grid waits 30 s for
	// an answer and then delivers again. What is left to do by then is for the
	// next tick. https://learn.microsoft.com/azure/event-grid/delivery-and-retry
	maxEvent = 25 * time.Second
	// maxSweep is less than host.json's functionTimeout, after which the host
	// starts the handler anew.
	maxSweep = 4*time.Minute + 30*time.Second

	// maxRequest: an event comes as a text of a text at worst, and part of it a
	// second time, among the trigger's metadata.
	maxRequest = 4 * eventgrid.MaxBytes
	// maxInvocation bounds the host's name of an invocation, which is a GUID.
	maxInvocation = 100
)

// function is what the Functions host calls. It holds what outlives an
// invocation: the clients and, once it could be loaded, the configuration.
type function struct {
	wiring.Loader
	log   *slog.Logger
	nonce func() string // of a call
	now   func() time.Time
	limit time.Duration // no call is worked on for longer
	// owed says that the next tick sweeps, however many keys there are.
	owed atomic.Bool
}

func newFunction(log *slog.Logger, load func(ctx context.Context) (*wiring.Watch, error)) *function {
	f := &function{Loader: wiring.Loader{Load: load}, log: log, nonce: rand.Text, now: time.Now, limit: maxSweep}
	f.owed.Store(true) // nobody knows when the last sweep was
	return f
}

// ServeHTTP answers the host: that the handler is there, and calls of the
// functions. Each answer is a JSON object, because with anything else an
// invocation stays open until functionTimeout. 200 means that it is done with;
// 500 makes Event Grid deliver the event again and, in the end, keep it among the
// dead letters. So 500 is the answer to what a later try may do better, and to
// what can't be understood, which must not be lost.
func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		answer(w, http.StatusOK)
	case "/" + onChange:
		f.serve(w, r, maxEvent, f.change)
	case "/" + onTick:
		f.serve(w, r, maxSweep, f.tick)
	default:
		answer(w, http.StatusNotFound, "no such function")
	}
}

// answer completes an invocation
// (https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#response-payload).
func answer(w http.ResponseWriter, status int, logs ...string) {
	body, err := json.Marshal(map[string]any{"Outputs": struct{}{}, "Logs": append([]string{}, logs...), "ReturnValue": nil})
	if err != nil {
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a host that is gone learns nothing more
}

// call is one invocation as the host puts it.
type call struct {
	invocation string
	data       loose.Object // what triggered it, by the names of function.json
}

// serve reads a call and works on it, for no longer than limit. What was begun is
// brought to an end though the host may hang up.
func (f *function) serve(w http.ResponseWriter, r *http.Request, limit time.Duration, work func(context.Context, call, error) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), min(limit, f.limit))
	defer cancel()
	failed := func(what string, attrs ...any) {
		f.log.ErrorContext(ctx, what, attrs...)
		answer(w, http.StatusInternalServerError, "failed; the log says why")
	}
	defer func() {
		if p := recover(); p != nil {
			failed("panic", "error", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	if r.Method != http.MethodPost {
		answer(w, http.StatusMethodNotAllowed, "functions are called by POST")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		failed("failed", "error", "read the request: "+err.Error())
		return
	}
	c, unread := f.read(r.Header, body)
	ctx = withInvocation(ctx, c.invocation)
	if err := work(ctx, c, unread); err != nil {
		failed("failed", "error", wiring.Brief(err).Error())
		return
	}
	answer(w, http.StatusOK)
}

// read takes the host's envelope apart:
// https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#request-payload.
// The host may call again while an earlier call is still being worked on, and the
// two must not take each other's lease for their own: hence the nonce.
func (f *function) read(header http.Header, body []byte) (call, error) {
	id := header.Get("X-Azure-Functions-InvocationId")
	if id == "" || len(id) > maxInvocation {
		id = eventgrid.ID(body)
	}
	c := call{invocation: id + "/" + f.nonce()}
	o, err := loose.Read(body)
	if err != nil {
		return c, fmt.Errorf("request of the host: %w", err)
	}
	c.data = o.Object("Data")
	return c, nil
}

// change works on an event of Event Grid.
func (f *function) change(ctx context.Context, c call, unread error) error {
	w, err := f.Ready(ctx)
	if err != nil {
		return err
	}
	data := []byte(c.data.Member(eventBinding))
	id := eventgrid.ID(data)
	changes, err := eventgrid.Decode(data, w.Keys)
	if unread != nil {
		id, err = c.invocation, unread // there is no event to name
	}
	if err != nil {
		return w.Dog.Unparsable(ctx, c.invocation, core.Azure, id, err)
	}
	return w.Handle(ctx, c.invocation, id, changes)
}
