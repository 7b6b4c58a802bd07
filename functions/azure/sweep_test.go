package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// ticks calls the timer's function for each of some times of the clock and
// returns the sweeps that were made.
func ticks(t *testing.T, f *function, e *eyes, keys int, body string, status int, clock ...string) []string {
	t.Helper()
	var swept []string
	for _, at := range clock {
		now, err := time.Parse("15:04:05.000", at)
		must(t, err)
		f.now = func() time.Time { return now.AddDate(2026, 2, 1) }
		before := e.looks.Load()
		w := httptest.NewRecorder()
		f.ServeHTTP(w, post("/Sweep", "7", body))
		object(t, w)
		switch n := int(e.looks.Load() - before); n {
		case 0:
		case keys:
			swept = append(swept, at[:5])
		default:
			t.Errorf("%s: %d looks at %d keys", at, n, keys)
		}
		if w.Code != status {
			t.Errorf("%s: answered %d", at, w.Code)
		}
	}
	return swept
}

func TestWhichTicksSweep(t *testing.T) {
	const onTime, late = `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"IsPastDue":false}},"Metadata":{"sys":{}}}`, `{"Data":{"timer":{"IsPastDue":true}}}`
	hour := []string{"10:03:00.004", "10:04:00.004", "10:04:59.998", "10:06:00.004", "10:07:00.004", "10:08:00.004", "10:09:00.004", "10:10:58.900", "10:11:00.000"}
	for what, test := range map[string]struct {
		keys  int
		body  string
		first bool // of the process
		want  int
	}{
		"few keys":                         {3, onTime, false, len(hour)},
		"as many as a minute has room for": {everyMinute, onTime, false, len(hour)},
		"one more":                         {everyMinute + 1, onTime, false, 2},
		"one more, by a new process":       {everyMinute + 1, onTime, true, 3},
		"one more, and late":               {everyMinute + 1, late, false, len(hour)},
		"few keys, and late":               {3, late, false, len(hour)},
		"few keys, and nonsense":           {3, "hello", false, len(hour)},
		"many keys, and nonsense":          {everyMinute + 1, "hello", false, 2},
	} {
		t.Run(what, func(t *testing.T) {
			e := new(eyes)
			f, beats := watching(t, e, test.keys)
			f.owed.Store(test.first)
			swept := ticks(t, f, e, test.keys, test.body, http.StatusOK, hour...)
			if len(swept) != test.want || int(beats.Load()) != test.want {
				t.Errorf("swept at %v with %d beats, want %d", swept, beats.Load(), test.want)
			}
		})
	}
}

// A sweep that failed is made up for by the next tick, however many keys there
// are, and is followed by no heartbeat.
func TestAFailedSweepIsOwed(t *testing.T) {
	const keys = everyMinute + 1
	e := &eyes{err: errors.New("no network")}
	f, beats := watching(t, e, keys)
	f.owed.Store(false)
	if swept := ticks(t, f, e, keys, "{}", http.StatusInternalServerError, "10:05:00.000", "10:06:00.000"); len(swept) != 2 || beats.Load() != 0 {
		t.Fatalf("swept at %v with %d beats", swept, beats.Load())
	}
	e.err = nil
	if swept := ticks(t, f, e, keys, "{}", http.StatusOK, "10:07:00.000", "10:08:00.000", "10:10:00.000"); len(swept) != 2 || swept[0] != "10:07" || swept[1] != "10:10" || beats.Load() != 2 {
		t.Errorf("swept at %v with %d beats", swept, beats.Load())
	}
}
