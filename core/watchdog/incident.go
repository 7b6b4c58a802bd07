package watchdog

import (
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// open returns the open incident, or opens one.
func (d *draft) open() *record.Incident {
	if d.rec.Incident == nil {
		d.rec.Incident = &record.Incident{
			ID:     incidentID(d.Key.ID, d.live.Digest, d.Now),
			Opened: d.Now, LostAt: d.Now, Phase: record.Open,
		}
	}
	in := d.rec.Incident
	in.State = d.verdict.State
	if in.Digest != d.live.Digest {
		in.Digest = d.live.Digest
		in.Retry = time.Time{} // another policy, another try
	}
	return in
}

// openLost is open for a loss: it keeps what was lost and names the suspect as
// soon as one is known.
func (d *draft) openLost() *record.Incident {
	in := d.open()
	if in.Since.IsZero() || in.Phase == record.Watching {
		in.Since = d.Now
	}
	in.Findings = slim(findings(d.live.Findings, append(slices.Clone(d.verdict.Lost), d.verdict.Never...)...))
	in.Lost, in.Never = d.verdict.Lost, d.verdict.Never
	if in.Phase == record.Watching {
		// Lost again while being watched: still one incident, but a loss and a
		// watch of its own.
		in.Phase, in.Confirmed, in.Watch, in.LostAt = record.Open, time.Time{}, time.Time{}, d.Now
	}
	if who := d.suspect(); who != nil && (in.Who == nil || in.Who.EventID != who.EventID) {
		// He may have been noted before he was known to be the one.
		in.Others = slices.DeleteFunc(in.Others, func(c core.Change) bool { return c.EventID == who.EventID })
		if in.Who == nil {
			in.Who = who
		} else {
			in.Others = appendBounded(in.Others, *who, record.MaxSeen)
		}
		if !who.At.IsZero() && who.At.Before(in.LostAt) && who.At.Add(time.Second).After(in.Restored) {
			in.LostAt = who.At
		}
	}
	return in
}

// advance moves an open incident on when nothing is lost any more: restored,
// watched for half an hour, recovered.
func (d *draft) advance() {
	in := d.rec.Incident
	if in == nil {
		return
	}
	d.adoptWrite(in)
	switch in.Phase {
	case record.Restored:
		if d.Unconfirmed {
			d.tell(alert.RestoredUnsure, d.restoreSubject(in), once, d.incidentFacts(in))
			return
		}
		d.confirm(in)
		f := d.incidentFacts(in)
		f.Done = d.rules.Diff(in.Replaced, d.Live)
		// The snapshot is the last state that nobody had to repair: what of
		// live differs from it is what was kept of the other's edit.
		f.Kept = d.diff()
		d.tell(alert.Restored, d.restoreSubject(in), once, f)
	case record.Open, record.Unrestored, record.Partial, record.Restoring:
		d.confirm(in) // somebody else brought it back
	case record.Watching:
		if d.Now.Before(in.Watch) {
			return
		}
		in.State = d.verdict.State
		f := d.incidentFacts(in)
		d.tell(alert.Recovered, in.ID, once, f)
		d.close("recovered")
	}
}

// confirm begins, or goes on with, the half hour of watching.
func (d *draft) confirm(in *record.Incident) {
	in.Intent, in.Phase, in.Confirmed = nil, record.Watching, d.Now
	in.Asked, in.Held = time.Time{}, false // another loss is another question
	if in.Watch.IsZero() {
		in.Watch = d.Now.Add(watchFor)
	}
}

// adoptWrite recognises our own write when a crash, or a lost answer, kept it
// out of the record: the intent says where it was to lead.
func (d *draft) adoptWrite(in *record.Incident) {
	if in.Phase != record.Restoring || in.Intent == nil || in.Intent.To != d.live.Digest {
		return
	}
	noteWrite(&d.rec, in.Intent.At, d.Now)
}

// noteWrite records that the open incident's intent was carried out.
func noteWrite(rec *record.Record, read, at time.Time) {
	in, t := rec.Incident, rec.Incident.Intent
	rec.Restores = appendBounded(rec.Restores, record.Restore{
		At: at, Read: read, From: t.From, To: t.To, Incident: in.ID,
	}, record.MaxRestores)
	in.Intent, in.Phase, in.Restored, in.Denied = nil, record.Restored, at, false
	if in.Watch.IsZero() {
		in.Watch = at.Add(watchFor)
	}
}

// close ends the incident: its kept copy is written before the record forgets.
func (d *draft) close(outcome string) {
	in := *d.rec.Incident
	in.Closed, in.Outcome, in.Intent = d.Now, outcome, nil
	d.plan.Closed, d.rec.Incident = append(d.plan.Closed, in), nil
}

// incidentFacts is what every alert about a past loss may say.
func (d *draft) incidentFacts(in *record.Incident) alert.Facts {
	f := d.facts()
	f.Incident, f.Who, f.Others = in.ID, in.Who, in.Others
	f.Findings, f.Lost, f.Never = in.Findings, in.Lost, in.Never
	f.LostAt, f.SeenAt = in.LostAt, in.Opened
	f.Restored, f.Confirmed, f.Watch = in.Restored, in.Confirmed, in.Watch
	f.Candidate, f.Left = in.Candidate, in.Left
	return f
}

// restoreSubject tells each restore of one incident apart: each is told once.
func (d *draft) restoreSubject(in *record.Incident) string {
	n := 0
	for _, r := range d.rec.Restores {
		if r.Incident == in.ID {
			n++
		}
	}
	if n < 2 {
		return in.ID
	}
	return in.ID + "." + in.Restored.UTC().Format("150405")
}

// appendBounded keeps the newest of at most n elements.
func appendBounded[T any](s []T, e T, n int) []T {
	s = append(s, e)
	return s[max(0, len(s)-n):]
}
