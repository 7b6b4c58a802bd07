package cloudkms

import (
	"context"
	"sync"
	"time"
)

// maxAge bounds how long a pass shares what it read.
const maxAge = 30 * time.Second

// pass is one look over many keys, in which what they share, the key ring, the
// project, roles, is read once.
type pass struct {
	mu     sync.Mutex
	looked map[string]bool
	shared map[string]*answer
}

type answer struct {
	begun time.Time
	done  chan struct{}
	value any
	err   error
}

type passKey struct{}

// WithPass returns a context under which the first read of each key shares with
// the others what stands above the keys. A second read of the same key is one
// that must see what has changed since: it reads everything anew, and so does
// any read under another context.
func WithPass(ctx context.Context) context.Context {
	return context.WithValue(ctx, passKey{}, &pass{looked: map[string]bool{}, shared: map[string]*answer{}})
}

// view is one key's part in a pass; nil shares nothing.
type view struct {
	*pass
	fresh bool
}

func viewOf(ctx context.Context, key string) *view {
	p, ok := ctx.Value(passKey{}).(*pass)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v := &view{p, p.looked[key]}
	p.looked[key] = true
	return v
}

// share fetches a value by a name, or waits for whoever is fetching it. Errors
// are shared with those who wait and forgotten then.
func share[T any](ctx context.Context, v *view, name string, fetch func(context.Context) (T, error)) (T, error) {
	if v == nil {
		return fetch(ctx)
	}
	v.mu.Lock()
	a := v.shared[name]
	if a == nil || v.fresh || time.Since(a.begun) > maxAge {
		a = &answer{begun: time.Now(), done: make(chan struct{})}
		v.shared[name] = a
		v.mu.Unlock()
		value, err := fetch(ctx)
		a.value, a.err = value, err
		if err != nil {
			v.mu.Lock()
			if v.shared[name] == a {
				delete(v.shared, name)
			}
			v.mu.Unlock()
		}
		close(a.done)
		return value, err
	}
	v.mu.Unlock()
	select {
	case <-a.done:
		value, _ := a.value.(T)
		return value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
