package functiontest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
)

// Chat is where a story's alerts go. It implements [watchdog.Notifier]; its zero
// value is an empty one.
type Chat struct {
	mu  sync.Mutex
	got []alert.Alert
}

var _ watchdog.Notifier = (*Chat)(nil)

// Name implements watchdog.Notifier.
func (c *Chat) Name() string { return "chat" }

// Wants takes all but what is only logged.
func (c *Chat) Wants(a alert.Alert) bool { return alert.Lookup(a.Code).Class != alert.Log }

// Send implements watchdog.Notifier.
func (c *Chat) Send(_ context.Context, a alert.Alert) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, a)
	return nil
}

// Got is what was told, in order.
func (c *Chat) Got() []alert.Alert {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

// Forget begins anew.
func (c *Chat) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = nil
}

// Codes are those of what was told, in order.
func (c *Chat) Codes() []alert.Code {
	var out []alert.Code
	for _, a := range c.Got() {
		out = append(out, a.Code)
	}
	return out
}

// Told is the first alert of a code; the zero Alert if there was none.
func (c *Chat) Told(code alert.Code) alert.Alert {
	for _, a := range c.Got() {
		if a.Code == code {
			return a
		}
	}
	return alert.Alert{}
}

// WantTold checks what was told, in order.
func (c *Chat) WantTold(tb testing.TB, codes ...alert.Code) {
	tb.Helper()
	if got := c.Codes(); !slices.Equal(got, codes) {
		tb.Errorf("told %q, want %q", got, codes)
	}
}

// Unmarked counts the alerts that are not marked as perhaps a repeat.
func (c *Chat) Unmarked() map[alert.Code]int {
	out := map[alert.Code]int{}
	for _, a := range c.Got() {
		if !a.Again {
			out[a.Code]++
		}
	}
	return out
}

// WantOnly checks that nothing else was told, in whatever order and however
// often.
func (c *Chat) WantOnly(tb testing.TB, codes ...alert.Code) {
	tb.Helper()
	for _, code := range c.Codes() {
		if !slices.Contains(codes, code) {
			tb.Errorf("told %q", code)
		}
	}
}

// WantGoodSnapshot checks that last-known-good is one in which Confluent has
// access.
func WantGoodSnapshot(tb testing.TB, store *record.Store, key core.Key, rules watchdog.Rules, self string) {
	tb.Helper()
	rec, _, err := store.Load(tb.Context(), key)
	if err != nil || rec.Snapshot == nil {
		tb.Errorf("record %+v, %v", rec, err)
		return
	}
	good := core.Policy(rec.Snapshot.Policy)
	j := rules.Judge(good, core.Question{Key: key, Needs: rules.Needs(key, good, good), Self: self, At: rec.Snapshot.At})
	for _, f := range j.Findings {
		if f.Aspect == core.Access && f.Result != core.Met {
			tb.Errorf("the snapshot says that %s is %s: %s", f.Permission, f.Result, f.Reason)
		}
	}
}
