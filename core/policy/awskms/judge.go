package awskms

import (
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// revocationMarker begins the Sid of the statement by which an owner says, on
// the key itself, that Confluent shall have no access.
const revocationMarker = "ByokwatchRevoked"

// Judge answers one Finding for each of q.Needs, in that order. A policy that
// can't be read or does not parse makes every finding about it Undetermined,
// and the digest empty. Requirements of Aspect Own are asked of q.Self and also
// decide Writable.
func Judge(p core.Policy, q core.Question) core.Judgement {
	j := core.Judgement{Findings: make([]core.Finding, len(q.Needs)), Assumed: assumed(p)}
	if m, err := readMetadata(p); err == nil {
		j.Disabled, j.Deleting = m.nobodyCan(), m.deleting()
	}
	doc, err := policyDocument(p)
	var parsed policy
	if err == nil {
		parsed, err = parse(doc.Text)
	}
	for i, need := range q.Needs {
		j.Findings[i] = core.Finding{Requirement: need}
		switch {
		case need.Aspect == core.Property:
			j.Findings[i] = judgeProperty(need, p, q.Key.ID)
		case err != nil:
			j.Findings[i].Reason = wording.Abridge(err.Error(), wording.Longest)
		}
	}
	if err != nil {
		return j
	}
	j.Digest = digestOf(parsed, doc.ID, p)
	j.Marker = marker(parsed)
	j.Revoked = j.Marker != ""

	c := newCourt(parsed, doc, p, q)
	for i, need := range q.Needs {
		if need.Aspect != core.Property {
			f := c.finding(need)
			f.Reason, f.Remedy = wording.Abridge(f.Reason, wording.Longest), wording.Abridge(f.Remedy, wording.Longest)
			j.Findings[i] = f
		}
	}
	writable := core.Requirement{Aspect: core.Own, Permission: putKeyPolicy, Severity: core.Critical}
	j.Writable = c.finding(writable).Result
	if c.delegated {
		j.Assumed = append(j.Assumed, "the watchdog's own IAM policy allows what the key policy leaves to IAM")
	}
	j.Expires = c.expires(j.Findings)
	return j
}

// marker is the Sid of the revocation, the first in the alphabet if there are
// several, since their order means nothing. Whether the statement allows or
// denies is of no matter: it is a note to us.
func marker(p policy) string {
	found := ""
	for _, s := range p.Statements {
		if strings.HasPrefix(s.Sid, revocationMarker) && (found == "" || s.Sid < found) {
			found = s.Sid
		}
	}
	return found
}

// assumed lists what could only take access away and can't be seen.
func assumed(p core.Policy) []string {
	out := []string{
		"no Organizations resource control policy (RCP) denies it",
		"Confluent's own IAM policies and service control policies allow it",
		"the grants behind Confluent's block storage are in place",
	}
	if _, ok := p.Find(core.KeyMetadata); !ok {
		out = append(out, "the key is enabled")
	}
	return out
}

// court is one policy before its judge: what is prepared once for all
// requirements.
type court struct {
	policy
	setting
	doc        core.Document
	key        core.Key
	self       string
	rules      []rule
	evaluators map[string][]*evaluator // by Confluent principal: itself, then who acts for it
	own        []*evaluator            // of the watchdog
	delegated  bool                    // something of ours rests on the account's statement
}

func newCourt(parsed policy, doc core.Document, p core.Policy, q core.Question) *court {
	in := settingOf(p, q)
	rules := compile(parsed, in)
	if _, ok := dates(rules); !ok {
		blur(rules)
	}
	return &court{
		policy: parsed, setting: in, doc: doc, key: q.Key, self: q.Self,
		rules: rules, evaluators: map[string][]*evaluator{},
	}
}

// bench returns the evaluators for a principal: for a Confluent principal its
// own and that of the role which uses its grants.
func (c *court) bench(principal string) ([]*evaluator, error) {
	if bench, ok := c.evaluators[principal]; ok {
		return bench, nil
	}
	r, err := identify(principal, partition(c.keyARN))
	if err != nil {
		return nil, err
	}
	bench := []*evaluator{newEvaluator(c.rules, c.setting, r), newEvaluator(c.rules, c.setting, r.storage())}
	c.evaluators[principal] = bench
	return bench, nil
}

func (c *court) decide(bench []*evaluator, permission string) decision {
	action := wording.Lower(permission)
	if len(bench) > 1 && confluent.AWSGrantable(permission) {
		return bench[0].decide(action, bench[1:]...)
	}
	return bench[0].decide(action)
}

// finding judges one requirement on the policy.
func (c *court) finding(need core.Requirement) core.Finding {
	f := core.Finding{Requirement: need}
	switch need.Aspect {
	case core.Own:
		c.judgeOwn(&f)
	case core.Access:
		bench, err := c.bench(need.Principal)
		if err != nil {
			f.Reason = err.Error()
			return f
		}
		c.settle(&f, bench[0], c.decide(bench, need.Permission))
	default:
		f.Reason = "nothing is known of the aspect " + string(need.Aspect)
	}
	return f
}

// judgeOwn answers for a right of the watchdog. Policies and states of a key
// are written within its own account only.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html#cross-account-console
func (c *court) judgeOwn(f *core.Finding) {
	if c.self == "" {
		f.Reason = "the watchdog's own identity is not known"
		return
	}
	bench, err := c.benchOfSelf()
	switch {
	case err != nil:
		f.Reason = err.Error()
		return
	case c.setting.key.account != "" && bench[0].account != c.setting.key.account && f.Permission != describeKey:
		f.Result = core.Missing
		f.Reason = "the watchdog runs in account " + bench[0].account + ", and KMS takes " + f.Permission + " from the key's own account only"
		return
	}
	d := c.decide(bench, f.Permission)
	c.settle(f, bench[0], d)
	if f.Result == core.Met && !bench[0].direct(d) {
		c.delegated = true
	}
}

func (c *court) benchOfSelf() ([]*evaluator, error) {
	if c.own != nil {
		return c.own, nil
	}
	r, err := identify(c.self, partition(c.keyARN))
	if err != nil {
		return nil, err
	}
	r.kind = aSelf
	c.own = []*evaluator{newEvaluator(c.rules, c.setting, r)}
	return c.own, nil
}

// direct says that an allow names the requester itself, or everyone.
func (e *evaluator) direct(d decision) bool {
	for _, h := range d.allows {
		if h.match == truth.Yes {
			if n := e.closest(h.rule.Principal); n == asItself || n == asEveryone || h.rule.Principal == nil {
				return true
			}
		}
	}
	return false
}
