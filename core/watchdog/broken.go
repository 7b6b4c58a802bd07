package watchdog

import (
	"slices"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// broken: something that the snapshot had is missing, nobody revoked it, and we
// have our rights. Every reason to leave the key alone comes before restore.
func (d *draft) broken() {
	in := d.openLost()
	d.adoptWrite(in)
	hold := d.hold()
	if hold != nil {
		in.Held = true
	}
	switch {
	case d.Wrote && len(d.rec.Restores) > 0:
		d.afterWrite(in)
	case d.Failed != "":
		in.Tried = []string{d.Failed}
		if in.Intent != nil {
			in.Intent.Deadline = d.Now // others may try; but if it was done after all, it was ours
		}
		d.cannotRestore(in)
	case in.Phase == record.Restored && d.live.Digest == d.rec.Restores[len(d.rec.Restores)-1].To:
		d.afterWrite(in) // a crash kept it from being told
	case hold != nil:
		d.wouldRestore(in, hold)
	case d.Barred != "" && slices.ContainsFunc(d.verdict.Lost, func(r core.Requirement) bool { return r.Aspect == core.Access }):
		d.barred(in)
	case d.keyDown(in):
	case d.asks(in):
	case d.Key.Mode != core.Enforce:
		d.wouldRestore(in, nil)
	case d.holdJustEnded(in):
	case d.unsettled(in):
	case d.contested(in):
	case d.Now.Before(in.Retry) && len(d.Tried) == 0:
		d.cannotRestore(in)
	default:
		d.restore(in)
	}
	d.notRecovered(in)
}

// barred: to give this key back would give back one that its owner revoked.
func (d *draft) barred(in *record.Incident) {
	f := d.lostFacts(in)
	f.Detail = d.Barred + " of the same vault is revoked, and Confluent reaches both by the same service principal: what is given back here would be given back there. Have Confluent use one for each key, or put access back by hand"
	d.set(AlertOnly, "a key of the same vault is revoked, which shares Confluent's principal")
	d.tell(alert.CannotRestore, in.ID, every30, f)
}

// keyDown: a key that nobody can use pages until it is enabled or somebody says
// hold or revoke; its policy is left alone. A deletion is never cancelled.
func (d *draft) keyDown(in *record.Incident) bool {
	code := alert.KeyDisabled
	switch {
	case d.live.Deleting:
		code = alert.KeyDeleting
	case !d.live.Disabled || d.Key.KeyState == core.CareRestore && d.Key.Mode == core.Enforce:
		return false
	}
	f := d.lostFacts(in)
	f.Commands = d.rules.Unlock(d.Live, d.question, d.verdict.Lost)
	d.set(AlertOnly, "the key itself can't be used; that is for a person to change")
	d.tell(code, in.ID, every30, f)
	return true
}

// asks: nobody writes a Deny that names only Confluent by mistake, so people
// are asked before it is answered.
func (d *draft) asks(in *record.Incident) bool {
	if !d.deniesOnlyConfluent() {
		return false
	}
	if in.Asked.IsZero() {
		in.Asked = d.Now
	}
	until := in.Asked.Add(askFor)
	if !d.Now.Before(until) || d.released(in.Asked) {
		return false
	}
	f := d.lostFacts(in)
	f.Until, f.Commands = until, d.rules.Unlock(d.Live, d.question, d.verdict.Lost)
	d.wait(until, false, "a new Deny names nobody but Confluent; waiting for `revoke` or `release`")
	d.tell(alert.OnlyConfluent, in.ID, every30, f)
	return true
}

// deniesOnlyConfluent finds such a Deny among what decided the loss, unless the
// snapshot has the same.
func (d *draft) deniesOnlyConfluent() bool {
	old := map[core.Digest]bool{}
	for _, f := range d.good.Findings {
		for _, e := range f.Evidence {
			old[e.Clause] = true
		}
	}
	for _, f := range findings(d.live.Findings, d.verdict.Lost...) {
		if slices.ContainsFunc(f.Evidence, func(e core.Evidence) bool { return e.ConfluentOnly && !old[e.Clause] }) {
			return true
		}
	}
	return false
}

// holdJustEnded gives people half an hour to say what they meant by a loss that
// came during their own maintenance.
func (d *draft) holdJustEnded(in *record.Incident) bool {
	h := d.Requests.Hold
	if h == nil || h.Released || !in.Held {
		return false
	}
	until := h.Until.Add(askFor)
	if !d.Now.Before(until) {
		return false
	}
	f := d.lostFacts(in)
	f.Until, f.By, f.Detail = until, h.By, h.Reason
	d.wait(until, false, "a hold ended over a broken key; waiting for `revoke` or `release`")
	d.tell(alert.HoldEndedBad, in.ID, every30, f)
	return true
}

// unsettled: we wrote a moment ago, and what we read is exactly what we wrote
// over. That is a late read, unless an event tells of a newer write.
func (d *draft) unsettled(in *record.Incident) bool {
	if in.Phase != record.Restored || len(d.rec.Restores) == 0 {
		return false
	}
	last := d.rec.Restores[len(d.rec.Restores)-1]
	if last.From != d.live.Digest || d.Now.Sub(last.At) > d.Settle || d.changedSince(last.At) {
		return false
	}
	d.wait(last.At.Add(d.Settle), false, "restored, not yet visible")
	return true
}

// changedSince says that an event told of somebody else's write after t.
func (d *draft) changedSince(t time.Time) bool {
	return slices.ContainsFunc(d.rec.Seen, func(s record.Sighting) bool {
		return s.Actor.ID != d.Self && s.At.After(t)
	})
}

// contested: somebody keeps re-applying the loss. We never fight an owner at
// his machine's speed.
func (d *draft) contested(in *record.Incident) bool {
	var recent int
	var last time.Time
	for _, r := range d.rec.Restores {
		if d.Now.Sub(r.At) < contestWindow {
			recent, last = recent+1, r.At
		}
	}
	if recent <= contestMax {
		return false
	}
	f := d.lostFacts(in)
	f.Until = last.Add(contestPause)
	d.tell(alert.Contested, in.ID, every30, f)
	if !d.Now.Before(f.Until) {
		return false
	}
	d.wait(f.Until, false, "contested: somebody keeps re-applying the loss")
	d.excused = false // what comes back will be taken away again
	return true
}

// wouldRestore says what mode observe, or a hold, keeps us from doing.
func (d *draft) wouldRestore(in *record.Incident, hold *record.Hold) {
	f := d.lostFacts(in)
	why, again, subject := "mode observe", every30, in.ID
	if hold != nil {
		// Maintenance is told once: its end is announced, and alerted if it
		// ends badly.
		why, again, d.excused = "a hold is in force", once, true
		f.By, f.Until, f.Detail = hold.By, hold.Until, hold.Reason
		subject += "@" + hold.At.UTC().Format("20060102T150405")
	}
	if c, _, _ := d.candidate(); c != nil {
		d.plan.Candidate = c
		f.Candidate, f.Left = c.Name, c.Left
		f.Done = d.rules.Diff(d.Live, c.Result)
		for _, s := range c.Steps {
			f.Commands = append(f.Commands, s.Command)
		}
	}
	f.Fragment = d.rules.Fragment(d.question, d.verdict.Lost)
	d.set(AlertOnly, "would have restored: "+why)
	d.tell(alert.Observed, subject, again, f)
}

// restore plans the write: the record says what we are about to do before we
// do it.
func (d *draft) restore(in *record.Incident) {
	c, refused, err := d.candidate()
	switch {
	case err != nil:
		f := d.lostFacts(in)
		f.Detail = err.Error()
		f.Fragment = d.rules.Fragment(d.question, d.verdict.Lost)
		d.set(AlertOnly, "no write: "+err.Error())
		in.Phase = record.Unrestored
		d.tell(alert.GuardRefused, in.ID, every30, f)
		return
	case c == nil:
		in.Tried = append(in.Tried[:0:0], refused...)
		in.Phase, in.Intent, in.Retry = record.Unrestored, nil, d.Now.Add(retryPause)
		d.cannotRestore(in)
		return
	}
	if from := in.Since.Add(c.After); d.Now.Before(from) {
		d.wait(from, false, "the loss may be half of a replacement")
		return
	}
	in.Phase, in.Replaced = record.Restoring, d.Live
	in.Candidate, in.Left = c.Name, c.Left
	in.Intent = &record.Intent{
		Invocation: d.Invocation, At: d.Now, Deadline: d.Deadline,
		From: d.live.Digest, To: d.rules.Judge(c.Result, d.question).Digest, Candidate: c.Name,
	}
	d.rec.Writes = appendBounded(d.rec.Writes, d.write(in, c), record.MaxRestores)
	d.set(Restore, "Confluent lost what the snapshot gave it")
	d.plan.Candidate = c
}

// write is what an event of a candidate's steps will be known by.
func (d *draft) write(in *record.Incident, c *core.Candidate) record.Write {
	w := record.Write{At: d.Now, Until: d.Deadline, Incident: in.ID}
	for _, s := range c.Steps {
		w.Ops = append(w.Ops, s.Op)
	}
	for _, doc := range changed(d.Live, c.Result) {
		ref := []core.Ref{doc.Ref()}
		w.Docs = append(w.Docs, record.Wrote{Ref: doc.Ref(), From: d.part(d.Live, ref), To: d.part(c.Result, ref)})
	}
	return w
}

// candidate returns the first way back that may be written. refused says why
// the others may not. An error is the write guard's: then nothing is written.
func (d *draft) candidate() (*core.Candidate, []string, error) {
	var refused []string
	for _, t := range d.Tried {
		refused = append(refused, t.Candidate+": "+t.Why)
	}
	all, err := d.rules.Candidates(d.Live, d.goodDocs, d.question, d.verdict.Lost)
	if err != nil {
		return nil, append(refused, err.Error()), nil
	}
	for _, c := range all {
		if slices.ContainsFunc(d.Tried, func(t Trial) bool { return t.Candidate == c.Name }) {
			continue
		}
		result := d.rules.Judge(c.Result, d.question)
		if !gains(d.verdict.Lost, *d.good, result) || worse(d.live, result) || result.Writable == core.Missing {
			refused = append(refused, c.Name+": it would not help, or would take something else away")
			continue
		}
		if err := d.rules.Guard(d.Live, d.goodDocs, c, d.question, d.Signed); err != nil {
			return nil, nil, err
		}
		return &c, refused, nil
	}
	return nil, refused, nil
}

// cannotRestore pages with what a person has to do.
func (d *draft) cannotRestore(in *record.Incident) {
	code := alert.CannotRestore
	in.Denied = in.Denied || slices.ContainsFunc(d.Tried, func(t Trial) bool { return t.Denied })
	if in.Denied {
		code = alert.LockedOut
	}
	f := d.lostFacts(in)
	f.Left = in.Tried
	f.Fragment = d.rules.Fragment(d.question, d.verdict.Lost)
	f.Commands = d.rules.Unlock(d.Live, d.question, d.verdict.Lost)
	d.set(AlertOnly, "nothing that may be written brings it back")
	d.tell(code, in.ID, every30, f)
}

// afterWrite: this invocation has written, and something is still missing.
func (d *draft) afterWrite(in *record.Incident) {
	last := d.rec.Restores[len(d.rec.Restores)-1]
	f := d.incidentFacts(in)
	f.Lost, f.Findings = d.verdict.Lost, findings(d.live.Findings, d.verdict.Lost...)
	if d.live.Digest == last.From || d.live.Digest == "" {
		d.set(AlertOnly, "restored, not yet confirmed")
		d.excused = true // as a later look is, while the write settles
		d.tell(alert.RestoredUnsure, d.restoreSubject(in), once, f)
		return
	}
	if d.live.Digest != last.To {
		// Somebody else wrote after us: his event brings its own look.
		d.set(AlertOnly, "restored, and changed again since")
		d.tell(alert.RestoredUnsure, d.restoreSubject(in), once, f)
		return
	}
	d.set(AlertOnly, "restored in part")
	d.restoredPartly(in)
}

// restoredPartly tells what came back and what did not.
func (d *draft) restoredPartly(in *record.Incident) {
	in.Phase = record.Partial
	missing := slices.Clone(d.verdict.Lost)
	for _, f := range d.verdict.Doubt {
		missing = append(missing, f.Requirement)
	}
	f := d.incidentFacts(in)
	f.Lost, f.Findings = missing, findings(d.live.Findings, missing...)
	f.Done = d.rules.Diff(in.Replaced, d.Live)
	f.Fragment = d.rules.Fragment(d.question, missing)
	f.Commands = d.rules.Unlock(d.Live, d.question, missing)
	d.tell(alert.RestoredPartly, d.restoreSubject(in), once, f)
}

// notRecovered escalates when the watch ends over a key that is still broken.
func (d *draft) notRecovered(in *record.Incident) {
	if in.Watch.IsZero() || d.Now.Before(in.Watch) {
		return
	}
	f := d.lostFacts(in)
	f.Restored, f.Watch = in.Restored, in.Watch
	d.tell(alert.NotRecovered, in.ID, every30, f)
}
