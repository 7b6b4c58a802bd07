package azuretest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Delivery is how Event Grid brings events
// (https://learn.microsoft.com/azure/event-grid/delivery-and-retry). Its zero
// value brings each once, in order, and again after growing pauses if the
// function fails.
type Delivery struct {
	Copies   int  // how often each event is brought although it succeeds; 0 is once
	Reverse  bool // the last one first
	Parallel bool // all at once
	// Attempts is the most tries of one copy; 0 means 30, Event Grid's default.
	Attempts int
	// Limit is how long a try may take; 0 means 30 s.
	Limit time.Duration
	// RetryAfter is the pause after the n-th try; nil is Event Grid's own
	// schedule, from 10 s to an hour.
	RetryAfter func(n int) time.Duration
}

// Outcome is what became of one copy of an event.
type Outcome struct {
	Event    []byte
	Attempts []Attempt
}

// OK says whether the function took the event. One that it did not would go to
// the subscription's dead letters.
func (o Outcome) OK() bool {
	return slices.ContainsFunc(o.Attempts, func(a Attempt) bool { return a.Err == nil || a.Late })
}

// Attempt is one try to bring an event.
type Attempt struct {
	Answer Answer
	Err    error // nil where it succeeded in time
	// Late says that the function succeeded after Limit, and before the next try,
	// which was then called off.
	Late bool
}

// ErrNoAnswer: the function took longer than Event Grid waits.
var ErrNoAnswer = errors.New("no answer within the time that Event Grid waits")

// schedule are Event Grid's pauses between tries.
var schedule = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

func (d Delivery) pauseAfter(n int) time.Duration {
	if d.RetryAfter != nil {
		return d.RetryAfter(n)
	}
	return schedule[min(n, len(schedule))-1]
}

// Deliver brings events to the app's function with the Event Grid trigger and
// waits until each was taken or given up. An event is one JSON object, or an
// array of them, as which subscriptions of Event Grid's own schema send it. The
// error is of the app or the context: how functions fared, the outcomes say.
func (h *Host) Deliver(ctx context.Context, d Delivery, events ...[]byte) ([]Outcome, error) {
	f, err := h.app.only("eventGridTrigger")
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	for _, e := range events {
		some, err := unpack(e)
		if err != nil {
			return nil, err
		}
		for range max(d.Copies, 1) {
			list = append(list, some...)
		}
	}
	if d.Reverse {
		slices.Reverse(list)
	}
	if d.Attempts <= 0 {
		d.Attempts = 30
	}
	if d.Limit <= 0 {
		d.Limit = 30 * time.Second
	}
	out := make([]Outcome, len(list))
	var all sync.WaitGroup
	for i, e := range list {
		out[i].Event = e
		if !d.Parallel {
			h.bring(ctx, f, d, &out[i])
			continue
		}
		all.Go(func() { h.bring(ctx, f, d, &out[i]) })
	}
	all.Wait()
	return out, ctx.Err()
}

// unpack is the events of a payload.
func unpack(payload []byte) ([]json.RawMessage, error) {
	trimmed := bytes.TrimSpace(payload)
	if !json.Valid(trimmed) {
		return nil, fmt.Errorf("the event is no JSON: %.100q", payload)
	}
	if trimmed[0] != '[' {
		return []json.RawMessage{trimmed}, nil
	}
	var list []json.RawMessage
	err := json.Unmarshal(trimmed, &list)
	return list, err
}

// result is how one invocation ended.
type result struct {
	answer Answer
	err    error
}

// bring tries to bring one event until it succeeds or is given up. It does not
// leave an invocation behind: one that Event Grid no longer waits for is waited
// for here.
func (h *Host) bring(ctx context.Context, f functionOf, d Delivery, o *Outcome) {
	var running sync.WaitGroup
	defer running.Wait()
	for n := 1; n <= d.Attempts && ctx.Err() == nil; n++ {
		done := make(chan result, 1)
		running.Go(func() {
			a, err := h.invoke(ctx, f, o.Event, nil)
			done <- result{a, err}
		})
		if taken := o.await(done, d.Limit); taken {
			return
		}
		if n == d.Attempts || !o.rest(ctx, done, d.pauseAfter(n)) {
			return
		}
	}
}

// await waits for an invocation as long as Event Grid does, and says whether it
// succeeded.
func (o *Outcome) await(done <-chan result, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case r := <-done:
		o.Attempts = append(o.Attempts, Attempt{Answer: r.answer, Err: r.err})
		return r.err == nil
	case <-t.C:
		o.Attempts = append(o.Attempts, Attempt{Err: ErrNoAnswer})
		return false
	}
}

// rest waits for the next try, which is called off if the last one succeeds
// meanwhile, and says whether it is to be made.
func (o *Outcome) rest(ctx context.Context, done <-chan result, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case r := <-done:
			if r.err == nil {
				now := &o.Attempts[len(o.Attempts)-1]
				now.Answer, now.Late = r.answer, true
				return false
			}
			done = nil
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		}
	}
}
