package watchdog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// repeat says after how long an alert that was told n times, n from 1, is told
// again while its cause lasts. Zero: never.
type repeat func(n int) time.Duration

func once(int) time.Duration    { return 0 }
func every30(int) time.Duration { return 30 * time.Minute }
func daily(int) time.Duration   { return 24 * time.Hour }

// growing starts at an hour and doubles up to a day.
func growing(n int) time.Duration {
	return min(time.Hour<<min(n-1, 5), 24*time.Hour)
}

// tell queues an alert in the record that is about to be saved, unless it has
// been told and is not due again. subject "" is the key itself.
func (d *draft) tell(code alert.Code, subject string, again repeat, f alert.Facts) {
	if subject == "" {
		subject = record.Name(d.Key)
	}
	id := alertID(code, subject)
	told, known := d.rec.Told[id]
	if known {
		pause := again(told.Count)
		if pause == 0 || d.Now.Before(told.Last.Add(pause)) {
			return
		}
	} else {
		told.First = d.Now
	}
	f.Findings = slim(f.Findings)
	a := alert.Alert{ID: id, Code: code, At: d.Now, Facts: f, Repeat: told.Count}
	if told.Count > 0 {
		a.ID += "#" + strconv.Itoa(told.Count)
		// A reminder replaces one that no channel has taken yet.
		d.rec.Outbox = slices.DeleteFunc(d.rec.Outbox, func(n record.Notice) bool {
			return n.Alert.ID == id || strings.HasPrefix(n.Alert.ID, id+"#")
		})
	}
	told.Last, told.Count = d.Now, told.Count+1
	if d.rec.Told == nil {
		d.rec.Told = map[string]record.Told{}
	}
	d.rec.Told[id] = told
	d.plan.Alerts = append(d.plan.Alerts, a)

	channels := d.wanted(a)
	if len(channels) == 0 {
		return
	}
	n := record.Notice{Alert: a, Sent: map[string]record.Delivery{}}
	for _, name := range channels {
		// Claimed in the same save: the sending follows at once.
		n.Sent[name] = record.Delivery{Claimed: d.Invocation, Until: d.Deadline}
	}
	d.rec.Outbox = appendBounded(d.rec.Outbox, n, record.MaxOutbox)
}

func alertID(code alert.Code, subject string) string { return subject + "/" + string(code) }

// over forgets that an alert was told: should its cause come back, that is told
// as new.
func (d *draft) over(code alert.Code, subject string) {
	if subject == "" {
		subject = record.Name(d.Key)
	}
	delete(d.rec.Told, alertID(code, subject))
}

// digestSubject ties an alert to this very policy: another one is told anew.
func (d *draft) digestSubject() string {
	return record.Name(d.Key) + "@" + d.live.Digest.Short()
}

// facts is what every alert of this look may say.
func (d *draft) facts() alert.Facts {
	f := alert.Facts{Key: d.Key, State: d.verdict.State, SeenAt: d.Now, To: d.live.Digest}
	for _, r := range d.question.Needs {
		if r.Severity == core.Critical && r.Aspect == core.Access {
			f.Total++
		}
	}
	if d.Record.Snapshot != nil {
		f.Generation, f.From = d.Record.Snapshot.Generation, d.Record.Snapshot.Digest
	}
	return f
}

// lostFacts is what every alert about a loss may say.
func (d *draft) lostFacts(in *record.Incident) alert.Facts {
	f := d.facts()
	f.Incident, f.Who, f.Others = in.ID, in.Who, in.Others
	f.Lost, f.Never = d.verdict.Lost, d.verdict.Never
	f.Findings = findings(d.live.Findings, append(slices.Clone(f.Lost), f.Never...)...)
	f.LostAt = in.LostAt
	return f
}

// tellNever warns of what is configured and was never there: the exact
// fragment, ready for a person to add.
func (d *draft) tellNever() {
	if len(d.verdict.Never) == 0 {
		return
	}
	f := d.facts()
	f.Never = d.verdict.Never
	f.Findings = findings(d.live.Findings, f.Never...)
	f.Fragment = d.rules.Fragment(d.question, f.Never)
	d.tell(alert.NeverHad, d.digestSubject(), daily, f)
}

// tellExpiring warns of dates, since no event fires when they pass.
func (d *draft) tellExpiring() {
	if end := d.live.Ends; !end.IsZero() && end.Sub(d.Now) <= expiryAhead {
		f := d.facts()
		f.Until = end
		d.tell(alert.KeyExpiring, record.Name(d.Key)+"@"+end.UTC().Format("20060102T150405"), daily, f)
	}
	at := d.live.Expires
	if at.IsZero() || at.Sub(d.Now) > expiryAhead {
		return
	}
	then := d.question
	then.At = at.Add(time.Nanosecond)
	f := d.facts()
	f.Until = at
	f.Lost = Decide(d.rules.Judge(d.Live, then), &d.live).Lost
	f.Findings = findings(d.rules.Judge(d.Live, then).Findings, f.Lost...)
	d.tell(alert.Expiring, d.digestSubject(), daily, f)
}
