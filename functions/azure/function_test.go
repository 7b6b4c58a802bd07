package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"byokwatch/core"
	"byokwatch/core/policy/azurekv"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
	"byokwatch/core/watchdog"
	"byokwatch/functions/azure/eventgrid"
	"byokwatch/functions/wiring"
)

const (
	vaultID  = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/kafka-keys/providers/microsoft.keyvault/vaults/acme-vault"
	payments = vaultID + "/keys/payments"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// post is a call of the host.
func post(path, invocation, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if invocation != "" {
		r.Header.Set("X-Azure-Functions-InvocationId", invocation)
	}
	return r
}

// object checks that an answer is one that completes an invocation.
func object(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &fields); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answered %s of type %q", w.Body, w.Header().Get("Content-Type"))
	}
	if string(fields["Outputs"]) != "{}" || string(fields["ReturnValue"]) != "null" || !strings.HasPrefix(string(fields["Logs"]), "[") {
		t.Errorf("answered %s", w.Body)
	}
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the answer tells what the log is for: %s", w.Body)
	}
}

// logged calls a function that can't be loaded and returns its one log line.
func logged(t *testing.T, r *http.Request, load func(context.Context) (*wiring.Watch, error)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	f := newFunction(newLogger(&out, &out, slog.LevelInfo), load)
	f.nonce = func() string { return "n" }
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("answered %d, logged\n%s", w.Code, out.String())
	}
	object(t, w)
	var line map[string]any
	must(t, json.Unmarshal(out.Bytes(), &line))
	return line
}

func TestFailuresAreLoggedAndAnswered(t *testing.T) {
	load := func(context.Context) (*wiring.Watch, error) { return nil, errors.New("secret 100%s") }
	for _, path := range []string{"/OnChange", "/Sweep"} {
		line := logged(t, post(path, "d6a26cf9", "{}"), load)
		for field, want := range map[string]string{
			"severityLevel": "Error", "message": "failed", "error": "nothing is protected: secret 100%s", "invocation": "d6a26cf9/n",
		} {
			if line[field] != want {
				t.Errorf("%s is %v, want %s", field, line[field], want)
			}
		}
		line = logged(t, post(path, "", "{}"), func(context.Context) (*wiring.Watch, error) { panic("secret") })
		if line["message"] != "panic" || line["severityLevel"] != "Error" || line["stack"] == nil {
			t.Errorf("%v", line)
		}
		line = logged(t, post(path, "", strings.Repeat(" ", maxRequest+1)), load)
		if !strings.HasPrefix(fmt.Sprint(line["error"]), "read the request: ") {
			t.Errorf("%v", line)
		}
		long := errors.New(strings.Repeat("ä€", 1<<20))
		line = logged(t, post(path, "", "{}"), func(context.Context) (*wiring.Watch, error) { return nil, long })
		if text := fmt.Sprint(line["error"]); len(text) > wiring.MaxError+100 || !utf8.ValidString(text) {
			t.Errorf("an error of %d bytes", len(text))
		}
	}
}

// The host looks for the handler before anything else, and any answer will do.
func TestTheHandlerIsThereBeforeItsConfiguration(t *testing.T) {
	f := newFunction(slog.New(slog.DiscardHandler), func(context.Context) (*wiring.Watch, error) {
		t.Error("loads the configuration")
		return nil, errors.New("x")
	})
	for want, r := range map[int]*http.Request{
		http.StatusOK:               httptest.NewRequest(http.MethodGet, "/", nil),
		http.StatusNotFound:         post("/Another", "", "{}"),
		http.StatusMethodNotAllowed: httptest.NewRequest(http.MethodGet, "/OnChange", nil),
	} {
		w := httptest.NewRecorder()
		if f.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s %s: %d, want %d", r.Method, r.URL, w.Code, want)
		}
		object(t, w)
	}
}

// Two calls for one event must not take each other's lease for their own.
func TestEachCallIsAnInvocation(t *testing.T) {
	seen := map[string]bool{}
	for i, id := range []string{"9", "9", "", strings.Repeat("9", maxInvocation+1)} {
		var out bytes.Buffer
		f := newFunction(newLogger(&out, &out, slog.LevelInfo), func(context.Context) (*wiring.Watch, error) { return nil, errors.New("x") })
		f.ServeHTTP(httptest.NewRecorder(), post("/OnChange", id, "{}"))
		var line struct{ Invocation string }
		must(t, json.Unmarshal(out.Bytes(), &line))
		if name, nonce, _ := strings.Cut(line.Invocation, "/"); (name == "9") != (i < 2) || nonce == "" || seen[line.Invocation] {
			t.Errorf("invocation %q", line.Invocation)
		}
		seen[line.Invocation] = true
	}
}

