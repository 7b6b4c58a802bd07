package cloudkms

import (
	"context"
	"time"

	"byokwatch/functions/adapter"
)

func try[T any](ctx context.Context, o Options, reserve time.Duration, call func(context.Context) (T, error)) (T, error) {
	return adapter.Call(ctx, o.Attempt, reserve, understand, call)
}
