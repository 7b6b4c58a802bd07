package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

// An error per key of a large account must still fit what Lambda takes.
func TestErrorsAreBounded(t *testing.T) {
	long := errors.New(strings.Repeat("ä€", 1<<20))
	f := &function{log: slog.New(slog.NewTextHandler(io.Discard, nil)), load: func(context.Context) (*watch, error) { return nil, long }}
	_, err := f.Invoke(t.Context(), []byte("{}"))
	if err == nil || len(err.Error()) > maxError+100 || !utf8.ValidString(err.Error()) || !strings.Contains(err.Error(), "cut here") {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
	short := errors.New("no such file")
	f.load = func(context.Context) (*watch, error) { return nil, short }
	if _, err := f.Invoke(t.Context(), []byte("{}")); !errors.Is(err, short) {
		t.Errorf("error %v, want one that wraps the cause", err)
	}
}

// What fails at first is tried again, and what succeeded is kept.
func TestConfigurationIsLoadedUntilItCanBe(t *testing.T) {
	loads := 0
	f := &function{load: func(context.Context) (*watch, error) {
		if loads++; loads < 3 {
			return nil, errors.New("not yet")
		}
		return &watch{}, nil
	}}
	for i := 1; i <= 5; i++ {
		if _, err := f.ready(t.Context()); (err == nil) != (i >= 3) {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if loads != 3 {
		t.Errorf("loaded %d times, want 3", loads)
	}
}
