package watchdog

import (
	"slices"
	"strconv"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// promote makes live the last-known-good, unless something speaks against it.
func (d *draft) promote() {
	if why := d.unpromotable(); why != "" {
		d.set(AlertOnly, "not promoted: "+why)
		return
	}
	code, diff := alert.FirstSnapshot, []core.Difference(nil)
	if d.good != nil {
		code, diff = alert.Promoted, d.diff()
	}
	if d.widens(diff) {
		code = alert.Widened
	}
	why := "Confluent has all that the snapshot gave it, and the policy differs"
	if d.good == nil {
		why = "the first policy of this key that can be judged"
	}
	d.set(Promote, why)
	d.snapshot("")
	f := d.facts()
	f.Kept = diff
	f.Generation = d.rec.Snapshot.Generation
	f.Who = d.suspect()
	if in := d.rec.Incident; f.Who == nil && in != nil {
		f.Who = in.Who // whose edit we kept
	}
	d.tell(code, d.generationSubject(), once, f)
}

// generationSubject tells each promotion apart: the same widening is told each
// time that it comes.
func (d *draft) generationSubject() string {
	return record.Name(d.Key) + "@" + strconv.Itoa(d.rec.Snapshot.Generation)
}

// unpromotable says why live must not become last-known-good by itself, and
// tells people where they have to decide.
func (d *draft) unpromotable() string {
	switch {
	case d.rec.Hint != nil:
		return "an event shows a loss that no read has shown yet"
	case d.Unconfirmed:
		return "our write is not confirmed yet"
	case d.Gone:
		return "the record was gone, and nothing is adopted in the pass that finds it so"
	case d.rec.Unadopted:
		d.tellNeedsAcceptance("no snapshot of this key can be trusted any more")
		return "no snapshot of this key can be trusted any more"
	case !d.live.Expires.IsZero():
		why := "a permission ends at " + d.live.Expires.UTC().Format("2006-01-02 15:04 UTC")
		d.tellNeedsAcceptance(why)
		return why
	case d.Key.Restore == core.WholeSnapshot && d.ownWrite():
		d.tellNeedsAcceptance("it is what byokwatch itself wrote, and with `restore: snapshot` only a person makes that last-known-good")
		return "our own write waits for acceptance with `restore: snapshot`"
	case d.Key.Restore == core.WholeSnapshot && d.good != nil && d.widens(d.diff()):
		d.tellNeedsAcceptance("it lets somebody in, or loses a Deny, and with `restore: snapshot` that would come back one day")
		return "it widens access, and `restore: snapshot` waits for acceptance"
	}
	return ""
}

// ownWrite says that live is what a restore of ours led to.
func (d *draft) ownWrite() bool {
	n := len(d.rec.Restores)
	return n > 0 && d.rec.Restores[n-1].To == d.live.Digest
}

func (d *draft) tellNeedsAcceptance(why string) {
	f := d.facts()
	f.Detail = why
	if d.good != nil {
		f.Kept = d.diff()
	}
	d.tell(alert.NeedsAcceptance, d.digestSubject(), growing, f)
}

// diff is what live changed since the snapshot.
func (d *draft) diff() []core.Difference { return d.rules.Diff(d.goodDocs, d.trimmed) }

// widens says that a difference lets somebody in, Confluent's own principals
// apart, or loses a Deny.
func (d *draft) widens(diff []core.Difference) bool {
	return slices.ContainsFunc(diff, func(c core.Difference) bool {
		return c.Change == core.LosesDeny || c.Change == core.Admits && !d.confluents(c.Principal)
	})
}

func (d *draft) confluents(principal string) bool {
	return principal != "" && slices.ContainsFunc(d.question.Needs, func(r core.Requirement) bool {
		return r.Aspect == core.Access && r.Principal == principal
	})
}

// snapshot puts live into the record as the next generation.
func (d *draft) snapshot(accepted string) {
	s := record.Snapshot{
		Key: d.Key.ID, Generation: 1, At: d.Now, Digest: d.live.Digest,
		Policy: d.trimmed, Accepted: accepted,
	}
	if old := d.Record.Snapshot; old != nil {
		s.Generation, s.Previous = old.Generation+1, old.Digest
	}
	if who := d.suspect(); who != nil {
		s.Cause = *who
		s.Cause.Copy = nil
	} else if len(d.Changes) > 0 {
		s.Cause = d.Changes[len(d.Changes)-1]
		s.Cause.Copy = nil
	}
	if in := d.rec.Incident; in != nil && !in.Restored.IsZero() {
		s.Incident = in.ID
	}
	d.rec.Snapshot, d.plan.Snapshot = &s, &s
	d.rec.Unadopted = false
}

// accepted follows an operator's `snapshot accept`: the one way in which a
// policy that lost, expires or can't be decided becomes last-known-good.
func (d *draft) accepted() bool {
	a := d.Requests.Accept
	if a == nil || d.served("accept", a.At) || d.Now.Sub(a.At) > acceptValid {
		return false
	}
	switch {
	case d.rec.Revocation != nil:
		d.refuse("accept", a.At, "the key is revoked; `byokwatch reinstate` comes first", a.By)
		return false
	case a.Digest != d.live.Digest:
		d.refuse("accept", a.At, "it names "+a.Digest.Short()+", and the live policy is "+d.live.Digest.Short(), a.By)
		return false
	}
	d.set(Promote, "accepted by request")
	if in := d.rec.Incident; in != nil {
		d.close("accepted by " + a.By)
	}
	if !d.same {
		d.snapshot(a.By)
		f := d.facts()
		f.By, f.Detail, f.Generation = a.By, a.Reason, d.rec.Snapshot.Generation
		d.tell(alert.Promoted, d.generationSubject(), once, f)
	}
	d.serve("accept", a.At)
	return true
}
