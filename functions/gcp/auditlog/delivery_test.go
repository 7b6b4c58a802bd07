package auditlog

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/functions/functiontest"
	"byokwatch/functions/gcp/gcptest"
)

// request reads a recorded delivery: a whole request, or the body of a
// structured CloudEvent.
func request(t testing.TB, name string) (http.Header, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "gcptest", "testdata", "events", "delivery", name))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == ".json" {
		return http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, data
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.Header, body
}

// However an entry is delivered, it is the same one.
func TestEachFormOfDelivery(t *testing.T) {
	want, err := Decode(sample(t, "key-set-iam-policy"), protected())
	if err != nil || len(want) != 1 {
		t.Fatalf("%d Changes, %v", len(want), err)
	}
	// What the policy says is the same, whatever its white space.
	strip := func(changes []core.Change) {
		for i := range changes {
			for j := range changes[i].Copy {
				changes[i].Copy[j].Text = strings.Join(strings.Fields(changes[i].Copy[j].Text), "")
			}
		}
	}
	strip(want)
	const eventarc, pubsub = "projects/acme-prod/logs/cloudaudit.googleapis.com%2Factivity1k7x01e2m8ab20260302100405123456789", "9912345678901234"
	for name, id := range map[string]string{
		"eventarc-audit-binary.http": eventarc, "eventarc-audit-structured.json": eventarc, "eventarc-audit-structured-camel.json": eventarc,
		"pubsub-cloudevent-binary.http": pubsub, "pubsub-cloudevent-structured.json": pubsub, "pubsub-push.http": pubsub,
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Open(request(t, name))
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Changes(protected())
			if err != nil {
				t.Fatal(err)
			}
			strip(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if d.ID != id {
				t.Errorf("delivery %s, want %s", d.ID, id)
			}
		})
	}
}

