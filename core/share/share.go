// Package share lets one pass over many keys read once what the keys have in
// common: a vault, a key ring, a project, a role.
package share

import (
	"context"
	"sync"
	"time"
)

// maxAge bounds how long a pass shares what it read.
const maxAge = 30 * time.Second

type pass struct {
	now    func() time.Time
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
// the others what they fetch through [Once]. A second read of the same key is one
// that must see what has changed since: it reads everything anew, and so does
// any read under another context.
func WithPass(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, passKey{}, &pass{now: now, looked: map[string]bool{}, shared: map[string]*answer{}})
}

// View is one key's part in a pass; nil shares nothing.
type View struct {
	*pass
	fresh bool
}

// Of is the part of one key, nil outside of a pass. It counts as a read.
func Of(ctx context.Context, key string) *View {
	p, ok := ctx.Value(passKey{}).(*pass)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v := &View{p, p.looked[key]}
	p.looked[key] = true
	return v
}

// Once fetches a value by a name, or waits for whoever is fetching it. Errors
// are shared with those who wait and forgotten then.
func Once[T any](ctx context.Context, v *View, name string, fetch func(context.Context) (T, error)) (T, error) {
	if v == nil {
		return fetch(ctx)
	}
	v.mu.Lock()
	a := v.shared[name]
	if a == nil || v.fresh || v.now().Sub(a.begun) > maxAge {
		a = &answer{begun: v.now(), done: make(chan struct{})}
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
