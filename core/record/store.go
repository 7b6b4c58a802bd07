package record

import (
	"context"
	"errors"
	"fmt"

	"byokwatch/core"
)

// Store is the watchdog's memory over any Objects. It holds no state of its own
// and is safe for concurrent use.
type Store struct {
	objects Objects
	signing *Signing
}

// NewStore makes a Store. With signing nil a snapshot needs only a right sum.
func NewStore(o Objects, signing *Signing) *Store {
	return &Store{objects: o, signing: signing}
}

// Signed says whether every snapshot that the Store hands out carries a
// signature by the pinned key.
func (s *Store) Signed() bool { return s.signing != nil }

// Load returns the record of a key and its version for Save. A key never seen
// has Record{Format, Key} and version "".
//
// ErrInvalid comes with the version all the same, so that the object can be
// replaced, and with what is usable of the record: all of it but the snapshot
// where only the snapshot's seal does not hold (a revocation must survive that),
// else nothing but Format and Key. After ErrNewer the record must not be
// written. Any other error is trouble with the store.
func (s *Store) Load(ctx context.Context, k core.Key) (Record, string, error) {
	empty := Record{Format: Format, Key: k.ID}
	if err := checkKey(k); err != nil {
		return empty, "", err
	}
	obj, err := s.objects.Get(ctx, recordName(k))
	if errors.Is(err, core.ErrNotFound) {
		return empty, "", nil
	}
	if err != nil {
		return empty, "", fmt.Errorf("load record of %s: %w", k.ID, err)
	}
	rec, err := parseRecord(k, obj.Data)
	if err != nil {
		return empty, obj.Version, fmt.Errorf("record of %s: %w", k.ID, err)
	}
	if rec.Snapshot == nil {
		return rec, obj.Version, nil
	}
	if err := s.Verify(k, *rec.Snapshot); err != nil {
		rec.Snapshot = nil
		return rec, obj.Version, fmt.Errorf("record of %s: %w", k.ID, err)
	}
	return rec, obj.Version, nil
}

func parseRecord(k core.Key, data []byte) (Record, error) {
	var rec Record
	if err := decode(data, &rec); err != nil {
		return Record{}, err
	}
	if rec.Format != Format {
		return Record{}, fmt.Errorf("%w: format %d", ErrInvalid, rec.Format)
	}
	if rec.Key != k.ID {
		return Record{}, fmt.Errorf("%w: it is of key %q", ErrInvalid, cut(rec.Key))
	}
	return rec, nil
}

// Save replaces the record of a key if it still has the given version, and
// returns the new version. The caller sets rec.Revision to something unique to
// this save: a write that was done although its answer says otherwise, be it
// lost or the conflict of an SDK's own retry with itself, is recognised by it
// and is a success. core.ErrConflict means that somebody else wrote first, also
// where our own write failed for another reason; any other error that nobody
// did, as far as can be seen. Histories longer than they may be lose their
// oldest entries.
func (s *Store) Save(ctx context.Context, k core.Key, rec Record, version string) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("save record of %s: %w", k.ID, err)
	}
	if err := checkKey(k); err != nil {
		return fail(err)
	}
	if rec.Revision == "" {
		return fail(errors.New("no revision"))
	}
	rec.Format, rec.Key = Format, k.ID
	if rec.Snapshot != nil {
		if err := s.Verify(k, *rec.Snapshot); err != nil {
			return fail(err)
		}
	}
	data, err := encode(bounded(rec))
	if err != nil {
		return fail(err)
	}
	// What we could not read again would leave the key without a record.
	if _, err := parseRecord(k, data); err != nil {
		return fail(err)
	}
	next, err := s.objects.Put(ctx, recordName(k), data, version)
	if err == nil {
		return next, nil
	}
	if next, err = s.afterError(ctx, k, rec.Revision, version, err); err != nil {
		return fail(err)
	}
	return next, nil
}

// afterError looks at what became of a write that was answered with an error:
// the error alone tells neither whether it was done nor whether somebody else
// was first.
func (s *Store) afterError(ctx context.Context, k core.Key, revision, version string, putErr error) (string, error) {
	obj, err := s.objects.Get(ctx, recordName(k))
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		// Not a conflict, even if it looked like one: that would say that
		// somebody else's record is there.
		return "", fmt.Errorf("nobody knows whether it was done: %v; %w", putErr, err)
	}
	if rec, err := parseRecord(k, obj.Data); err == nil && rec.Revision == revision {
		return obj.Version, nil
	}
	if obj.Version != version {
		return "", fmt.Errorf("%w: %w", core.ErrConflict, putErr)
	}
	return "", putErr
}
