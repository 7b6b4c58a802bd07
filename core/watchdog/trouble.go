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

const shoutEvery = 30 * time.Minute

// storeUnreadable: without the record a hold or revocation may stand, so
// nothing is written. The alert is told from memory and the error makes the
// platform deliver the event again.
func (w *Watchdog) storeUnreadable(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		w.shout(ctx, []alert.Alert{storeAlert(alert.Blind, core.Key{}, w.Now(), err)})
	}
	return fmt.Errorf("the store can't be read, so nothing is written: %w", err)
}

// storeReadOnly fails the event, whose next delivery tells what could not be
// recorded. Only a page, and what a restore has to tell, does not wait for that.
func (l *look) storeReadOnly(ctx context.Context, p Plan, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	told := slices.DeleteFunc(slices.Clone(p.Alerts), func(a alert.Alert) bool {
		return alert.Lookup(a.Code).Class != alert.Page && l.written == nil
	})
	if l.written != nil {
		l.remember(l.key, p.Record)
	}
	l.shout(ctx, append(told, storeAlert(alert.StoreReadOnly, l.key, l.Now(), err)))
	return fmt.Errorf("the store can't be written: %w", err)
}

func storeAlert(code alert.Code, k core.Key, at time.Time, err error) alert.Alert {
	f := alert.Facts{Key: k, SeenAt: at, Detail: err.Error(), Subject: "store"}
	return alert.Alert{ID: "store/" + k.ID + "/" + string(code), Code: code, At: at, Facts: f}
}

// shout sends alerts that can't be recorded, each at most once in a while per
// process: retries and sweeps of an outage must not flood the chat.
func (w *Watchdog) shout(ctx context.Context, alerts []alert.Alert) {
	w.logAlerts(ctx, alerts)
	for _, a := range alerts {
		id := a.Facts.Key.ID + "/" + string(a.Code) // incidents that can't be saved have another ID each time
		w.mu.Lock()
		last, told := w.shouts[id]
		due := !told || a.At.Sub(last) >= shoutEvery
		if due {
			w.shouts[id] = a.At
		}
		w.mu.Unlock()
		if !due {
			continue
		}
		for _, n := range w.Notifiers {
			if !n.Wants(a) {
				continue
			}
			if err := n.Send(ctx, a); err != nil {
				// Nothing can be recorded now: the failed event, delivered
				// again, is what tells it again.
				w.Log.ErrorContext(ctx, "alert not sent", "alert", a.ID, "channel", n.Name(), "error", err)
				w.mu.Lock()
				delete(w.shouts, id)
				w.mu.Unlock()
			}
		}
	}
}

func (w *Watchdog) logAlerts(ctx context.Context, alerts []alert.Alert) {
	for _, a := range alerts {
		w.Log.InfoContext(ctx, "alert", "alert", a.ID, "code", string(a.Code), "key", a.Facts.Key.ID)
	}
}

// remember keeps, as long as this process lives, a record that the store did
// not take: the next look at the key saves what it says of our writes.
func (w *Watchdog) remember(k core.Key, rec record.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsaved[k.ID] = rec
}

func (w *Watchdog) recall(k core.Key) (record.Record, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rec, ok := w.unsaved[k.ID]
	return rec, ok
}

func (w *Watchdog) forget(k core.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.unsaved, k.ID)
}
