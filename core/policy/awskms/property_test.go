package awskms

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
)

// dealer deals policies from a seed.
type dealer struct{ *rand.Rand }

func dealerOf(seed uint64) dealer { return dealer{rand.New(rand.NewPCG(seed, 42))} }

func pick1[T any](d dealer, list ...T) T { return list[d.IntN(len(list))] }

func (d dealer) some(list []string) []string {
	out := []string{pick1(d, list...)}
	for d.IntN(2) == 0 {
		out = appendNew(out, pick1(d, list...))
	}
	return out
}

var (
	people  = []string{"arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/admin", watcher, kafka, storage, stranger, "152535741197", "AROADBQP57FF2AEXAMPLE", "*"}
	actions = []string{"kms:*", "kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant", "kms:List*", "kms:PutKeyPolicy", "KMS:decrypt", "*"}
	// onlookers are who a restore must not change anything for.
	onlookers = []string{stranger, "arn:aws:iam::111122223333:role/admin", watcher, "arn:aws:iam::152535741197:role/other", "arn:aws:iam::123456789876:role/aws-ec2", "arn:aws:iam::444455556666:role/x"}
)

func (d dealer) conditions() []condition {
	var out []condition
	for _, c := range []condition{
		{"StringNotEquals", "aws:PrincipalOrgID", []string{"o-a1b2c3d4e5"}},
		{"StringEquals", "aws:PrincipalOrgID", []string{"o-a1b2c3d4e5"}},
		{"ArnNotEquals", "aws:PrincipalArn", []string{"arn:aws:iam::111122223333:role/admin"}},
		{"arnNotLike", "AWS:principalarn", []string{"arn:aws:iam::444455556666:role/*", watcher}},
		{"ArnLike", "aws:PrincipalArn", []string{kafka, stranger}},
		{"StringNotEquals", "aws:PrincipalAccount", []string{"111122223333"}},
		{"Bool", "aws:SecureTransport", []string{"true"}},
		{"DateLessThan", "aws:CurrentTime", []string{"2027-01-01T00:00:00Z"}},
		{"IpAddress", "aws:SourceIp", []string{"192.0.2.0/24"}},
	} {
		if d.IntN(9) == 0 {
			out = append(out, c)
		}
	}
	return out
}

func (d dealer) statement(effect string) statement {
	s := statement{Effect: effect, Resource: []string{"*"}, Conditions: d.conditions(), Sid: pick1(d, "", "a", "b")}
	who := &principals{AWS: d.some(people)}
	if effect == "Deny" && d.IntN(4) == 0 {
		s.NotPrincipal = who
	} else {
		s.Principal = who
	}
	switch d.IntN(12) {
	case 0:
		s.NotAction = d.some(actions)
	case 1: // without Action
	default:
		s.Action = d.some(actions)
	}
	return s
}

// confluents are Confluent's statements, more or less as it publishes them.
func (d dealer) confluents() []statement {
	p, err := parse(policyText(useStatement, attachStatement))
	if err != nil {
		panic(err)
	}
	for i := range p.Statements {
		if d.IntN(4) == 0 {
			p.Statements[i].Principal.AWS = append(p.Statements[i].Principal.AWS, pick1(d, people...))
			p.Statements[i].raw = nil
		}
		if d.IntN(6) == 0 {
			p.Statements[i].Conditions, p.Statements[i].raw = d.conditions(), nil
		}
	}
	return p.Statements
}

// pair deals a snapshot, and what somebody made of it.
func (d dealer) pair(t testing.TB) (live, good core.Policy) {
	p, err := parse(policyText(rootStatement))
	if err != nil {
		t.Fatal(err)
	}
	before := draft{version: pick1(d, version2012, version2012, version2008, ""), statements: p.Statements}
	before.statements = append(before.statements, d.confluents()...)
	for range d.IntN(3) {
		before.statements = append(before.statements, d.statement(pick1(d, "Allow", "Allow", "Allow", "Deny")))
	}
	after := draft{version: before.version, statements: slices.Clone(before.statements)}
	for range 1 + d.IntN(4) {
		d.edit(&after)
	}
	texts := [2]string{}
	for i, dr := range []draft{after, before} {
		if texts[i], err = dr.text(); err != nil {
			t.Fatal(err)
		}
	}
	return key(texts[0]), key(texts[1])
}

// edit does what people do to policies.
func (d dealer) edit(dr *draft) {
	switch d.IntN(6) {
	case 0:
		dr.statements = append(dr.statements, d.statement("Deny"))
		return
	case 1:
		dr.statements = append(dr.statements, d.statement("Allow"))
		return
	}
	if len(dr.statements) < 2 {
		return
	}
	i := 1 + d.IntN(len(dr.statements)-1)
	s := dr.statements[i]
	s.raw = nil
	switch d.IntN(5) {
	case 0:
		dr.statements = slices.Delete(slices.Clone(dr.statements), i, i+1)
		return
	case 1:
		if s.Principal != nil {
			s.Principal = &principals{AWS: d.some(people)}
		}
	case 2:
		if s.Action != nil {
			s.Action = d.some(actions)
		}
	case 3:
		s.Conditions = d.conditions()
	case 4:
		d.Shuffle(len(dr.statements)-1, func(a, b int) {
			dr.statements[a+1], dr.statements[b+1] = dr.statements[b+1], dr.statements[a+1]
		})
		return
	}
	dr.statements[i] = s
}

