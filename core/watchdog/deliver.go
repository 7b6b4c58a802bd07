package watchdog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

const (
	firstRetry = time.Minute
	maxRetry   = 30 * time.Minute
	// giveUp is when an alert that no channel takes is dropped, with an error
	// in the log: an outbox must not grow without end.
	giveUp = 7 * 24 * time.Hour
	// sendFor bounds one attempt: an alert must not eat an invocation.
	sendFor = 10 * time.Second
)

// deliver sends what waits in the outbox of a saved record. A chat's outage is
// logged and tried again by a later look; it never fails the event.
func (l *look) deliver(ctx context.Context, rec record.Record, version string) error {
	if len(rec.Outbox) == 0 {
		return nil
	}
	rec = clone(rec)
	todo, claimed := l.claim(&rec)
	if claimed {
		var err error
		version, err = l.save(ctx, &rec, version)
		switch {
		case errors.Is(err, core.ErrConflict):
			return nil // whoever wrote first delivers, or the next look does
		case err != nil:
			return fmt.Errorf("claim alerts: %w", err)
		}
	}
	if l.sweep && l.requests != nil {
		todo = l.putAside(todo)
	}
	results := l.send(ctx, todo)
	return l.settle(ctx, rec, version, results)
}

// delivery is one alert to one channel.
type delivery struct {
	alert   alert.Alert
	channel string
}

// claim lists what this invocation may send now. What nobody claimed, or
// somebody claimed and never settled, has to be claimed by a save first.
func (l *look) claim(rec *record.Record) (todo []delivery, claimed bool) {
	now := l.Now()
	for i := range rec.Outbox {
		n := &rec.Outbox[i]
		for name, d := range n.Sent {
			switch {
			case !d.Accepted.IsZero() || now.Before(d.Next):
				continue
			case d.Claimed == l.invocation && d.Until.Equal(l.deadline):
			case d.Claimed != "" && now.Before(d.Until):
				continue // somebody else is sending
			default:
				// A claim that ran out may have reached the channel.
				n.Alert.Again = n.Alert.Again || d.Claimed != ""
				d.Claimed, d.Until = l.invocation, l.deadline
				n.Sent[name] = d
				claimed = true
			}
			a := n.Alert
			if a.Facts.Key.ID == l.key.ID {
				a.Facts.Key = l.key // owner and runbook as configured today
			}
			todo = append(todo, delivery{a, name})
		}
	}
	return todo, claimed
}

