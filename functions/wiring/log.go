package wiring

import (
	"context"
	"log/slog"
)

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
