package watchdog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"byokwatch/core"
	"byokwatch/core/record"

	"golang.org/x/sync/errgroup"
)

// act carries a plan out. next says whether, and after what pause, to look
// again.
func (l *look) act(ctx context.Context, s Sight, p Plan) (next again, err error) {
	l.plan, l.done = p, string(p.Kind)
	if l.written != nil {
		// The plan of the look that wrote is what this look was about.
		l.plan.Kind, l.plan.Why, l.done = Restore, l.why, "restored"
	}
	if p.Kind == Wait && p.Soon {
		if pause := min(poll, p.Until.Sub(s.Now)); pause < l.left() {
			return again{yes: true, pause: max(pause, time.Millisecond), waited: true}, nil
		}
	}
	if p.Snapshot != nil || p.Kind == Nothing && l.key.Restore == core.WholeSnapshot && !l.sweep {
		if next, err := l.current(ctx, s); next.yes || err != nil {
			return next, err
		}
	}
	if p.Snapshot != nil {
		sealed, err := l.Store.Keep(ctx, l.key, *p.Snapshot)
		if err != nil {
			return again{}, l.storeReadOnly(ctx, p, fmt.Errorf("keep snapshot %d: %w", p.Snapshot.Generation, err))
		}
		p.Record.Snapshot = &sealed
	}
	for _, in := range p.Closed {
		if err := l.Store.KeepIncident(ctx, l.key, in); err != nil {
			return again{}, l.storeReadOnly(ctx, p, fmt.Errorf("keep incident %s: %w", in.ID, err))
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
			return again{yes: true}, nil
		case err != nil:
			return again{}, l.storeReadOnly(ctx, p, err)
		}
		l.forget(l.key)
	}
	l.logAlerts(ctx, p.Alerts)
	return again{}, l.deliver(ctx, p.Record, version)
}

// again says whether to look again, after what pause, and whether that was
// waiting for somebody else, which may take as long as there is time.
type again struct {
	yes    bool
	pause  time.Duration
	waited bool
}

// current asks for another look if a newer snapshot is kept than the record
// knows: then the record is an older one, put back.
func (l *look) current(ctx context.Context, s Sight) (again, error) {
	old := s.Record.Snapshot
	if old == nil {
		return again{}, nil
	}
	newest, err := l.above(ctx, old.Generation)
	if newest != nil {
		l.newest = newest
	}
	return again{yes: newest != nil}, err
}

// above returns the newest kept snapshot above a generation.
func (l *look) above(ctx context.Context, generation int) (*record.Snapshot, error) {
	newest, _, err := l.Store.NewestAbove(ctx, l.key, generation)
	if errors.Is(err, record.ErrInvalid) && l.key.Restore != core.WholeSnapshot {
		// Somebody buries them under forgeries. A patch gives back no more than
		// the record's own snapshot shows, and that one is valid.
		l.planted = true
		return nil, nil
	}
	if err != nil {
		return nil, l.storeUnreadable(ctx, fmt.Errorf("look for the newest snapshot: %w", err))
	}
	return newest, nil
}

