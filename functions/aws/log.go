package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"byokwatch/functions/wiring"
)

// newLogger writes one JSON object a line, with the names that Lambda's log
// service filters by:
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
//
// The runtime library reports a returned error through the standard logger;
// main sends that here as well, as the error's one line.
func newLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(wiring.Marked(slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: level, ReplaceAttr: lambdacontext.ReplaceAttr,
	}), requestID))
}

// requestID is the invocation that a line belongs to.
func requestID(ctx context.Context) []slog.Attr {
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return nil
	}
	return []slog.Attr{slog.String("requestId", lc.AwsRequestID)}
}
