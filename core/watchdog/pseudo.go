package watchdog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// Some things are told of no key. What was told of them is remembered under
// pseudo keys, whose IDs no real key has.
func unreadableEvents(cloud core.Cloud) core.Key {
	return core.Key{ID: "unreadable-events", Cloud: cloud}
}

func rosterOf(cloud core.Cloud, scope string) core.Key {
	return core.Key{ID: "roster/" + scope, Cloud: cloud}
}

// Unparsable tells once, per event ID, of an event that can't be understood.
// It always returns an error: the platform's dead letters keep the event.
func (w *Watchdog) Unparsable(ctx context.Context, invocation string, cloud core.Cloud, eventID string, cause error) error {
	cause = fmt.Errorf("event %s can't be understood: %w", eventID, cause)
	r := &run{Watchdog: w, invocation: invocation, deadline: w.Now().Add(time.Minute)}
	if d, ok := ctx.Deadline(); ok {
		r.deadline = d
	}
	return errors.Join(cause, r.note(ctx, unreadableEvents(cloud), func(d *draft) {
		f := alert.Facts{Subject: eventID, Detail: cause.Error(), SeenAt: d.Now}
		d.tell(alert.EventUnreadable, eventID, once, f)
	}))
}

// cursor is the key at which a sweep starts.
func (r *run) cursor(ctx context.Context) (string, error) {
	if r.Scope == "" || len(r.Keys) == 1 {
		return "", nil
	}
	rec, _, err := r.Store.Load(ctx, rosterOf(r.Keys[0].Cloud, r.Scope))
	if err != nil && !errors.Is(err, record.ErrInvalid) {
		return "", r.storeUnreadable(ctx, err)
	}
	return rec.Cursor, nil
}

// finish ends a sweep: it delivers what waits without a key, remembers where
// the next sweep starts, and tells of keys that were protected at the last sweep
// and are no longer configured.
func (r *run) finish(ctx context.Context, missed string) error {
	cloud := r.Keys[0].Cloud
	err := r.note(ctx, unreadableEvents(cloud), func(*draft) {})
	if r.Scope == "" {
		return err
	}
	var now []string
	for _, k := range r.Keys {
		now = append(now, k.ID)
	}
	slices.Sort(now)
	return errors.Join(err, r.note(ctx, rosterOf(cloud, r.Scope), func(d *draft) {
		gone := slices.DeleteFunc(slices.Clone(d.rec.Protects), func(id string) bool { return slices.Contains(now, id) })
		if len(gone) > 0 {
			f := alert.Facts{Keys: gone, Subject: r.Scope, SeenAt: d.Now, Detail: "no longer configured, so no longer protected"}
			d.tell(alert.ProtectsLess, "roster@"+d.Now.UTC().Format("20060102T150405"), once, f)
		}
		if !slices.Equal(now, d.rec.Protects) {
			d.rec.Protects = now
		}
		d.rec.Cursor = missed
	}))
}

// note notes something under a pseudo key and delivers what that told.
func (r *run) note(ctx context.Context, k core.Key, what func(*draft)) error {
	l := &look{run: r, key: k}
	for range maxRounds {
		rec, version, err := r.Store.Load(ctx, k)
		if err != nil && !errors.Is(err, record.ErrInvalid) {
			return r.storeUnreadable(ctx, err)
		}
		d := begin(view{Sight: Sight{
			Now: r.Now(), Invocation: r.invocation, Deadline: r.deadline, Record: rec, wanted: r.wanted,
		}})
		what(d)
		p := d.finish()
		if p.Dirty {
			version, err = l.save(ctx, &p.Record, version)
		}
		switch {
		case errors.Is(err, core.ErrConflict):
			continue
		case err != nil && p.Dirty:
			return l.storeReadOnly(ctx, p, err)
		}
		r.logAlerts(ctx, p.Alerts)
		return l.deliver(ctx, p.Record, version)
	}
	return errors.New("the record of " + k.ID + " keeps changing")
}
