package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"byokwatch/core"
	"byokwatch/core/record"

	"golang.org/x/sync/errgroup"
)

const (
	maxRounds = 60              // of looking again within one invocation
	poll      = 2 * time.Second // between looks while waiting for somebody or something
)

// look is one key within one invocation.
type look struct {
	*run
	key     core.Key
	changes []core.Change
	since   time.Time

	tried  []Trial
	newest *record.Snapshot // a kept one that the record should have and has not
	failed error            // a step of which nobody knows whether it was done

	plan   Plan // the last one
	done   string
	timing timing
}

type timing struct{ gather, judge, write, confirm time.Duration }

// look gathers, judges, plans and acts, again and again while something changes
// under it.
func (r *run) look(ctx context.Context, k core.Key, changes []core.Change) error {
	l := &look{run: r, key: k, changes: changes, since: r.Now()}
	err := l.rounds(ctx)
	if err != nil {
		err = fmt.Errorf("look at %s: %w", k.ID, err)
	}
	l.report(ctx, err)
	return err
}

func (l *look) rounds(ctx context.Context) error {
	for range maxRounds {
		s, lookErr := l.gather(ctx)
		if lookErr != nil && s.Live == nil {
			return lookErr
		}
		begun := l.Now()
		plan := Next(s)
		l.timing.judge = l.Now().Sub(begun)
		again, err := l.act(ctx, s, plan)
		if !again || err != nil {
			return errors.Join(err, lookErr, l.failed)
		}
	}
	return errors.New("the key keeps changing while it is looked at; giving up until the next event or tick")
}

// gather reads everything in one parallel round. Where the policy can't be
// read, the Sight says so and the error is returned beside it; any other error
// comes with a Sight whose Live is nil.
func (l *look) gather(ctx context.Context) (Sight, error) {
	begun := l.Now()
	s := Sight{
		Key: l.key, Self: l.Self, Invocation: l.invocation, Deadline: l.deadline, Settle: l.Settle,
		Since: l.since, Changes: l.changes, Signed: l.Store.Signed(), Tried: l.tried,
		rules: l.Rules, wanted: l.wanted,
	}
	if l.failed != nil {
		s.Failed = l.failed.Error()
	}
	var live core.Policy
	var readErr, loadErr error
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { live, readErr = l.Cloud.Read(ctx, l.key); return nil })
	g.Go(func() error {
		s.Record, s.Version, loadErr = l.Store.Load(gctx, l.key)
		if loadErr != nil && !errors.Is(loadErr, record.ErrInvalid) {
			return fmt.Errorf("load the record: %w", loadErr)
		}
		return nil
	})
	g.Go(func() (err error) {
		if s.Requests, err = l.Store.Requests(gctx, l.key, l.requests); err != nil {
			return fmt.Errorf("read requests: %w", err)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return Sight{}, l.storeUnreadable(ctx, err)
	}
	if s.Version == "" || loadErr != nil {
		if err := l.recover(ctx, &s, loadErr != nil); err != nil {
			return Sight{}, l.storeUnreadable(ctx, err)
		}
	}
	if old := s.Record.Snapshot; l.newest != nil && (old == nil || old.Generation < l.newest.Generation) {
		s.Record.Snapshot, s.Gone = l.newest, true
	}
	s.Now = l.Now()
	l.timing.gather = s.Now.Sub(begun)
	if readErr == nil {
		s.Live = live
		return s, unreadable(live)
	}
	if ctx.Err() != nil {
		return Sight{}, fmt.Errorf("read the policy: %w", readErr)
	}
	s.Live = core.Policy{{ID: l.key.ID, Unreadable: readErr.Error()}}
	return s, fmt.Errorf("read the policy: %w", readErr)
}

// unreadable is an error if a document could not be read: the platform shall
// try again.
func unreadable(p core.Policy) error {
	for _, d := range p {
		if d.Unreadable != "" {
			return fmt.Errorf("%s of %s can't be read: %s", d.Kind, d.ID, d.Unreadable)
		}
	}
	return nil
}

// recover starts a record anew where there is none or a forged one: from the
// newest kept snapshot that is valid, never from the live policy.
func (l *look) recover(ctx context.Context, s *Sight, forged bool) error {
	snap, refused, err := l.Store.NewestKept(ctx, l.key)
	if err != nil {
		return fmt.Errorf("look for kept snapshots: %w", err)
	}
	s.Refused = refused
	s.Gone = forged || snap != nil || refused > 0
	s.Record.Snapshot = snap
	s.Record.Unadopted = s.Gone && snap == nil
	return nil
}

// report writes the one log line of every change handled; the deployed metrics
// are made from it.
func (l *look) report(ctx context.Context, err error) {
	level, outcome := slog.LevelInfo, l.done
	if err != nil {
		level, outcome = slog.LevelError, "failed"
	}
	now := l.Now()
	for _, c := range l.changes {
		attrs := []slog.Attr{
			slog.String("key", l.key.ID), slog.String("label", l.key.Label),
			slog.String("event", c.EventID), slog.String("kind", string(c.Kind)), slog.String("operation", c.Op),
			slog.String("verdict", string(l.plan.Verdict.State)), slog.String("plan", string(l.plan.Kind)),
			slog.String("why", l.plan.Why), slog.String("outcome", outcome),
			slog.Int64("gather_ms", l.timing.gather.Milliseconds()), slog.Int64("judge_us", l.timing.judge.Microseconds()),
			slog.Int64("write_ms", l.timing.write.Milliseconds()), slog.Int64("confirm_ms", l.timing.confirm.Milliseconds()),
		}
		if !c.At.IsZero() {
			attrs = append(attrs, slog.Int64("event_lag_ms", l.since.Sub(c.At).Milliseconds()))
		}
		if in := l.plan.Record.Incident; in != nil {
			attrs = append(attrs, slog.String("incident", in.ID))
			if !in.Restored.IsZero() {
				attrs = append(attrs, slog.Int64("restore_duration_ms", in.Restored.Sub(in.LostAt).Milliseconds()))
			}
		}
		if err != nil {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		attrs = append(attrs, slog.Int64("handled_ms", now.Sub(l.since).Milliseconds()))
		l.Log.LogAttrs(ctx, level, "handled", attrs...)
	}
}
