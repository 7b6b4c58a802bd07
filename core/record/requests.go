package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

// MaxHold is the longest that one hold lasts, counted from the moment at which
// the store says it was written: whoever writes it has no say in that.
const MaxHold = 24 * time.Hour

const (
	holdKind      = "hold"
	acceptKind    = "accept"
	reinstateKind = "reinstate"

	requestTries = 5
)

// Requests is what operators ask for one key.
type Requests struct {
	Hold      *Hold
	Accept    *Accept
	Reinstate *Reinstate
	// Refused are objects in the place of a request that are none. Somebody
	// wanted something: they are told, and nothing of them is done.
	Refused []Refused
}

// Hold is the order to leave a key alone until a time.
type Hold struct {
	Until    time.Time // at most MaxHold after At
	Released bool      // ended early; Until may then be zero
	By       string
	Reason   string
	At       time.Time // by the store's clock; not written by Request
}

// Accept declares the policy with a digest to be good.
type Accept struct {
	Digest core.Digest
	By     string
	Reason string
	At     time.Time // as in Hold
}

// Reinstate ends a revocation.
type Reinstate struct {
	By     string
	Reason string
	At     time.Time // as in Hold
}

// Refused is a request that can't be read.
type Refused struct {
	Name string // the object's
	Kind string // hold, accept or reinstate
	Why  string // plain words, but with foreign text in them
	At   time.Time
}

// request is the JSON of all three; which members it must have depends on the
// kind, which is also the object's name.
type request struct {
	Format   int         `json:"format"`
	Key      string      `json:"key"`
	Until    time.Time   `json:"until,omitzero"`
	Released bool        `json:"released,omitzero"`
	Digest   core.Digest `json:"digest,omitempty"`
	By       string      `json:"by"`
	Reason   string      `json:"reason"`
}

// RequestNames lists every request for the keys of a cloud, sorted and never
// nil. A sweep asks it once.
func (s *Store) RequestNames(ctx context.Context, cloud core.Cloud) ([]string, error) {
	names, err := s.objects.List(ctx, "requests/"+string(cloud)+"/")
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	if names == nil {
		names = []string{} // listed, and there are none
	}
	return names, nil
}

// Requests reads what operators ask for a key. names is what RequestNames gave;
// nil means that nobody listed, and all three are tried. Any error is trouble
// with the store, and then nobody knows whether a hold stands.
func (s *Store) Requests(ctx context.Context, k core.Key, names []string) (Requests, error) {
	if err := checkKey(k); err != nil {
		return Requests{}, err
	}
	kinds := [...]string{holdKind, acceptKind, reinstateKind}
	var objects [len(kinds)]*Object
	g, gctx := errgroup.WithContext(ctx)
	for i, kind := range kinds {
		name := requestName(k, kind)
		if _, listed := slices.BinarySearch(names, name); names != nil && !listed {
			continue
		}
		g.Go(func() error {
			obj, err := s.objects.Get(gctx, name)
			if errors.Is(err, core.ErrNotFound) {
				return nil
			}
			objects[i] = &obj
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Requests{}, fmt.Errorf("read requests for %s: %w", k.ID, err)
	}
	var all Requests
	for i, kind := range kinds {
		if objects[i] == nil {
			continue
		}
		if err := all.add(k, kind, *objects[i]); err != nil {
			all.Refused = append(all.Refused, Refused{
				Name: requestName(k, kind), Kind: kind, Why: cut(err.Error()), At: objects[i].Modified,
			})
		}
	}
	return all, nil
}

// add reads one request into r.
func (r *Requests) add(k core.Key, kind string, obj Object) error {
	q, err := parseRequest(k, kind, obj.Data)
	if err != nil {
		return err
	}
	switch kind {
	case holdKind:
		until := q.Until
		if limit := obj.Modified.Add(MaxHold); until.After(limit) {
			until = limit
		}
		r.Hold = &Hold{Until: until, Released: q.Released, By: cut(q.By), Reason: cut(q.Reason), At: obj.Modified}
	case acceptKind:
		r.Accept = &Accept{Digest: q.Digest, By: cut(q.By), Reason: cut(q.Reason), At: obj.Modified}
	case reinstateKind:
		r.Reinstate = &Reinstate{By: cut(q.By), Reason: cut(q.Reason), At: obj.Modified}
	}
	return nil
}

var digestForm = pattern.New(`^sha256:[0-9a-f]{64}$`)

func parseRequest(k core.Key, kind string, data []byte) (request, error) {
	var q request
	if err := decode(data, &q); err != nil {
		return request{}, err
	}
	switch {
	case q.Format != Format:
		return request{}, fmt.Errorf("%w: format %d, want %d", ErrInvalid, q.Format, Format)
	case q.Key != k.ID:
		return request{}, fmt.Errorf("%w: it is for key %q", ErrInvalid, cut(q.Key))
	case kind == holdKind && q.Until.IsZero() && !q.Released:
		return request{}, fmt.Errorf("%w: a hold needs until, or released", ErrInvalid)
	case kind != holdKind && (!q.Until.IsZero() || q.Released):
		return request{}, fmt.Errorf("%w: until and released belong to a hold", ErrInvalid)
	case kind == acceptKind && !digestForm.MatchString(string(q.Digest)):
		return request{}, fmt.Errorf("%w: accept needs the digest of a policy, sha256: and 64 hex digits", ErrInvalid)
	case kind != acceptKind && q.Digest != "":
		return request{}, fmt.Errorf("%w: a digest belongs to accept", ErrInvalid)
	}
	return q, nil
}

// Request is the operator's side: it writes a Hold, Accept or Reinstate for a
// key in the place of the one before. At is ignored; the store's clock sets it.
func (s *Store) Request(ctx context.Context, k core.Key, r any) error {
	q := request{Format: Format, Key: k.ID}
	var kind string
	switch r := r.(type) {
	case Hold:
		kind, q.Until, q.Released, q.By, q.Reason = holdKind, r.Until, r.Released, cut(r.By), cut(r.Reason)
	case Accept:
		kind, q.Digest, q.By, q.Reason = acceptKind, r.Digest, cut(r.By), cut(r.Reason)
	case Reinstate:
		kind, q.By, q.Reason = reinstateKind, cut(r.By), cut(r.Reason)
	default:
		return fmt.Errorf("request of type %T: want Hold, Accept or Reinstate", r)
	}
	fail := func(err error) error { return fmt.Errorf("request %s of %s: %w", kind, k.ID, err) }
	if err := checkKey(k); err != nil {
		return fail(err)
	}
	data, err := encode(q)
	if err != nil {
		return fail(err)
	}
	if _, err := parseRequest(k, kind, data); err != nil {
		return fail(err)
	}
	name := requestName(k, kind)
	for range requestTries {
		if err = s.replace(ctx, name, data); !errors.Is(err, core.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// replace writes an object over whatever is there.
func (s *Store) replace(ctx context.Context, name string, data []byte) error {
	old, err := s.objects.Get(ctx, name)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return err
	}
	_, err = s.objects.Put(ctx, name, data, old.Version)
	return err
}
