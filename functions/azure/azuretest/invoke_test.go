package azuretest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/functions/azure/azuretest"
)

// calls records what a handler got.
type calls struct {
	mu   sync.Mutex
	got  []string
	head http.Header
	say  func(n int, w http.ResponseWriter)
}

func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.got = append(c.got, r.Method+" "+r.URL.Path+" "+string(body))
	n := len(c.got)
	c.head = r.Header
	c.mu.Unlock()
	if c.say == nil {
		reply(w, http.StatusOK, fine)
		return
	}
	c.say(n, w)
}

func embed(t *testing.T, c *calls, asText bool) *azuretest.Host {
	t.Helper()
	h, err := azuretest.StartHost(azuretest.HostConfig{Dir: "testdata/app", Handler: c, AsText: asText})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTheEnvelopeIsTheOneOfTheDocumentation(t *testing.T) {
	for sentence, c := range map[string]struct {
		call   func(ctx context.Context, h *azuretest.Host) error
		asText bool
		data   string
		more   []string // members of Metadata besides sys
	}{
		"an event is an object": {func(ctx context.Context, h *azuretest.Host) error {
			_, err := h.Invoke(ctx, "OnChange", json.RawMessage(`{"id":"1","data":{"a":1}}`))
			return err
		}, false, `{"event":{"id":"1","data":{"a":1}}}`, []string{"data"}},
		"or a text that holds one": {func(ctx context.Context, h *azuretest.Host) error {
			_, err := h.Invoke(ctx, "OnChange", json.RawMessage(`{"id":"1"}`))
			return err
		}, true, `{"event":"{\"id\":\"1\"}"}`, nil},
		"a tick tells of the schedule": {func(ctx context.Context, h *azuretest.Host) error {
			_, err := h.Tick(ctx)
			return err
		}, false, `{"timer":{"IsPastDue":false,"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"2000-01-01T00:00:00Z","LastUpdated":"2000-01-01T00:00:00Z","Next":"2000-01-01T00:01:00Z"}}}`, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := &calls{}
				h := embed(t, got, c.asText)
				time.Sleep(time.Minute)
				if err := c.call(t.Context(), h); err != nil {
					t.Fatal(err)
				}
				_, body, _ := strings.Cut(strings.TrimPrefix(got.got[0], "POST "), " ")
				var envelope struct {
					Data     json.RawMessage
					Metadata map[string]json.RawMessage
				}
				if err := json.Unmarshal([]byte(body), &envelope); err != nil {
					t.Fatal(err)
				}
				if string(envelope.Data) != c.data {
					t.Errorf("Data is %s, want %s", envelope.Data, c.data)
				}
				var sys struct{ MethodName, UtcNow, RandGuid string }
				if err := json.Unmarshal(envelope.Metadata["sys"], &sys); err != nil || sys.MethodName == "" || sys.UtcNow == "" || sys.RandGuid == "" {
					t.Errorf("sys is %s: %v", envelope.Metadata["sys"], err)
				}
				for _, name := range c.more {
					if envelope.Metadata[name] == nil {
						t.Errorf("Metadata has no %s", name)
					}
				}
				if got.head.Get("X-Azure-Functions-InvocationId") == "" || !strings.HasPrefix(got.head.Get("User-Agent"), "Azure-Functions-Host/") {
					t.Errorf("headers %v", got.head)
				}
			})
		})
	}
}

func TestOnlyOneFormOfAnswerIsASuccess(t *testing.T) {
	for sentence, c := range map[string]struct {
		kind, body string
		status     int
		hung, ok   bool
	}{
		"an object":                        {"application/json", fine, 200, false, true},
		"one without members":              {"application/json; charset=utf-8", "{}", 202, false, true},
		"another status":                   {"application/json", fine, 500, false, false},
		"a redirect":                       {"application/json", fine, 304, false, false},
		"another type":                     {"text/plain", fine, 200, false, false},
		"no body: nothing ends it":         {"application/json", "", 200, true, false},
		"null: nothing ends it":            {"application/json", " null\n", 200, true, false},
		"an array":                         {"application/json", "[]", 200, false, false},
		"what is no JSON":                  {"application/json", "ok", 200, false, false},
		"a member that nobody knows":       {"application/json", `{"Log":[]}`, 200, false, false},
		"something behind the object":      {"application/json", "{} {}", 200, false, false},
		"logs that are no texts":           {"application/json", `{"Logs":[1]}`, 200, false, false},
		"outputs that are no object":       {"application/json", `{"Outputs":[]}`, 200, false, false},
		"a return value is whatever it is": {"application/json", `{"ReturnValue":[1]}`, 200, false, true},
	} {
		h := embed(t, &calls{say: func(_ int, w http.ResponseWriter) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}}, false)
		_, err := h.Invoke(t.Context(), "OnChange", struct{}{})
		var failed *azuretest.InvocationError
		if errors.As(err, &failed); (err == nil) != c.ok || err != nil && (failed == nil || failed.Hung != c.hung || failed.Status != c.status) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if _, err := embed(t, &calls{}, false).Invoke(t.Context(), "onchange", nil); err == nil {
		t.Error("called a function that is not there")
	}
}

