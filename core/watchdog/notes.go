package watchdog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// noteLostRecord tells that the record, or the trust in it, is gone. Whoever
// deleted it may want a broken policy adopted as the first snapshot.
func (d *draft) noteLostRecord() {
	if !d.Gone {
		return
	}
	f := d.facts()
	f.Detail = "the newest kept snapshot is used instead"
	if d.rec.Unadopted {
		f.Detail = "no kept snapshot is valid, so nothing counts as last-known-good until `byokwatch snapshot accept`"
	}
	if d.Refused > 0 {
		f.Detail += fmt.Sprintf("; %d kept objects were refused", d.Refused)
	}
	d.tell(alert.RecordLost, record.Name(d.Key)+"@"+d.Now.UTC().Format("20060102T150405"), once, f)
}

// noteProtection tells when the configuration protects less than it did at the
// last look: switching the watchdog off is the first thing an attacker does.
func (d *draft) noteProtection() {
	now := []string{"mode " + string(d.Key.Mode)}
	if d.Key.Mode == core.Enforce {
		now = []string{"mode observe", "mode enforce"} // enforce includes observing
	}
	if d.Key.KeyState == core.CareRestore {
		now = append(now, "key_state restore")
	}
	for _, r := range d.question.Needs {
		if r.Aspect == core.Access && !slices.Contains(now, r.Principal) {
			now = append(now, r.Principal)
		}
	}
	var gone []string
	for _, line := range d.rec.Protects {
		if !slices.Contains(now, line) {
			gone = append(gone, line)
		}
	}
	if len(gone) > 0 {
		f := d.facts()
		f.Detail = "no longer: " + strings.Join(gone, ", ")
		d.tell(alert.ProtectsLess, record.Name(d.Key)+"@"+d.Now.UTC().Format("20060102T150405"), once, f)
	}
	if !slices.Equal(now, d.rec.Protects) {
		d.rec.Protects = now
	}
}

// noteChanges remembers what events told, and tells of what only an event can
// show: a grant revoked, a fix that we wrote over, our own role in somebody
// else's hands.
func (d *draft) noteChanges() {
	for _, c := range d.Changes {
		again := slices.ContainsFunc(d.rec.Seen, func(s record.Sighting) bool { return s.EventID == c.EventID })
		if c.Kind == core.Tick || again {
			continue
		}
		s := record.Sighting{Change: c, Shown: d.shown(c), Docs: refs(c.Copy)}
		s.Copy = nil
		d.rec.Seen = appendBounded(d.rec.Seen, s, record.MaxSeen)
		if c.Kind == core.GrantRevoked && c.Takes {
			f := d.facts()
			f.Who = &s.Change
			d.tell(alert.GrantRevoked, c.EventID, once, f)
		}
		switch {
		case d.Self == "" || c.Actor.ID != d.Self:
			d.tellOverwrote(s, c.Copy)
		case !d.oursOnRecord(s):
			d.rec.Suspects = appendBounded(d.rec.Suspects, record.Suspect{
				EventID: c.EventID, At: c.At, Seen: d.Now, Digest: s.Shown,
			}, record.MaxSeen)
		}
	}
	d.noteSuspects()
	d.noteOthers()
}

func (d *draft) sawEvent(id string) bool {
	return slices.ContainsFunc(d.Record.Seen, func(s record.Sighting) bool { return s.EventID == id })
}

// tellOverwrote: somebody's edit fell between our read and our write.
func (d *draft) tellOverwrote(s record.Sighting, theirs core.Policy) {
	if s.Shown == "" || s.At.IsZero() {
		return
	}
	for _, r := range d.rec.Restores {
		between := !s.At.Before(r.Read.Truncate(time.Second)) && !s.At.After(r.At)
		if between && s.Shown != r.Over && s.Shown != r.Wrote {
			f := d.facts()
			f.Who, f.Incident, f.Restored = &s.Change, r.Incident, r.At
			f.Done = d.rules.Diff(d.Live.With(theirs...), d.Live)
			d.tell(alert.Overwrote, s.EventID, once, f)
			return
		}
	}
}

// oursOnRecord matches a write by our identity with what we know we wrote. An
// event that shows no policy is matched by its time.
func (d *draft) oursOnRecord(s record.Sighting) bool {
	match := func(wrote core.Digest, at time.Time) bool {
		if s.Shown != "" {
			return s.Shown == wrote
		}
		return s.At.Sub(at).Abs() <= clockTolerance
	}
	if in := d.rec.Incident; in != nil && in.Intent != nil && match(in.Intent.Wrote, in.Intent.At) {
		return true
	}
	return slices.ContainsFunc(d.rec.Restores, func(r record.Restore) bool { return match(r.Wrote, r.At) })
}

