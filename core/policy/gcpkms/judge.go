package gcpkms

import (
	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// revocationLabel is the label by which an owner says, on the key itself, that
// Confluent shall have no access.
const revocationLabel = "byokwatch-revoked"

// Judge answers one Finding for each of q.Needs, in that order. A document of
// the key itself that can't be read, or any that does not parse, makes every
// finding about access Undetermined and the digest empty. Requirements of
// Aspect Own are asked of q.Self and also decide Writable.
//
// p may hold some of the documents only: what is not there gives nothing and
// denies nothing, and is listed under Assumed. Several IAM policies add up; one
// without an ID, or with one that begins with [FromFile], counts as reaching the key;
// one of a resource that is not above the key is ignored.
func Judge(p core.Policy, q core.Question) core.Judgement {
	j := core.Judgement{Findings: make([]core.Finding, len(q.Needs))}
	f, err := read(p, q.Key.ID)
	if err != nil {
		return unread(p, q, err)
	}
	c := newCourt(f, q)
	j.Disabled, j.Deleting = f.unusable(), f.dying()
	if f.key != nil && f.key.marked {
		j.Revoked, j.Marker = true, marker(f.key.marker)
	}
	j.Digest = c.digest()
	for i, need := range q.Needs {
		j.Findings[i] = c.finding(need)
	}
	j.Writable = c.finding(core.Requirement{Aspect: core.Own, Permission: rightSetPolicy, Severity: core.Critical}).Result
	j.Assumed = c.assumed(p)
	j.Expires = c.expires(j.Findings)
	return j
}

// unread is the answer where something that decides can't be read or does not
// parse. What the key's own documents tell is told all the same: a state that
// stops Kafka, and the owner's mark.
func unread(p core.Policy, q core.Question, cause error) core.Judgement {
	j := core.Judgement{Findings: make([]core.Finding, len(q.Needs))}
	var state file
	for _, d := range p {
		if (d.Kind == core.CryptoKey || d.Kind == core.CryptoKeyVersions) && d.Unreadable == "" {
			// What can't be added is not given: the finding says so.
			if err := state.add(d, q.Key.ID); err != nil {
				continue
			}
		}
	}
	j.Disabled, j.Deleting = state.unusable(), state.dying()
	if state.key != nil && state.key.marked {
		j.Revoked, j.Marker = true, marker(state.key.marker)
	}
	for i, need := range q.Needs {
		j.Findings[i] = core.Finding{Requirement: need, Reason: wording.Abridge(cause.Error(), longest)}
		if need.Aspect == core.Property {
			if f := state.property(need); f.Result != core.Undetermined {
				j.Findings[i] = f
			}
		}
	}
	c := &court{file: state, key: q.Key}
	j.Assumed = c.assumed(p)
	return j
}

// marker is the owner's mark as it stands on the key.
func marker(value string) string {
	if value == "" {
		return revocationLabel
	}
	return revocationLabel + "=" + wording.Abridge(value, 80)
}

// finding judges one requirement.
func (c *court) finding(need core.Requirement) core.Finding {
	f := core.Finding{Requirement: need}
	switch need.Aspect {
	case core.Property:
		f = c.file.property(need)
	case core.Access:
		if need.Principal != "" && need.Principal != c.group.member() {
			f.Reason = "nothing is known of the principal " + wording.Abridge(need.Principal, 120) + ": the key's group is " + c.group.member()
			return f
		}
		c.settle(&f, c.brief(c.group))
	case core.Own:
		c.own(&f)
	default:
		f.Reason = "nothing is known of the aspect " + string(need.Aspect)
	}
	f.Reason, f.Remedy = wording.Abridge(f.Reason, longest), wording.Abridge(f.Remedy, longest)
	return f
}

// own answers for a right of the watchdog. It is usually given above the key,
// where not everything can be read: only a deny that is certain, or nothing
// found up to the organisation, makes it missing.
func (c *court) own(f *core.Finding) {
	if c.self.address == "" {
		f.Reason = "the watchdog's own identity is not known"
		return
	}
	c.settle(f, c.brief(c.self))
	if f.Result == core.Missing && len(c.denials(f)) == 0 && !c.complete() {
		f.Result, f.Evidence = core.Undetermined, nil
		f.Reason, f.Remedy = "nothing that was read gives it to "+c.self.member()+"; it may come from above", ""
		c.above = true
	}
}

// denials are the deny rules that a finding turns on.
func (c *court) denials(f *core.Finding) []core.Evidence {
	var out []core.Evidence
	for _, e := range f.Evidence {
		if e.Kind == core.DenyPolicies {
			out = append(out, e)
		}
	}
	return out
}

// complete says that every level up to an organisation was read.
func (c *court) complete() bool { return len(c.file.blind) == 0 && c.topRead() }
