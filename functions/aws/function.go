package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"byokwatch/core"
	"byokwatch/functions/aws/cloudtrail"
	"byokwatch/functions/wiring"
)

// function is what Lambda invokes. It holds what outlives an invocation: the
// clients and, once it could be loaded, the configuration.
type function struct {
	wiring.Loader
	env environment
}

// Invoke handles one event. An error makes Lambda deliver the event again and,
// in the end, keep it among the dead letters; the runtime library logs it.
func (f *function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	if err := f.handle(ctx, event); err != nil {
		return nil, wiring.Brief(err)
	}
	return []byte("null"), nil
}

func (f *function) handle(ctx context.Context, event []byte) error {
	w, err := f.Ready(ctx)
	if err != nil {
		return err
	}
	account, err := f.env.account()
	if err != nil {
		return err
	}
	invocation, err := f.invocation(ctx, account)
	if err != nil {
		return err
	}
	changes, err := cloudtrail.Decode(event, account, f.env.region, w.Keys)
	if err != nil {
		return w.Dog.Unparsable(ctx, invocation, core.AWS, cloudtrail.ID(event), err)
	}
	return w.Handle(ctx, invocation, cloudtrail.ID(event), changes)
}

// invocation is Lambda's request ID, the same for every try of one event. It
// refuses a function whose own account is not the one that it was told of: it
// would take every event for somebody else's.
func (f *function) invocation(ctx context.Context, account string) (string, error) {
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok || lc.AwsRequestID == "" {
		return "", fmt.Errorf("no request ID: this program is run by AWS Lambda")
	}
	// arn:aws:lambda:us-west-2:111122223333:function:byokwatch
	arn := strings.Split(lc.InvokedFunctionArn, ":")
	if len(arn) > 4 && arn[4] != account {
		return "", fmt.Errorf("BYOKWATCH_SELF %s is of account %s, but this function runs in %s: set it to the ARN of the function's own role", f.env.Self, account, arn[4])
	}
	return lc.AwsRequestID, nil
}
