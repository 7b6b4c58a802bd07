package awskms

import (
	"fmt"
	"strconv"
	"strings"

	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// Reasons are for a person who is on call, tired, and has the policy open in
// another window. They are one clause without a full stop; statements count
// from 0, as in the evidence, the JSON and the paths of IAM Access Analyzer, and
// carry their Sid beside the number.

func (r *rule) label() string {
	n := "statement " + strconv.Itoa(r.index)
	if r.Sid != "" {
		n += " (" + strconv.Quote(wording.Abridge(r.Sid, 80)) + ")"
	}
	return n
}

func (e *evaluator) whyMet(given []hit) (reason, remedy string) {
	direct, account := "", ""
	for _, h := range given {
		switch n := e.closest(h.rule.Principal); {
		case h.rule.Principal == nil:
			direct = h.rule.label() + " allows it to everyone but those in its NotPrincipal"
		case n == asAccount && e.kind != anyOf:
			account = h.rule.label() + " allows it to the whole account " + e.account + ", not to this role by name"
		case direct == "" && n == asEveryone:
			direct = h.rule.label() + " allows it to everyone"
		case direct == "":
			direct = h.rule.label() + " allows it"
		}
	}
	if direct != "" || e.kind == aSelf {
		return direct + onlyIf(direct == "", account), ""
	}
	return account, "configure `principals` with arn:" + e.partition + ":iam::" + e.account + ":root, or name the role in the statement"
}

func onlyIf(b bool, s string) string {
	if b {
		return s
	}
	return ""
}

func (c *court) whyDenied(e *evaluator, denied []hit) (reason, remedy string) {
	h := denied[0]
	reason = h.rule.label() + " denies it" + toWhom(h) + phrases(h.rule.tests)
	if h.as.kind == aStorage {
		reason += ", and so to " + h.as.arn + ", through which Confluent's volumes use their grants"
	}
	if n := alsoIn(denied); n == 1 {
		reason += ", and another statement denies it too"
	} else if n > 1 {
		reason += fmt.Sprintf(", and %d other statements deny it too", n)
	}
	switch {
	case strings.HasPrefix(h.rule.Sid, revocationMarker):
		return reason + "; it is the owner's revocation", "byokwatch reinstate ends it"
	case c.onlyConfluent(h.rule):
		return reason + "; it names nobody but Confluent", "remove the statement, or, if it is meant, record it with byokwatch revoke"
	case h.rule.NotPrincipal != nil:
		return reason, `write "Principal": {"AWS": "*"} and spare those listed by ` + e.exemption()
	case e.kind == aSelf:
		return reason, "exempt the watchdog: " + e.exemption()
	}
	return reason, "exempt Confluent: " + e.exemption()
}

// alsoIn counts the statements of hits beside the first one's.
func alsoIn(hits []hit) int {
	seen := map[int]bool{}
	for _, h := range hits {
		seen[h.rule.index] = true
	}
	return len(seen) - 1
}

// toWhom says whom a Deny hits, where that is not simply everybody.
func toWhom(h hit) string {
	if h.rule.Principal == nil {
		return " to everyone but those in its NotPrincipal"
	}
	switch h.as.closest(h.rule.Principal) {
	case asItself:
		return " to this role"
	case asAccount:
		return " to the whole account " + h.as.account
	case other, asSession, asMember, asEveryone:
	}
	return ""
}

// exemption is the condition that takes Confluent out of a Deny.
func (e *evaluator) exemption() string {
	switch e.kind {
	case anyOf:
		return `"StringNotEquals": {"aws:PrincipalAccount": "` + e.account + `"}`
	case aSelf:
		return `"ArnNotEquals": {"aws:PrincipalArn": "` + e.arn + `"}`
	case aRole, aStorage:
	}
	return `"ArnNotLike": {"aws:PrincipalArn": ["` + e.arn + `", "` + confluent.AWSBlockStorageRole(e.partition, e.account) + `"]}`
}

// whyOpen tells what left a decision open.
func (c *court) whyOpen(e *evaluator, action string, open []hit) (reason, remedy string) {
	h := open[0]
	verb, cause := " allows it", ""
	if h.rule.deny {
		verb = " denies it"
	}
	asked := request{setting: c.setting, requester: h.as, action: action}
	var undecided []test
	for i := range h.rule.tests {
		if h.rule.tests[i].holds(asked) == truth.Unknown {
			undecided = append(undecided, h.rule.tests[i])
		}
	}
	switch {
	case len(undecided) > 0:
		cause = "whether " + h.rule.label() + verb + toStorage(h) + " can't be told from here: it turns on" + turnsOn(undecided)
	case h.rule.NotPrincipal != nil:
		cause = h.rule.label() + verb + " to everyone but those in its NotPrincipal, which would have to list role, account and session of " + h.as.arn + " alike"
	case h.as.matchPrincipal(h.rule.statement) == truth.Unknown:
		cause = h.rule.label() + verb + " only to some of those that Confluent may be: a session, or one principal of the account"
	case h.rule.resource == truth.Unknown:
		cause = "whether " + h.rule.label() + ", which" + verb + ", is about this key can't be told"
	default:
		cause = "what " + h.rule.label() + " means can't be told"
	}
	if n := alsoIn(open); n > 0 {
		cause += fmt.Sprintf(" (and %d more like it)", n)
	}
	if !h.rule.deny {
		return cause, "allow it to Confluent without a condition, as Confluent asks"
	}
	return cause, "exempt Confluent: " + e.exemption()
}

func toStorage(h hit) string {
	if h.as.kind == aStorage {
		return " to " + h.as.arn
	}
	return ""
}

func turnsOn(tests []test) string {
	var keys []string
	for _, t := range tests {
		keys = append(keys, t.Key+" ("+t.Operator+")")
	}
	return " " + strings.Join(keys, " and ")
}

// phrases says in words under which conditions a statement applies.
func phrases(tests []test) string {
	var b strings.Builder
	for i, t := range tests {
		if i > 0 {
			b.WriteString(" and")
		}
		b.WriteString(t.phrase())
	}
	return b.String()
}

func (t *test) phrase() string {
	values := shortList(t.Values)
	plain := t.op.family == stringFamily || t.op.family == arnFamily
	switch {
	case t.key == "aws:principalorgid" && plain && t.op.negated:
		return " outside " + values
	case t.key == "aws:principalorgid" && plain:
		return " within " + values
	case t.key == "aws:principalarn" && plain && t.op.negated:
		return " to everyone but " + values
	case t.op.family == dateFamily && t.timed() && (t.op.relation == greater || t.op.relation == greaterOrEqual):
		return " from " + values + " on"
	case t.op.family == dateFamily && t.timed() && (t.op.relation == less || t.op.relation == lessOrEqual):
		return " until " + values
	}
	return " where " + t.Key + " " + t.Operator + " " + values
}

// shortList shows two values of a list and counts the others.
func shortList(values []string) string {
	if len(values) == 0 {
		return "nothing"
	}
	var shown []string
	for _, v := range values[:min(2, len(values))] {
		shown = append(shown, wording.Abridge(v, 160))
	}
	if more := len(values) - 2; more > 0 {
		return strings.Join(shown, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(shown, ", ")
}

// whyNotAllowed looks for the Allow that came closest and says what keeps it
// from being one.
func (c *court) whyNotAllowed(e *evaluator, action, permission string) (near []hit, reason, remedy string) {
	best := miss{}
	for i := range c.rules {
		if c.rules[i].deny {
			continue
		}
		if m := c.miss(e, i, action, permission); m.rank > best.rank {
			best = m
		}
	}
	if best.rank == 0 {
		switch e.kind {
		case aSelf:
			return nil, "no statement allows it to the watchdog", "add a statement that allows it"
		case anyOf:
			return nil, "no statement allows it to this account", "add the statements that Confluent asks for"
		case aRole, aStorage:
		}
		return nil, "no statement allows it to this role", "add the statements that Confluent asks for"
	}
	return []hit{{best.rule, truth.No, e.requester}}, best.reason, best.remedy
}

// miss is an Allow that does not allow what is asked, and what it lacks. The
// higher the rank, the likelier it was meant to allow it.
type miss struct {
	rank           int
	rule           *rule
	reason, remedy string
}

func (c *court) miss(e *evaluator, i int, action, permission string) miss {
	r := &c.rules[i]
	who, what := e.by[i], r.matchAction(action)
	named := who == truth.Yes && e.closest(r.Principal) != asEveryone
	switch {
	case who == truth.Yes && r.Action == nil && r.NotAction == nil:
		return miss{5, r, r.label() + " has no Action and so has no effect", `give it an Action`}
	case who == truth.Yes && what == truth.Yes && r.Resource == nil && r.NotResource == nil:
		return miss{9, r, r.label() + " has no Resource and so has no effect", `write "Resource": "*"`}
	case who == truth.Yes && what == truth.Yes && r.resource == truth.No:
		return miss{8, r, r.label() + " allows it on " + shortList(r.Resource) + ", which is not this key", `write "Resource": "*"`}
	case who == truth.Yes && what == truth.Yes && !named:
		return miss{2, r, r.label() + " allows it to others, only" + phrases(e.failing(r, action)), "add a statement that allows it to Confluent"}
	case who == truth.Yes && what == truth.Yes:
		return miss{7, r, r.label() + " allows it only" + phrases(e.failing(r, action)), "allow it to Confluent without a condition, as Confluent asks"}
	case who == truth.No && what == truth.Yes && dead(r.Principal) != "":
		return miss{4, r, r.label() + " allows it to " + dead(r.Principal) + ", the ID of a role or user that no longer exists", "put " + e.arn + " in its place, once that role exists again"}
	case who == truth.No && what == truth.Yes && e.miscased(r.Principal) != "":
		return miss{4, r, r.label() + " allows it to " + e.miscased(r.Principal) + ", which differs in case", "write " + e.arn}
	case named && what == truth.No && r.lacksStar(action) != "":
		return miss{6, r, r.label() + " allows " + r.lacksStar(action) + " without the *", `write "` + r.lacksStar(action) + `*"`}
	case named && what == truth.No && r.Action != nil:
		return miss{3, r, r.label() + " allows other actions but not this one", `add "` + permission + `" to its Action`}
	case named && what == truth.No:
		return miss{3, r, r.label() + " allows everything but what its NotAction lists, and that includes this", `take "` + permission + `" out of its NotAction`}
	}
	return miss{}
}

// failing lists the conditions of a rule that a request does not meet.
func (e *evaluator) failing(r *rule, action string) []test {
	e.action = action
	var out []test
	for i := range r.tests {
		if r.tests[i].holds(e.request) == truth.No {
			out = append(out, r.tests[i])
		}
	}
	return out
}

// lacksStar returns the listed action that would give the one that is asked,
// had it the * that Confluent's own statements have at that place.
func (r *rule) lacksStar(action string) string {
	for i, listed := range r.Action {
		if strings.HasPrefix(action, r.action[i]) && r.action[i] != action && publishedWithStar(r.action[i]) {
			return listed
		}
	}
	return ""
}

func publishedWithStar(action string) bool {
	for _, s := range confluent.AWSStatements() {
		for _, published := range s.Actions {
			if wording.Lower(published) == action+"*" {
				return true
			}
		}
	}
	return false
}

func dead(p *principals) string {
	if p != nil {
		for _, entry := range p.AWS {
			if deadID(entry) {
				return entry
			}
		}
	}
	return ""
}

func (e *evaluator) miscased(p *principals) string {
	if p != nil {
		for _, entry := range p.AWS {
			if entry != e.arn && strings.EqualFold(entry, e.arn) {
				return entry
			}
		}
	}
	return ""
}
