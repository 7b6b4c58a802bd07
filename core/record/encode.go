package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core"
	"byokwatch/core/strict"
)

const (
	// MaxObject bounds every object, in bytes. The largest record that a cloud
	// makes necessary is an Azure vault with 4,000 assignments kept twice, as
	// snapshot and as what an incident replaced: some 6 MB.
	MaxObject = strict.MaxBytes
	// MaxSuspects and MaxTold bound what Record keeps beside MaxRestores and
	// MaxSeen. The oldest go first.
	MaxSuspects = 20
	MaxTold     = 400

	maxText  = 1024 // bytes of one text that an event or a person supplied
	maxKeyID = 1024 // bytes; the longest, an ARM ID, stays below 500
)

// encode gives the JSON that is stored: RFC 8785 canonical form without the
// members that are zero. So the same value is the same bytes in every build of
// byokwatch, also in one whose types have got another field, and sums that old
// builds made still hold. Foreign text may be invalid UTF-8; such bytes become
// U+FFFD rather than keep a record from being saved.
func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v, json.OmitZeroStructFields(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, err
	}
	val := jsontext.Value(raw)
	if err := val.Canonicalize(); err != nil {
		return nil, err
	}
	if len(val) > MaxObject {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, len(val), MaxObject)
	}
	return val, nil
}

// decode reads what encode wrote. The format is looked at first: an object of a
// newer byokwatch may have members that this one takes for an error.
func decode(data []byte, v any) error {
	var head struct {
		Format int `json:"format"`
	}
	if err := strict.UnmarshalOpen(data, &head); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if head.Format > Format {
		return fmt.Errorf("%w: %d, this byokwatch reads up to %d; upgrade it", ErrNewer, head.Format, Format)
	}
	if err := strict.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// bounded is a copy of rec in which every history is as long as it may be. What
// it holds is not the caller's, who may go on with rec.
func bounded(rec Record) Record {
	rec.Restores = newest(rec.Restores, MaxRestores)
	rec.Seen = slices.Clone(newest(rec.Seen, MaxSeen))
	for i := range rec.Seen {
		rec.Seen[i].Change = cutChange(rec.Seen[i].Change)
	}
	rec.Suspects = newest(rec.Suspects, MaxSuspects)
	rec.Told = newestTold(rec.Told)
	if rec.Incident != nil {
		in := boundedIncident(*rec.Incident)
		rec.Incident = &in
	}
	return rec
}

func boundedIncident(in Incident) Incident {
	in.Others = slices.Clone(newest(in.Others, MaxSeen))
	for i := range in.Others {
		in.Others[i] = cutChange(in.Others[i])
	}
	if in.Who != nil {
		who := cutChange(*in.Who)
		in.Who = &who
	}
	return in
}

// newest is the end of a history that is kept oldest first.
func newest[T any](s []T, n int) []T {
	return s[max(0, len(s)-n):]
}

func newestTold(told map[string]Told) map[string]Told {
	if len(told) <= MaxTold {
		return told
	}
	ids := slices.SortedFunc(maps.Keys(told), func(a, b string) int {
		if c := told[b].Last.Compare(told[a].Last); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	kept := make(map[string]Told, MaxTold)
	for _, id := range ids[:MaxTold] {
		kept[id] = told[id]
	}
	return kept
}

// cutChange bounds what an event can put into a record. A user agent alone may
// have many kilobytes.
func cutChange(c core.Change) core.Change {
	c.Copy = nil
	c.EventID, c.Op = cut(c.EventID), cut(c.Op)
	a := &c.Actor
	a.ID, a.Name, a.Address, a.Agent, a.Via = cut(a.ID), cut(a.Name), cut(a.Address), cut(a.Agent), cut(a.Via)
	return c
}

// cut shortens a text to maxText bytes at a rune's boundary.
func cut(s string) string {
	const mark = "…"
	if len(s) <= maxText {
		return s
	}
	end := maxText - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
