package azurekv

import (
	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// Judge answers one Finding for each of q.Needs, in that order. A document that
// decides and can't be read, or any that does not parse, makes every finding
// about access Undetermined and the digest empty. Requirements of Aspect Own are
// asked of q.Self and also decide Writable.
//
// p may hold some of the documents only: what is not there gives nothing and
// denies nothing, and is listed under Assumed; without its description the vault
// is taken for one that uses Azure RBAC. Several lists of role assignments add
// up; an assignment that does not reach the key or its vault gives nothing.
func Judge(p core.Policy, q core.Question) core.Judgement {
	j := core.Judgement{Findings: make([]core.Finding, len(q.Needs))}
	f, err := read(p, q.Key)
	if err != nil {
		return unread(p, q, err)
	}
	c := newCourt(&f, q)
	j.Digest = c.digest()
	c.tell(&j)
	for i, need := range q.Needs {
		j.Findings[i] = c.finding(need)
	}
	j.Writable = c.finding(c.writeRight()).Result
	j.Assumed = c.assumed(p)
	j.Expires = c.expires(j.Findings)
	return j
}

// tell sets what vault and key say by themselves.
func (c *court) tell(j *core.Judgement) {
	f := c.file
	j.Disabled, j.Deleting, j.Ends = f.unusable(), f.dying(), f.ends()
	if f.vault != nil && f.vault.marks(lastSegment(f.key)) {
		j.Revoked, j.Marker = true, f.vault.marker()
	}
}

// unread is the answer where something that decides can't be read or does not
// parse. What vault and key tell by themselves is told all the same: a state that
// stops Kafka, and the owner's mark.
func unread(p core.Policy, q core.Question, cause error) core.Judgement {
	j := core.Judgement{Findings: make([]core.Finding, len(q.Needs))}
	state := newFile(q.Key)
	for _, kind := range []core.Kind{core.Vault, core.VaultKey, core.VaultKeyVersions} {
		var found []core.Document
		for _, d := range p {
			if d.Kind == kind && state.about(d) {
				found = append(found, d)
			}
		}
		if len(found) != 1 || found[0].Unreadable != "" {
			continue // of two, nobody knows which is right
		}
		// What can't be added is not given: the finding says so.
		if err := state.add(found[0], wording.Lower(q.Key.Needs.Principal)); err != nil {
			continue
		}
	}
	c := &court{file: &state, key: q.Key, at: q.At, confluent: &brief{subject: subject{id: wording.Lower(q.Key.Needs.Principal)}}}
	c.tell(&j)
	for i, need := range q.Needs {
		j.Findings[i] = core.Finding{Requirement: need, Reason: wording.Abridge(cause.Error(), wording.Longest)}
		if need.Aspect == core.Property {
			if f := c.finding(need); f.Result != core.Undetermined {
				j.Findings[i] = f
			}
		}
	}
	j.Assumed = c.assumed(p)
	return j
}

// marker is the owner's mark as it stands on the vault.
func (v *vault) marker() string {
	out := revocationTag
	if v.Revoked != "" {
		out += "=" + wording.Abridge(v.Revoked, 80)
	}
	if v.Reason != "" {
		out += " (" + wording.Abridge(v.Reason, 256) + ")"
	}
	return out
}

// finding judges one requirement.
func (c *court) finding(need core.Requirement) core.Finding {
	f := core.Finding{Requirement: need}
	switch need.Aspect {
	case core.Property:
		f = c.file.property(need, c.key, c.at)
	case core.Access:
		c.access(&f)
	case core.Own:
		c.own(&f)
	default:
		f.Reason = "nothing is known of the aspect " + string(need.Aspect)
	}
	f.Reason, f.Remedy = wording.Abridge(f.Reason, wording.Longest), wording.Abridge(f.Remedy, wording.Longest)
	return f
}

// access answers for a permission of Confluent's service principal.
func (c *court) access(f *core.Finding) {
	switch b := c.confluent; {
	case b.subject.id == "":
		f.Reason = "Confluent's service principal is not known"
	case f.Principal != "" && wording.Lower(f.Principal) != b.subject.id:
		f.Reason = "nothing is known of the principal " + wording.Abridge(f.Principal, 120) + ": the key's is " + b.subject.id
	case c.file.deleted():
		f.Result, f.Reason, f.Remedy = core.Missing, "the vault is deleted, so nobody can use the key", recoverVault
		f.Evidence = c.file.vaultEvidence("vault deleted")
	default:
		a := confluentAsk(f.Permission)
		if !b.given && b.unread == "" && c.file.watched() && (c.file.rbac() || !a.data) {
			f.Reason = "what is assigned to " + b.called() + " was not read"
			return
		}
		c.settle(f, b, []ask{a})
	}
}
