package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"byokwatch/functions/wiring"
)

// An error per key of a large account must still fit what Lambda takes.
func TestErrorsAreBounded(t *testing.T) {
	long := errors.New(strings.Repeat("ä€", 1<<20))
	f := &function{Loader: wiring.Loader{Load: func(context.Context) (*wiring.Watch, error) { return nil, long }}}
	_, err := f.Invoke(t.Context(), []byte("{}"))
	if err == nil || len(err.Error()) > wiring.MaxError+100 || !utf8.ValidString(err.Error()) || !strings.Contains(err.Error(), "cut here") {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
	short := errors.New("no such file")
	f.Load = func(context.Context) (*wiring.Watch, error) { return nil, short }
	if _, err := f.Invoke(t.Context(), []byte("{}")); !errors.Is(err, short) {
		t.Errorf("error %v, want one that wraps the cause", err)
	}
}