// noteSuspects gives the record a quarter of an hour to catch up with a write
// that carries our identity.
func (d *draft) noteSuspects() {
	d.rec.Suspects = slices.DeleteFunc(d.rec.Suspects, func(s record.Suspect) bool {
		seen := record.Sighting{Change: core.Change{EventID: s.EventID, At: s.At}, Shown: s.Digest}
		if d.oursOnRecord(seen) {
			return true
		}
		if d.Now.Sub(s.Seen) < suspectFor {
			return false
		}
		f := d.facts()
		f.Subject, f.LostAt = s.EventID, s.At
		if i := slices.IndexFunc(d.rec.Seen, func(o record.Sighting) bool { return o.EventID == s.EventID }); i >= 0 {
			f.Who = &d.rec.Seen[i].Change
		}
		d.tell(alert.RoleMisused, s.EventID, once, f)
		return true
	})
	if len(d.rec.Suspects) == 0 {
		d.rec.Suspects = nil
	}
}

// noteOthers adds to an open incident whoever touched the key since.
func (d *draft) noteOthers() {
	in := d.rec.Incident
	if in == nil {
		return
	}
	for _, s := range d.rec.Seen[len(d.rec.Seen)-d.newlySeen():] {
		known := in.Who != nil && in.Who.EventID == s.EventID ||
			slices.ContainsFunc(in.Others, func(c core.Change) bool { return c.EventID == s.EventID })
		switch {
		case known || s.Actor.ID == d.Self:
		case in.Who == nil && s.Shown != "" && s.Shown == d.part(in.Replaced, s.Docs):
			// The event of the very edit that we answered, come late.
			who := s.Change
			in.Who = &who
			if !who.At.IsZero() && who.At.Before(in.LostAt) {
				in.LostAt = who.At
			}
		default:
			in.Others = appendBounded(in.Others, s.Change, record.MaxSeen)
		}
	}
}

func (d *draft) newlySeen() int {
	n := 0
	for _, s := range d.rec.Seen {
		if !d.sawEvent(s.EventID) {
			n++
		}
	}
	return n
}

// suspect names whom the events blame for what was judged: the newest change
// whose own copy equals it, or, where an event carries none, an operation that
// explains the loss and after which no other is known.
func (d *draft) suspect() *core.Change {
	for i := len(d.rec.Seen) - 1; i >= 0; i-- {
		s := d.rec.Seen[i]
		if s.Shown != "" && s.Shown == d.part(d.Live, s.Docs) {
			return &s.Change
		}
		if s.Shown == "" && s.Takes && s.Kind == core.StateChange && d.lostProperty() && !d.laterState(s) {
			return &s.Change
		}
	}
	return nil
}

func (d *draft) lostProperty() bool {
	return slices.ContainsFunc(d.verdict.Lost, func(r core.Requirement) bool { return r.Aspect == core.Property })
}

func (d *draft) laterState(s record.Sighting) bool {
	return slices.ContainsFunc(d.rec.Seen, func(o record.Sighting) bool {
		return o.Kind == core.StateChange && o.At.After(s.At)
	})
}

// awaitsFreshRead: an event shows a loss that what we read does not. Reads may
// lag, so look again, for a minute at most; then leave a hint to the next tick.
func (d *draft) awaitsFreshRead() bool {
	tick := slices.ContainsFunc(d.Changes, func(c core.Change) bool { return c.Kind == core.Tick })
	if h := d.rec.Hint; h != nil && (len(d.verdict.Lost) > 0 || tick) {
		d.rec.Hint = nil // seen now, or looked at again and found well
	}
	for _, c := range d.Changes {
		if !d.unshownLoss(c) {
			continue
		}
		d.hinted = true
		d.rec.Hint = &record.Hint{EventID: c.EventID, At: c.At, Since: d.Now}
		if d.Now.Sub(d.Since) < freshFor {
			d.wait(d.Since.Add(freshFor), true, "an event shows a loss that the read does not show yet")
			return true
		}
	}
	return false
}

// unshownLoss says that a change shows a loss that live does not have, and that
// nothing known explains.
func (d *draft) unshownLoss(c core.Change) bool {
	if len(c.Copy) == 0 || c.At.IsZero() || d.Now.Sub(c.At) > lateAfter || d.sawEvent(c.EventID) ||
		d.good == nil || len(d.verdict.Lost) > 0 || d.shown(c) == d.part(d.Live, refs(c.Copy)) {
		return false
	}
	if d.changedSince(c.At) || slices.ContainsFunc(d.rec.Restores, func(r record.Restore) bool { return r.At.After(c.At) }) {
		return false
	}
	return len(Decide(d.rules.Judge(d.Live.With(c.Copy...), d.question), d.good).Lost) > 0
}
