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
	if d.Planted {
		f := d.facts()
		f.Detail = "the kept snapshots are buried under forged ones; the one in the record, which is valid, is used"
		d.tell(alert.RecordLost, record.Name(d.Key)+"@planted", daily, f)
	}
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
	if d.Key.Network == core.CareRestore {
		now = append(now, "network restore")
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
		s := d.sighting(c)
		d.rec.Seen = appendBounded(d.rec.Seen, s, record.MaxSeen)
		if c.Kind == core.GrantRevoked && c.Takes {
			f := d.facts()
			f.Who = &s.Change
			d.tell(alert.GrantRevoked, c.EventID, once, f)
		}
		if d.Self != "" && c.Actor.ID == d.Self && !d.oursOnRecord(s) {
			d.rec.Suspects = appendBounded(d.rec.Suspects, record.Suspect{
				EventID: c.EventID, Op: c.Op, At: s.At, Seen: d.Now, Shown: s.Shown, Docs: s.Docs, Resource: c.Resource,
			}, record.MaxSeen)
		}
	}
	// All of them, not just the new ones: a write of ours may have been recorded
	// since.
	for _, s := range d.rec.Seen {
		if d.Self == "" || s.Actor.ID != d.Self {
			d.noteOverwritten(s)
		}
	}
	d.noteSuspects()
	d.noteOthers()
}

func (d *draft) sighting(c core.Change) record.Sighting {
	s := record.Sighting{Change: c, Shown: d.shown(c), Docs: refs(c.Copy), Noted: d.Now}
	s.Copy = nil
	if s.At.After(d.Now) {
		s.At = d.Now // nobody wrote in the future
	}
	if len(c.Copy) > 0 {
		s.Revokes = d.rules.Judge(d.Live.With(c.Copy...), d.question).Revoked
	}
	return s
}

func (d *draft) sawEvent(id string) bool {
	return slices.ContainsFunc(d.Record.Seen, func(s record.Sighting) bool { return s.EventID == id })
}

// noteOverwritten: somebody's edit fell between our read and our write. If it
// was the owner's no, that no stands all the same.
func (d *draft) noteOverwritten(s record.Sighting) {
	if s.Shown == "" || s.At.IsZero() {
		return
	}
	for _, r := range d.rec.Restores {
		// Event times have whole seconds: what we had heard of was before.
		between := s.Noted.After(r.Read) && !s.At.Before(r.Read.Truncate(time.Second)) && !s.At.After(r.At)
		if !between || d.writtenAt(r, s) {
			continue
		}
		f := d.facts()
		f.Who, f.Incident, f.Restored = &s.Change, r.Incident, r.At
		if i := slices.IndexFunc(d.Changes, func(c core.Change) bool { return c.EventID == s.EventID }); i >= 0 {
			f.Done = d.rules.Diff(d.Live.With(d.Changes[i].Copy...), d.Live)
		}
		_, known := d.rec.Told[alertID(alert.Overwrote, s.EventID)]
		if s.Revokes {
			f.Detail = "the edit revoked Confluent's access, and byokwatch wrote over it"
			if d.rec.Revocation == nil && !known {
				d.rec.Revocation = &record.Revocation{Since: s.At, Marker: "written over by byokwatch"}
				d.keepOrder(revokedOrder, d.rec.Revocation.Marker)
			}
		}
		d.tell(alert.Overwrote, s.EventID, once, f)
		return
	}
}

// writtenAt says that what an event shows is what a restore replaced or wrote.
func (d *draft) writtenAt(r record.Restore, s record.Sighting) bool {
	return slices.ContainsFunc(d.rec.Writes, func(w record.Write) bool {
		return w.Incident == r.Incident && slices.ContainsFunc(w.Docs, func(doc record.Wrote) bool {
			return slices.Contains(s.Docs, doc.Ref) && (s.Shown == doc.From || s.Shown == doc.To)
		})
	})
}

// oursOnRecord matches a write by our identity with one that we planned: by
// what it wrote, where the event shows that, by the operation where not, and by
// the time in either case. A write for a neighbour counts as well, but for what
// was done to the key itself.
func (d *draft) oursOnRecord(s record.Sighting) bool {
	writes := d.rec.Writes
	if s.Resource != d.Key.ID && !strings.HasPrefix(s.Resource, d.Key.ID+"/") {
		writes = slices.Concat(writes, d.Neighbours)
	}
	return slices.ContainsFunc(writes, func(w record.Write) bool {
		if s.At.Before(w.At.Add(-clockTolerance)) || s.At.After(w.Until.Add(clockTolerance)) {
			return false
		}
		if s.Shown == "" {
			return slices.Contains(w.Ops, s.Op)
		}
		return slices.ContainsFunc(w.Docs, func(doc record.Wrote) bool {
			return slices.Contains(s.Docs, doc.Ref) && s.Shown == doc.To
		})
	})
}

// noteSuspects gives the record a quarter of an hour to catch up with a write
// that carries our identity.
func (d *draft) noteSuspects() {
	d.rec.Suspects = slices.DeleteFunc(d.rec.Suspects, func(s record.Suspect) bool {
		seen := record.Sighting{Change: core.Change{EventID: s.EventID, Op: s.Op, At: s.At, Resource: s.Resource}, Shown: s.Shown, Docs: s.Docs}
		if d.oursOnRecord(seen) {
			return true
		}
		if d.Now.Sub(s.Seen) < suspectFor || d.Unaccounted {
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
		case in.Who == nil && (s.Shown != "" && s.Shown == d.part(in.Replaced, s.Docs) || d.accounts(s, in.Replaced, in.Lost)):
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

// suspect names whom the events blame for what was judged: the newest change of
// the same documents, if what it shows equals them; or, where an event shows
// none, an operation that explains the loss and after which no other is known.
// What came before our last restore explains nothing that was found after it.
func (d *draft) suspect() *core.Change {
	var after time.Time
	if n := len(d.rec.Restores); n > 0 {
		after = d.rec.Restores[n-1].At
	}
	var newest record.Sighting
	for _, s := range d.rec.Seen {
		if !s.Noted.After(after) || s.At.Before(newest.At) {
			continue
		}
		explains := s.Takes && s.Kind == core.StateChange && d.lostProperty() && !d.laterState(s)
		if s.Shown != "" || explains || d.accounts(s, d.Live, d.verdict.Lost) {
			newest = s
		}
	}
	if newest.EventID == "" || newest.Shown != "" && newest.Shown != d.part(d.Live, newest.Docs) {
		return nil
	}
	return &newest.Change
}

// accounts says that an event which shows no policy explains, by its operation
// on its resource, what a policy lacks, and that nobody is known to have touched
// that later. An event that names nobody, as Key Vault's own, may be of the same
// edit.
func (d *draft) accounts(s record.Sighting, lacking core.Policy, lost []core.Requirement) bool {
	if s.Resource == "" || d.rules.Explains == nil || len(lost) == 0 || len(lacking) == 0 {
		return false
	}
	later := slices.ContainsFunc(d.rec.Seen, func(o record.Sighting) bool {
		return o.Resource == s.Resource && o.At.After(s.At) && o.Actor.ID != "" && o.Actor.ID != d.Self
	})
	return !later && d.rules.Explains(s.Change, lacking, d.goodDocs, lost)
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
