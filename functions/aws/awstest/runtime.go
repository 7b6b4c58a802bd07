package awstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// Outcome is what became of one event after its last try.
type Outcome struct {
	RequestID string
	Event     []byte
	Tries     []Try // at least one, unless the function was stopped before
}

// OK says whether the last try succeeded. An event for which it did not would
// go to the function's dead letters.
func (o Outcome) OK() bool { return len(o.Tries) > 0 && o.Tries[len(o.Tries)-1].Err == nil }

// Try is one delivery of an event to the function.
type Try struct {
	Response []byte        // as the function sent it
	Err      *InvokeError  // nil where it succeeded
	Took     time.Duration // by the wall clock, from delivery to answer
}

// InvokeError is how an invocation failed, in the words of the Runtime API.
type InvokeError struct {
	Type    string // Runtime.ExitError, Sandbox.Timedout, or what the function says
	Message string
	Payload []byte // as the function sent it
}

func (e *InvokeError) Error() string { return e.Type + ": " + e.Message }

// delivery is one event on its way.
type delivery struct {
	out   Outcome
	begun time.Time
	timer *time.Timer
	done  chan struct{}
}

// ServeHTTP is the Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
func (l *Lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/2018-06-01/runtime/")
	part := strings.Split(path, "/")
	switch {
	case ok && r.Method == http.MethodGet && path == "invocation/next":
		l.next(w, r)
	case ok && r.Method == http.MethodPost && path == "init/error":
		l.initError(w, r)
	case ok && r.Method == http.MethodPost && len(part) == 3 && part[0] == "invocation" && part[2] == "response":
		l.answered(w, r, part[1], false)
	case ok && r.Method == http.MethodPost && len(part) == 3 && part[0] == "invocation" && part[2] == "error":
		l.answered(w, r, part[1], true)
	default:
		http.Error(w, `{"errorMessage":"no such path","errorType":"InvalidRequest"}`, http.StatusNotFound)
	}
}

// next holds the poll open until there is an event.
func (l *Lambda) next(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.polled = true
	l.signal(l.ready)
	process := l.starts
	l.mu.Unlock()
	for {
		l.mu.Lock()
		if l.down || process != l.starts {
			l.mu.Unlock()
			return // nobody reads this answer
		}
		if len(l.queue) > 0 && l.current == nil && r.Context().Err() == nil {
			d := l.queue[0]
			l.queue = l.queue[1:]
			l.begin(d)
			l.mu.Unlock()
			l.hand(w, d)
			return
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

// begin makes a delivery the current one. Call with the lock held.
func (l *Lambda) begin(d *delivery) {
	l.current, d.begun = d, time.Now()
	d.timer = time.AfterFunc(l.cfg.Timeout, func() {
		l.mu.Lock()
		late := l.current != d
		l.down = l.down || !late
		l.mu.Unlock()
		if late {
			return // answered at the last moment
		}
		l.fail(d, "Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", l.cfg.Timeout.Seconds()))
		l.kill()
	})
}

func (l *Lambda) hand(w http.ResponseWriter, d *delivery) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", d.out.RequestID)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(d.begun.Add(l.cfg.Timeout).UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", l.cfg.FunctionARN)
	h.Set("Lambda-Runtime-Trace-Id", fmt.Sprintf("Root=1-%08x-%024x;Parent=%016x;Sampled=0", d.begun.Unix(), chaostest.Hash(0, "trace", d.out.RequestID, 0), chaostest.Hash(0, "parent", d.out.RequestID, 0)))
	_, _ = w.Write(d.out.Event) // a process that is gone misses it; its end is noticed elsewhere
}

func (l *Lambda) answered(w http.ResponseWriter, r *http.Request, id string, failed bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 6<<20))
	l.mu.Lock()
	d := l.current
	l.mu.Unlock()
	if err != nil || d == nil || d.out.RequestID != id {
		http.Error(w, `{"errorMessage":"unknown request ID","errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
	if !failed {
		l.finish(d, Try{Response: body})
		return
	}
	l.finish(d, Try{Err: invokeError(r.Header, body)})
}

// invokeError reads an error as the runtime library reports it.
func invokeError(h http.Header, body []byte) *InvokeError {
	var e struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(body, &e) != nil || e.ErrorType == "" {
		e.ErrorType = h.Get("Lambda-Runtime-Function-Error-Type")
	}
	return &InvokeError{Type: e.ErrorType, Message: e.ErrorMessage, Payload: body}
}

func (l *Lambda) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	l.mu.Lock()
	l.initFailed = invokeError(r.Header, body)
	l.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func (l *Lambda) fail(d *delivery, kind, message string) {
	l.finish(d, Try{Err: &InvokeError{Type: kind, Message: message}})
}

// finish ends one try, and begins the next as asynchronous invocation does
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
func (l *Lambda) finish(d *delivery, t Try) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != d {
		return // the timeout and the answer crossed
	}
	l.current = nil
	d.timer.Stop()
	t.Took = time.Since(d.begun)
	l.conclude(d, t)
	l.wake()
}

// conclude adds a try and either queues the next or closes the delivery. Call
// with the lock held.
func (l *Lambda) conclude(d *delivery, t Try) {
	d.out.Tries = append(d.out.Tries, t)
	n := len(d.out.Tries)
	if t.Err == nil || n > l.cfg.Retries || l.stopped {
		close(d.done)
		return
	}
	again := func() { l.queue = append(l.queue, d); l.wake() }
	if wait := l.cfg.RetryAfter(n); wait > 0 {
		time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.stopped {
				close(d.done)
				return
			}
			again()
		})
		return
	}
	again()
}

// wake tells everybody who waits that something changed. Call with the lock
// held.
func (l *Lambda) wake() {
	close(l.more)
	l.more = make(chan struct{})
}

func (l *Lambda) signal(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}
