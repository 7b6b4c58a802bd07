package watchdog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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

	tried       []Trial
	newest      *record.Snapshot // a kept one that the record should have and has not
	planted     bool             // kept snapshots are buried under forgeries
	failed      error            // a step of which nobody knows whether it was done
	written     *written         // the restore that this look made
	unconfirmed bool             // and reads do not agree yet
	why         string           // and its reason

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
	for round := 0; ; {
		if round == maxRounds {
			// One more look, to tell people.
			l.failed = errors.New("the policy keeps changing while it is looked at")
		}
		s, lookErr := l.gather(ctx)
		if lookErr != nil && s.Live == nil {
			return lookErr
		}
		begun := l.Now()
		plan := Next(s)
		l.timing.judge = l.Now().Sub(begun)
		if plan.Judgement.Digest == "" {
			lookErr = errors.Join(lookErr, unreadable(s.Live))
		}
		next, err := l.act(ctx, s, plan)
		switch {
		case !next.yes || err != nil || round >= maxRounds:
			return errors.Join(err, lookErr, l.failed)
		case !next.waited:
			round++
		}
		if next.pause > 0 {
			if err := sleep(ctx, next.pause); err != nil {
				return err
			}
		}
	}
}

// gather reads everything in one parallel round. Where the policy can't be
// read, the Sight says so and the error is returned beside it; any other error
// comes with a Sight whose Live is nil.
func (l *look) gather(ctx context.Context) (Sight, error) {
	begun := l.Now()
	s := Sight{
		Key: l.key, Self: l.Self, Invocation: l.invocation, Deadline: l.deadline, Settle: l.Settle,
		Since: l.since, Changes: l.changes, Signed: l.Store.Signed(), Tried: l.tried,
		Wrote: l.written != nil, Unconfirmed: l.unconfirmed, Planted: l.planted,
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
	l.merge(&s)
	if err := l.neighbours(ctx, &s, live); err != nil {
		return Sight{}, l.storeUnreadable(ctx, err)
	}
	if l.Expect != nil && s.Record.Snapshot != nil {
		l.Expect(l.key, s.Record.Snapshot.Policy)
	}
	s.Now = l.Now()
	l.timing.gather = s.Now.Sub(begun)
	if readErr == nil {
		s.Live = live
		return s, nil
	}
	if ctx.Err() != nil {
		return Sight{}, fmt.Errorf("read the policy: %w", readErr)
	}
	s.Live = core.Policy{{ID: l.key.ID, Unreadable: readErr.Error(), Denied: errors.Is(readErr, core.ErrDenied)}}
	return s, fmt.Errorf("read the policy: %w", readErr)
}

// neighbours loads what the records of the other keys of the key's vault tell:
// our writes, if a write by our own identity has to be accounted for, since what
// is written to a vault is told to each of its keys and stands on the record of
// one; and whether one is revoked that Confluent reaches by the same principal,
// since what is given back at the vault is given back to both. That matters only
// where live is not as it was, and must be known then; whose writes they were may
// be left open for a while.
func (l *look) neighbours(ctx context.Context, s *Sight, live core.Policy) error {
	ours := l.Self != "" && slices.ContainsFunc(s.Changes, func(c core.Change) bool { return c.Actor.ID == l.Self })
	account := ours || len(s.Record.Suspects) > 0
	same := l.sameAsSnapshot(s, live)
	for _, k := range l.Keys {
		shares := l.shares(k) && !same
		if !l.beside(k) || !account && !shares {
			continue
		}
		rec, _, err := l.Store.Load(ctx, k)
		switch {
		case err == nil, errors.Is(err, record.ErrInvalid):
		case shares:
			return fmt.Errorf("load the record of %s, in the same vault: %w", k.ID, err)
		default:
			l.Log.WarnContext(ctx, "whether a write was ours is left open", "key", l.key.ID, "neighbour", k.ID, "error", err)
			s.Unaccounted = true
		}
		s.Neighbours = append(s.Neighbours, rec.Writes...)
		if shares && rec.Revocation != nil {
			s.Barred = k.Name()
		}
	}
	if !same {
		s.Barred = cmp.Or(s.Barred, l.revokedBeside(live))
	}
	return nil
}

// beside says that a key is another one of the key's vault, and shares that
// Confluent reaches both by one principal.
func (l *look) beside(k core.Key) bool {
	return k.Vault != "" && k.Vault == l.key.Vault && k.ID != l.key.ID
}

func (l *look) shares(k core.Key) bool {
	return l.beside(k) && k.Needs.Principal != "" && k.Needs.Principal == l.key.Needs.Principal
}

// sameAsSnapshot says that there is nothing to give back.
func (l *look) sameAsSnapshot(s *Sight, live core.Policy) bool {
	good := s.Record.Snapshot
	if good == nil || len(live) == 0 || !slices.ContainsFunc(l.Keys, l.shares) {
		return false
	}
	q := core.Question{Key: l.key, Needs: l.Rules.Needs(l.key, live, good.Policy), Self: l.Self, At: l.Now()}
	return l.Rules.Judge(live, q).Digest == good.Digest
}

// revokedBeside names a key of the vault that shares Confluent's principal and is
// revoked by a mark that the policy shows: its own record may not know yet.
func (l *look) revokedBeside(live core.Policy) string {
	for _, k := range l.Keys {
		if l.shares(k) && len(live) > 0 && l.Rules.Judge(live, core.Question{Key: k, At: l.Now()}).Revoked {
			return k.Name()
		}
	}
	return ""
}

// merge adds to the record what this process knows and the store does not: a
// newer kept snapshot, and the writes that we made.
func (l *look) merge(s *Sight) {
	if old := s.Record.Snapshot; l.newest != nil && (old == nil || old.Generation < l.newest.Generation) {
		// The next one of the same line is what a crash left between keeping
		// and recording; anything else is a record that somebody put back.
		orphan := old != nil && l.newest.Generation == old.Generation+1 && l.newest.Previous == old.Digest
		s.Gone = s.Gone || !orphan || l.key.Restore == core.WholeSnapshot
		s.Record.Snapshot, s.Merged = l.newest, true
	}
	unsaved, ok := l.recall(l.key)
	if l.written != nil {
		unsaved, ok = l.written.record, true
	}
	if !ok {
		return
	}
	s.Record = clone(s.Record)
	if s.Record.Incident == nil && unsaved.Incident != nil {
		in := *unsaved.Incident
		s.Record.Incident = &in
	}
	for _, w := range unsaved.Writes {
		if !slices.ContainsFunc(s.Record.Writes, func(o record.Write) bool { return o.At.Equal(w.At) }) {
			s.Record.Writes = appendBounded(s.Record.Writes, w, record.MaxRestores)
		}
	}
	for _, r := range unsaved.Restores {
		if !slices.ContainsFunc(s.Record.Restores, func(o record.Restore) bool { return o.At.Equal(r.At) }) {
			s.Record.Restores = appendBounded(s.Record.Restores, r, record.MaxRestores)
		}
	}
	s.Merged = true
	in := s.Record.Incident
	if w := l.written; w != nil && in != nil && in.ID == w.record.Incident.ID && !in.Restored.Equal(w.at) {
		in.Intent = &w.intent
		noteWrite(&s.Record, w.intent.At, w.at)
	}
}

// unreadable is an error if a document could not be read without which there is
// no judgement: the platform shall try again. A judge may do without others,
// such as those of levels above the key.
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
	kept, err := l.Store.Incidents(ctx, l.key)
	if err != nil && !errors.Is(err, record.ErrInvalid) {
		return fmt.Errorf("look for kept incidents: %w", err)
	}
	if s.Record.Revocation == nil {
		s.Record.Revocation = standing(kept)
	}
	s.Refused = refused
	s.Gone = forged || snap != nil || refused > 0
	s.Record.Snapshot = snap
	s.Record.Unadopted = s.Gone && snap == nil
	return nil
}
