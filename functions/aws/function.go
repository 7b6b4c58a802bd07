package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"byokwatch/core"
	"byokwatch/core/watchdog"
	"byokwatch/functions/aws/cloudtrail"
)

// function is what Lambda invokes. It holds what outlives an invocation: the
// clients and, once it could be loaded, the configuration.
type function struct {
	env  environment
	log  *slog.Logger
	load func(ctx context.Context) (*watch, error)

	mu    sync.Mutex
	watch *watch
}

// watch is the configuration at work.
type watch struct {
	account string
	keys    []core.Key // of this account and Region
	dog     *watchdog.Watchdog
	// beat tells the outside of a complete sweep; nil where nobody listens.
	beat func(ctx context.Context) error
}

// Invoke handles one event. An error makes Lambda deliver the event again and,
// in the end, keep it among the dead letters; the runtime library logs it.
func (f *function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	if err := f.handle(ctx, event); err != nil {
		return nil, brief(err)
	}
	return []byte("null"), nil
}

func (f *function) handle(ctx context.Context, event []byte) error {
	w, err := f.ready(ctx)
	if err != nil {
		return err
	}
	invocation, err := f.invocation(ctx, w.account)
	if err != nil {
		return err
	}
	changes, err := cloudtrail.Decode(event, w.account, f.env.region, w.keys)
	if err != nil {
		return w.dog.Unparsable(ctx, invocation, core.AWS, cloudtrail.ID(event), err)
	}
	if len(changes) == 0 {
		f.log.DebugContext(ctx, "nothing to look at", "event", cloudtrail.ID(event))
		return nil
	}
	if err := w.dog.Handle(ctx, invocation, changes...); err != nil {
		return err
	}
	if changes[0].Kind == core.Tick && w.beat != nil {
		if err := w.beat(ctx); err != nil {
			// The sweep is done, and repeating it would help nobody: whoever
			// waits for the beat is told by its absence.
			f.log.ErrorContext(ctx, "heartbeat not sent", "error", err)
		}
	}
	return nil
}

// maxError bounds what is reported of an error. The runtime library also sends
// it as a header, and a sweep that finds the store gone has one error per key.
const maxError = 8 << 10

func brief(err error) error {
	text := err.Error()
	if len(text) <= maxError {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxError], "") + " … (cut here; each key has its own line in the log)")
}

// ready loads the configuration unless that was done. What fails is tried again
// at the next invocation, and fails that one if it still does: a function that
// exits instead would be started over and over without ever saying why.
func (f *function) ready(ctx context.Context) (*watch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watch != nil {
		return f.watch, nil
	}
	w, err := f.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("nothing is protected: %w", err)
	}
	f.watch = w
	return w, nil
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
		return "", fmt.Errorf("BYOKWATCH_SELF %s is of account %s, but this function runs in %s: set it to the ARN of the function's own role", f.env.self, account, arn[4])
	}
	return lc.AwsRequestID, nil
}
