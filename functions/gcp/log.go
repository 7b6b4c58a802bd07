package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"byokwatch/core/pattern"
)

// newLogger writes one JSON object a line, with the names that Cloud Logging
// takes its own fields from:
// https://docs.cloud.google.com/logging/docs/structured-logging
func newLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(traced{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: cloudNames})})
}

func cloudNames(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Key = "severity"
		if level, ok := a.Value.Any().(slog.Level); ok {
			a.Value = slog.StringValue(severity(level))
		}
	}
	return a
}

// severity is Cloud Logging's name of a level
// (https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity).
func severity(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}

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

// traced adds the invocation to each line that is logged with its context.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if o, ok := ctx.Value(originKey{}).(origin); ok {
		r.AddAttrs(slog.String("invocation", o.invocation))
		if o.trace != "" {
			r.AddAttrs(slog.String("logging.googleapis.com/trace", o.trace))
		}
		if o.span != "" {
			r.AddAttrs(slog.String("logging.googleapis.com/spanId", o.span))
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }
