package watchdog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
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
// recorded. Only a page does not wait for that.
func (l *look) storeReadOnly(ctx context.Context, p Plan, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	pages := slices.DeleteFunc(slices.Clone(p.Alerts), func(a alert.Alert) bool { return alert.Lookup(a.Code).Class != alert.Page })
	l.shout(ctx, append(pages, storeAlert(alert.StoreReadOnly, l.key, l.Now(), err)))
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
		w.mu.Lock()
		last, told := w.shouts[a.ID]
		due := !told || a.At.Sub(last) >= shoutEvery
		if due {
			w.shouts[a.ID] = a.At
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
				delete(w.shouts, a.ID)
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
