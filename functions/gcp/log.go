package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"byokwatch/core/pattern"
	"byokwatch/functions/wiring"
)

// newLogger writes one JSON object a line, with the names that Cloud Logging
// takes its own fields from:
// https://docs.cloud.google.com/logging/docs/structured-logging
func newLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(wiring.Marked(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: wiring.Renamed("severity", severities)}), marks))
}

// severities are Cloud Logging's names of the levels
// (https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity).
var severities = wiring.Levels{Debug: "DEBUG", Info: "INFO", Warning: "WARNING", Error: "ERROR"}

// origin is what each line says of the invocation that it belongs to.
type origin struct {
	invocation, trace, span string
}

type originKey struct{}

func withOrigin(ctx context.Context, o origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// cloudTrace is TRACE_ID/SPAN_ID;o=OPTIONS
// (https://docs.cloud.google.com/trace/docs/trace-context#legacy-http-header).
var cloudTrace = pattern.New(`^([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;|$)`)

func originOf(header http.Header, invocation string) origin {
	o := origin{invocation: invocation}
	if m := cloudTrace.FindStringSubmatch(header.Get("X-Cloud-Trace-Context")); m != nil {
		o.trace, o.span = m[1], m[2]
	}
	return o
}

// marks are what each line that is logged with the context says of its origin.
func marks(ctx context.Context) []slog.Attr {
	o, ok := ctx.Value(originKey{}).(origin)
	if !ok {
		return nil
	}
	out := []slog.Attr{slog.String("invocation", o.invocation)}
	if o.trace != "" {
		out = append(out, slog.String("logging.googleapis.com/trace", o.trace))
	}
	if o.span != "" {
		out = append(out, slog.String("logging.googleapis.com/spanId", o.span))
	}
	return out
}