// restore: record before act. The intent is saved while the policy is read
// again; then the steps, then reading back. What came of it is for the next
// look to say.
func (l *look) restore(ctx context.Context, s Sight, p Plan) (again, error) {
	if l.left() <= 0 {
		return again{}, errors.New("too little time is left to begin a restore")
	}
	live, newest, saveErr, err := l.saveAndLookAgain(ctx, s, p)
	switch {
	case errors.Is(saveErr, core.ErrConflict):
		return again{yes: true}, nil
	case err != nil:
		return again{}, err
	case newest != nil:
		l.newest = newest // the record is an older one, put back: judge again
		return again{yes: true}, nil
	}
	// From here on a store that can't be written is no reason to leave
	// Confluent without its key.
	good := s.Record.Snapshot.Policy
	q := core.Question{Key: l.key, Needs: l.Rules.Needs(l.key, live, good), Self: l.Self, At: s.Now}
	if l.Rules.Judge(live, q).Digest != p.Judgement.Digest {
		// Somebody wrote meanwhile, or reads disagree: judge again.
		return again{yes: true, pause: min(poll/4, max(l.left(), 0))}, nil
	}
	if s.Barred == "" && l.revokedBeside(live) != "" {
		return again{yes: true}, nil // planning bars it
	}
	// Guarded once more, for the policy as it is now: the last thing before
	// any step.
	if err := l.Rules.Guard(live, good, *p.Candidate, q, s.Signed); err != nil {
		return again{yes: true}, nil // planning refuses and pages
	}
	intent := *p.Record.Incident.Intent
	begun := l.Now()
	did, whole := l.apply(ctx, p.Candidate)
	l.timing.write = l.Now().Sub(begun)
	if did && saveErr != nil {
		l.remember(l.key, p.Record) // the intent is nowhere else
	}
	if !whole {
		return again{yes: true}, nil
	}
	l.written, l.why = &written{p.Record, intent, l.Now()}, p.Why
	l.unconfirmed = l.confirm(ctx, intent.From, q)
	l.timing.confirm = l.Now().Sub(l.written.at)
	return again{yes: true}, nil
}

// written is a restore that this look made: the record as it was saved before,
// or should have been.
type written struct {
	record record.Record
	intent record.Intent
	at     time.Time
}

// saveAndLookAgain saves the intent and meanwhile reads the policy again, and
// what the newest kept snapshot is: somebody may have put an old record back.
func (l *look) saveAndLookAgain(ctx context.Context, s Sight, p Plan) (live core.Policy, newest *record.Snapshot, saveErr, err error) {
	var g errgroup.Group
	g.Go(func() error {
		_, saveErr = l.save(ctx, &p.Record, s.Version)
		return nil
	})
	g.Go(func() (err error) {
		newest, err = l.above(ctx, s.Record.Snapshot.Generation)
		return err
	})
	g.Go(func() (err error) {
		if live, err = l.Cloud.Read(ctx, l.key); err != nil {
			return fmt.Errorf("read the policy again: %w", err)
		}
		return nil
	})
	err = g.Wait()
	return live, newest, saveErr, err
}

// apply runs the candidate's steps. did says that a write may have happened,
// whole that all of them did.
func (l *look) apply(ctx context.Context, c *core.Candidate) (did, whole bool) {
	for _, step := range c.Steps {
		err := l.Cloud.Apply(ctx, l.key, step)
		switch {
		case err == nil:
			did = true
		case errors.Is(err, core.ErrConflict):
			return did, false
		case errors.Is(err, core.ErrRejected), errors.Is(err, core.ErrDenied):
			l.tried = append(l.tried, Trial{Candidate: c.Name, Denied: errors.Is(err, core.ErrDenied), Why: err.Error()})
			return did, false
		default:
			// Nobody knows whether it was done: look, and if it was not, say so
			// and let the platform try again.
			l.failed = fmt.Errorf("%s %s: %w", step.Op, step.ID, err)
			return true, false
		}
	}
	return true, true
}

// confirm reads until Reads reads in a row agree that the policy is no longer
// what it was, as long as there is time. It returns whether that is still open.
func (l *look) confirm(ctx context.Context, from core.Digest, q core.Question) (unconfirmed bool) {
	var last core.Digest
	end := l.Now().Add(confirmFor)
	for equal := 0; ; {
		if got, err := l.Cloud.Read(ctx, l.key); err == nil {
			digest := l.Rules.Judge(got, q).Digest
			if digest == last {
				equal++
			} else {
				last, equal = digest, 1
			}
			if equal >= l.Reads && digest != "" && digest != from {
				return false
			}
		}
		if l.Now().After(end) || l.Every > l.left() || sleep(ctx, l.Every) != nil {
			return true
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
