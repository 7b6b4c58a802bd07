package policytest_test

import (
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
)

// yesMan finds everything met whose document says yes, and the rest missing.
var yesMan = policytest.Suite{
	Documents: map[string]core.Kind{"policy.json": core.KeyPolicy},
	Sources:   []string{"https://docs.example.com/"},
	Needs: func(k core.Key, _, _ core.Policy) []core.Requirement {
		return []core.Requirement{{Aspect: core.Access, Principal: k.Needs.Roles[0], Permission: "kms:Decrypt", Severity: core.Critical}}
	},
	Judge: func(p core.Policy, q core.Question) core.Judgement {
		f := core.Finding{Requirement: q.Needs[0], Result: core.Missing, Reason: "it says no"}
		if len(p) == 1 && strings.Contains(p[0].Text, "yes") {
			f.Result, f.Reason = core.Met, "it says yes"
			f.Evidence = []core.Evidence{{Document: p[0].ID, Statement: 2, Start: 0, End: 1, Clause: "sha256:x"}}
		}
		return core.Judgement{Digest: "sha256:y", Findings: []core.Finding{f}}
	},
}

const head = "-- source --\nhttps://docs.example.com/a\n-- config --\nkey k\nrole r\n"

func TestACaseThatHoldsPasses(t *testing.T) {
	for name, text := range map[string]string{
		"a document of the file":       head + "-- policy.json --\nyes\n-- c/expect --\n* * met @2 ~ says yes\n",
		"a document of the case":       head + "-- policy.json --\nyes\n-- c/policy.json --\nno\n-- c/expect --\n* kms:* missing @\n",
		"a text that the case puts in": head + "-- policy.json --\n<<word>>\n-- c/word --\nyes\n-- c/expect --\nr kms:D* met\n",
		"an unreadable document":       head + "-- policy.json --\nyes\n-- c/policy.json.unreadable --\ndenied\n-- c/expect --\n* * missing\n",
		"the last line that fits":      head + "-- policy.json --\nyes\n-- c/expect --\n* * missing\n* kms:Decrypt met\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, o := range yesMan.Check([]byte(text)) {
				if o.Case != "c" || o.Err != nil {
					t.Errorf("%s: %v", o.Case, o.Err)
				}
			}
		})
	}
}

func TestACaseThatDoesNotHoldFails(t *testing.T) {
	yes := head + "-- policy.json --\nyes\n"
	for name, text := range map[string]string{
		"an unknown section":              yes + "-- polcy.json --\nno\n-- c/expect --\n* * met\n",
		"an unknown section of a case":    yes + "-- c/expct --\n* * met\n-- c/expect --\n* * met\n",
		"a section twice":                 yes + "-- c/expect --\n* * met\n-- c/expect --\n* * met\n",
		"no case":                         yes,
		"no source":                       "-- config --\nkey k\nrole r\n-- c/expect --\n* * missing\n",
		"a source that is our own":        strings.Replace(yes, "docs.example", "our.example", 1) + "-- c/expect --\n* * met\n",
		"an unknown word in config":       strings.Replace(yes, "role r", "role r\nrolle x", 1) + "-- c/expect --\n* * met\n",
		"another result":                  yes + "-- c/expect --\n* * missing\n",
		"an unknown result":               yes + "-- c/expect --\n* * fine\n",
		"other evidence":                  yes + "-- c/expect --\n* * met @1\n",
		"no evidence wanted":              yes + "-- c/expect --\n* * met @\n",
		"another reason":                  yes + "-- c/expect --\n* * met ~ says no\n",
		"nothing expected":                yes + "-- c/expect --\n\n",
		"a finding that nothing fits":     yes + "-- c/expect --\n* kms:Encrypt met\n",
		"a line that fits no finding":     yes + "-- c/expect --\n* * met\nself * met\n",
		"an expiry that does not come":    yes + "-- c/expect --\n* * met\nexpires 2026-01-01T00:00:00Z\n",
		"an end that does not come":       yes + "-- c/expect --\n* * met\nends 2026-01-01T00:00:00Z\n",
		"a revocation that is not there":  yes + "-- c/expect --\n* * met\nrevoked x\n",
		"a disabled key that is not":      yes + "-- c/expect --\n* * met\ndisabled\n",
		"unparsable that is not":          yes + "-- c/expect --\n* * met\nunparsable\n",
		"writable that is not":            yes + "-- c/expect --\n* * met\nwritable met\n",
		"an assumption that is not there": yes + "-- c/expect --\n* * met\nassumed the moon\n",
		"a Deny that is not Confluent's":  yes + "-- c/policy.json --\nno\n-- c/expect --\n* * missing confluent-only\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, o := range yesMan.Check([]byte(text)) {
				if o.Err != nil {
					return
				}
			}
			t.Error("passed")
		})
	}
}

func TestAJudgeThatContradictsItselfFails(t *testing.T) {
	text := head + "-- policy.json --\nyes\n-- c/expect --\n* * met\n"
	good := yesMan.Judge
	for name, spoil := range map[string]func(*core.Judgement){
		"no reason":                 func(j *core.Judgement) { j.Findings[0].Reason = "" },
		"no finding":                func(j *core.Judgement) { j.Findings = nil },
		"another requirement":       func(j *core.Judgement) { j.Findings[0].Permission = "kms:Sign" },
		"evidence out of bounds":    func(j *core.Judgement) { j.Findings[0].Evidence[0].End = 99 },
		"evidence without a digest": func(j *core.Judgement) { j.Findings[0].Evidence[0].Clause = "" },
	} {
		t.Run(name, func(t *testing.T) {
			suite := yesMan
			suite.Judge = func(p core.Policy, q core.Question) core.Judgement {
				j := good(p, q)
				spoil(&j)
				return j
			}
			if o := suite.Check([]byte(text)); o[0].Err == nil {
				t.Error("passed")
			}
		})
	}
}
