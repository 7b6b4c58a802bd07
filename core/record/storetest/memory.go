package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/record"
)

// Memory is a store in memory, for tests of what stands above one. It runs no
// goroutine and opens nothing, so it works in a testing/synctest bubble.
type Memory struct {
	// Now is the store's clock.
	Now func() time.Time
	// Hook, if set, is asked before each call, and again, with done, after the
	// call did its work. What it returns is the call's answer: an error after
	// the work is an answer that was lost.
	Hook func(op, name string, done bool) error

	mu      sync.Mutex
	objects map[string]record.Object
	writes  int
}

// NewMemory makes an empty store.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{Now: now, objects: map[string]record.Object{}}
}

// Get implements record.Objects.
func (m *Memory) Get(ctx context.Context, name string) (obj record.Object, err error) {
	err = m.call(ctx, "Get", name, record.CheckName(name), func() error {
		found, ok := m.objects[name]
		if !ok {
			return fmt.Errorf("get %s: %w", name, core.ErrNotFound)
		}
		obj = found
		obj.Data = slices.Clone(found.Data)
		return nil
	})
	return obj, err
}

// Put implements record.Objects.
func (m *Memory) Put(ctx context.Context, name string, data []byte, version string) (next string, err error) {
	err = m.call(ctx, "Put", name, record.CheckName(name), func() error {
		if m.objects[name].Version != version {
			return fmt.Errorf("put %s: %w", name, core.ErrConflict)
		}
		m.writes++
		next = strconv.Itoa(m.writes)
		m.objects[name] = record.Object{Data: slices.Clone(data), Version: next, Modified: m.Now()}
		return nil
	})
	return next, err
}

// List implements record.Objects.
func (m *Memory) List(ctx context.Context, prefix string) (names []string, err error) {
	err = m.call(ctx, "List", prefix, record.CheckPrefix(prefix), func() error {
		for _, name := range slices.Sorted(maps.Keys(m.objects)) {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		return nil
	})
	return names, err
}

// Remove deletes an object, as a person with the rights to would.
func (m *Memory) Remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
}

// Plant writes an object whatever is there, as an intruder would.
func (m *Memory) Plant(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	m.objects[name] = record.Object{Data: slices.Clone(data), Version: strconv.Itoa(m.writes), Modified: m.Now()}
}

func (m *Memory) call(ctx context.Context, op, name string, bad error, work func() error) error {
	if bad != nil {
		return bad
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.hook(op, name, false); err != nil {
		return err
	}
	m.mu.Lock()
	err := work()
	m.mu.Unlock()
	if err != nil {
		return err
	}
	return m.hook(op, name, true)
}

func (m *Memory) hook(op, name string, done bool) error {
	if m.Hook == nil {
		return nil
	}
	return m.Hook(op, name, done)
}
