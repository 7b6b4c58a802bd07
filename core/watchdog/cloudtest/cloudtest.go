// Package cloudtest is the contract of watchdog.Cloud as a test: what the loop
// takes for granted of every adapter, whichever cloud is behind it. The three
// clouds fail in different words and at different times, and the adapter is
// where all of that becomes one of four sentinels or an honest "nobody knows".
// An adapter that maps a refusal to "not there", or a timeout to "rejected",
// makes the watchdog adopt a broken policy or give up a good one; so each such
// confusion has a case here.
//
// An adapter's test brings a [Harness] over its emulator and calls [Run]. Every
// case runs inside a testing/synctest bubble with an emulator of its own, so
// the emulator is served in the same process, and waiting costs nothing.
package cloudtest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core"
	"byokwatch/core/strict"
	"byokwatch/core/watchdog"
)

// Harness is one emulated cloud and what an adapter sees of it. All fields are
// needed.
type Harness struct {
	Cloud watchdog.Cloud
	// Key exists and all of it may be read; Absent is a well-formed name of a
	// key that does not exist; Elsewhere one that this adapter does not serve.
	Key, Absent, Elsewhere core.Key
	// Kinds are the documents that Key's policy has at least.
	Kinds []core.Kind
	// Step is a valid step on Key that changes its policy; Done says whether a
	// policy shows it.
	Step core.Step
	Done func(core.Policy) bool
	// Rejected is a step on Key that the cloud refuses whoever sends it.
	Rejected core.Step
	// Mean maps a policy to something equal for policies that mean the same.
	Mean func(core.Policy) string

	// Hide takes away the right to read one document of Key, HideAll to read
	// any; Forbid takes away the right to run Step.
	Hide    func() core.Kind
	HideAll func()
	Forbid  func()
	// Overload makes the next n calls fail in a way that passes; LoseAnswer
	// makes the next write succeed without an answer; Calls counts what reached
	// the cloud so far.
	Overload   func(n int)
	LoseAnswer func()
	Calls      func() int
}

// Run runs the contract. open is called once for each case, inside its bubble.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Harness)
	}{
		{"reading gives every document of the key", readsAll},
		{"two reads of an untouched key mean the same", readsAlike},
		{"a key that is not there is not found", absent},
		{"a key that this adapter does not serve is refused and not asked for", elsewhere},
		{"what may not be read is in the policy with the reason", hidden},
		{"a refusal of everything is denied and never not found", allHidden},
		{"a step is seen by the next read", applies},
		{"a step applied twice is applied", appliesTwice},
		{"what the cloud refuses from anybody is rejected", rejected},
		{"what the cloud refuses from us is denied", forbidden},
		{"a step that makes no sense is rejected and not sent", nonsense},
		{"overload passes", overload},
		{"an overload without end ends within the deadline, and leaves it open", endless},
		{"a lost answer is never taken for a refusal", lostAnswer},
		{"a cancelled context ends it at once", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.test(t, open(t)) })
		})
	}
}

func read(t *testing.T, h Harness) core.Policy {
	t.Helper()
	p, err := h.Cloud.Read(t.Context(), h.Key)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return p
}

func readsAll(t *testing.T, h Harness) {
	p := read(t, h)
	seen := map[string]bool{}
	for _, d := range p {
		if d.ID == "" || d.Kind == "" || seen[string(d.Kind)+d.ID] {
			t.Errorf("document %s %q has no name of its own", d.Kind, d.ID)
		}
		seen[string(d.Kind)+d.ID] = true
		if d.Unreadable != "" {
			t.Errorf("document %s: %s", d.Kind, d.Unreadable)
		}
		if err := strict.Check([]byte(d.Text)); err != nil {
			t.Errorf("document %s is not strict JSON: %v", d.Kind, err)
		}
	}
	for _, k := range h.Kinds {
		if _, ok := p.Find(k); !ok {
			t.Errorf("no document of kind %s", k)
		}
	}
}

func readsAlike(t *testing.T, h Harness) {
	want := h.Mean(read(t, h))
	for range 10 {
		if got := h.Mean(read(t, h)); got != want {
			t.Fatalf("read %s\nand then %s", want, got)
		}
	}
}

func absent(t *testing.T, h Harness) {
	p, err := h.Cloud.Read(t.Context(), h.Absent)
	if !errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrDenied) || p != nil {
		t.Errorf("read %d documents, error %v", len(p), err)
	}
}

func elsewhere(t *testing.T, h Harness) {
	before := h.Calls()
	p, err := h.Cloud.Read(t.Context(), h.Elsewhere)
	if err == nil || p != nil || errors.Is(err, core.ErrNotFound) || !strings.Contains(err.Error(), h.Elsewhere.ID) {
		t.Errorf("read %d documents, error %v: want one that names the key and is not ErrNotFound", len(p), err)
	}
	s := h.Step
	s.ID = h.Elsewhere.ID
	if err := h.Cloud.Apply(t.Context(), h.Elsewhere, s); err == nil {
		t.Error("a step on it was run")
	}
	if h.Calls() != before {
		t.Error("the cloud was asked")
	}
}

func hidden(t *testing.T, h Harness) {
	kind := h.Hide()
	p := read(t, h)
	for _, d := range p {
		if d.Kind == kind && (d.Unreadable == "" || d.Text != "") {
			t.Errorf("%s has %d bytes of text, unreadable because %q", d.Kind, len(d.Text), d.Unreadable)
		}
		if d.Kind != kind && d.Unreadable != "" {
			t.Errorf("%s can be read, but: %s", d.Kind, d.Unreadable)
		}
	}
	if _, ok := p.Find(kind); !ok {
		t.Errorf("%s is left out", kind)
	}
}

