package functiontest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/core/strict"
)

// Failures collects what did not work, for those who want to see all of it.
type Failures struct{ all []error }

// Did notes how something went.
func (f *Failures) Did(what string, err error) {
	if err != nil {
		f.all = append(f.all, fmt.Errorf("%s: %w", what, err))
	}
}

// Err joins what did not work.
func (f *Failures) Err() error { return errors.Join(f.all...) }

// Remember does everything with a store that a watchdog does for one key: first
// sight, promotion, replacement, requests, history. own is the store as the
// function has it, operators as those have who make requests.
func (f *Failures) Remember(tb testing.TB, own, operators *record.Store, k core.Key, kind core.Kind) {
	tb.Helper()
	ctx := tb.Context()
	rec, version, err := own.Load(ctx, k)
	f.Did("load a record that is not there", err)
	_, _, err = own.NewestKept(ctx, k)
	f.Did("look for kept snapshots", err)
	snap, err := own.Keep(ctx, k, record.Snapshot{Generation: 1, At: time.Now().UTC(), Digest: "sha256:" + core.Digest(strings.Repeat("0", 64)), Policy: core.Policy{{Kind: kind, ID: k.ID, Text: "{}"}}})
	f.Did("keep a snapshot", err)
	rec.Revision = "1"
	if err == nil {
		rec.Snapshot = &snap
	}
	version, err = own.Save(ctx, k, rec, version)
	f.Did("save a record", err)
	rec.Revision = "2"
	_, err = own.Save(ctx, k, rec, version)
	f.Did("replace a record", err)
	_, _, err = own.Load(ctx, k)
	f.Did("load a record", err)
	f.Did("keep an incident", own.KeepIncident(ctx, k, record.Incident{ID: "i-1", Opened: time.Now().UTC()}))
	_, _, err = own.NewestKept(ctx, k)
	f.Did("read kept snapshots", err)
	_, err = own.Requests(ctx, k, nil)
	f.Did("look for requests", err)
	Must(tb, operators.Request(ctx, k, record.Hold{Until: time.Now().Add(time.Hour), By: "o", Reason: "maintenance"}))
	names, err := own.RequestNames(ctx, k.Cloud)
	f.Did("list requests", err)
	got, err := own.Requests(ctx, k, names)
	f.Did("read requests", err)
	if err == nil && got.Hold == nil {
		f.Did("read requests", errors.New("the hold is not there"))
	}
}

// ReadJSON reads a file strictly, such as permissions.json.
func ReadJSON(tb testing.TB, name string, into any) {
	tb.Helper()
	data, err := os.ReadFile(name)
	Must(tb, err)
	if err := strict.Unmarshal(data, into); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
}
