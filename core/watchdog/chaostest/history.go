package chaostest

import "time"

// History is a value that changes, and that reads may see late. Its zero value
// holds nothing.
type History[T any] struct{ all []dated[T] }

type dated[T any] struct {
	value T
	seen  time.Time // when reads show it at last
}

// Now is the newest value.
func (h *History[T]) Now() T {
	if len(h.all) == 0 {
		var zero T
		return zero
	}
	return h.all[len(h.all)-1].value
}

// Set makes v the newest value, which reads show from seen on.
func (h *History[T]) Set(v T, seen time.Time) { h.all = append(h.all, dated[T]{v, seen}) }

// At is what a read shows: the newest value whose time has come. With back it is
// the one before the newest, whenever that was.
func (h *History[T]) At(t time.Time, back bool) T {
	for i := len(h.all) - 1; i > 0; i-- {
		if back {
			return h.all[i-1].value
		}
		if !h.all[i].seen.After(t) {
			return h.all[i].value
		}
	}
	if len(h.all) > 0 {
		return h.all[0].value
	}
	return h.Now()
}
