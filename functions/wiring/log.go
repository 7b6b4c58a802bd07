package wiring

import (
	"context"
	"log/slog"
)

// Levels are a log service's words for the levels.
type Levels struct{ Debug, Info, Warning, Error string }

func (n Levels) of(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return n.Error
	case l >= slog.LevelWarn:
		return n.Warning
	case l >= slog.LevelInfo:
		return n.Info
	}
	return n.Debug
}

// Renamed is for slog.HandlerOptions.ReplaceAttr: what is logged is called
// message, and its level by the service's own name and words.
func Renamed(level string, words Levels) func(groups []string, a slog.Attr) slog.Attr {
	return func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		switch a.Key {
		case slog.MessageKey:
			a.Key = "message"
		case slog.LevelKey:
			a.Key = level
			if l, ok := a.Value.Any().(slog.Level); ok {
				a.Value = slog.StringValue(words.of(l))
			}
		}
		return a
	}
}

// Marked adds to each line that is logged with a context what of says of the
// context: the invocation that the line belongs to.
func Marked(h slog.Handler, of func(context.Context) []slog.Attr) slog.Handler {
	return marked{h, of}
}

type marked struct {
	slog.Handler
	of func(context.Context) []slog.Attr
}

func (h marked) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(h.of(ctx)...)
	return h.Handler.Handle(ctx, r)
}

func (h marked) WithAttrs(attrs []slog.Attr) slog.Handler {
	return marked{h.Handler.WithAttrs(attrs), h.of}
}

func (h marked) WithGroup(name string) slog.Handler { return marked{h.Handler.WithGroup(name), h.of} }
