package notify

import (
	"context"
	"errors"
	"io"
	"sync"

	"byokwatch/core/alert"
)

// Stdout writes alerts as plain text: to the terminal of a local stack, or to
// a function's output, which its platform logs.
type Stdout struct {
	filter Filter
	mu     sync.Mutex
	w      io.Writer
}

// NewStdout returns the channel "stdout". Each alert is one Write.
func NewStdout(w io.Writer, f Filter) (*Stdout, error) {
	if w == nil {
		return nil, errors.New("stdout channel: no writer")
	}
	return &Stdout{filter: f, w: w}, f.Check()
}

// Name is "stdout".
func (s *Stdout) Name() string { return "stdout" }

// Wants says whether the filter lets a pass.
func (s *Stdout) Wants(a alert.Alert) bool { return s.filter.Wants(a) }

// Send writes one alert, with an empty line after it.
func (s *Stdout) Send(ctx context.Context, a alert.Alert) error {
	if err := ctx.Err(); err != nil {
		return &alert.Undelivered{Channel: s.Name(), Why: "stopped before it was written", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, err := io.WriteString(s.w, alert.Render(a).Text()+"\n"); err != nil {
		return &alert.Undelivered{Channel: s.Name(), Why: "writing failed", MayHaveArrived: n > 0, Err: err}
	}
	return nil
}