// An invocation ends by our own limit, and not because the host hung up.
func TestHowLongAnInvocationWorks(t *testing.T) {
	for path, limit := range map[string]time.Duration{"/OnChange": maxEvent, "/Sweep": maxSweep} {
		caller, hangUp := context.WithCancel(t.Context())
		hangUp()
		f := newFunction(slog.New(slog.DiscardHandler), func(ctx context.Context) (*wiring.Watch, error) {
			end, ok := ctx.Deadline()
			if left := time.Until(end); ctx.Err() != nil || !ok || left > limit || left < limit-10*time.Second {
				t.Errorf("%s: %v, %s left", path, ctx.Err(), left)
			}
			return nil, errors.New("x")
		})
		f.ServeHTTP(httptest.NewRecorder(), post(path, "", "{}").WithContext(caller))
	}
}

// eyes is a cloud that counts the looks at its keys and shows nothing.
type eyes struct {
	looks atomic.Int32
	err   error
}

func (e *eyes) Read(_ context.Context, k core.Key) (core.Policy, error) {
	e.looks.Add(1)
	if e.err != nil {
		return nil, e.err
	}
	return core.Policy{{Kind: core.Vault, ID: k.Vault, Unreadable: "closed"}}, nil
}

func (e *eyes) Apply(context.Context, core.Key, core.Step) error { return core.ErrDenied }

// watching is a function that watches n keys with eyes.
func watching(t *testing.T, e *eyes, n int) (*function, *atomic.Int32) {
	t.Helper()
	var keys []core.Key
	for i := range n {
		keys = append(keys, core.Key{ID: fmt.Sprintf("%s-%d", payments, i), Vault: vaultID, Cloud: core.Azure, Mode: core.Observe, Needs: core.Confluent{Principal: self}})
	}
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	// What can't be read fails an invocation; these tests only count looks.
	lenient := rules
	lenient.Judge = func(p core.Policy, q core.Question) core.Judgement {
		j := azurekv.Judge(p, q)
		j.Digest = "sha256:" + core.Digest(strings.Repeat("0", 64))
		return j
	}
	dog, err := watchdog.New(watchdog.Config{
		Cloud: e, Rules: lenient, Store: record.NewStore(storetest.NewMemory(time.Now), nil), Keys: keys, Self: self, Now: time.Now, Log: log,
		Reads: confirmReads, Every: confirmEvery, Settle: settle, Reserve: reserve,
	})
	must(t, err)
	beats := new(atomic.Int32)
	w := &wiring.Watch{Keys: keys, Dog: dog, Beat: func(context.Context) error { beats.Add(1); return nil }}
	return newFunction(log, func(context.Context) (*wiring.Watch, error) { return w, nil }), beats
}

func TestAnEventIsALookAtWhatItTouches(t *testing.T) {
	write := func(on string) string {
		return fmt.Sprintf(`{"id":%q,"eventType":"Microsoft.Resources.ResourceWriteSuccess","eventTime":"2026-03-02T10:04:05Z","data":{"operationName":"Microsoft.KeyVault/vaults/write","resourceUri":%q}}`, on, on)
	}
	quote := func(s string) string {
		out, err := json.Marshal(s)
		must(t, err)
		return string(out)
	}
	for what, test := range map[string]struct {
		body   string
		status int
		looks  int32
	}{
		"a vault":                   {`{"Data":{"event":` + write(vaultID) + `},"Metadata":{"data":{},"sys":{"MethodName":"OnChange"}}}`, http.StatusOK, 3},
		"a vault, as a text":        {`{"Data":{"event":` + quote(write(vaultID)) + `}}`, http.StatusOK, 3},
		"a vault, as a text's text": {`{"Data":{"event":` + quote(quote(write(vaultID))) + `}}`, http.StatusOK, 3},
		"a key":                     {`{"Data":{"event":` + write(payments+"-1") + `}}`, http.StatusOK, 1},
		"another vault":             {`{"Data":{"event":` + write(vaultID+"-2") + `}}`, http.StatusOK, 0},
		"no event":                  {`{"Data":{}}`, http.StatusInternalServerError, 0},
		"no data":                   {`{}`, http.StatusInternalServerError, 0},
		"an event that is null":     {`{"Data":{"event":null}}`, http.StatusInternalServerError, 0},
		"no JSON":                   {`hello`, http.StatusInternalServerError, 0},
		"nothing":                   {``, http.StatusInternalServerError, 0},
	} {
		t.Run(what, func(t *testing.T) {
			e := new(eyes)
			f, beats := watching(t, e, 3)
			w := httptest.NewRecorder()
			f.ServeHTTP(w, post("/OnChange", "7", test.body))
			object(t, w)
			if n := e.looks.Load(); w.Code != test.status || n != test.looks || beats.Load() != 0 {
				t.Errorf("answered %d after %d looks and %d beats, want %d and %d", w.Code, n, beats.Load(), test.status, test.looks)
			}
		})
	}
	if eventgrid.MaxBytes*4 != maxRequest {
		t.Error("a request has room for an event as a text of a text")
	}
}