// verdicts is what a policy says to every onlooker about every action.
func verdicts(t testing.TB, p core.Policy, q core.Question) map[string]string {
	parsed, err := parsed(p)
	if err != nil {
		t.Fatal(err)
	}
	in := settingOf(p, q)
	rules := compile(parsed, in)
	out := map[string]string{}
	for _, who := range onlookers {
		r, err := identify(who, "aws")
		if err != nil {
			t.Fatal(err)
		}
		e := newEvaluator(rules, in, r)
		for _, a := range []string{"kms:decrypt", "kms:encrypt", "kms:putkeypolicy", "kms:creategrant", "kms:listgrants", "kms:schedulekeydeletion"} {
			d := e.decide(a)
			deny := truth.No
			for _, h := range d.denies {
				deny = deny.Or(h.match)
			}
			out[who+" "+a] = fmt.Sprint(d.allowed, deny)
		}
	}
	return out
}

// checkPair checks every candidate for a pair: the guard lets it pass, it gives
// back and takes nothing, nobody else notices, and with a stranger in it the
// guard refuses it.
func checkPair(t testing.TB, seed uint64) int {
	d := dealerOf(seed)
	live, good := d.pair(t)
	q := asks(func(k *core.Key) { k.Restore = pick1(d, core.Patch, core.Patch, core.WholeSnapshot) })
	lost := lostBetween(live, good, q)
	if len(lost) == 0 {
		return 0
	}
	candidates, err := Candidates(live, good, q, lost)
	if err != nil {
		t.Fatalf("seed %d: %v\nlive %s\nsnapshot %s", seed, err, textOf(t, live), textOf(t, good))
	}
	for i, c := range candidates {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("seed %d, candidate %d (%s): %s\nlive %s\nsnapshot %s\nresult %s", seed, i, c.Name,
				fmt.Sprintf(format, args...), textOf(t, live), textOf(t, good), textOf(t, c.Result))
		}
		if err := Guard(live, good, c, q, true); err != nil {
			fail("%v", err)
		}
		b, err := newBench(live, good, q, lost)
		if err != nil {
			t.Fatal(err)
		}
		if !b.improves(Judge(live, q), Judge(c.Result, q)) {
			fail("does not improve anything")
		}
		if i == 0 {
			for _, f := range Judge(c.Result, q).Findings {
				if slices.Contains(lost, f.Requirement) && b.was[f.Requirement].Result == core.Met && f.Result != core.Met {
					fail("%s does not come back to %s: %s", f.Permission, f.Principal, f.Reason)
				}
			}
		}
		if c.Name == namePatch {
			was, is := verdicts(t, live, q), verdicts(t, c.Result, q)
			for what := range was {
				if was[what] != is[what] {
					fail("%s was %s and would be %s", what, was[what], is[what])
				}
			}
		}
		bad := tampered(t, c, func(dr *draft) {
			s := statement{Effect: "Allow", Principal: &principals{AWS: []string{"arn:aws:iam::777788889999:role/mallory"}},
				Action: d.some(actions), Resource: []string{"*"}, Conditions: d.conditions()}
			if i := d.IntN(len(dr.statements) + 1); i < len(dr.statements) && dr.statements[i].Effect == "Allow" && !slices.Contains(dr.statements[i].Principal.AWS, "*") {
				s = dr.statements[i]
				s.Principal = &principals{AWS: append(slices.Clone(s.Principal.AWS), "arn:aws:iam::777788889999:role/mallory")}
				s.raw = nil
				dr.statements[i] = s
				return
			}
			dr.statements = append(dr.statements, s)
		})
		// Where everybody is let in already, a name more gives nothing, and a
		// statement without Action gives nothing to anybody.
		if Guard(live, good, bad, q, true) == nil && gives(t, bad.Result, live, good) {
			fail("with a stranger it passes:\n%s", textOf(t, bad.Result))
		}
	}
	return len(candidates)
}

// gives says that a policy names mallory in an allow that nobody has now.
func gives(t testing.TB, p, live, good core.Policy) bool {
	var all [3]policy
	for i, x := range []core.Policy{p, live, good} {
		var err error
		if all[i], err = parsed(x); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range all[0].allows() {
		if strings.HasSuffix(c.who.text, "mallory") && !c.withinAny(all[1].allows()) && !c.withinAny(all[2].allows()) {
			return true
		}
	}
	return false
}

func TestEveryCandidatePassesTheGuardAndNobodyElseNotices(t *testing.T) {
	candidates := 0
	for seed := range uint64(700) {
		candidates += checkPair(t, seed)
		if t.Failed() {
			return
		}
	}
	if candidates < 300 {
		t.Errorf("only %d candidates in all: the dealer no longer breaks anything", candidates)
	}
}

func FuzzEveryCandidatePassesTheGuard(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(seed + 100000)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkPair(t, seed) })
}
