package kms

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/functions/adapter"
)

// once turns off the SDK's own repetition, which knows neither our deadline nor
// what LimitExceededException means to PutKeyPolicy.
func once(o *kms.Options) { o.Retryer = aws.NopRetryer{} }

func try[T any](ctx context.Context, o Options, reserve time.Duration, call func(context.Context) (T, error)) (T, error) {
	return adapter.Call(ctx, o.Attempt, reserve, understand, call)
}
