// Package deploy_test checks what the deployments of all clouds have in common:
// that the uploads can be built again, that the commands of the Makefile ask
// before they act, and that each event the functions understand reaches them.
package deploy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
)

var update = flag.Bool("update", false, "rewrite docs/events.md")

const page = "../docs/events.md"

// row is a line of the table: an event as its cloud calls it, the rule, sink or
// subscription that a deployment hears it by, and the Change it becomes.
type row struct{ event, filter, change string }

// documented holds one cloud's table in the page against what was found to hold
// by putting each event through the deployed filters and the decoder.
func documented(t *testing.T, heading, filter string, rows []row) {
	t.Helper()
	if t.Failed() {
		return // the page is written from what holds
	}
	want := fmt.Sprintf("## %s\n\n| event | %s | Change |\n|---|---|---|\n", heading, filter)
	for _, r := range rows {
		want += fmt.Sprintf("| %s | %s | %s |\n", r.event, r.filter, r.change)
	}
	text := string(read(t, page))
	sections := strings.SplitAfter(text, "\n\n## ")
	i := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(s, heading+"\n") })
	if i < 0 {
		t.Fatalf("%s has no heading %s", page, heading)
	}
	body, end := strings.TrimPrefix(want, "## "), ""
	if i < len(sections)-1 {
		body, end = strings.TrimSuffix(body, "\n"), "\n\n## "
	}
	if sections[i] == body+end {
		return
	}
	if !*update {
		t.Errorf("%s tells something else of %s than holds; go test ./deploy -run Event -update writes\n%s", page, heading, want)
		return
	}
	sections[i] = body + end
	if err := os.WriteFile(page, []byte(strings.Join(sections, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deployment is what the tests deploy in one cloud: the file that
// `byokwatch config deployment` made, and the keys in it.
func deployment(t *testing.T, cloud core.Cloud) (whole map[string]any, keys []core.Key) {
	t.Helper()
	text := string(read(t, "testdata/"+string(cloud)+".json"))
	labels := struct{ Labels map[string]string }{}
	if err := json.Unmarshal([]byte(text), &labels); err != nil {
		t.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(labels.Labels)) {
		vault, _, _ := strings.Cut(id, "/keys/")
		keys = append(keys, core.Key{ID: id, Cloud: cloud, Vault: vault})
	}
	if len(keys) < 2 {
		t.Fatalf("testdata/%s.json has %d keys: too few to tell one from all", cloud, len(keys))
	}
	return object(t, text), keys
}

// decoded is the last column: what a decoder made of an event, which must be
// Changes of one kind.
func decoded(t *testing.T, event string, kind core.ChangeKind, changes []core.Change, err error) string {
	t.Helper()
	if err != nil || len(changes) == 0 {
		t.Errorf("%s reaches the function and becomes nothing there: %v", event, err)
		return ""
	}
	for _, c := range changes {
		if c.Kind != kind {
			t.Errorf("%s became a Change of kind %s, and the table says %s", event, c.Kind, kind)
		}
	}
	return string(kind)
}

func encoded(t *testing.T, event map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
