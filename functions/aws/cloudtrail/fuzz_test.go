package cloudtrail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"byokwatch/core"
	"byokwatch/core/loose"
)

// FuzzDecode: whatever the bytes, the door does not panic, selects only local
// keys, each once, repeats itself, and lets no unbounded or broken text through.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("../awstest/testdata/events/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	keys := protected()
	f.Fuzz(func(t *testing.T, event []byte) {
		got, err := Decode(event, account, region, keys)
		again, _ := Decode(event, account, region, keys)
		if len(got) != len(again) || (err != nil && len(got) != 0) {
			t.Fatalf("%d Changes, then %d, %v", len(got), len(again), err)
		}
		seen := map[string]bool{}
		for _, c := range got {
			if seen[c.Key] || !strings.HasPrefix(c.Key, "arn:aws:kms:us-west-2:111122223333:key/") {
				t.Fatalf("key %s", c.Key)
			}
			seen[c.Key] = true
			for _, s := range []string{c.EventID, c.Op, c.Actor.ID, c.Actor.Name, c.Actor.Address, c.Actor.Agent, c.Actor.Via} {
				if len(s) > loose.MaxText || !utf8.ValidString(s) {
					t.Fatalf("text of %d bytes: %q", len(s), s)
				}
			}
			if c.EventID == "" || c.Op == "" {
				t.Fatalf("%+v", c)
			}
			for _, d := range c.Copy {
				if d.Kind != core.KeyPolicy || d.ID != c.Key || len(d.Text) > maxPolicy {
					t.Fatalf("copy %+v", d)
				}
			}
		}
	})
}

func BenchmarkUnprotectedKey(b *testing.B) {
	event := []byte(strings.ReplaceAll(string(sample(b, "put-key-policy-user")), "1234abcd-", "ffffffff-"))
	keys := make([]core.Key, 10_000)
	for i := range keys {
		keys[i] = key(keyARN[:len(keyARN)-5] + string(rune('a'+i%26)) + "0000")
	}
	for b.Loop() {
		if got, err := Decode(event, account, region, keys); err != nil || len(got) != 0 {
			b.Fatal(len(got), err)
		}
	}
}
