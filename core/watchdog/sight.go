package watchdog

import (
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// Sight is everything that planning may look at: one key at one moment.
type Sight struct {
	Key        core.Key
	Self       string
	Invocation string
	Now        time.Time
	Deadline   time.Time     // until when this invocation may act
	Settle     time.Duration // how long a write may stay invisible
	Since      time.Time     // when this invocation first looked at the key
	Changes    []core.Change // what asked for this look
	Live       core.Policy
	Record     record.Record
	Version    string // of the record; "" when there is none
	Requests   record.Requests
	Signed     bool // snapshots are verified by signature
	Gone       bool // the record is gone or forged while kept snapshots exist
	Refused    int  // kept or recorded snapshots that were refused
	// Tried are the candidates that this invocation tried in vain, with why.
	Tried []Trial

	// Wrote says that this invocation has written; a step is not repeated
	// because a read still looks broken. Unconfirmed, that too few reads agreed
	// with what was written.
	Wrote, Unconfirmed bool
	// Merged says that Record holds what the stored one lacks, and must be saved.
	Merged bool
	// Planted says that so many kept snapshots are forged that the newest valid
	// one could not be looked for.
	Planted bool
	// Neighbours are our writes for other keys of the same vault: their events
	// reach this key as well.
	Neighbours []record.Write
	// Unaccounted says that the record of such a key could not be read.
	Unaccounted bool
	// Barred names a key of the same vault that is revoked, and that Confluent
	// reaches by the same principal.
	Barred string
	// Failed is why a step failed in a way that leaves open whether it was done.
	Failed string

	rules  Rules
	wanted func(alert.Alert) []string // the channels that take an alert
}

// Trial is a candidate that the cloud refused.
type Trial struct {
	Candidate string
	Denied    bool // our identity lacks the right, as opposed to a refused policy
	Why       string
}

// view is a Sight with its judgements: made once, read by all of planning.
type view struct {
	Sight
	question core.Question
	live     core.Judgement
	good     *core.Judgement // nil without a snapshot
	goodDocs core.Policy
	verdict  core.Verdict
	same     bool // live equals the snapshot
	trimmed  core.Policy
}

func judge(s Sight) view {
	v := view{Sight: s}
	if s.Record.Snapshot != nil {
		v.goodDocs = s.Record.Snapshot.Policy
	}
	v.question = core.Question{
		Key: s.Key, Self: s.Self, At: s.Now,
		Needs: s.rules.Needs(s.Key, s.Live, v.goodDocs),
	}
	v.live = s.rules.Judge(s.Live, v.question)
	v.trimmed = s.rules.Trim(s.Live, v.question)
	if s.Record.Snapshot != nil {
		good := s.rules.Judge(v.goodDocs, v.question)
		v.good = &good
		v.same = good.Digest != "" && good.Digest == v.live.Digest || slices.Equal(v.trimmed, v.goodDocs)
	}
	v.verdict = Decide(v.live, v.good)
	return v
}

// shown digests the documents that an event carries.
func (v view) shown(c core.Change) core.Digest {
	if len(c.Copy) == 0 {
		return ""
	}
	return v.rules.Judge(core.Policy(c.Copy), v.question).Digest
}

// part digests only some documents, so that it compares with what shown says
// of an event.
func (v view) part(p core.Policy, refs []core.Ref) core.Digest {
	var docs core.Policy
	for _, d := range p {
		if slices.Contains(refs, d.Ref()) {
			docs = append(docs, d)
		}
	}
	if len(docs) == 0 {
		return ""
	}
	return v.rules.Judge(docs, v.question).Digest
}

func refs(docs []core.Document) []core.Ref {
	var out []core.Ref
	for _, d := range docs {
		out = append(out, d.Ref())
	}
	return out
}

// changed lists the documents of to that are not, to the byte, in from.
func changed(from, to core.Policy) []core.Document {
	var out []core.Document
	for _, d := range to {
		if !slices.Contains(from, d) {
			out = append(out, d)
		}
	}
	return out
}

// hold is the hold in force, if any.
func (v view) hold() *record.Hold {
	h := v.Requests.Hold
	if h == nil || h.Released || !v.Now.Before(h.Until) {
		return nil
	}
	return h
}

// released says that somebody ordered the watchdog to go on, after t.
func (v view) released(t time.Time) bool {
	h := v.Requests.Hold
	return h != nil && h.Released && h.At.After(t)
}
