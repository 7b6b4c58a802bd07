package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"byokwatch/functions/functiontest"
	"byokwatch/functions/gcp/gcptest"
)

const yaml = `
mode: enforce
store: {gcp: gs://acme-byokwatch/prod}
keys:
  - key: ` + payments + `
    label: payments
    confluent: {group: "cck-12345@confluent.io"}
alerts:
  - stdout:
`

// world is one emulated Google Cloud with the built function in it.
type world struct {
	cloud  *gcptest.Cloud
	admin  gcptest.Clients
	url    string
	cmd    *exec.Cmd
	dir    string
	vars   map[string]string
	stdout functiontest.Buffer // alerts
	stderr functiontest.Buffer // log
}

// buffer is written by the function and read by the test.

// start makes a world: a key that Confluent can use, a bucket, and the function
// with its configuration. Requests without a token are the watchdog's.
func start(tb testing.TB, change func(files, vars map[string]string)) *world {
	tb.Helper()
	w := &world{cloud: newCloud(tb, armed), dir: tb.TempDir()}
	w.cloud.Login(gcptest.Caller{Token: "", Member: watcher})
	w.admin = w.cloud.Clients("ADMIN")
	bucketHandler, _ := newBucket(tb, w.cloud)
	kms, gcs := httptest.NewServer(w.cloud), httptest.NewServer(bucketHandler)
	tb.Cleanup(kms.Close)
	tb.Cleanup(gcs.Close)
	files := map[string]string{"byokwatch.yaml": yaml}
	w.vars = map[string]string{
		"BYOKWATCH_CONFIG": "byokwatch.yaml", "BYOKWATCH_SELF": self, "K_SERVICE": "byokwatch", "LOCAL_ONLY": "true",
		"CLOUD_RUN_TIMEOUT_SECONDS": "30", "STORAGE_EMULATOR_HOST": strings.TrimPrefix(gcs.URL, "http://"),
		"BYOKWATCH_CLOUDKMS_ENDPOINT": kms.URL, "BYOKWATCH_IAM_ENDPOINT": kms.URL, "BYOKWATCH_CLOUDRESOURCEMANAGER_ENDPOINT": kms.URL,
	}
	if change != nil {
		change(files, w.vars)
	}
	for name, text := range files {
		must(tb, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
	}
	w.run(tb)
	tb.Cleanup(func() {
		w.stop()
		if tb.Failed() {
			tb.Logf("stdout:\n%s\nstderr:\n%s", w.stdout.String(), w.stderr.String())
		}
	})
	return w
}

func (w *world) run(tb testing.TB) {
	tb.Helper()
	program := binary.Build(tb, ".") // which may take a minute
	port := functiontest.FreePort(tb)
	w.url = "http://127.0.0.1:" + port + "/"
	w.cmd = exec.Command(program)
	w.cmd.Dir, w.cmd.Stdout, w.cmd.Stderr = w.dir, &w.stdout, &w.stderr
	w.cmd.Env = []string{"PORT=" + port}
	for _, name := range slices.Sorted(maps.Keys(w.vars)) {
		w.cmd.Env = append(w.cmd.Env, name+"="+w.vars[name])
	}
	must(tb, w.cmd.Start())
	functiontest.Listening(tb, port)
}

// stop ends the process, as Cloud Run ends an idle instance.
func (w *world) stop() {
	if w.cmd.ProcessState == nil {
		_ = w.cmd.Process.Kill() // it may be gone already
		_ = w.cmd.Wait()         // killed, so always an error
	}
}

// post delivers a request and returns the status.
func (w *world) post(tb testing.TB, r *http.Request) int {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 60*time.Second)
	defer cancel()
	resp, err := http.DefaultClient.Do(r.WithContext(ctx))
	for try := 0; err != nil && try < 2 && r.GetBody != nil; try++ {
		// A connection that breaks is no answer, and Pub/Sub delivers again.
		tb.Logf("delivered again after %v", err)
		body, bodyErr := r.GetBody()
		must(tb, bodyErr)
		r.Body = body
		resp, err = http.DefaultClient.Do(r.WithContext(ctx))
	}
	must(tb, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	must(tb, err)
	return resp.StatusCode
}

func (w *world) want(tb testing.TB, r *http.Request, status int) {
	tb.Helper()
	if got := w.post(tb, r); got != status {
		tb.Fatalf("answered %d, want %d", got, status)
	}
}

// arm lets a sweep take the first snapshot.
func (w *world) arm(tb testing.TB) {
	tb.Helper()
	w.want(tb, w.cloud.Tick(gcptest.Push, w.url), http.StatusOK)
}

// lines are the log's lines, each of which must be as Cloud Logging reads it.
// The framework also prints empty ones.
func (w *world) lines(tb testing.TB) []map[string]any {
	tb.Helper()
	var out []map[string]any
	for line := range strings.Lines(w.stderr.String()) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			tb.Fatalf("log line %q: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(fields["time"])); err != nil || fields["severity"] == nil || fields["message"] == nil {
			tb.Errorf("log line %q lacks time, severity or message", line)
		}
		out = append(out, fields)
	}
	return out
}

func (w *world) errorLines(tb testing.TB) []map[string]any {
	tb.Helper()
	return slices.DeleteFunc(w.lines(tb), func(l map[string]any) bool { return l["severity"] != "ERROR" })
}

func (w *world) confluentCan() bool {
	for _, p := range confluentNeeds {
		if ok, _ := w.cloud.Can(group, p, payments); !ok {
			return false
		}
	}
	return true
}

// used counts the function's calls.
func (w *world) used() int {
	n := 0
	for _, u := range w.cloud.Uses() {
		if u.Caller == watcher {
			n++
		}
	}
	return n
}

// putObject uploads an object as the watchdog itself may.
func putObject(tb testing.TB, w *world, name, text string) {
	tb.Helper()
	client, err := storage.NewService(tb.Context(), option.WithHTTPClient(http.DefaultClient), option.WithEndpoint("http://"+w.vars["STORAGE_EMULATOR_HOST"]+"/storage/v1/"))
	must(tb, err)
	_, err = client.Objects.Insert(bucket, &storage.Object{Name: name}).Media(strings.NewReader(text)).Do()
	must(tb, err)
}
