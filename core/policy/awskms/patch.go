package awskms

import (
	"errors"
	"fmt"
	"slices"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

// bench is what a patch is built from.
type bench struct {
	q           core.Question
	live        core.Policy
	now, before policy // live and snapshot, parsed
	verbatim    string // the snapshot's own text
	was         map[core.Requirement]core.Finding
	lost        []core.Requirement
}

// patch is the live policy plus what Confluent lost, without the principals in
// leave. It works as a person would: give back or exempt, judge, go on with
// what is still missing, until a round changes nothing. Where there is nothing
// to give back it is the live text itself.
func (b bench) patch(leave []string) (string, []string, error) {
	d, left := clean(b.now)
	// A round carves a statement for somebody or gives one back, so that more
	// rounds than these would be a fault of ours.
	rounds := 1 + len(b.now.Statements)*len(configured(b.q.Key)) + 2*len(b.before.Statements)*len(b.q.Needs)
	for changed := false; rounds > 0; changed = true {
		rounds--
		text, err := d.text()
		if err != nil {
			return "", nil, err
		}
		j := Judge(b.with(text), b.q)
		lost := b.open(j, leave)
		if len(lost) == 0 && !changed {
			doc, _ := b.live.Find(core.KeyPolicy)
			return doc.Text, nil, nil
		}
		if !b.spare(&d, lost) && !b.giveBack(&d, lost, leave) && !b.copyBack(&d, b.wanted(j, lost, leave)) {
			return b.asBefore(d, text), left, nil
		}
	}
	return "", nil, errors.New("the patch does not settle")
}

func (b bench) with(text string) core.Policy { return withText(b.live, text) }

// open lists the findings of what was lost by the policy and is not met yet.
func (b bench) open(j core.Judgement, leave []string) []core.Finding {
	var out []core.Finding
	for _, f := range j.Findings {
		if f.Aspect == core.Access && f.Result != core.Met && slices.Contains(b.lost, f.Requirement) && !slices.Contains(leave, f.Principal) {
			out = append(out, f)
		}
	}
	return out
}

// asBefore returns the snapshot's own text where the draft has come to say the
// same and KMS would take it, so that a plain removal leaves no trace.
func (b bench) asBefore(d draft, text string) string {
	key := partition(b.q.Key.ID)
	if !fit(b.before) || len(b.verbatim) > maxPolicy || canonical(b.before, key) != canonical(d.policy(), key) {
		return text
	}
	return b.verbatim
}

// spare exempts Confluent from every Deny that stands in the way of what the
// snapshot had for certain; a Deny that names nobody but the principals that
// lost something goes.
func (b bench) spare(d *draft, open []core.Finding) bool {
	hit := map[int][]string{}
	for _, f := range open {
		if b.was[f.Requirement].Result != core.Met {
			continue
		}
		for _, e := range f.Evidence {
			if e.Statement < len(d.statements) && d.statements[e.Statement].Effect == "Deny" && !slices.Contains(hit[e.Statement], f.Principal) {
				hit[e.Statement] = append(hit[e.Statement], f.Principal)
			}
		}
	}
	changed := false
	kept := make([]statement, 0, len(d.statements))
	for i, s := range d.statements {
		if len(hit[i]) > 0 && s.namesOnly(hit[i]) {
			changed = true
			continue
		}
		s, carved := s.carve(hit[i])
		changed = changed || carved
		kept = append(kept, s)
	}
	d.statements = kept
	return changed
}

// giveBack puts the snapshot's own statements back where nothing else would come
// with them.
func (b bench) giveBack(d *draft, lost []core.Finding, leave []string) bool {
	changed := false
	for _, s := range b.before.Statements {
		s, some := s.without(func(id string) bool { return deadID(id) || slices.Contains(leave, id) })
		if s.Effect != "Allow" || !some || !b.helps(s, lost) || b.before.means(s) != d.policy().means(s) {
			continue
		}
		have := d.policy().allows()
		clauses := b.before.spread(s)
		if allWithin(clauses, have) {
			continue
		}
		if !slices.ContainsFunc(clauses, func(c clause) bool {
			return !c.withinAny(have) && !b.had(c)
		}) {
			b.place(d, s)
			changed = true
		}
	}
	return changed
}

func allWithin(clauses, wider []clause) bool {
	return !slices.ContainsFunc(clauses, func(c clause) bool { return !c.withinAny(wider) })
}

// helps says that a statement of the snapshot names a principal together with
// something that it lacks by these findings.
func (b bench) helps(s statement, findings []core.Finding) bool {
	for _, c := range b.before.spread(s) {
		for _, f := range findings {
			if c.who.text == whoAWS(f.Principal) && !c.who.except && !c.what.except && patternWithin(wording.Lower(f.Permission), c.what.text) {
				return true
			}
		}
	}
	return false
}

// had says that what a clause gives is for a configured principal, no more than
// Confluent asks for, and nothing that the snapshot is known to have denied.
func (b bench) had(c clause) bool {
	if c.who.except || c.what.except || !published(c.what.text) {
		return false
	}
	some := false
	for r, f := range b.was {
		if r.Aspect == core.Access && whoAWS(r.Principal) == c.who.text && patternWithin(wording.Lower(r.Permission), c.what.text) {
			if f.Result == core.Missing {
				return false
			}
			some = true
		}
	}
	return some
}

// published says that an action pattern lies within one that Confluent's own
// statements have.
func published(pattern string) bool {
	for _, s := range confluent.AWSStatements() {
		for _, a := range s.Actions {
			if patternWithin(pattern, wording.Lower(a)) {
				return true
			}
		}
	}
	return false
}

// place puts a statement of the snapshot back: over what is left of it, else
// behind the statement that it stood behind.
func (b bench) place(d *draft, s statement) {
	clauses := b.before.spread(s)
	for i, l := range d.statements {
		if l.Effect == "Allow" && l.Sid == s.Sid && !b.inSnapshot(l) && allWithin(d.policy().spread(l), clauses) {
			d.statements[i] = s
			return
		}
	}
	if s.Sid != "" && d.has(s.Sid) {
		s.Sid, s.raw = d.freshSid(), nil
	}
	d.statements = slices.Insert(d.statements, b.home(*d, s.index), s)
}

// home is where a statement of the snapshot belongs: behind the nearest of its
// predecessors that is still there, else before the nearest of its successors.
func (b bench) home(d draft, index int) int {
	find := func(s statement) int {
		return slices.IndexFunc(d.statements, func(l statement) bool {
			return b.same(l, s) || l.Sid != "" && l.Sid == s.Sid && l.Effect == s.Effect
		})
	}
	for _, s := range slices.Backward(b.before.Statements[:index]) {
		if i := find(s); i >= 0 {
			return i + 1
		}
	}
	for _, s := range b.before.Statements[index+1:] {
		if i := find(s); i >= 0 {
			return i
		}
	}
	return len(d.statements)
}

func (b bench) same(l, s statement) bool {
	key := partition(b.q.Key.ID)
	return l.Sid == s.Sid && l.canonical(key) == s.canonical(key)
}

func (b bench) inSnapshot(l statement) bool {
	return slices.ContainsFunc(b.before.Statements, func(s statement) bool { return b.same(l, s) })
}

func (d draft) has(sid string) bool {
	return slices.ContainsFunc(d.statements, func(s statement) bool { return s.Sid == sid })
}

// freshSid names a statement that we wrote. Sids are unique within a policy.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
func (d draft) freshSid() string {
	for n := 1; ; n++ {
		if sid := fmt.Sprintf("ByokwatchRestored%d", n); !d.has(sid) {
			return sid
		}
	}
}

// wanted lists, by principal, the permissions that are not met now and that the
// snapshot had, warnings included: they come back with what was lost.
func (b bench) wanted(j core.Judgement, lost []core.Finding, leave []string) map[string][]string {
	out := map[string][]string{}
	if len(lost) == 0 {
		return out
	}
	for _, f := range j.Findings {
		if f.Aspect == core.Access && f.Result != core.Met && b.was[f.Requirement].Result == core.Met && !slices.Contains(leave, f.Principal) {
			out[f.Principal] = append(out[f.Principal], f.Permission)
		}
	}
	return out
}

// copyBack adds a copy of each statement through which the snapshot gave
// something wanted, narrowed to that. The copy keeps the statement's
// conditions, an expiry among them: nothing comes back for longer or for more
// than it was given.
func (b bench) copyBack(d *draft, wanted map[string][]string) bool {
	changed := false
	for _, s := range b.before.Statements {
		if s.Effect != "Allow" || s.Resource == nil {
			continue
		}
		groups := map[string]*statement{}
		var order []string
		for _, principal := range configured(b.q.Key) {
			actions := b.through(s, principal, wanted[principal])
			if len(actions) == 0 {
				continue
			}
			if g := groups[listText(actions)]; g != nil {
				g.Principal.AWS = append(g.Principal.AWS, principal)
				continue
			}
			order = append(order, listText(actions))
			groups[listText(actions)] = &statement{Effect: "Allow", Principal: &principals{AWS: []string{principal}},
				Action: shorten(actions), Resource: s.Resource, Conditions: s.Conditions}
		}
		for _, o := range order {
			g := *groups[o]
			if b.before.means(g) != d.policy().means(g) || allWithin(d.policy().spread(g), d.policy().allows()) {
				continue
			}
			g.Sid = d.freshSid()
			d.statements = append(d.statements, g)
			changed = true
		}
	}
	return changed
}

// means is what a statement says when it stands in p: a text with ${…} turns
// on the policy's version.
func (p policy) means(s statement) string {
	return fmt.Sprint(p.spread(s))
}

// through lists which wanted permissions a principal had by a statement.
func (b bench) through(s statement, principal string, wanted []string) []string {
	var out []string
	for _, a := range wanted {
		for _, n := range b.q.Needs {
			if n.Principal == principal && n.Permission == a && slices.ContainsFunc(b.was[n].Evidence, func(e core.Evidence) bool { return e.Statement == s.index }) {
				out = appendNew(out, a)
			}
		}
	}
	return out
}

// shorten writes actions as Confluent does where that says the same of every
// action that Confluent needs: kms:ReEncrypt* for both halves.
func shorten(actions []string) []string {
	var out []string
	for _, s := range confluent.AWSStatements() {
		for _, pattern := range s.Actions {
			var matched []string
			for _, p := range confluent.AWSPermissions() {
				if patternWithin(wording.Lower(p.Name), wording.Lower(pattern)) {
					matched = append(matched, p.Name)
				}
			}
			if subset(matched, actions) {
				out = append(out, pattern)
				continue
			}
			for _, m := range matched {
				if slices.Contains(actions, m) {
					out = append(out, m)
				}
			}
		}
	}
	return out
}