// send tries all deliveries, each channel's in their order and the channels
// side by side, and returns what became of each.
func (r *run) send(ctx context.Context, todo []delivery) map[delivered]error {
	// Half of what is left is for recording what was accepted.
	ctx, cancel := context.WithTimeout(ctx, min(sendFor, r.deadline.Sub(r.Now())/2-r.Reserve/4))
	defer cancel()
	results := map[delivered]error{}
	for _, t := range todo {
		results[delivered{t.alert.ID, t.channel}] = errGone
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, n := range r.Notifiers {
		wg.Go(func() {
			for _, t := range todo {
				if t.channel != n.Name() {
					continue
				}
				err := n.Send(ctx, t.alert)
				mu.Lock()
				results[delivered{t.alert.ID, t.channel}] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return results
}

type delivered struct{ alert, channel string }

// errGone: the channel is no longer configured.
var errGone = errors.New("no such channel")

// settle records what was accepted. If somebody else saved meanwhile, the
// results are entered into his record: they must not be lost, or the alert
// would be told twice.
func (l *look) settle(ctx context.Context, rec record.Record, version string, results map[delivered]error) error {
	if len(results) == 0 {
		return nil
	}
	for range maxRounds {
		l.enter(ctx, &rec, results)
		_, err := l.save(ctx, &rec, version)
		if !errors.Is(err, core.ErrConflict) {
			if err != nil {
				return fmt.Errorf("record what the channels accepted: %w", err)
			}
			return nil
		}
		if rec, version, err = l.Store.Load(ctx, l.key); err != nil {
			return fmt.Errorf("record what the channels accepted: %w", err)
		}
		rec = clone(rec)
	}
	return nil
}

// enter puts results into a record's outbox and drops what is done with.
func (l *look) enter(ctx context.Context, rec *record.Record, results map[delivered]error) {
	now := l.Now()
	var rest []record.Notice
	for _, n := range rec.Outbox {
		for name, d := range n.Sent {
			err, tried := results[delivered{n.Alert.ID, name}]
			switch {
			case !tried:
			case err == nil:
				d.Accepted = now
				n.Sent[name] = d
			case errors.Is(err, errGone):
				delete(n.Sent, name)
			default:
				l.Log.ErrorContext(ctx, "alert not sent", "alert", n.Alert.ID, "channel", name, "error", err)
				d.Tries, d.Claimed = d.Tries+1, ""
				d.Next = now.Add(retryAfter(err, d.Tries))
				var u *alert.Undelivered
				if errors.As(err, &u) && u.MayHaveArrived {
					n.Alert.Again = true
				}
				n.Sent[name] = d
			}
		}
		switch {
		case settled(n):
		case now.Sub(n.Alert.At) > giveUp:
			l.Log.ErrorContext(ctx, "alert given up", "alert", n.Alert.ID, "code", string(n.Alert.Code))
		default:
			rest = append(rest, n)
		}
	}
	rec.Outbox = rest
}

func settled(n record.Notice) bool {
	for _, d := range n.Sent {
		if d.Accepted.IsZero() {
			return false
		}
	}
	return true
}

// retryAfter is what the channel asked for, or doubling pauses.
func retryAfter(err error, tries int) time.Duration {
	pause := min(firstRetry<<min(tries-1, 5), maxRetry)
	var asked interface{ RetryAfter() time.Duration }
	if errors.As(err, &asked) {
		pause = max(pause, min(asked.RetryAfter(), maxRetry))
	}
	return pause
}

// first is a first snapshot waiting to be posted together with others.
type first struct {
	look *look
	delivery
}

// putAside keeps first snapshots back: a new installation posts one message
// per sweep, not one per key.
func (l *look) putAside(todo []delivery) []delivery {
	var now []delivery
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range todo {
		if t.alert.Code == alert.FirstSnapshot {
			l.firsts = append(l.firsts, first{l, t})
			continue
		}
		now = append(now, t)
	}
	return now
}

// postFirsts sends one message per channel for all first snapshots of the pass
// and settles each key's record.
func (r *run) postFirsts(ctx context.Context) error {
	byChannel := map[string]*delivery{}
	for _, f := range r.firsts {
		d := byChannel[f.channel]
		if d == nil {
			d = &delivery{f.alert, f.channel}
			byChannel[f.channel] = d
		}
		d.alert.Facts.Keys = append(d.alert.Facts.Keys, f.look.key.Name())
	}
	outcome := map[string]error{}
	for channel, d := range byChannel {
		if len(d.alert.Facts.Keys) > 1 {
			// Told of all keys, so of no single one.
			d.alert.Facts = alert.Facts{Keys: d.alert.Facts.Keys, SeenAt: d.alert.Facts.SeenAt}
		} else {
			d.alert.Facts.Keys = nil
		}
		for _, err := range r.send(ctx, []delivery{*d}) {
			outcome[channel] = err
		}
	}
	results := map[*look]map[delivered]error{}
	for _, f := range r.firsts {
		if results[f.look] == nil {
			results[f.look] = map[delivered]error{}
		}
		results[f.look][delivered{f.alert.ID, f.channel}] = outcome[f.channel]
	}
	var errs []error
	for l, res := range results {
		rec, version, err := l.Store.Load(ctx, l.key)
		if err == nil {
			err = l.settle(ctx, clone(rec), version, res)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("record the first snapshot's post of %s: %w", l.key.ID, err))
		}
	}
	return errors.Join(errs...)
}
