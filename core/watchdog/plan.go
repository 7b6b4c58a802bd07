package watchdog

import (
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// PlanKind is what we intend.
type PlanKind string

const (
	Nothing   PlanKind = "nothing"
	Promote   PlanKind = "promote" // live becomes last-known-good
	Restore   PlanKind = "restore"
	AlertOnly PlanKind = "alert"
	Wait      PlanKind = "wait"
)

// Plan is what we intend, plain and printable.
type Plan struct {
	Kind PlanKind
	Why  string // one sentence
	// Until is when a Wait ends; Soon says that it is worth waiting for within
	// this invocation.
	Until time.Time
	Soon  bool
	// Unrestored says that something which last-known-good had is missing, and
	// that nobody meant it and no wait of this plan's own is to bring it back: a
	// person has to act. It is a matter of what is, not of what was told already.
	Unrestored bool

	Verdict   core.Verdict
	Judgement core.Judgement
	// Candidate is what a Restore writes, or what an AlertOnly would write.
	Candidate *core.Candidate
	// Snapshot is to be kept before Record refers to it, Closed before Record
	// forgets them.
	Snapshot *record.Snapshot
	Closed   []record.Incident
	// Record is to be saved before anything else is done, if Dirty.
	Record record.Record
	Dirty  bool
	// Alerts are those that this plan raises; the ones that a channel takes are
	// in Record's outbox as well.
	Alerts []alert.Alert
}

// The times of design and their reasons.
const (
	watchFor       = 30 * time.Minute    // Confluent's guide watches a cluster this long after an edit
	askFor         = 30 * time.Minute    // for a person to say that a loss is meant
	freshFor       = 60 * time.Second    // how long a read may lag behind an event
	lateAfter      = 15 * time.Minute    // an event older than this says nothing about staleness
	suspectFor     = 15 * time.Minute    // for a record to catch up with a write of ours
	expiryAhead    = 30 * 24 * time.Hour // no event fires at expiry, so warn early
	contestWindow  = time.Hour
	contestMax     = 5 // restores within contestWindow
	contestPause   = 5 * time.Minute
	confirmFor     = 30 * time.Second // then the sweep goes on
	retryPause     = 5 * time.Minute  // between attempts that were refused
	holdWarning    = 15 * time.Minute
	acceptValid    = 24 * time.Hour
	toldFor        = 30 * 24 * time.Hour
	clockTolerance = 2 * time.Minute
)

// Next decides, from a Sight alone, what shall happen. It is pure: the same
// Sight gives the same Plan.
func Next(s Sight) Plan {
	d := begin(judge(s))
	d.noteLostRecord()
	d.noteProtection()
	d.noteChanges()
	d.noteRequests()
	d.noteRevocation()
	d.choose()
	return d.finish()
}

// draft is a Plan in the making: a view, and the record as it will be.
type draft struct {
	view
	rec  record.Record
	plan Plan
	// excused: a person said to leave the loss, or time may still mend it.
	excused bool
}

func begin(v view) *draft {
	d := &draft{view: v, rec: clone(v.Record)}
	d.plan = Plan{Kind: Nothing, Verdict: v.verdict, Judgement: v.live}
	return d
}

func (d *draft) finish() Plan {
	if len(d.verdict.Lost) > 0 && d.plan.Kind != Promote && d.rec.Revocation == nil && !d.excused {
		d.plan.Unrestored = true
	}
	if d.Merged || !reflect.DeepEqual(d.rec, d.Record) {
		d.plan.Dirty = true
		for id, t := range d.rec.Told {
			if d.Now.Sub(t.Last) > toldFor {
				delete(d.rec.Told, id)
			}
		}
	}
	d.plan.Record = d.rec
	return d.plan
}

// clone copies every part of a record that planning changes in place.
func clone(r record.Record) record.Record {
	r.Told = maps.Clone(r.Told)
	r.Served = maps.Clone(r.Served)
	r.Restores = slices.Clone(r.Restores)
	r.Writes = slices.Clone(r.Writes)
	r.Seen = slices.Clone(r.Seen)
	r.Suspects = slices.Clone(r.Suspects)
	r.Outbox = slices.Clone(r.Outbox)
	for i := range r.Outbox {
		r.Outbox[i].Sent = maps.Clone(r.Outbox[i].Sent)
	}
	if r.Incident != nil {
		in := *r.Incident
		in.Others = slices.Clone(in.Others)
		in.Tried = slices.Clone(in.Tried)
		if in.Intent != nil {
			intent := *in.Intent
			in.Intent = &intent
		}
		r.Incident = &in
	}
	if r.Revocation != nil {
		rev := *r.Revocation
		r.Revocation = &rev
	}
	if r.Hint != nil {
		h := *r.Hint
		r.Hint = &h
	}
	return r
}

// choose takes the first row of design's table that fits.
func (d *draft) choose() {
	own := ownMissing(d.live)
	if d.live.Digest != "" {
		d.over(alert.Blind, "") // the next blindness is another one
	}
	switch {
	case d.live.Digest == "":
		d.blind()
	case d.leased():
	case d.accepted():
	case d.awaitsFreshRead():
	case d.rec.Revocation != nil:
		d.revoked()
	case len(own) > 0:
		d.rightsGone(own)
	case len(d.verdict.Lost) > 0:
		d.broken()
	case len(d.verdict.Doubt) > 0:
		d.unclear()
	default:
		d.whole()
	}
}

func (d *draft) set(kind PlanKind, why string) {
	d.plan.Kind, d.plan.Why = kind, why
}

func (d *draft) wait(until time.Time, soon bool, why string) {
	d.set(Wait, why)
	d.plan.Until, d.plan.Soon, d.excused = until, soon, true
}

// blind: something that decides can't be read or does not parse. Nothing is
// written, nothing promoted.
func (d *draft) blind() {
	why := "the policy does not parse"
	denied := false
	for _, doc := range d.Live {
		if doc.Unreadable != "" {
			why, denied = doc.Unreadable, denied || doc.Denied
		}
	}
	own := ownMissing(d.live)
	f := d.facts()
	f.Detail = why
	f.Findings = d.verdict.Findings
	f.Commands = d.rules.Unlock(d.Live, d.question, own)
	d.set(AlertOnly, "the policy can't be judged: "+why)
	for _, c := range d.Changes {
		// What we may no longer read, the event may still show.
		if len(c.Copy) == 0 || d.good == nil || !denied {
			continue
		}
		shown := Decide(d.rules.Judge(d.Live.With(c.Copy...), d.question), d.good)
		if len(shown.Lost) == 0 {
			continue
		}
		d.plan.Unrestored = true
		f.Who, f.LostAt, f.Lost = &c, c.At, shown.Lost
		f.Findings = findings(shown.Findings, shown.Lost...)
		f.Fragment = d.rules.Fragment(d.question, shown.Lost)
		f.Commands = d.rules.Unlock(d.Live, d.question, append(own, shown.Lost...))
		d.tell(alert.LockedOut, c.EventID, once, f)
		return
	}
	d.tell(alert.Blind, "", every30, f)
}

// leased: somebody else is about to write, or is writing, this key.
func (d *draft) leased() bool {
	in := d.rec.Incident
	if in == nil || in.Intent == nil || !d.Now.Before(in.Intent.Deadline) {
		return false
	}
	// A platform may run one invocation twice, so its name alone is not enough.
	if in.Intent.Invocation == d.Invocation && in.Intent.Deadline.Equal(d.Deadline) {
		return false
	}
	d.wait(in.Intent.Deadline, true, "another invocation is restoring this key")
	return true
}

// unclear: what can't be decided is never fine, and never written.
func (d *draft) unclear() {
	d.set(AlertOnly, "a condition that can't be decided is new since the snapshot")
	in := d.tellDoubt()
	d.adoptWrite(in)
	if in.Phase == record.Restored {
		d.restoredPartly(in)
	}
	d.tellExpiring()
}

func (d *draft) tellDoubt() *record.Incident {
	in := d.open()
	in.Findings = slim(d.verdict.Doubt)
	f := d.facts()
	f.Findings, f.Who = d.verdict.Doubt, d.suspect()
	d.tell(alert.Unclear, in.ID, growing, f)
	return in
}

// rightsGone: without its rights the watchdog can neither restore nor promise
// to; it says so before it matters.
func (d *draft) rightsGone(own []core.Requirement) {
	f := d.facts()
	f.Commands = d.rules.Unlock(d.Live, d.question, own)
	f.Findings = findings(d.live.Findings, own...)
	if len(d.verdict.Lost) == 0 {
		if len(d.verdict.Doubt) > 0 {
			d.tellDoubt()
		} else {
			d.advance()
		}
		d.set(AlertOnly, "a right that the watchdog needs is gone")
		d.tell(alert.RightsGone, d.digestSubject(), every30, f)
		return
	}
	in := d.openLost()
	f = d.lostFacts(in)
	f.Findings = append(f.Findings, findings(d.live.Findings, own...)...)
	f.Fragment = d.rules.Fragment(d.question, d.verdict.Lost)
	f.Commands = d.rules.Unlock(d.Live, d.question, append(slices.Clone(own), d.verdict.Lost...))
	d.set(AlertOnly, "Confluent lost access and the watchdog lost the right to give it back")
	d.tell(alert.LockedOut, in.ID, every30, f)
}

// whole: nothing lost and nothing in doubt; an open incident advances, and what
// differs from the snapshot is promoted.
func (d *draft) whole() {
	d.advance()
	d.tellNever()
	d.tellExpiring()
	switch {
	case d.same && len(d.verdict.Never) > 0:
		d.set(AlertOnly, "live equals the snapshot, and neither gives all that is configured")
	case d.same:
		d.set(Nothing, "live equals the snapshot")
	default:
		d.promote()
	}
}

// incidentID derives a short name from what makes an incident one.
func incidentID(key string, digest core.Digest, at time.Time) string {
	sum := sha256.Sum256([]byte(key + "\n" + string(digest) + "\n" + at.UTC().Format(time.RFC3339Nano)))
	return "inc-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}
