package wiring_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"byokwatch/functions/wiring"
)

// What fails at first is tried again, and what succeeded is kept.
func TestConfigurationIsLoadedUntilItCanBe(t *testing.T) {
	loads := 0
	cause := errors.New("not yet")
	l := wiring.Loader{Load: func(context.Context) (*wiring.Watch, error) {
		if loads++; loads < 3 {
			return nil, cause
		}
		return &wiring.Watch{}, nil
	}}
	for i := 1; i <= 5; i++ {
		w, err := l.Ready(t.Context())
		if (w != nil) != (i >= 3) || (err == nil) != (i >= 3) || (err != nil && (!errors.Is(err, wiring.ErrUnprotected) || !errors.Is(err, cause))) {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if loads != 3 {
		t.Errorf("loaded %d times, want 3", loads)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	long := errors.New(strings.Repeat("ä€", 1<<20))
	got := wiring.Brief(long).Error()
	if len(got) > wiring.MaxError+100 || !utf8.ValidString(got) || !strings.Contains(got, "cut here") {
		t.Errorf("an error of %d bytes", len(got))
	}
	if short := errors.New("no such file"); wiring.Brief(short) != short {
		t.Errorf("%v, want the error itself", wiring.Brief(short))
	}
}

func TestLinesAreMarked(t *testing.T) {
	type key struct{}
	var out bytes.Buffer
	log := slog.New(wiring.Marked(slog.NewTextHandler(&out, nil), func(ctx context.Context) []slog.Attr {
		if who, ok := ctx.Value(key{}).(string); ok {
			return []slog.Attr{slog.String("invocation", who)}
		}
		return nil
	}))
	ctx := context.WithValue(t.Context(), key{}, "7")
	log.With("key", "payments").InfoContext(ctx, "judged")
	log.WithGroup("store").Info("read")
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[0], "key=payments invocation=7") || strings.Contains(lines[1], "invocation") {
		t.Errorf("%s", out.String())
	}
}

func TestLevelsAreNamedAsTheServiceDoes(t *testing.T) {
	var out bytes.Buffer
	names := wiring.Renamed("severity", wiring.Levels{Debug: "low", Info: "plain", Warning: "odd", Error: "bad"})
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: names}))
	log.Debug("a", slog.Group("g", slog.String("msg", "inner")))
	log.Info("b")
	log.Warn("c")
	log.Error("d")
	for i, want := range []string{"severity=low message=a g.msg=inner", "severity=plain message=b", "severity=odd message=c", "severity=bad message=d"} {
		if got := strings.Split(out.String(), "\n")[i]; !strings.HasSuffix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
