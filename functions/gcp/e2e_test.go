package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	sdk "google.golang.org/api/cloudkms/v1"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/functiontest"
	"byokwatch/functions/gcp/gcptest"
)

// put writes the key's policy as the administrator and returns the event of it.
func (w *world) put(tb testing.TB, policy string) gcptest.Event {
	tb.Helper()
	var p sdk.Policy
	must(tb, json.Unmarshal([]byte(policy), &p))
	_, err := w.admin.KMS.Projects.Locations.KeyRings.CryptoKeys.SetIamPolicy(payments, &sdk.SetIamPolicyRequest{Policy: &p}).Do()
	must(tb, err)
	events := w.cloud.Events()
	return events[len(events)-1]
}

func TestConfluentIsRemovedAndGivenBack(t *testing.T) {
	for _, form := range gcptest.Deliveries {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.want(t, w.cloud.Tick(form, w.url), http.StatusOK)
			functiontest.Eventually(t, "the first snapshot is posted", func() bool { return strings.Contains(w.stdout.String(), "PROTECTED") })
			event := w.put(t, wiped)
			if w.confluentCan() {
				t.Fatal("the test's own edit takes nothing away")
			}
			w.want(t, event.Request(form, w.url), http.StatusOK)
			if !w.confluentCan() {
				t.Fatalf("Confluent is not back:\n%s", w.cloud.Policy(payments))
			}
			writes := w.cloud.Writes(payments)
			if last := writes[len(writes)-1]; last.Caller != watcher || !slices.Equal(theirs(t, last.Before), theirs(t, last.After)) {
				t.Errorf("the last write is by %s:\n%s", last.Caller, last.After)
			}
			functiontest.Eventually(t, "the restore is told", func() bool { return strings.Contains(w.stdout.String(), "RESTORED") })
			told := w.stdout.String()
			for _, want := range []string{"payments", "admin@acme.example", "Terraform"} {
				if !strings.Contains(told, want) {
					t.Errorf("the alert does not say %q:\n%s", want, told)
				}
			}
			// The echo of our own write ends in nothing, and nobody is told twice.
			echo := w.cloud.Events()
			for _, again := range []gcptest.Event{echo[len(echo)-1], event} {
				w.want(t, again.Request(form, w.url), http.StatusOK)
			}
			if n := len(w.cloud.Writes(payments)); n != len(writes) {
				t.Errorf("%d writes after the echo and a redelivery, want %d", n, len(writes))
			}
			if now := w.stdout.String(); strings.Count(now, "RESTORED") != strings.Count(told, "RESTORED") {
				t.Errorf("the restore is told again:\n%s", now)
			}
			handled := func() int {
				return len(slices.DeleteFunc(w.lines(t), func(l map[string]any) bool { return l["message"] != "handled" || l["key"] != payments }))
			}
			functiontest.Eventually(t, "four handled lines", func() bool { return handled() == 4 })
			for _, line := range w.lines(t) {
				if line["message"] == "handled" && (line["invocation"] == nil || line["verdict"] == nil || line["plan"] == nil || line["outcome"] == nil) {
					t.Errorf("log line lacks a field: %v", line)
				}
			}
		})
	}
}

