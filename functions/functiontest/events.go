package functiontest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite events.json")

// SameEvents holds a file equal to what a decoder understands, one event a line.
// Deployments make their rules and filters of the file: what the decoder knows
// and the deployment does not let through would be lost, and the other way round
// it would cost an invocation for each event that nobody wants.
func SameEvents[E any](t *testing.T, file string, events []E) {
	t.Helper()
	if len(events) == 0 {
		t.Fatal("no events")
	}
	out := []byte("[\n")
	for i, e := range events {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		Must(t, enc.Encode(e))
		out = append(out, "  "...)
		out = append(out, bytes.TrimSpace(line.Bytes())...)
		if i < len(events)-1 {
			out = append(out, ',')
		}
		out = append(out, '\n')
	}
	out = append(out, "]\n"...)
	if *update {
		Must(t, os.WriteFile(file, out, 0o644))
	}
	have, err := os.ReadFile(file)
	Must(t, err)
	if diff := cmp.Diff(string(out), string(have)); diff != "" {
		t.Errorf("%s is not what the decoder understands (rewrite it with -update): decoder -, file +\n%s", file, diff)
	}
}
