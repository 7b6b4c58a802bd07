package record

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"byokwatch/core"
	"byokwatch/core/strict"
)

const (
	// maxRefused bounds how many invalid snapshots NewestKept reads, so that
	// nobody can keep it busy by planting them.
	maxRefused = 100
	readers    = 8 // objects read at once
)

// keptIncident is how a closed incident is stored.
type keptIncident struct {
	Format int    `json:"format"`
	Key    string `json:"key"`
	Incident
}

// Keep seals a snapshot and writes it for good; the result is what belongs into
// the record. One that is already there with the same content is a success, so
// that Keep may be repeated.
func (s *Store) Keep(ctx context.Context, k core.Key, snap Snapshot) (Snapshot, error) {
	fail := func(err error) (Snapshot, error) {
		return Snapshot{}, fmt.Errorf("keep snapshot %d of %s: %w", snap.Generation, k.ID, err)
	}
	if err := checkKey(k); err != nil {
		return fail(err)
	}
	sealed, err := s.seal(ctx, k, snap)
	if err != nil {
		return fail(err)
	}
	data, err := encode(sealed)
	if err != nil {
		return fail(err)
	}
	name := snapshotName(k, sealed.Generation, sealed.Sum)
	if _, err = s.objects.Put(ctx, name, data, ""); err == nil {
		return sealed, nil
	}
	// A signature may differ from one signing to the next, so it is the sum
	// that says whether what is there is ours.
	there, readErr := s.readSnapshot(ctx, k, name)
	switch {
	case readErr == nil && there.Sum == sealed.Sum:
		return there, nil
	case errors.Is(readErr, ErrInvalid): // looking again would not help
		return fail(readErr)
	}
	return fail(err)
}

// KeepIncident writes a closed incident for good. One that is already there is
// left as it is and a success.
func (s *Store) KeepIncident(ctx context.Context, k core.Key, in Incident) error {
	fail := func(err error) error {
		return fmt.Errorf("keep incident %q of %s: %w", in.ID, k.ID, err)
	}
	if err := checkKey(k); err != nil {
		return fail(err)
	}
	name := incidentsPrefix(k) + in.ID + ".json"
	if err := CheckName(name); err != nil {
		return fail(err)
	}
	if strings.Contains(in.ID, "/") {
		return fail(errors.New("an incident's ID has no slash"))
	}
	data, err := encode(keptIncident{Format: Format, Key: k.ID, Incident: boundedIncident(in)})
	if err != nil {
		return fail(err)
	}
	_, err = s.objects.Put(ctx, name, data, "")
	if err == nil || errors.Is(err, core.ErrConflict) {
		return nil
	}
	if there, getErr := s.objects.Get(ctx, name); getErr == nil && bytes.Equal(there.Data, data) {
		return nil
	}
	return fail(err)
}

// NewestKept returns the valid kept snapshot with the highest generation, nil if
// there is none. invalid counts the objects that were refused on the way to it.
// Of several with one generation, which a lost race leaves behind, the latest
// is taken.
func (s *Store) NewestKept(ctx context.Context, k core.Key) (snap *Snapshot, invalid int, err error) {
	return s.NewestAbove(ctx, k, 0)
}

// NewestAbove is NewestKept among the snapshots above a generation: a single
// list where there is none.
func (s *Store) NewestAbove(ctx context.Context, k core.Key, than int) (snap *Snapshot, invalid int, err error) {
	names, foreign, err := s.snapshotNames(ctx, k)
	if err != nil {
		return nil, 0, err
	}
	invalid = foreign
	best, refused := 0, 0
	for _, name := range slices.Backward(names) {
		generation, _ := generationOf(k, name)
		if generation <= than || snap != nil && generation < best {
			break
		}
		if refused > maxRefused {
			return nil, invalid, fmt.Errorf("kept snapshots of %s: %w: more than %d of them", k.ID, ErrInvalid, maxRefused)
		}
		found, err := s.readSnapshot(ctx, k, name)
		switch {
		case errors.Is(err, core.ErrNotFound): // expired since it was listed
		case errors.Is(err, ErrInvalid):
			invalid++
			refused++
		case err != nil:
			return nil, invalid, err
		case snap == nil || found.At.After(snap.At):
			snap, best = &found, generation
		}
	}
	return snap, invalid, nil
}

// Snapshots returns every kept snapshot of a key, the newest last. Where some
// are invalid the others are returned together with an ErrInvalid that names
// each.
func (s *Store) Snapshots(ctx context.Context, k core.Key) ([]Snapshot, error) {
	names, _, err := s.snapshotNames(ctx, k)
	if err != nil {
		return nil, err
	}
	snaps, err := readAll(ctx, names, func(ctx context.Context, name string) (Snapshot, error) {
		return s.readSnapshot(ctx, k, name)
	})
	slices.SortStableFunc(snaps, func(a, b Snapshot) int {
		return cmp.Or(cmp.Compare(a.Generation, b.Generation), a.At.Compare(b.At))
	})
	return snaps, err
}