func allHidden(t *testing.T, h Harness) {
	h.HideAll()
	p, err := h.Cloud.Read(t.Context(), h.Key)
	if !errors.Is(err, core.ErrDenied) || errors.Is(err, core.ErrNotFound) || p != nil {
		t.Errorf("read %d documents, error %v", len(p), err)
	}
}

func applies(t *testing.T, h Harness) {
	if h.Done(read(t, h)) {
		t.Fatal("the step is done before it was applied")
	}
	if err := h.Cloud.Apply(t.Context(), h.Key, h.Step); err != nil {
		t.Fatalf("apply: %v", err)
	}
	if !h.Done(read(t, h)) {
		t.Error("the next read does not show it")
	}
}

func appliesTwice(t *testing.T, h Harness) {
	for range 2 {
		if err := h.Cloud.Apply(t.Context(), h.Key, h.Step); err != nil {
			t.Fatalf("apply: %v", err)
		}
	}
	if !h.Done(read(t, h)) {
		t.Error("the next read does not show it")
	}
}

func rejected(t *testing.T, h Harness) {
	before := h.Mean(read(t, h))
	err := h.Cloud.Apply(t.Context(), h.Key, h.Rejected)
	if !errors.Is(err, core.ErrRejected) || errors.Is(err, core.ErrDenied) {
		t.Errorf("apply: %v", err)
	}
	if h.Mean(read(t, h)) != before {
		t.Error("the policy changed all the same")
	}
}

func forbidden(t *testing.T, h Harness) {
	h.Forbid()
	err := h.Cloud.Apply(t.Context(), h.Key, h.Step)
	if !errors.Is(err, core.ErrDenied) || errors.Is(err, core.ErrRejected) {
		t.Errorf("apply: %v", err)
	}
}

func nonsense(t *testing.T, h Harness) {
	for name, change := range map[string]func(*core.Step){
		"an unknown operation": func(s *core.Step) { s.Op = "DeleteEverything" },
		"another resource":     func(s *core.Step) { s.ID = h.Absent.ID },
		"a whole step for another key": func(s *core.Step) {
			s.ID = h.Absent.ID
			s.Body = json.RawMessage(strings.ReplaceAll(string(s.Body), h.Key.ID, h.Absent.ID))
		},
		"no body":                    func(s *core.Step) { s.Body = nil },
		"a body with a member more":  func(s *core.Step) { s.Body = with(s.Body, `"Bogus":true`) },
		"a body with a member twice": func(s *core.Step) { s.Body = twice(t, s.Body) },
	} {
		s, before := h.Step, h.Calls()
		change(&s)
		if err := h.Cloud.Apply(t.Context(), h.Key, s); !errors.Is(err, core.ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
		if h.Calls() != before {
			t.Errorf("%s: the cloud was asked", name)
		}
	}
}

func with(body json.RawMessage, member string) json.RawMessage {
	return json.RawMessage(strings.TrimSuffix(strings.TrimSpace(string(body)), "}") + "," + member + "}")
}

// twice repeats the first member of an object.
func twice(t *testing.T, body json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		return with(body, `"`+name+`":`+string(value))
	}
	t.Fatal("the body of Step is empty")
	return nil
}

func overload(t *testing.T, h Harness) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	h.Overload(3)
	if err := h.Cloud.Apply(ctx, h.Key, h.Step); err != nil {
		t.Errorf("apply: %v", err)
	}
	h.Overload(3)
	p, err := h.Cloud.Read(ctx, h.Key)
	if err != nil || !h.Done(p) {
		t.Errorf("read: %v, done %v", err, h.Done(p))
	}
}

func endless(t *testing.T, h Harness) {
	const budget = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), budget)
	defer cancel()
	h.Overload(1 << 20)
	begun, before := time.Now(), h.Calls()
	err := h.Cloud.Apply(ctx, h.Key, h.Step)
	if err == nil || decided(err) {
		t.Errorf("apply: %v", err)
	}
	if took := time.Since(begun); took < budget/2 || took >= budget {
		t.Errorf("gave up after %s of %s: too early, or with no time left to save anything", took, budget)
	}
	if n := h.Calls() - before; n < 5 || n > 600 {
		t.Errorf("%d calls in a minute", n)
	}
}

func decided(err error) bool {
	return errors.Is(err, core.ErrRejected) || errors.Is(err, core.ErrDenied) || errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotFound)
}

func lostAnswer(t *testing.T, h Harness) {
	h.LoseAnswer()
	if err := h.Cloud.Apply(t.Context(), h.Key, h.Step); err != nil && decided(err) {
		t.Errorf("apply: %v", err)
	}
	if !h.Done(read(t, h)) {
		t.Error("the write is not there")
	}
}

func cancelled(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	h.Overload(1 << 20)
	time.AfterFunc(time.Second, cancel)
	begun := time.Now()
	err := h.Cloud.Apply(ctx, h.Key, h.Step)
	if !errors.Is(err, context.Canceled) || decided(err) {
		t.Errorf("apply: %v", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("ended %s after it began", took)
	}
	if _, err := h.Cloud.Read(ctx, h.Key); !errors.Is(err, context.Canceled) || decided(err) {
		t.Errorf("read: %v", err)
	}
}
