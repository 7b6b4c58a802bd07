package azuretest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/functions/azure/azuretest"
)

// TestMain is a custom handler as well: started with HANDLER set, this binary
// serves instead of testing.
func TestMain(m *testing.M) {
	if mode := os.Getenv("HANDLER"); mode != "" {
		serve(mode)
		return
	}
	os.Exit(m.Run())
}

const fine = `{"Outputs":{},"Logs":["seen"],"ReturnValue":null}`

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func serve(mode string) {
	if mode == "dies" {
		fmt.Fprintln(os.Stderr, "cannot start")
		os.Exit(1)
	}
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/":
			w.WriteHeader(http.StatusTeapot) // any answer will do
		case strings.Contains(string(body), "crash"):
			os.Exit(3)
		case strings.Contains(string(body), "sleep"):
			time.Sleep(time.Minute)
		default:
			fmt.Printf("%s %s %s\n", r.URL.Path, os.Getenv("FUNCTIONS_APP_ROOT_PATH"), os.Getenv("EXTRA"))
			reply(w, http.StatusOK, fine)
		}
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func binary(t *testing.T) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func startProcess(t *testing.T, dir, mode string) *azuretest.Host {
	t.Helper()
	h, err := azuretest.StartHost(azuretest.HostConfig{Dir: dir, Binary: binary(t), Env: []string{"HANDLER=" + mode, "EXTRA=more"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Stop() })
	return h
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAHandlerIsStartedCalledAndEnded(t *testing.T) {
	h := startProcess(t, "testdata/app", "serves")
	ctx := within(t)
	if err := h.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	outcomes, err := h.Deliver(ctx, azuretest.Delivery{}, []byte(`[{"id":"1"},{"id":"2"}]`))
	if err != nil || len(outcomes) != 2 || !outcomes[0].OK() || !outcomes[1].OK() || outcomes[0].Attempts[0].Answer.Logs[0] != "seen" {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	if _, err := h.Tick(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range h.Lines() {
		got = append(got, l.Text)
	}
	want := []string{"/OnChange testdata/app more", "/OnChange testdata/app more", "/Sweep testdata/app more"}
	if !slices.Equal(got, want) {
		t.Errorf("wrote %q", got)
	}
	if _, err := h.Invoke(ctx, "Sweep", nil); err == nil {
		t.Error("a host that was stopped called its handler")
	}
	if h.Starts() != 1 {
		t.Errorf("started %d times", h.Starts())
	}
}

func TestAHandlerThatEndsIsStartedAgainAndTheEventComesBack(t *testing.T) {
	h := startProcess(t, "testdata/app", "serves")
	ctx := within(t)
	d := azuretest.Delivery{Attempts: 2, RetryAfter: func(int) time.Duration { return time.Millisecond }}
	outcomes, err := h.Deliver(ctx, d, []byte(`{"id":"crash"}`), []byte(`{"id":"1"}`))
	if err != nil || outcomes[0].OK() || len(outcomes[0].Attempts) != 2 || !outcomes[1].OK() {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	if h.Starts() != 3 {
		t.Errorf("started %d times", h.Starts())
	}
}

func TestAHandlerThatKeepsEndingIsGivenUp(t *testing.T) {
	h := startProcess(t, "testdata/app", "dies")
	ctx := within(t)
	if err := h.Ready(ctx); err == nil || h.Starts() != 4 {
		t.Errorf("%d starts, %v", h.Starts(), err)
	}
	if _, err := h.Invoke(ctx, "Sweep", nil); err == nil {
		t.Error("called a handler that is not there")
	}
	if l := h.Lines(); len(l) != 4 || !l[0].Stderr || l[0].Text != "cannot start" {
		t.Errorf("wrote %v", l)
	}
}

// write makes the folder of an app that differs from that of testdata.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/app")); err != nil {
		t.Fatal(err)
	}
	for name, body := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAnInvocationThatTakesTooLongEndsTheHandler(t *testing.T) {
	data, err := os.ReadFile("testdata/app/host.json")
	if err != nil {
		t.Fatal(err)
	}
	h := startProcess(t, write(t, map[string]string{"host.json": strings.Replace(string(data), "00:05:00", "00:00:01", 1)}), "serves")
	ctx := within(t)
	var failed *azuretest.InvocationError
	if _, err := h.Invoke(ctx, "OnChange", map[string]string{"id": "sleep"}); !errors.As(err, &failed) || failed.Status != 0 {
		t.Fatal(err)
	}
	if _, err := h.Invoke(ctx, "OnChange", map[string]string{"id": "1"}); err != nil || h.Starts() != 2 {
		t.Errorf("%d starts, %v", h.Starts(), err)
	}
}

func TestAnAppWhoseFolderIsWrongDoesNotStart(t *testing.T) {
	for what, c := range map[string]struct {
		files  map[string]string
		binary string
	}{
		"host.json is no JSON":                       {map[string]string{"host.json": `{`}, binary(t)},
		"another version":                            {map[string]string{"host.json": `{"version":"1.0"}`}, binary(t)},
		"no custom handler":                          {map[string]string{"host.json": `{"version":"2.0"}`}, binary(t)},
		"no extension bundle, so no trigger":         {map[string]string{"host.json": `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}}}`}, binary(t)},
		"the executable is not there":                {nil, ""},
		"the executable is none":                     {map[string]string{"handler": "text"}, ""},
		"a binding without a name":                   {map[string]string{"OnChange/function.json": `{"bindings":[{"type":"eventGridTrigger","direction":"in"}]}`}, binary(t)},
		"a trigger that goes out":                    {map[string]string{"OnChange/function.json": `{"bindings":[{"type":"eventGridTrigger","name":"event","direction":"out"}]}`}, binary(t)},
		"two triggers":                               {map[string]string{"OnChange/function.json": `{"bindings":[{"type":"eventGridTrigger","name":"a","direction":"in"},{"type":"eventGridTrigger","name":"b","direction":"in"}]}`}, binary(t)},
		"no trigger":                                 {map[string]string{"OnChange/function.json": `{"bindings":[]}`}, binary(t)},
		"a schedule of five fields, as of cron":      {map[string]string{"Sweep/function.json": `{"bindings":[{"type":"timerTrigger","name":"timer","direction":"in","schedule":"* * * * *"}]}`}, binary(t)},
		"a functionTimeout that is no time":          {map[string]string{"host.json": `{"version":"2.0","functionTimeout":"5m","customHandler":{"description":{"defaultExecutablePath":"handler"}},"extensionBundle":{"id":"Microsoft.Azure.Functions.ExtensionBundle"}}`}, binary(t)},
		"a folder whose name is no function's":       {map[string]string{"1st/function.json": `{"bindings":[{"type":"eventGridTrigger","name":"event","direction":"in"}]}`}, binary(t)},
		"an output binding, which this host has not": {map[string]string{"OnChange/function.json": `{"bindings":[{"type":"blob","name":"out","direction":"out"}]}`}, binary(t)},
	} {
		if h, err := azuretest.StartHost(azuretest.HostConfig{Dir: write(t, c.files), Binary: c.binary}); err == nil {
			t.Errorf("%s: it started", what)
			_ = h.Stop()
		}
	}
}
