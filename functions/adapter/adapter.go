// Package adapter is what the adapters of all clouds do alike: they make calls
// until there is an answer or no time, and say in core's words what an error
// means. What a cloud's own errors are stays with its adapter.
package adapter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"byokwatch/core"
)

// Usual bounds of an adapter's calls.
const (
	Attempt = 5 * time.Second  // of one request
	Reading = 10 * time.Second // of all attempts of one read: what can't be read by then is for the next event or sweep
	Reserve = 5 * time.Second  // of the context's time, left when a write gives up, so that the caller can still save what happened
)

// unlimited is how long a context without a deadline may be made to wait.
const unlimited = 2 * time.Minute

// Fault is an error of a cloud with what it means. It unwraps to both.
type Fault struct {
	Code string // the cloud's name of it; empty where there was no answer
	Kind error  // a sentinel of core, nil where nobody knows whether it was done
	Err  error
	// After is for how long the cloud asks to be left alone; 0: it does not say.
	After time.Duration
}

func (f *Fault) Error() string { return f.Err.Error() }

func (f *Fault) Unwrap() []error {
	if f.Kind == nil {
		return []error{f.Err}
	}
	return []error{f.Kind, f.Err}
}

// Understand is the one place of an adapter that knows its cloud's errors. again
// says that the error may pass.
type Understand func(err error) (f *Fault, again bool)

// Call calls until there is an answer, a final error, or no time: the context's,
// less reserve, or less half of it where it is short. attempt bounds one try. A
// cloud that says how long to wait is waited for, or given up at once. In the
// end the last error of the cloud is told as well as the context's, because
// "throttled" helps and "deadline exceeded" does not.
func Call[T any](ctx context.Context, attempt, reserve time.Duration, understand Understand, call func(context.Context) (T, error)) (T, error) {
	left := unlimited
	if end, ok := ctx.Deadline(); ok {
		left = time.Until(end)
		left -= min(reserve, left/2)
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = 100*time.Millisecond, 3*time.Second
	var last error
	out, err := backoff.Retry(ctx, func() (T, error) {
		once, cancel := context.WithTimeout(ctx, attempt)
		defer cancel()
		out, err := call(once)
		if err == nil {
			return out, nil
		}
		f, again := understand(err)
		if !again {
			return out, backoff.Permanent(f)
		}
		if last == nil || ctx.Err() == nil {
			last = f
		}
		if end, _ := ctx.Deadline(); f.After > 0 && f.After >= time.Until(end) {
			return out, backoff.Permanent(f)
		}
		if f.After > 0 {
			return out, errors.Join(f, &backoff.RetryAfterError{Duration: f.After})
		}
		return out, f
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0))
	if err != nil && last != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), last)
	}
	return out, err
}

// Nothing joins the errors of a key of which nothing could be read. It is absent
// only if all say so: beside a refusal or an outage, an absence proves nothing.
func Nothing(errs ...error) error {
	var gone, others []error
	for _, err := range errs {
		if errors.Is(err, core.ErrNotFound) {
			gone = append(gone, err)
		} else {
			others = append(others, err)
		}
	}
	if len(others) == 0 {
		return errors.Join(gone...)
	}
	for _, err := range gone {
		others = append(others, errors.New(err.Error()))
	}
	return errors.Join(others...)
}

// Unsent is why a step that makes no sense was refused here.
func Unsent(format string, args ...any) error {
	return fmt.Errorf("%w: nothing was sent: %w", fmt.Errorf(format, args...), core.ErrRejected)
}

// Done is what a step came to.
func Done(s core.Step, err error) error {
	if errors.Is(err, core.ErrNotFound) {
		err = fmt.Errorf("%w: %w", core.ErrRejected, err) // nothing can be written to what is not there
	}
	if err != nil {
		return fmt.Errorf("%s on %s: %w", s.Op, s.ID, err)
	}
	return nil
}
