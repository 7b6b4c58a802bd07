package gcptest

import "time"

// history is a value that changes, and that reads may see late.
type history[T any] struct{ all []dated[T] }

type dated[T any] struct {
	value T
	// seen is when reads show it at last.
	seen time.Time
}

func (h *history[T]) now() T {
	if len(h.all) == 0 {
		var zero T
		return zero
	}
	return h.all[len(h.all)-1].value
}

func (h *history[T]) set(v T, seen time.Time) { h.all = append(h.all, dated[T]{v, seen}) }

// at is what a read shows: the newest value whose time has come. With back it
// is the one before the newest, whenever that was.
func (h *history[T]) at(t time.Time, back bool) T {
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
	return h.now()
}