func TestEventsThatConcernNobodyMakeNoCall(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	event := w.put(t, armed)
	edited := func(old, new string) gcptest.Event {
		e := event
		e.Entry = []byte(strings.ReplaceAll(string(event.Entry), old, new))
		return e
	}
	for name, e := range map[string]gcptest.Event{
		"a key that is not protected": edited("cryptoKeys/payments", "cryptoKeys/payments-2"),
		"a failed call":               edited(`"status":{}`, `"status":{"code":7}`),
		"another project":             edited("acme-prod", "acme-test"),
		"another operation":           edited(`"SetIamPolicy"`, `"GetIamPolicy"`),
		"another service":             edited(`"cloudkms.googleapis.com"`, `"storage.googleapis.com"`),
	} {
		before := w.used()
		w.want(t, e.Request(gcptest.Push, w.url), http.StatusOK)
		if n := w.used() - before; n != 0 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
	if lines := w.errorLines(t); len(lines) != 0 {
		t.Errorf("error lines %v", lines)
	}
}

func TestWhatCannotBeReadIsToldOnceAndKeptByThePlatform(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(t)
	bad := func(body string) *http.Request {
		r, err := http.NewRequest(http.MethodPost, w.url, strings.NewReader(body))
		must(t, err)
		return r
	}
	const entry = `{"protoPayload":{"serviceName":"cloudkms.googleapis.com"},"insertId":"100%s","logName":"l","timestamp":"2026-03-02T10:04:05Z"}`
	for range 3 {
		w.want(t, bad(entry), http.StatusInternalServerError)
	}
	functiontest.Eventually(t, "each is logged", func() bool { return len(w.errorLines(t)) == 3 })
	if n := strings.Count(w.stdout.String(), "EVENT UNREADABLE"); n != 1 {
		t.Errorf("told %d times:\n%s", n, w.stdout.String())
	}
	// A per cent sign is no format.
	if log := w.stderr.String(); strings.Contains(log, "MISSING") || !strings.Contains(log, "100%s") {
		t.Errorf("log\n%s", log)
	}
	for name, body := range map[string]string{"nothing": "", "no JSON": "%!d hello", "another object": `{"hello":1}`, "an empty message": `{"message":{}}`} {
		if got := w.post(t, bad(body)); got != http.StatusInternalServerError {
			t.Errorf("%s: answered %d", name, got)
		}
	}
	r, err := http.NewRequest(http.MethodGet, w.url, nil)
	must(t, err)
	w.want(t, r, http.StatusMethodNotAllowed)
	// And the function goes on.
	w.want(t, w.put(t, wiped).Request(gcptest.Push, w.url), http.StatusOK)
	if !w.confluentCan() {
		t.Error("Confluent is not back")
	}
}

func TestAForgedEventOnlyCausesALook(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(t)
	event := w.put(t, wiped)
	w.put(t, armed)
	before := len(w.cloud.Writes(payments))
	w.want(t, event.Request(gcptest.Push, w.url), http.StatusOK)
	if n := len(w.cloud.Writes(payments)) - before; n != 0 {
		t.Errorf("%d writes", n)
	}
}

// What may pass is an error to the platform, whose redelivery does the work.
func TestAnOutageIsLeftToTheRedelivery(t *testing.T) {
	t.Parallel()
	w := start(t, func(_, vars map[string]string) { vars["CLOUD_RUN_TIMEOUT_SECONDS"] = "9" })
	w.arm(t)
	event := w.put(t, wiped)
	w.cloud.SetOdds(chaostest.Odds{Unavailable: 1})
	w.want(t, event.Request(gcptest.Push, w.url), http.StatusInternalServerError)
	if w.confluentCan() {
		t.Fatal("the outage lets a write through")
	}
	w.cloud.SetOdds(chaostest.Odds{})
	w.want(t, event.Request(gcptest.Push, w.url), http.StatusOK)
	if !w.confluentCan() {
		t.Error("Confluent is not back")
	}
}

func TestAnotherInstanceGoesOn(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(t)
	w.stop()
	event := w.put(t, wiped)
	w.run(t)
	w.want(t, event.Request(gcptest.AuditBinary, w.url), http.StatusOK)
	if !w.confluentCan() {
		t.Error("Confluent is not back")
	}
}

func TestTheConfigurationIsPinned(t *testing.T) {
	t.Parallel()
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(yaml)))
	for name, test := range map[string]struct {
		sum    string
		status int
		want   string
	}{
		"by its own sum": {sum, http.StatusOK, ""},
		"by another":     {strings.Repeat("0", 64), http.StatusInternalServerError, "nothing is protected"},
		"by no sum":      {"", http.StatusInternalServerError, "BYOKWATCH_CONFIG_SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, func(files, vars map[string]string) {
				vars["BYOKWATCH_CONFIG"], vars["BYOKWATCH_CONFIG_SHA256"] = "gs://"+bucket+"/byokwatch.yaml", test.sum
			})
			putObject(t, w, "byokwatch.yaml", yaml)
			before := w.used()
			w.want(t, w.cloud.Tick(gcptest.Push, w.url), test.status)
			if test.want == "" {
				return
			}
			functiontest.Eventually(t, "the error is logged", func() bool { return len(w.errorLines(t)) > 0 })
			if lines := w.errorLines(t); len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]), test.want) {
				t.Errorf("error lines %v", lines)
			}
			if n := w.used() - before; n > 1 { // the object itself
				t.Errorf("%d calls", n)
			}
		})
	}
}

func TestTheHeartbeatFollowsACompleteSweep(t *testing.T) {
	t.Parallel()
	var beats atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { beats.Add(1) }))
	t.Cleanup(server.Close)
	w := start(t, func(files, vars map[string]string) {
		files["byokwatch.yaml"] = strings.Replace(yaml, "gs://acme-byokwatch/prod", "file://"+t.TempDir(), 1) + "heartbeat: {url: \"${BEAT}\"}\n"
		vars["BEAT"] = server.URL
	})
	w.arm(t)
	if n := beats.Load(); n != 1 {
		t.Errorf("%d beats after a sweep", n)
	}
	w.want(t, w.put(t, armed).Request(gcptest.Push, w.url), http.StatusOK)
	if n := beats.Load(); n != 1 {
		t.Errorf("%d beats after an event", n)
	}
	w.cloud.SetOdds(chaostest.Odds{Internal: 1})
	w.want(t, w.cloud.Tick(gcptest.Push, w.url), http.StatusInternalServerError)
	if n := beats.Load(); n != 1 {
		t.Errorf("%d beats after a sweep that could not look", n)
	}
}

func TestWhatStopsTheProcess(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]string{
		"an endpoint of somebody else": "BYOKWATCH_CLOUDKMS_ENDPOINT=https://cloudkms.googleapis.com.evil.example",
		"a store of somebody else":     "STORAGE_EMULATOR_HOST=storage.evil.example",
		"no port":                      "PORT=http",
	} {
		cmd := exec.Command(binary.Build(t, "."))
		cmd.Env = []string{setting}
		out, err := cmd.CombinedOutput()
		if err == nil || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), strings.Split(setting, "=")[0]) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