// Snapshot returns the kept snapshot of one generation, the latest where a lost
// race left several. core.ErrNotFound means that there is none, ErrInvalid that
// none of it can be used.
func (s *Store) Snapshot(ctx context.Context, k core.Key, generation int) (Snapshot, error) {
	names, _, err := s.snapshotNames(ctx, k)
	if err != nil {
		return Snapshot{}, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		g, _ := generationOf(k, name)
		return g != generation
	})
	if len(names) == 0 {
		return Snapshot{}, fmt.Errorf("snapshot %d of %s: %w", generation, k.ID, core.ErrNotFound)
	}
	snaps, err := readAll(ctx, names, func(ctx context.Context, name string) (Snapshot, error) {
		return s.readSnapshot(ctx, k, name)
	})
	if len(snaps) == 0 {
		return Snapshot{}, err
	}
	return slices.MaxFunc(snaps, func(a, b Snapshot) int { return a.At.Compare(b.At) }), nil
}

// Incidents returns every closed incident of a key, the newest last; invalid
// ones as Snapshots does.
func (s *Store) Incidents(ctx context.Context, k core.Key) ([]Incident, error) {
	if err := checkKey(k); err != nil {
		return nil, err
	}
	names, err := s.objects.List(ctx, incidentsPrefix(k))
	if err != nil {
		return nil, fmt.Errorf("list incidents of %s: %w", k.ID, err)
	}
	incidents, err := readAll(ctx, names, func(ctx context.Context, name string) (Incident, error) {
		return s.readIncident(ctx, k, name)
	})
	slices.SortStableFunc(incidents, func(a, b Incident) int { return a.Opened.Compare(b.Opened) })
	return incidents, err
}

// snapshotNames lists kept snapshots in the order of their generations. Names
// that are not ours are only counted.
func (s *Store) snapshotNames(ctx context.Context, k core.Key) (names []string, foreign int, err error) {
	if err := checkKey(k); err != nil {
		return nil, 0, err
	}
	all, err := s.objects.List(ctx, snapshotsPrefix(k))
	if err != nil {
		return nil, 0, fmt.Errorf("list kept snapshots of %s: %w", k.ID, err)
	}
	for _, name := range all {
		if _, ok := generationOf(k, name); ok {
			names = append(names, name)
		} else {
			foreign++
		}
	}
	return names, foreign, nil
}

func (s *Store) readSnapshot(ctx context.Context, k core.Key, name string) (Snapshot, error) {
	obj, err := s.objects.Get(ctx, name)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read %s: %w", name, err)
	}
	var snap Snapshot
	if err := strict.Unmarshal(obj.Data, &snap); err != nil {
		return Snapshot{}, fmt.Errorf("%s: %w: %w", name, ErrInvalid, err)
	}
	if err := s.Verify(k, snap); err != nil {
		return Snapshot{}, fmt.Errorf("%s: %w", name, err)
	}
	if snapshotName(k, snap.Generation, snap.Sum) != name {
		return Snapshot{}, fmt.Errorf("%s: %w: it holds generation %d with sum %.8s", name, ErrInvalid, snap.Generation, snap.Sum)
	}
	return snap, nil
}

func (s *Store) readIncident(ctx context.Context, k core.Key, name string) (Incident, error) {
	obj, err := s.objects.Get(ctx, name)
	if err != nil {
		return Incident{}, fmt.Errorf("read %s: %w", name, err)
	}
	var kept keptIncident
	if err := decode(obj.Data, &kept); err != nil {
		return Incident{}, fmt.Errorf("%s: %w", name, err)
	}
	if kept.Key != k.ID || incidentsPrefix(k)+kept.ID+".json" != name {
		return Incident{}, fmt.Errorf("%s: %w: it holds incident %q of key %q", name, ErrInvalid, cut(kept.ID), cut(kept.Key))
	}
	return kept.Incident, nil
}

// readAll reads every name, a few at a time, and keeps their order. Objects
// that are invalid or of a newer format are left out and joined into the error;
// any other error ends it.
func readAll[T any](ctx context.Context, names []string, read func(context.Context, string) (T, error)) ([]T, error) {
	found := make([]*T, len(names))
	refused := make([]error, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, name := range names {
		g.Go(func() error {
			v, err := read(ctx, name)
			switch {
			case errors.Is(err, ErrInvalid), errors.Is(err, ErrNewer):
				refused[i] = err
			case err != nil:
				return err
			default:
				found[i] = &v
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []T
	for _, v := range found {
		if v != nil {
			out = append(out, *v)
		}
	}
	return out, errors.Join(refused...)
}
