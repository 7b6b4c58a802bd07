package cloudkms

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// unlimited is how long a context without a deadline may be made to wait.
const unlimited = 2 * time.Minute

// try calls until there is an answer, a final error, or no time: the context's,
// less reserve, or less half of it where it is short. In the end the last error
// of Google Cloud is told as well as the context's, because "RESOURCE_EXHAUSTED"
// helps and "deadline exceeded" does not.
func try[T any](ctx context.Context, o Options, reserve time.Duration, call func(context.Context) (T, error)) (T, error) {
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
		attempt, cancel := context.WithTimeout(ctx, o.Attempt)
		defer cancel()
		out, err := call(attempt)
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
		return out, f
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0))
	if err != nil && last != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), last)
	}
	return out, err
}
