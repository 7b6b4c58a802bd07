package functiontest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/loose"
)

// Edited is a JSON object with members replaced, each named by its path, a|b|c;
// nil removes one.
func Edited(tb testing.TB, object []byte, edits map[string]any) []byte {
	tb.Helper()
	var whole map[string]any
	Must(tb, json.Unmarshal(object, &whole))
	for path, value := range edits {
		at, parts := whole, strings.Split(path, "|")
		for _, p := range parts[:len(parts)-1] {
			next, ok := at[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[p] = next
			}
			at = next
		}
		if last := parts[len(parts)-1]; value == nil {
			delete(at, last)
		} else {
			at[last] = value
		}
	}
	out, err := json.Marshal(whole)
	Must(tb, err)
	return out
}

// WantSound checks what holds of a door's Changes, whatever the event says: the
// same each time, none beside an error, each about another one of the keys that
// begin so, with texts that are bounded and copies only of such documents.
func WantSound(tb testing.TB, decode func() ([]core.Change, error), keys string, copies core.Kind, longest int) []core.Change {
	tb.Helper()
	got, err := decode()
	again, _ := decode() // the same error, if the Changes are the same
	if fmt.Sprint(got) != fmt.Sprint(again) || (err != nil && len(got) != 0) {
		tb.Fatalf("%d Changes, then %d, %v", len(got), len(again), err)
	}
	seen := map[string]bool{}
	for _, c := range got {
		if seen[c.Key] || !strings.HasPrefix(c.Key, keys) {
			tb.Fatalf("key %s", c.Key)
		}
		seen[c.Key] = true
		for _, s := range []string{c.EventID, c.Op, c.Actor.ID, c.Actor.Name, c.Actor.Address, c.Actor.Agent, c.Actor.Via, c.Resource} {
			if len(s) > loose.MaxText {
				tb.Fatalf("text of %d bytes: %q", len(s), s)
			}
		}
		if c.EventID == "" || c.Op == "" {
			tb.Fatalf("%+v", c)
		}
		for _, d := range c.Copy {
			if d.Kind != copies || d.ID != c.Key || len(d.Text) > longest {
				tb.Fatalf("copy %+v", d)
			}
		}
	}
	return got
}
