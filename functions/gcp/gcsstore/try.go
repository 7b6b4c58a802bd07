package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"byokwatch/core/record"
)

// passing are the statuses worth another try
// (https://docs.cloud.google.com/storage/docs/retry-strategy).
var passing = []int{408, 429, 500, 502, 503, 504}

// Bounds of what is tried again.
const (
	attempt = 8 * time.Second
	elapsed = 15 * time.Second
)

// try calls until there is an answer, a final error, or no time.
func try[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = 200*time.Millisecond, 2*time.Second
	var last error
	out, err := backoff.Retry(ctx, func() (T, error) {
		once, cancel := context.WithTimeout(ctx, attempt)
		defer cancel()
		out, err := call(once)
		if err == nil {
			return out, nil
		}
		if ctx.Err() == nil {
			last = err
		}
		if code := httpCode(err); code != 0 && !slices.Contains(passing, code) ||
			errors.Is(err, record.ErrTooLarge) || errors.Is(err, errAnswer) {
			return out, backoff.Permanent(err)
		}
		return out, err
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(elapsed))
	if err != nil && ctx.Err() != nil && last != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), last)
	}
	return out, err
}
