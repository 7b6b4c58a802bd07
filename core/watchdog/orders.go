package watchdog

import (
	"strings"
	"time"

	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// noteRequests follows what operators ordered, or says why it can't be.
func (d *draft) noteRequests() {
	for _, r := range d.Requests.Refused {
		d.refuse(r.Name, r.At, r.Why, "")
	}
	if h := d.hold(); h != nil && h.Until.Sub(d.Now) <= holdWarning {
		f := d.facts()
		f.Until, f.By, f.Detail = h.Until, h.By, h.Reason
		d.tell(alert.HoldEnding, record.Name(d.Key)+"@"+h.At.UTC().Format("20060102T150405"), once, f)
	}
	r := d.Requests.Reinstate
	if r == nil || d.served("reinstate", r.At) || d.rec.Revocation == nil {
		return
	}
	switch {
	case r.At.Before(d.rec.Revocation.Since):
		d.refuse("reinstate", r.At, "it is older than the revocation", r.By)
		return
	case d.live.Revoked:
		d.refuse("reinstate", r.At, "the key still carries the mark of the revocation", r.By)
		return
	}
	d.rec.Revocation = nil
	d.keepOrder(reinstatedOrder, r.Reason)
	d.serve("reinstate", r.At)
	f := d.facts()
	f.By, f.Detail = r.By, r.Reason
	d.tell(alert.Reinstated, record.Name(d.Key)+"@"+r.At.UTC().Format("20060102T150405"), once, f)
}

func (d *draft) served(name string, at time.Time) bool { return d.rec.Served[name].Equal(at) }

func (d *draft) serve(name string, at time.Time) {
	if d.rec.Served == nil {
		d.rec.Served = map[string]time.Time{}
	}
	d.rec.Served[name] = at
}

// refuse tells once that a request can't be followed.
func (d *draft) refuse(name string, at time.Time, why, by string) {
	f := d.facts()
	f.Subject, f.Detail, f.By = name, why, by
	d.tell(alert.RequestRefused, record.Name(d.Key)+"@"+name+at.UTC().Format("20060102T150405"), once, f)
}

// noteRevocation remembers the owner's no. The mark on the key sets it; only a
// reinstate request ends it, not a pipeline that writes over the mark.
func (d *draft) noteRevocation() {
	rev := d.rec.Revocation
	switch {
	case d.live.Digest == "": // nothing was seen, so nothing vanished
	case d.live.Revoked && rev == nil:
		d.rec.Revocation = &record.Revocation{Since: d.Now, Marker: d.live.Marker}
		d.keepOrder(revokedOrder, d.live.Marker)
	case d.live.Revoked:
		rev.Vanished = time.Time{}
	case rev != nil && rev.Vanished.IsZero():
		rev.Vanished = d.Now
	}
}

// A revocation must outlive its record, so its beginning and its end are kept
// among the incidents, for good.
const (
	revokedOrder    = "revoked-"
	reinstatedOrder = "reinstated-"
)

func (d *draft) keepOrder(kind, text string) {
	d.plan.Closed = append(d.plan.Closed, record.Incident{
		ID: kind + d.Now.UTC().Format("20060102t150405.000000000"), Opened: d.Now, LostAt: d.Now, Closed: d.Now,
		Phase: record.Open, State: d.verdict.State, Digest: d.live.Digest, Outcome: text,
	})
}

// standing is the revocation that kept incidents show to be in force.
func standing(kept []record.Incident) *record.Revocation {
	var last record.Incident
	for _, in := range kept {
		order := strings.HasPrefix(in.ID, revokedOrder) || strings.HasPrefix(in.ID, reinstatedOrder)
		if order && in.Closed.After(last.Closed) {
			last = in
		}
	}
	if !strings.HasPrefix(last.ID, revokedOrder) {
		return nil
	}
	return &record.Revocation{Since: last.Opened, Marker: last.Outcome}
}

// revoked: told at once, then daily; nothing is written or promoted.
func (d *draft) revoked() {
	rev := d.rec.Revocation
	if d.rec.Incident != nil {
		d.close("revoked by the owner")
	}
	f := d.facts()
	f.Detail, f.LostAt = rev.Marker, rev.Since
	f.Who = d.suspect()
	d.set(AlertOnly, "the owner revoked Confluent's access")
	if !rev.Vanished.IsZero() {
		f.Until = time.Time{}
		d.tell(alert.MarkerGone, record.Name(d.Key)+"@"+rev.Vanished.UTC().Format("20060102T150405"), daily, f)
		return
	}
	d.tell(alert.Revoked, record.Name(d.Key)+"@"+rev.Since.UTC().Format("20060102T150405"), daily, f)
}
