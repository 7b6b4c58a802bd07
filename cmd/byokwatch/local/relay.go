package local

import (
	"bytes"
	"io"
	"sync"
)

// relay lets stories that run side by side be read one after the other: what the
// first writes goes out at once, what the others write waits until all before
// them have ended.
type relay struct {
	mu   sync.Mutex
	out  io.Writer
	legs []*leg
}

// leg is one story's part of a relay.
type leg struct {
	r     *relay
	held  bytes.Buffer
	ended bool
}

func newRelay(out io.Writer, n int) *relay {
	r := &relay{out: out}
	for range n {
		r.legs = append(r.legs, &leg{r: r})
	}
	return r
}

// Write implements io.Writer.
func (l *leg) Write(b []byte) (int, error) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.held.Write(b)
	return len(b), l.r.pass()
}

// end says that a story has nothing more to write.
func (l *leg) end() error {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.ended = true
	return l.r.pass()
}

// pass writes out what may be. Call with the lock held.
func (r *relay) pass() error {
	for _, l := range r.legs {
		if _, err := l.held.WriteTo(r.out); err != nil {
			return err
		}
		if !l.ended {
			break
		}
	}
	return nil
}
