package watchdog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"

	"golang.org/x/sync/errgroup"
)

// act carries a plan out. again asks for another look.
func (l *look) act(ctx context.Context, s Sight, p Plan) (again bool, err error) {
	l.plan, l.done = p, string(p.Kind)
	if p.Kind == Wait && p.Soon {
		if pause := min(poll, p.Until.Sub(s.Now)); pause < l.left() {
			return true, sleep(ctx, max(pause, time.Millisecond))
		}
	}
	if p.Snapshot != nil {
		sealed, err := l.Store.Keep(ctx, l.key, *p.Snapshot)
		if err != nil {
			return false, l.storeReadOnly(ctx, p, fmt.Errorf("keep snapshot %d: %w", p.Snapshot.Generation, err))
		}
		p.Record.Snapshot = &sealed
	}
	if p.Closing != nil {
		if err := l.Store.KeepIncident(ctx, l.key, *p.Closing); err != nil {
			return false, l.storeReadOnly(ctx, p, fmt.Errorf("keep incident %s: %w", p.Closing.ID, err))
		}
	}
	if p.Kind == Restore {
		return l.restore(ctx, s, p)
	}
	version := s.Version
	if p.Dirty {
		version, err = l.save(ctx, &p.Record, version)
		switch {
		case errors.Is(err, core.ErrConflict):
			return true, nil
		case err != nil:
			return false, l.storeReadOnly(ctx, p, err)
		}
	}
	l.logAlerts(ctx, p.Alerts)
	return false, l.deliver(ctx, p.Record, version)
}

// restore: record before act. The intent is saved while the policy is read
// again; then the steps, then reading back.
func (l *look) restore(ctx context.Context, s Sight, p Plan) (again bool, err error) {
	live, newest, version, saveErr, err := l.saveAndLookAgain(ctx, s, p)
	switch {
	case errors.Is(saveErr, core.ErrConflict):
		return true, nil
	case err != nil:
		return false, err
	case newest != nil:
		l.newest = newest // the record is an older one, put back: judge again
		return true, nil
	}
	// From here on a store that can't be written is no reason to leave
	// Confluent without its key.
	q := core.Question{Key: l.key, Needs: l.Rules.Needs(l.key, live, s.Record.Snapshot.Policy), Self: l.Self, At: s.Now}
	if l.Rules.Judge(live, q).Digest != p.Judgement.Digest {
		return true, nil // somebody wrote meanwhile: judge again
	}
	// Guarded once more, for the policy as it is now: the last thing before
	// any step.
	if err := l.Rules.Guard(live, s.Record.Snapshot.Policy, *p.Candidate, q, s.Signed); err != nil {
		return true, nil // planning refuses and pages
	}
	begun := l.Now()
	again, err = l.apply(ctx, p.Candidate)
	l.timing.write = l.Now().Sub(begun)
	if again || err != nil {
		return again, err
	}
	written := l.Now()
	s.Live, s.Unconfirmed = l.confirm(ctx, p, q, live)
	l.timing.confirm = l.Now().Sub(written)

	s.Record, s.Version, s.Now, s.Wrote = p.Record, version, l.Now(), true
	noteWrite(&s.Record, p.Record.Incident.Intent.At, written)
	after := Next(s)
	after.Dirty = true
	if saveErr != nil {
		after.Alerts = append(after.Alerts, storeAlert(alert.StoreReadOnly, l.key, s.Now, saveErr))
		l.plan, l.done = after, "restored without a record"
		l.shout(ctx, after.Alerts)
		return false, fmt.Errorf("restored, but the record could not be saved: %w", saveErr)
	}
	again, err = l.act(ctx, s, after)
	l.plan.Kind, l.plan.Why, l.done = Restore, p.Why, "restored"
	return again, err
}

// saveAndLookAgain saves the intent and meanwhile reads the policy again, and
// what the newest kept snapshot is: somebody may have put an old record back.
func (l *look) saveAndLookAgain(ctx context.Context, s Sight, p Plan) (live core.Policy, newest *record.Snapshot, version string, saveErr, err error) {
	var g errgroup.Group
	g.Go(func() error {
		version, saveErr = l.save(ctx, &p.Record, s.Version)
		return nil
	})
	g.Go(func() (err error) {
		if newest, _, err = l.Store.NewestAbove(ctx, l.key, s.Record.Snapshot.Generation); err != nil {
			return l.storeUnreadable(ctx, fmt.Errorf("look for the newest snapshot: %w", err))
		}
		return nil
	})
	g.Go(func() (err error) {
		if live, err = l.Cloud.Read(ctx, l.key); err != nil {
			return fmt.Errorf("read the policy again: %w", err)
		}
		return nil
	})
	err = g.Wait()
	return live, newest, version, saveErr, err
}

// apply runs the candidate's steps.
func (l *look) apply(ctx context.Context, c *core.Candidate) (again bool, err error) {
	for _, step := range c.Steps {
		err := l.Cloud.Apply(ctx, l.key, step)
		switch {
		case err == nil:
		case errors.Is(err, core.ErrConflict):
			return true, nil
		case errors.Is(err, core.ErrRejected), errors.Is(err, core.ErrDenied):
			l.tried = append(l.tried, Trial{Candidate: c.Name, Denied: errors.Is(err, core.ErrDenied), Why: err.Error()})
			return true, nil
		case l.failed == nil:
			// Nobody knows whether it was done: look, and if it was not, say so
			// and let the platform try again.
			l.failed = fmt.Errorf("%s %s: %w", step.Op, step.ID, err)
			return true, nil
		default:
			return false, fmt.Errorf("%s %s: %w", step.Op, step.ID, err)
		}
	}
	return false, nil
}

// confirm reads until Reads reads in a row agree that the policy is no longer
// what it was, as long as there is time. It returns the last policy read and
// whether it is still unconfirmed.
func (l *look) confirm(ctx context.Context, p Plan, q core.Question, live core.Policy) (core.Policy, bool) {
	var last core.Digest
	end := l.Now().Add(confirmFor)
	for equal := 0; ; {
		got, err := l.Cloud.Read(ctx, l.key)
		if err == nil {
			live = got
			digest := l.Rules.Judge(got, q).Digest
			if digest == last {
				equal++
			} else {
				last, equal = digest, 1
			}
			if equal >= l.Reads && digest != "" && digest != p.Record.Incident.Intent.From {
				return live, false
			}
		}
		if l.Now().After(end) || l.Every > l.left() || sleep(ctx, l.Every) != nil {
			return live, true
		}
	}
}

// save writes the record under a revision of its own.
func (r *run) save(ctx context.Context, k core.Key, rec *record.Record, version string) (string, error) {
	r.mu.Lock()
	r.saves++
	rec.Revision = fmt.Sprintf("%s/%d/%d", r.invocation, r.Now().UnixNano(), r.saves)
	r.mu.Unlock()
	rec.Saved = r.Now()
	return r.Store.Save(ctx, k, *rec, version)
}

func (l *look) save(ctx context.Context, rec *record.Record, version string) (string, error) {
	return l.run.save(ctx, l.key, rec, version)
}
