package watchdog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/record"
)

// handled is what the metrics are made of in the line of one change.
type handled struct {
	Message    string `json:"msg"`
	Verdict    string `json:"verdict"`
	Why        string `json:"why"`
	Unrestored *bool  `json:"unrestored"`
	Age        *int64 `json:"judgement_age_ms"`
}

// lastLine handles a tick and returns its line.
func (w *world) lastLine() handled {
	w.Helper()
	var out bytes.Buffer
	w.log = slog.NewJSONHandler(&out, nil)
	if w.process != nil {
		w.process.Log = slog.New(w.log)
	}
	_ = w.handle(core.Change{Key: keyID, Kind: core.Tick, EventID: "tick", At: w.now(), Op: "Sweep"})
	var last handled
	for line := range strings.Lines(out.String()) {
		var h handled
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			w.Fatal(err)
		}
		if h.Message == "handled" {
			last = h
		}
	}
	if last.Unrestored == nil || last.Age == nil {
		w.Fatalf("no whole line: %s", out.String())
	}
	return last
}

func TestUnrestoredIsWhatAPersonMustActOn(t *testing.T) {
	edit := func(text string) func(*world) {
		return func(w *world) { _ = w.handle(w.edit("jane", text)) }
	}
	for name, c := range map[string]struct {
		play func(w *world)
		want bool
	}{
		"nothing happened":         {func(*world) {}, false},
		"given back":               {edit(gone), false},
		"mode observe":             {func(w *world) { w.key.Mode = core.Observe; edit(gone)(w) }, true},
		"a disabled key":           {edit(whole + "\ndisabled"), true},
		"locked out":               {edit("allow audit decrypt"), true},
		"a right is gone, no loss": {edit("allow kafka encrypt\nallow kafka decrypt"), false},
		"revoked":                  {edit(gone + "\nrevoked SEC-812"), false},
		"held": {func(w *world) {
			w.request(record.Hold{Until: time.Now().Add(time.Hour), By: "jane", Reason: "maintenance"})
			edit(gone)(w)
		}, false},
		"asked about, within its time": {edit(whole + "\ndeny kafka decrypt"), false},
		"a hold that ended over it": {func(w *world) {
			w.request(record.Hold{Until: time.Now().Add(10 * time.Minute), By: "jane", Reason: "maintenance"})
			edit(gone)(w)
			time.Sleep(11 * time.Minute)
		}, false},
		"not visible yet": {func(w *world) {
			w.cloud.onApply = func(int) { w.cloud.stale, w.cloud.staleN = gone, 1000 }
			edit(gone)(w)
		}, false},
		"written, not confirmed yet": {func(w *world) {
			w.cloud.onApply = func(int) { w.cloud.stale, w.cloud.staleN = gone, 1000 }
			w.cloud.set(gone)
		}, false},
		"cannot restore": {func(w *world) {
			w.cloud.applyErr = []error{core.ErrRejected, core.ErrRejected}
			edit(gone)(w)
		}, true},
		"denied": {func(w *world) {
			w.cloud.applyErr = []error{core.ErrDenied, core.ErrDenied}
			edit(gone)(w)
		}, true},
		"contested, waiting": {func(w *world) {
			for range 7 {
				edit(gone)(w)
				time.Sleep(time.Second)
			}
			w.cloud.set(gone)
		}, true},
		"accepted as it is": {func(w *world) {
			w.key.Mode = core.Observe
			edit(gone)(w)
			w.request(record.Accept{Digest: toyDigest(toyDoc(gone)), By: "jane", Reason: "meant"})
		}, false},
		"a role that it never had": {func(w *world) { w.key.Needs.Roles = []string{"kafka", "mallory"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				c.play(w)
				if h := w.lastLine(); *h.Unrestored != c.want {
					t.Errorf("unrestored is %v: verdict %s, %s", *h.Unrestored, h.Verdict, h.Why)
				}
			})
		})
	}
}

// What an alarm waits for must not be what a broken function no longer says.
func TestTheAgeOfAJudgementGrowsWhileLooksFail(t *testing.T) {
	for name, fail := range map[string]func(w *world) (mend func()){
		"the policy can't be read": func(w *world) func() {
			w.cloud.readErr = errors.New("throttled")
			return func() { w.cloud.readErr = nil }
		},
		"the policy does not parse": func(w *world) func() {
			w.cloud.set("nonsense")
			return func() { w.cloud.set(whole) }
		},
		"the store can't be read": func(w *world) func() {
			s := w.objects.(*brokenStore)
			s.get = errDown
			return func() { s.get = nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				w.objects = &brokenStore{Objects: w.memory}
				w.process = w.watchdog()
				const small = int64(10_000)
				if age := *w.lastLine().Age; age > small {
					t.Errorf("%d ms after a good look", age)
				}
				mend := fail(w)
				for i := range int64(3) {
					time.Sleep(5 * time.Minute)
					if age, least := *w.lastLine().Age, (i+1)*300_000; age < least {
						t.Errorf("%d ms after %d failed looks, want at least %d", age, i+1, least)
					}
				}
				mend()
				if age := *w.lastLine().Age; age > small {
					t.Errorf("%d ms after a good look", age)
				}
			})
		})
	}
}

// A process that never judged a key counts from its beginning.
func TestTheAgeOfAJudgementCountsFromTheStart(t *testing.T) {
	in(t, func(w *world) {
		w.cloud.readErr = errors.New("throttled")
		w.process = w.watchdog()
		time.Sleep(time.Hour)
		if age := *w.lastLine().Age; age < 3_600_000 || age > 3_660_000 {
			t.Errorf("%d ms after an hour in which nothing could be read", age)
		}
	})
}