// The framework makes a CloudEvent of a push body; its form is understood too,
// as are those of older platforms.
func TestFormsOfOtherPlatforms(t *testing.T) {
	entry := sample(t, "key-set-iam-policy")
	data := base64.StdEncoding.EncodeToString(entry)
	for name, test := range map[string]struct {
		header http.Header
		body   string
	}{
		"a push body as the framework converts it": {http.Header{"Content-Type": {"application/cloudevents+json"}},
			`{"specversion":"1.0","id":"77","type":"google.cloud.pubsub.topic.v1.messagePublished","source":"//pubsub.googleapis.com/","time":"2026-03-02T10:04:07Z",` +
				`"datacontenttype":"application/json","data":{"message":{"@type":"type.googleapis.com/google.pubusb.v1.PubsubMessage","attributes":{"a":"b"},"data":"` + data + `","messageId":"77","publishTime":"2026-03-02T10:04:07Z"}}}`},
		"the event of a first generation function": {http.Header{"Content-Type": {"application/json"}},
			`{"context":{"eventId":"77","timestamp":"2026-03-02T10:04:07Z","eventType":"google.pubsub.topic.publish"},"data":{"@type":"type.googleapis.com/google.pubsub.v1.PubsubMessage","data":"` + data + `"}}`},
		"a CloudEvent with its data in base64": {http.Header{}, `{"specversion":"1.0","id":"77","type":"t","source":"s","time":"2026-03-02T10:04:07Z","data_base64":"` + data + `"}`},
		"an unwrapped payload":                 {http.Header{"X-Goog-Pubsub-Message-Id": {"77"}}, string(entry)},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Open(test.header, []byte(test.body))
			if err != nil || d.ID != "77" || ID(d.Entry) != ID(entry) {
				t.Errorf("delivery %s, entry %s, %v", d.ID, ID(d.Entry), err)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	for _, name := range []string{"tick-pubsub-push.http", "tick-cloudevent-binary.http", "tick-cloudevent-structured.json"} {
		d, err := Open(request(t, name))
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := d.Changes(protected())
		if err != nil || len(got) != 4 {
			t.Fatalf("%s: %d Changes, %v", name, len(got), err)
		}
		for _, c := range got {
			if c.Kind != core.Tick || c.EventID != "9912345678905678" || c.At.Format("15:04:05.000") != "10:04:07.021" || c.Takes || c.Copy != nil {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

func TestRequestsThatHoldNoEntry(t *testing.T) {
	push := http.Header{"Content-Type": {"application/json"}}
	binary := http.Header{"Ce-Type": {"google.cloud.audit.log.v1.written"}, "Ce-Id": {"7"}}
	structured := http.Header{"Content-Type": {"application/cloudevents+json"}}
	for name, test := range map[string]struct {
		header http.Header
		body   string
	}{
		"nothing":                              {push, ""},
		"no JSON":                              {push, "hello %s %d"},
		"a message that is a text":             {push, `{"message":"x"}`},
		"a message without data":               {push, `{"message":{"messageId":"7"}}`},
		"a message whose data is no base64":    {push, `{"message":{"data":"%%%"}}`},
		"a CloudEvent without data":            {binary, ""},
		"a CloudEvent whose data is no object": {binary, "[1]"},
		"a structured one without data":        {structured, `{"specversion":"1.0","id":"7"}`},
		"a structured one with broken base64":  {structured, `{"specversion":"1.0","id":"7","data_base64":"%"}`},
		"more than Pub/Sub can deliver":        {push, strings.Repeat(" ", 2*MaxBytes+1)},
	} {
		if d, err := Open(test.header, []byte(test.body)); err == nil {
			t.Errorf("%s: opened as %q", name, d.Entry)
		}
	}
	d, err := Open(binary, []byte("[1]"))
	if err == nil || d.ID != "7" || ID(d.Entry) == "" {
		t.Errorf("what can't be opened is still told of: %+v, %v", d, err)
	}
}

// The emulator's deliveries, on which the tests of the whole rely, are the
// recorded ones' kin.
func TestTheEmulatorsDeliveries(t *testing.T) {
	c := gcptest.New(gcptest.Options{})
	e := gcptest.Event{Service: kms, Method: "SetIamPolicy", Resource: payments, Log: "projects/acme-prod", InsertID: "i", Entry: sample(t, "key-set-iam-policy")}
	for _, form := range gcptest.Deliveries {
		for what, r := range map[string]*http.Request{"entry": e.Request(form, "http://x/"), "tick": c.Tick(form, "http://x/")} {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Open(r.Header, body)
			if err != nil {
				t.Fatalf("%s, %s: %v", form, what, err)
			}
			got, err := d.Changes(protected())
			if want := map[string]int{"entry": 1, "tick": 4}[what]; err != nil || len(got) != want || d.ID == "" {
				t.Errorf("%s, %s %q: %d Changes, want %d; %v", form, what, d.ID, len(got), want, err)
			}
		}
	}
}

// FuzzOpen: whatever the request, the door does not panic, selects only keys of
// this cloud, each once, repeats itself, and lets no unbounded or broken text
// through.
func FuzzOpen(f *testing.F) {
	files, err := filepath.Glob("../gcptest/testdata/events/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("", "", data)
	}
	for _, name := range []string{"eventarc-audit-binary.http", "pubsub-push.http", "tick-cloudevent-binary.http", "eventarc-audit-structured-camel.json"} {
		header, body := request(f, name)
		f.Add(header.Get("ce-type"), header.Get("content-type"), body)
	}
	keys := protected()
	f.Fuzz(func(t *testing.T, ce, content string, body []byte) {
		header := http.Header{"Ce-Type": {ce}, "Content-Type": {content}, "Ce-Id": {content}}
		d, err := Open(header, body)
		if err != nil && ID(d.Entry) == "" {
			t.Fatal("nothing to tell of")
		}
		functiontest.WantSound(t, func() ([]core.Change, error) { return d.Changes(keys) }, "projects/acme-prod", core.IAMPolicy, maxPolicy)
	})
}

func BenchmarkUnprotectedKey(b *testing.B) {
	entry := []byte(strings.ReplaceAll(string(sample(b, "key-set-iam-policy")), "keyRings/kafka", "keyRings/other"))
	keys := make([]core.Key, 10_000)
	for i := range keys {
		keys[i] = core.Key{ID: fmt.Sprintf("%s-%d", payments, i), Cloud: core.GCP}
	}
	for b.Loop() {
		if got, err := Decode(entry, keys); err != nil || len(got) != 0 {
			b.Fatal(len(got), err)
		}
	}
}
