package share_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core/share"
)

// source counts how often it is asked.
type source struct {
	asked int
	err   error
}

func (s *source) read(ctx context.Context) (int, error) {
	s.asked++
	time.Sleep(time.Second)
	return s.asked, s.err
}

func TestWhatIsSharedInAPass(t *testing.T) {
	type ask struct {
		key, name string
		after     time.Duration
	}
	for name, test := range map[string]struct {
		pass  bool
		asks  []ask
		err   error
		asked int
	}{
		"outside of a pass each key asks for itself":       {asks: []ask{{"a", "vault", 0}, {"b", "vault", 0}}, asked: 2},
		"two keys share what they have in common":          {pass: true, asks: []ask{{"a", "vault", 0}, {"b", "vault", 0}}, asked: 1},
		"but not what has another name":                    {pass: true, asks: []ask{{"a", "vault", 0}, {"b", "project", 0}}, asked: 2},
		"a second look at a key must see what has changed": {pass: true, asks: []ask{{"a", "vault", 0}, {"a", "vault", 0}}, asked: 2},
		"what is old is asked for again":                   {pass: true, asks: []ask{{"a", "vault", 0}, {"b", "vault", 31 * time.Second}}, asked: 2},
		"an error is not kept":                             {pass: true, asks: []ask{{"a", "vault", 0}, {"b", "vault", 0}}, err: errors.New("unavailable"), asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, s := t.Context(), &source{err: test.err}
				if test.pass {
					ctx = share.WithPass(ctx, time.Now)
				}
				for _, a := range test.asks {
					time.Sleep(a.after)
					if _, err := share.Once(ctx, share.Of(ctx, a.key), a.name, s.read); !errors.Is(err, test.err) {
						t.Errorf("%v: %v", a, err)
					}
				}
				if s.asked != test.asked {
					t.Errorf("asked %d times, want %d", s.asked, test.asked)
				}
			})
		})
	}
}

// Whoever comes while somebody asks waits for that answer, an error included, and
// for no longer than its own time.
func TestWaitingForWhoAsksAlready(t *testing.T) {
	for name, fails := range map[string]error{"a value": nil, "an error": errors.New("unavailable")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, s := share.WithPass(t.Context(), time.Now), &source{err: fails}
				var all sync.WaitGroup
				for _, key := range []string{"a", "b", "c"} {
					all.Go(func() {
						n, err := share.Once(ctx, share.Of(ctx, key), "vault", s.read)
						if n != 1 && fails == nil || !errors.Is(err, fails) {
							t.Errorf("%s: %d, %v", key, n, err)
						}
					})
				}
				short, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				all.Go(func() {
					time.Sleep(500 * time.Microsecond)
					if _, err := share.Once(short, share.Of(short, "d"), "vault", s.read); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("d waited longer than it had time: %v", err)
					}
				})
				all.Wait()
				if s.asked != 1 {
					t.Errorf("asked %d times", s.asked)
				}
			})
		})
	}
}
