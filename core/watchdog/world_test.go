package watchdog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
	"byokwatch/core/watchdog"
)

const (
	keyID = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	whole = "allow kafka encrypt\nallow kafka decrypt\nallow self write"
)

// world is a toy cloud, a store and a chat around one key.
type world struct {
	*testing.T
	key     core.Key
	cloud   *toyCloud
	objects record.Objects
	memory  *storetest.Memory
	chat    *toyChat
	rules   watchdog.Rules
	now     func() time.Time
	scope   string
	log     slog.Handler
	process *watchdog.Watchdog // one that stays warm; nil: each run is a cold one
	runs    int
}

// in plays a scenario in virtual time.
func in(t *testing.T, play func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		play(newWorld(t))
	})
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Now, rules: toyRules, cloud: &toyCloud{text: whole}, chat: &toyChat{}, log: slog.DiscardHandler}
	w.memory = storetest.NewMemory(time.Now)
	w.objects = w.memory
	w.key = core.Key{
		ID: keyID, Cloud: core.AWS, Label: "payments", Mode: core.Enforce, Restore: core.Patch,
		KeyState: core.CareAlert, Needs: core.Confluent{Roles: []string{"kafka"}},
	}
	return w
}

func (w *world) watchdog() *watchdog.Watchdog {
	if w.process != nil {
		return w.process
	}
	return w.with(w.cloud, w.objects, w.chat)
}

func (w *world) with(c watchdog.Cloud, o record.Objects, n watchdog.Notifier) *watchdog.Watchdog {
	w.Helper()
	wd, err := watchdog.New(watchdog.Config{
		Cloud: c, Rules: w.rules, Store: record.NewStore(o, nil), Notifiers: []watchdog.Notifier{n},
		Keys: []core.Key{w.key}, Self: self, Scope: w.scope, Now: w.now, Log: slog.New(w.log),
		Reads: 3, Every: time.Second, Settle: time.Minute,
	})
	if err != nil {
		w.Fatal(err)
	}
	return wd
}

func (w *world) handle(changes ...core.Change) error {
	w.runs++
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	return w.watchdog().Handle(ctx, fmt.Sprintf("run-%d", w.runs), changes...)
}

// tick is a sweep that must succeed.
func (w *world) tick() {
	w.Helper()
	if err := w.handle(core.Change{Key: keyID, Kind: core.Tick, EventID: "tick", At: w.now(), Op: "Sweep"}); err != nil {
		w.Fatalf("tick: %v", err)
	}
}

// edit sets the policy as somebody would, and returns the event of it.
func (w *world) edit(who, text string) core.Change {
	w.cloud.set(text)
	return w.event(who, text)
}

func (w *world) event(who, text string) core.Change {
	w.runs++
	return core.Change{
		Key: keyID, Kind: core.PolicyChange, EventID: fmt.Sprintf("event-%d", w.runs), At: w.now(), Op: "Put",
		Actor: core.Actor{ID: who, Name: who}, Copy: toyDoc(text),
	}
}

func (w *world) mustHandle(changes ...core.Change) {
	w.Helper()
	if err := w.handle(changes...); err != nil {
		w.Fatalf("handle: %v", err)
	}
}

func (w *world) record() record.Record {
	w.Helper()
	rec, _, err := record.NewStore(w.memory, nil).Load(w.Context(), w.key)
	if err != nil {
		w.Fatalf("load the record: %v", err)
	}
	return rec
}

func (w *world) request(r any) {
	w.Helper()
	if err := record.NewStore(w.memory, nil).Request(w.Context(), w.key, r); err != nil {
		w.Fatalf("request: %v", err)
	}
}

func (w *world) wantText(text string) {
	w.Helper()
	if !slices.Equal(lines(toyDoc(w.cloud.text)), lines(toyDoc(text))) {
		w.Errorf("policy:\n%s\nwant:\n%s", w.cloud.text, text)
	}
}

func (w *world) wantWrites(n int) {
	w.Helper()
	if len(w.cloud.writes) != n {
		w.Errorf("%d writes, want %d: %q", len(w.cloud.writes), n, w.cloud.writes)
	}
}

func (w *world) wantTold(codes ...alert.Code) {
	w.Helper()
	if got := w.chat.codes(); !slices.Equal(got, codes) {
		w.Errorf("told %q, want %q", got, codes)
	}
}

// armed is a world that has its first snapshot.
func armed(t *testing.T, play func(w *world)) {
	t.Helper()
	in(t, func(w *world) {
		w.tick()
		w.wantTold(alert.FirstSnapshot)
		w.chat.got = nil
		time.Sleep(time.Minute)
		play(w)
	})
}

// passes lets sweeps run, one every five minutes.
func (w *world) passes(d time.Duration) {
	w.Helper()
	for end := w.now().Add(d); w.now().Before(end); {
		time.Sleep(5 * time.Minute)
		w.tick()
	}
}

var errDown = errors.New("connection refused")
