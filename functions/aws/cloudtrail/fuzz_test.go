package cloudtrail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"byokwatch/core"
	"byokwatch/functions/functiontest"
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
		decode := func() ([]core.Change, error) { return Decode(event, account, region, keys) }
		for _, c := range functiontest.WantSound(t, decode, "arn:aws:kms:us-west-2:111122223333:key/", core.KeyPolicy, maxPolicy) {
			for _, s := range []string{c.EventID, c.Op, c.Actor.ID, c.Actor.Name, c.Actor.Address, c.Actor.Agent, c.Actor.Via} {
				if !utf8.ValidString(s) {
					t.Fatalf("text that is none: %q", s)
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