func TestEventsComeAsEventGridBringsThem(t *testing.T) {
	order := func(c *calls) (out []string) {
		for _, g := range c.got {
			_, id, _ := strings.Cut(g, `"id":"`)
			id, _, _ = strings.Cut(id, `"`)
			out = append(out, id)
		}
		return out
	}
	a, b := []byte(`{"id":"a"}`), []byte(`{"id":"b"}`)
	fails := func(times int) func(int, http.ResponseWriter) {
		return func(n int, w http.ResponseWriter) {
			if n <= times {
				reply(w, http.StatusInternalServerError, fine)
				return
			}
			reply(w, http.StatusOK, fine)
		}
	}
	slow := func(n int, w http.ResponseWriter) {
		if n == 1 {
			time.Sleep(35 * time.Second)
		}
		reply(w, http.StatusOK, fine)
	}
	slower := func(n int, w http.ResponseWriter) {
		if n == 1 {
			time.Sleep(45 * time.Second)
		}
		reply(w, http.StatusOK, fine)
	}
	for sentence, c := range map[string]struct {
		d    azuretest.Delivery
		say  func(int, http.ResponseWriter)
		want string
		ok   bool
		took time.Duration
	}{
		"once and in order":  {azuretest.Delivery{}, nil, "a b", true, 0},
		"more than once":     {azuretest.Delivery{Copies: 2}, nil, "a a b b", true, 0},
		"the last one first": {azuretest.Delivery{Reverse: true}, nil, "b a", true, 0},
		"again after 10 and 30 s, with what comes behind waiting":   {azuretest.Delivery{}, fails(2), "a a a b", true, 40 * time.Second},
		"until they are given up":                                   {azuretest.Delivery{Attempts: 2}, fails(9), "a a b b", false, 20 * time.Second},
		"a late success calls the next try off":                     {azuretest.Delivery{}, slow, "a b", true, 35 * time.Second},
		"one that is later still comes twice, though it is one day": {azuretest.Delivery{}, slower, "a a b", true, 45 * time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := &calls{say: c.say}
				h := embed(t, got, false)
				begun := time.Now()
				outcomes, err := h.Deliver(t.Context(), c.d, a, b)
				if err != nil {
					t.Fatal(err)
				}
				if o := strings.Join(order(got), " "); o != c.want || time.Since(begun) != c.took {
					t.Errorf("came as %s in %v, want %s in %v", o, time.Since(begun), c.want, c.took)
				}
				if outcomes[0].OK() != c.ok {
					t.Errorf("%+v", outcomes[0])
				}
			})
		})
	}
}

func TestATimerIsTriedAgainAsItsPolicySays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := &calls{say: func(_ int, w http.ResponseWriter) { reply(w, http.StatusInternalServerError, fine) }}
		h := embed(t, got, false)
		begun := time.Now()
		if _, err := h.Tick(t.Context()); err == nil || len(got.got) != 3 || time.Since(begun) != 20*time.Second {
			t.Errorf("%d calls in %v, %v", len(got.got), time.Since(begun), err)
		}
		if !strings.Contains(got.got[2], `"RetryContext":{"MaxRetryCount":2,"RetryCount":2}`) {
			t.Errorf("the last call was %s", got.got[2])
		}
	})
}

func TestEventsInParallelAndOnesThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := &calls{say: func(_ int, w http.ResponseWriter) {
			time.Sleep(time.Second)
			reply(w, http.StatusOK, fine)
		}}
		h := embed(t, got, false)
		begun := time.Now()
		if _, err := h.Deliver(t.Context(), azuretest.Delivery{Parallel: true, Copies: 5}, []byte(`{"id":"a"}`)); err != nil || time.Since(begun) != time.Second || len(got.got) != 5 {
			t.Errorf("%d calls in %v, %v", len(got.got), time.Since(begun), err)
		}
		if _, err := h.Deliver(t.Context(), azuretest.Delivery{}, []byte(`{`)); err == nil {
			t.Error("brought what is no JSON")
		}
	})
}
