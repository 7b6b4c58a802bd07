package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"byokwatch/functions/wiring"
)

func post(body string, header map[string]string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return r
}

// logged calls a function that can't be loaded and returns its one log line.
func logged(t *testing.T, r *http.Request, load func(context.Context) (*wiring.Watch, error)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	f := newFunction(newLogger(&out, slog.LevelInfo), load)
	f.nonce = func() string { return "n" }
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("answered %d, logged\n%s", w.Code, out.String())
	}
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the answer tells what the log is for: %s", w.Body)
	}
	var line map[string]any
	must(t, json.Unmarshal(out.Bytes(), &line))
	return line
}

// An error per key of a large project must still fit what Cloud Logging takes.
func TestErrorsAreBounded(t *testing.T) {
	long := errors.New(strings.Repeat("ä€", 1<<20))
	line := logged(t, post("{}", nil), func(context.Context) (*wiring.Watch, error) { return nil, long })
	text, _ := line["error"].(string)
	if len(text) > wiring.MaxError+100 || !utf8.ValidString(text) || !strings.Contains(text, "cut here") {
		t.Errorf("an error of %d bytes", len(text))
	}
}

func TestLinesAreAsCloudLoggingReadsThem(t *testing.T) {
	load := func(context.Context) (*wiring.Watch, error) { return nil, errors.New("secret 100%s") }
	const trace = "105445aa7843bc8bf206b12000100000"
	line := logged(t, post(`{"specversion":"1.0","id":"77","data":{}}`, map[string]string{"X-Cloud-Trace-Context": trace + "/123;o=1"}), load)
	for field, want := range map[string]string{
		"severity": "ERROR", "message": "failed", "error": "nothing is protected: secret 100%s", "invocation": "77/n",
		"logging.googleapis.com/trace": trace, "logging.googleapis.com/spanId": "123",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %s", field, line[field], want)
		}
	}
	line = logged(t, post("{}", map[string]string{"X-Cloud-Trace-Context": "x\ny"}), load)
	if _, ok := line["logging.googleapis.com/trace"]; ok {
		t.Errorf("a trace of %v", line)
	}
	line = logged(t, post("{}", nil), func(context.Context) (*wiring.Watch, error) { panic("secret") })
	if line["message"] != "panic" || line["severity"] != "ERROR" || line["stack"] == nil {
		t.Errorf("%v", line)
	}
}

// An invocation ends by the platform's deadline and by Pub/Sub's patience, and
// not because the caller hung up.
func TestHowLongAnInvocationWorks(t *testing.T) {
	caller, hangUp := context.WithTimeout(t.Context(), time.Hour)
	ctx, cancel := bound(caller)
	defer cancel()
	hangUp()
	end, ok := ctx.Deadline()
	if left := time.Until(end); ctx.Err() != nil || !ok || left > maxRun || left < maxRun-time.Minute {
		t.Errorf("%v, %s left", ctx.Err(), left)
	}
	short, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	ctx, cancel = bound(short)
	defer cancel()
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Minute {
		t.Errorf("deadline %s", end)
	}
}

// Two deliveries of one message must not take each other's lease for their own.
func TestEachDeliveryIsAnInvocation(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		var out bytes.Buffer
		f := newFunction(newLogger(&out, slog.LevelInfo), func(context.Context) (*wiring.Watch, error) { return nil, errors.New("x") })
		f.ServeHTTP(httptest.NewRecorder(), post(`{"message":{"messageId":"9","data":"e30="}}`, nil))
		var line struct{ Invocation string }
		must(t, json.Unmarshal(out.Bytes(), &line))
		if !strings.HasPrefix(line.Invocation, "9/") || seen[line.Invocation] {
			t.Errorf("invocation %q", line.Invocation)
		}
		seen[line.Invocation] = true
	}
}
