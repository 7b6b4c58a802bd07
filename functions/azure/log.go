package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"byokwatch/core/pattern"
	"byokwatch/functions/wiring"
)

// newLogger writes one JSON object a line, with the levels' names of Application
// Insights.
//
// The host hands lines on: those of out as Information; those of failures as
// Warning if the word is anywhere in them, else as Error (its source:
// https://github.com/Azure/azure-functions-host, WorkerProcess.cs). So the stream
// is chosen by the level, and an error that speaks of a warning has the word
// written in another way.
func newLogger(out, failures io.Writer, level slog.Leveler) *slog.Logger {
	to := func(w io.Writer) slog.Handler {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: wiring.Renamed("severityLevel", severities)})
	}
	return slog.New(wiring.Marked(byLevel{to(out), to(failures), to(unwarned{failures})}, marks))
}

// severities are Application Insights' names of the levels
// (https://learn.microsoft.com/azure/azure-monitor/app/data-model-complete).
var severities = wiring.Levels{Debug: "Verbose", Info: "Information", Warning: "Warning", Error: "Error"}

// byLevel has a handler for each of the streams.
type byLevel struct{ info, warning, failure slog.Handler }

func (h byLevel) of(l slog.Level) slog.Handler {
	switch {
	case l >= slog.LevelError:
		return h.failure
	case l >= slog.LevelWarn:
		return h.warning
	}
	return h.info
}

func (h byLevel) Enabled(ctx context.Context, l slog.Level) bool { return h.of(l).Enabled(ctx, l) }

func (h byLevel) Handle(ctx context.Context, r slog.Record) error {
	return h.of(r.Level).Handle(ctx, r)
}

func (h byLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return byLevel{h.info.WithAttrs(attrs), h.warning.WithAttrs(attrs), h.failure.WithAttrs(attrs)}
}

func (h byLevel) WithGroup(name string) slog.Handler {
	return byLevel{h.info.WithGroup(name), h.warning.WithGroup(name), h.failure.WithGroup(name)}
}

// unwarned writes JSON in which the word has its second letter escaped.
type unwarned struct{ io.Writer }

var warn = pattern.New(`(?i)warn`)

func (u unwarned) Write(line []byte) (int, error) {
	safe := warn.ReplaceAllStringFunc(string(line), func(word string) string {
		return fmt.Sprintf(`%c\u%04x%s`, word[0], word[1], word[2:])
	})
	if _, err := io.WriteString(u.Writer, safe); err != nil {
		return 0, err
	}
	return len(line), nil
}

type invocationKey struct{}

func withInvocation(ctx context.Context, invocation string) context.Context {
	return context.WithValue(ctx, invocationKey{}, invocation)
}

// marks are what each line says of the invocation that it belongs to.
func marks(ctx context.Context) []slog.Attr {
	if invocation, ok := ctx.Value(invocationKey{}).(string); ok {
		return []slog.Attr{slog.String("invocation", invocation)}
	}
	return nil
}
