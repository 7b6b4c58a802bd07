package awskms

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
)

// The parts that the tests' policies are made of.
const (
	rootStatement    = `{"Sid": "root", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}`
	useStatement     = `{"Sid": "use", "Effect": "Allow", "Principal": {"AWS": ["` + kafka + `", "` + storage + `"]}, "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"], "Resource": "*"}`
	attachStatement  = `{"Sid": "attach", "Effect": "Allow", "Principal": {"AWS": ["` + kafka + `", "` + storage + `"]}, "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"], "Resource": "*"}`
	auditStatement   = `{"Sid": "audit", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:role/audit", "AIDACKCEVSQ6C2EXAMPLE"]}, "Action": "kms:List*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}`
	perimeterDeny    = `{"Sid": "perimeter", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}`
	onlyUsDeny       = `{"Sid": "only us", "Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:root", "AROADBQP57FF2AEXAMPLE"]}, "Action": "kms:Decrypt", "Resource": "*"}`
	namedDeny        = `{"Sid": "named", "Effect": "Deny", "Principal": {"AWS": ["` + kafka + `"]}, "Action": "kms:*", "Resource": "*"}`
	strangersDeny    = `{"Sid": "strangers", "Effect": "Deny", "Principal": {"AWS": ["` + stranger + `", "` + kafka + `"]}, "Action": "kms:*", "Resource": "*"}`
	deletionDeny     = `{"Sid": "deletion", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:ScheduleKeyDeletion", "Resource": "*"}`
	nobodysDeny      = `{"Effect": "Deny", "Principal": {}, "Action": "kms:*", "Resource": "*"}`
	revokedStatement = `{"Sid": "ByokwatchRevoked", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "` + kafka + `"}}}`
)

func policyText(statements ...string) string {
	return `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ", ") + `]}`
}

// snapshotText says that Confluent had all, and that nobody may delete the key.
func snapshotText() string {
	return policyText(rootStatement, useStatement, attachStatement, auditStatement, deletionDeny)
}

// liveText says that Confluent's statements are gone and that four Denies hit it.
func liveText() string {
	return policyText(rootStatement, auditStatement, perimeterDeny, onlyUsDeny, namedDeny, strangersDeny, deletionDeny)
}

func best(t testing.TB, live, good core.Policy, q core.Question) core.Candidate {
	t.Helper()
	candidates, err := Candidates(live, good, q, lostBetween(live, good, q))
	if err != nil || len(candidates) == 0 {
		t.Fatalf("no candidates: %v", err)
	}
	return candidates[0]
}

// tampered is the candidate with its policy edited, in all places alike.
func tampered(t testing.TB, c core.Candidate, edit func(*draft)) core.Candidate {
	t.Helper()
	p, err := parse(textOf(t, c.Result))
	if err != nil {
		t.Fatal(err)
	}
	d := draftOf(p)
	edit(&d)
	text, err := d.text()
	if err != nil {
		t.Fatal(err)
	}
	return withPolicy(t, c, text)
}

func withPolicy(t testing.TB, c core.Candidate, text string) core.Candidate {
	t.Helper()
	s, err := putStep(theKey, text)
	if err != nil {
		t.Fatal(err)
	}
	c.Result = withText(c.Result, text)
	c.Steps = []core.Step{s}
	return c
}

// sid edits the statement of that Sid, as if nothing else were known of it.
func sid(name string, edit func(*statement)) func(*draft) {
	return func(d *draft) {
		for i := range d.statements {
			if d.statements[i].Sid == name {
				d.statements[i].raw = nil
				edit(&d.statements[i])
			}
		}
	}
}

func without(name string) func(*draft) {
	return func(d *draft) {
		d.statements = slices.DeleteFunc(d.statements, func(s statement) bool { return s.Sid == name })
	}
}

func adding(text string) func(*draft) {
	return func(d *draft) {
		p, err := parse(policyText(text))
		if err != nil {
			panic(err)
		}
		d.statements = append(d.statements, p.Statements...)
	}
}

func TestGuardRefusesPoliciesThatGiveOrTakeAnythingElse(t *testing.T) {
	live, good, q := key(liveText()), key(snapshotText()), asks()
	c := best(t, live, good, q)
	if err := Guard(live, good, c, q, false); err != nil {
		t.Fatalf("the candidate as it is: %v", err)
	}
	set := func(list *[]string, values ...string) { *list = values }
	for name, edit := range map[string]func(*draft){
		"a stranger joins Confluent's statement":        sid("use", func(s *statement) { s.Principal.AWS = append(s.Principal.AWS, stranger) }),
		"a stranger takes a role's place":               sid("use", func(s *statement) { s.Principal.AWS[0] = stranger }),
		"everybody takes Confluent's place":             sid("use", func(s *statement) { set(&s.Principal.AWS, "*") }),
		"a role's whole account takes its place":        sid("use", func(s *statement) { set(&s.Principal.AWS, "152535741197") }),
		"a service joins Confluent's statement":         sid("use", func(s *statement) { set(&s.Principal.Service, "ec2.amazonaws.com") }),
		"Confluent gets kms:*":                          sid("use", func(s *statement) { set(&s.Action, "kms:*") }),
		"Confluent gets kms:PutKeyPolicy as well":       sid("use", func(s *statement) { s.Action = append(s.Action, "kms:PutKeyPolicy") }),
		"Confluent gets a wider pattern":                sid("use", func(s *statement) { s.Action = append(s.Action, "kms:Generate*") }),
		"Confluent gets a pattern that matches nothing": sid("use", func(s *statement) { s.Action = append(s.Action, "kms:GenerateDataKeyX*") }),
		"Confluent gets everything but something":       sid("use", func(s *statement) { s.Action, s.NotAction = nil, []string{"kms:Decrypt"} }),
		"Confluent gets it everywhere but somewhere":    sid("use", func(s *statement) { s.Resource, s.NotResource = nil, []string{"arn:aws:kms:*:*:key/x"} }),
		"everybody but a stranger gets it":              sid("use", func(s *statement) { s.NotPrincipal, s.Principal = &principals{AWS: []string{stranger}}, nil }),
		"a new statement lets a stranger in":            adding(`{"Effect": "Allow", "Principal": {"AWS": "` + stranger + `"}, "Action": "kms:Decrypt", "Resource": "*"}`),
		"a new statement lets our own role do more":     adding(`{"Effect": "Allow", "Principal": {"AWS": "` + watcher + `"}, "Action": "kms:Decrypt", "Resource": "*"}`),
		"a new statement lets everybody in under terms": adding(`{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "` + kafka + `"}}}`),
		"the audit's actions widen":                     sid("audit", func(s *statement) { set(&s.Action, "kms:*") }),
		"the audit's condition goes":                    sid("audit", func(s *statement) { s.Conditions = nil }),
		"the audit's condition gets another value":      sid("audit", func(s *statement) { s.Conditions[0].Values = []string{"true", "false"} }),
		"the audit's condition may be absent":           sid("audit", func(s *statement) { s.Conditions[0].Operator = "BoolIfExists" }),
		"the audit is about another key":                sid("audit", func(s *statement) { s.Resource = []string{"arn:aws:kms:us-west-2:111122223333:key/other"} }),
		"a new statement is about another key":          adding(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "arn:aws:kms:us-west-2:111122223333:key/other"}`),
		"the audit goes":                                without("audit"),
		"the account's statement goes":                  without("root"),
		"the audit's actions shrink":                    sid("audit", func(s *statement) { set(&s.Action, "kms:ListGrants") }),
		"the audit gets a condition": sid("audit", func(s *statement) {
			s.Conditions = append(s.Conditions, condition{"Bool", "aws:ViaAWSService", []string{"true"}})
		}),
		"the perimeter goes":                         without("perimeter"),
		"the perimeter names somebody in particular": sid("perimeter", func(s *statement) { set(&s.Principal.AWS, stranger) }),
		"the perimeter denies less":                  sid("perimeter", func(s *statement) { set(&s.Action, "kms:Decrypt") }),
		"the perimeter spares a stranger":            sid("perimeter", func(s *statement) { s.Conditions[1].Values = append(s.Conditions[1].Values, stranger) }),
		"the perimeter spares whole accounts": sid("perimeter", func(s *statement) {
			s.Conditions[1].Values = append(s.Conditions[1].Values, "arn:aws:iam::152535741197:*")
		}),
		"the perimeter spares a pattern of roles": sid("perimeter", func(s *statement) { s.Conditions[1].Values = append(s.Conditions[1].Values, kafka+"*") }),
		"the perimeter spares by another key":     sid("perimeter", func(s *statement) { s.Conditions[1].Key = "aws:SourceArn" }),
		"the perimeter spares Confluent's accounts whole": sid("perimeter", func(s *statement) {
			s.Conditions[1] = condition{"StringNotEquals", "aws:PrincipalAccount", []string{"152535741197"}}
		}),
		"the perimeter hits only Confluent":         sid("perimeter", func(s *statement) { s.Conditions[1].Operator = "ArnLike" }),
		"the perimeter needs any value":             sid("perimeter", func(s *statement) { s.Conditions[1].Operator = "ForAnyValue:ArnNotLike" }),
		"the perimeter spares another organization": sid("perimeter", func(s *statement) { s.Conditions[0].Values = append(s.Conditions[0].Values, "o-stranger99") }),
		"the perimeter's organization is another":   sid("perimeter", func(s *statement) { s.Conditions[0].Values = []string{"o-stranger99"} }),
		"the perimeter gets one more condition": sid("perimeter", func(s *statement) {
			s.Conditions = append(s.Conditions, condition{"Bool", "aws:SecureTransport", []string{"false"}})
		}),
		"the perimeter spares by an empty list":      sid("perimeter", func(s *statement) { s.Conditions[1].Values = nil }),
		"the NotPrincipal list loses a dead ID":      sid("only us", func(s *statement) { set(&s.NotPrincipal.AWS, "arn:aws:iam::111122223333:root") }),
		"the NotPrincipal list gets Confluent":       sid("only us", func(s *statement) { s.NotPrincipal.AWS = append(s.NotPrincipal.AWS, kafka) }),
		"the NotPrincipal list becomes a Principal":  sid("only us", func(s *statement) { s.Principal, s.NotPrincipal = &principals{AWS: s.NotPrincipal.AWS}, nil }),
		"the Deny that names others too goes":        without("strangers"),
		"the Deny that names others forgets one":     sid("strangers", func(s *statement) { set(&s.Principal.AWS, kafka) }),
		"the Deny against deletion spares Confluent": sid("deletion", func(s *statement) { s.Conditions = []condition{{"ArnNotLike", "aws:PrincipalArn", []string{kafka}}} }),
		"the Deny against deletion goes":             without("deletion"),
		"a Deny becomes an Allow":                    sid("deletion", func(s *statement) { s.Effect = "Allow" }),
		"a new Deny hits a stranger":                 adding(`{"Effect": "Deny", "Principal": {"AWS": "` + stranger + `"}, "Action": "kms:*", "Resource": "*"}`),
		"the key is marked as revoked":               adding(revokedStatement),
		"a harmless statement is called the marker":  sid("use", func(s *statement) { s.Sid = "ByokwatchRevokedNot" }),
		"the Version goes":                           func(d *draft) { d.version = "" },
		"everything goes":                            func(d *draft) { d.statements = nil },
	} {
		t.Run(name, func(t *testing.T) {
			bad := tampered(t, c, edit)
			if textOf(t, bad.Result) == textOf(t, c.Result) {
				t.Fatal("nothing was tampered with")
			}
			if err := Guard(live, good, bad, q, true); err == nil {
				t.Errorf("passed:\n%s", textOf(t, bad.Result))
			}
		})
	}
}

func TestGuardRefusesStepsThatDoAnythingElse(t *testing.T) {
	live, good, q := key(liveText()), key(snapshotText()), asks()
	c := best(t, live, good, q)
	put := c.Steps[0]
	body := func(edit func(map[string]any)) func(*core.Candidate) {
		return func(c *core.Candidate) {
			var m map[string]any
			if err := json.Unmarshal(put.Body, &m); err != nil {
				t.Fatal(err)
			}
			edit(m)
			c.Steps = slices.Clone(c.Steps)
			var err error
			if c.Steps[0].Body, err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	raw := func(old, new string) func(*core.Candidate) {
		return func(c *core.Candidate) {
			c.Steps = slices.Clone(c.Steps)
			c.Steps[0].Body = json.RawMessage(strings.Replace(string(put.Body), old, new, 1))
		}
	}
	step := func(edit func(*core.Step)) func(*core.Candidate) {
		return func(c *core.Candidate) {
			c.Steps = slices.Clone(c.Steps)
			edit(&c.Steps[0])
		}
	}
	enable, err := enableStep(theKey)
	if err != nil {
		t.Fatal(err)
	}
	const another = "arn:aws:kms:us-west-2:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab"
	for name, edit := range map[string]func(*core.Candidate){
		"another key in the body":           body(func(m map[string]any) { m["KeyId"] = another }),
		"a bare key ID in the body":         body(func(m map[string]any) { m["KeyId"] = "1234abcd-12ab-34cd-56ef-1234567890ab" }),
		"no key in the body":                body(func(m map[string]any) { delete(m, "KeyId") }),
		"another policy name":               body(func(m map[string]any) { m["PolicyName"] = "other" }),
		"the lockout check skipped":         body(func(m map[string]any) { m["BypassPolicyLockoutSafetyCheck"] = true }),
		"a member that nobody knows":        body(func(m map[string]any) { m["DryRun"] = false }),
		"a miscased member":                 body(func(m map[string]any) { m["policy"] = m["Policy"] }),
		"a byte more than in the result":    body(func(m map[string]any) { m["Policy"] = m["Policy"].(string) + "\n" }),
		"another policy than the result":    body(func(m map[string]any) { m["Policy"] = snapshotText() }),
		"a policy that does not parse":      body(func(m map[string]any) { m["Policy"] = "{" }),
		"the key twice, the other last":     raw(`"PolicyName"`, `"KeyId":"`+another+`","PolicyName"`),
		"the lockout check twice":           raw(`"BypassPolicyLockoutSafetyCheck":false`, `"BypassPolicyLockoutSafetyCheck":false,"BypassPolicyLockoutSafetyCheck":true`),
		"no body":                           step(func(s *core.Step) { s.Body = nil }),
		"another resource":                  step(func(s *core.Step) { s.ID = another }),
		"another operation":                 step(func(s *core.Step) { s.Op = "ScheduleKeyDeletion" }),
		"an operation of another spelling":  step(func(s *core.Step) { s.Op = "putKeyPolicy" }),
		"another command":                   step(func(s *core.Step) { s.Command += " --bypass-policy-lockout-safety-check" }),
		"the step twice":                    func(c *core.Candidate) { c.Steps = append(slices.Clone(c.Steps), put) },
		"no step":                           func(c *core.Candidate) { c.Steps = nil },
		"the key enabled, which nobody did": func(c *core.Candidate) { c.Steps = append(slices.Clone(c.Steps), enable) },
		"a result of another key":           func(c *core.Candidate) { c.Result = slices.Clone(c.Result); c.Result[0].ID = another },
		"a result with a document more":     func(c *core.Candidate) { c.Result = append(slices.Clone(c.Result), metadataOf("Enabled")) },
		"a result with a document less":     func(c *core.Candidate) { c.Result = c.Result[:1] },
		"a result with another state":       func(c *core.Candidate) { c.Result = c.Result.With(metadataOf("Disabled")) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := c
			edit(&bad)
			if err := Guard(live, good, bad, q, true); err == nil {
				t.Errorf("passed: %+v", bad.Steps)
			}
		})
	}
}

func TestGuardRefusesPoliciesWithMembersTwice(t *testing.T) {
	live, good, q := key(liveText()), key(snapshotText()), asks()
	c := best(t, live, good, q)
	text := textOf(t, c.Result)
	for name, bad := range map[string]string{
		"Principal twice": strings.Replace(text, `"Effect": "Allow"`, `"Effect": "Allow", "Principal": {"AWS": "*"}`, 1),
		"Statement twice": strings.Replace(text, `"Statement"`, `"Statement": [], "Statement"`, 1),
		"effect beside":   strings.Replace(text, `"Effect": "Deny"`, `"Effect": "Deny", "effect": "Allow"`, 1),
		"text behind":     text + "{}",
	} {
		t.Run(name, func(t *testing.T) {
			if bad == text {
				t.Fatal("nothing was tampered with")
			}
			if err := Guard(live, good, withPolicy(t, c, bad), q, true); err == nil {
				t.Error("passed")
			}
		})
	}
}

func TestGuardTakesLiveAsItIsReadAgain(t *testing.T) {
	// KMS gives the principals of a list in another order each time.
	live, good, q := key(liveText()), key(snapshotText()), asks()
	c := best(t, live, good, q)
	again := core.Policy{live[0], live[1]}
	again[0].Text = strings.Replace(strings.ReplaceAll(live[0].Text, ", ", " ,\n"),
		`["arn:aws:iam::111122223333:role/audit" ,`+"\n"+`"AIDACKCEVSQ6C2EXAMPLE"]`, `["AIDACKCEVSQ6C2EXAMPLE", "arn:aws:iam::111122223333:role/audit"]`, 1)
	again[1].Text = strings.ReplaceAll(live[1].Text, ", ", ",\n")
	if !strings.Contains(again[0].Text, `["AIDA`) || again[1].Text == live[1].Text {
		t.Fatal("nothing is in another order")
	}
	if err := Guard(again, good, c, q, false); err != nil {
		t.Error(err)
	}
}

func TestGuardOverTheCircumstances(t *testing.T) {
	good := key(snapshotText())
	whole := asks(func(k *core.Key) { k.Restore = core.WholeSnapshot })
	insider := `{"Sid": "insider", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/gone"}, "Action": "kms:*", "Resource": "*"}`
	back := key(policyText(rootStatement, useStatement, attachStatement, auditStatement, deletionDeny, insider))
	live := key(policyText(rootStatement, attachStatement))
	snapshot := withPolicy(t, core.Candidate{Name: "snapshot", Result: live}, textOf(t, back))
	enabling := func(q core.Question) core.Candidate {
		s, err := enableStep(theKey)
		if err != nil {
			t.Fatal(err)
		}
		return core.Candidate{Name: "enable", Result: core.Policy{good[0], metadataOf("Enabled")}, Steps: []core.Step{s}}
	}
	disabled := core.Policy{good[0], metadataOf("Disabled")}
	optedIn := asks(func(k *core.Key) { k.KeyState = core.CareRestore })
	added := asks(func(k *core.Key) { k.Needs.Roles = append(k.Needs.Roles, stranger) })
	newRole := tampered(t, best(t, key(liveText()), good, asks()), sid("use", func(s *statement) { s.Principal.AWS = append(s.Principal.AWS, stranger) }))
	for name, x := range map[string]struct {
		live, good core.Policy
		c          core.Candidate
		q          core.Question
		verified   bool
		passes     bool
	}{
		"the whole snapshot, opted in and verified":        {live, back, snapshot, whole, true, true},
		"the whole snapshot without a valid signature":     {live, back, snapshot, whole, false, false},
		"the whole snapshot where patch is configured":     {live, back, snapshot, asks(), true, false},
		"the snapshot with one more principal":             {live, back, tampered(t, snapshot, sid("insider", func(s *statement) { s.Principal.AWS = append(s.Principal.AWS, stranger) })), whole, true, false},
		"the snapshot without its Deny":                    {live, back, tampered(t, snapshot, without("deletion")), whole, true, false},
		"the snapshot without somebody's allow":            {live, back, tampered(t, snapshot, without("audit")), whole, true, false},
		"the snapshot without its dead ID":                 {live, back, tampered(t, snapshot, sid("audit", func(s *statement) { s.Principal.AWS = s.Principal.AWS[:1] })), whole, true, true},
		"the snapshot without a role that KMS refuses":     {live, back, tampered(t, snapshot, func(d *draft) { d.leave([]string{kafka}) }), whole, true, true},
		"enabling a disabled key, opted in":                {disabled, good, enabling(optedIn), optedIn, false, true},
		"enabling, with another policy in the result":      {disabled, good, core.Candidate{Name: "x", Result: core.Policy{back[0], metadataOf("Enabled")}, Steps: enabling(optedIn).Steps}, optedIn, false, false},
		"enabling, with a result that is not":              {disabled, good, core.Candidate{Name: "x", Result: disabled, Steps: enabling(optedIn).Steps}, optedIn, false, false},
		"enabling a disabled key, not opted in":            {disabled, good, enabling(asks()), asks(), true, false},
		"enabling a key that was disabled in the snapshot": {disabled, disabled, enabling(optedIn), optedIn, true, false},
		"enabling a key that awaits its deletion":          {core.Policy{good[0], metadataOf("PendingDeletion")}, good, enabling(optedIn), optedIn, true, false},
		"writing the policy of a disabled key":             {core.Policy{live[0], metadataOf("Disabled")}, back, core.Candidate{Name: "x", Result: core.Policy{back[0], metadataOf("Disabled")}, Steps: snapshot.Steps}, whole, true, false},
		"a role that the configuration added":              {key(liveText()), good, newRole, added, true, false},
		"a Deny of nobody is taken away":                   {key(policyText(rootStatement, nobodysDeny)), good, withPolicy(t, core.Candidate{Name: "x", Result: good}, policyText(rootStatement, useStatement)), asks(), true, false},
		"a Deny of nobody stays":                           {key(policyText(rootStatement, nobodysDeny)), good, withPolicy(t, core.Candidate{Name: "x", Result: good}, policyText(rootStatement, nobodysDeny, useStatement)), asks(), true, true},
		"a revoked key":                                    {key(policyText(rootStatement, revokedStatement)), back, snapshot, whole, true, false},
		"live that can't be read":                          {core.Policy{{Kind: core.KeyPolicy, ID: theKey, Unreadable: "access denied"}, metadataOf("Enabled")}, back, snapshot, whole, true, false},
		"a snapshot that does not parse":                   {live, key("{"), snapshot, whole, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Guard(x.live, x.good, x.c, x.q, x.verified); (err == nil) != x.passes {
				t.Errorf("passes: want %t, got %v", x.passes, err)
			}
		})
	}
}

// TestGuardHoldsConfluentToItsSnapshot writes by hand what Candidates would not.
func TestGuardHoldsConfluentToItsSnapshot(t *testing.T) {
	with := func(statement, old, new string) string {
		out := strings.Replace(statement, old, new, 1)
		if out == statement {
			t.Fatalf("%q is not in %s", old, statement)
		}
		return out
	}
	until := with(useStatement, `"Resource": "*"`, `"Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}`)
	doubtful := with(attachStatement, `"Resource": "*"`, `"Resource": "*", "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}`)
	carved := with(perimeterDeny, `}}`, `}, "ArnNotLike": {"aws:PrincipalArn": "`+kafka+`"}}`)
	spares := with(perimeterDeny, `}}`, `}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/admin"}}`)
	exemptFromDeletion := with(deletionDeny, `"Resource": "*"`, `"Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "`+kafka+`"}}`)
	literal := with(useStatement, `"kms:GenerateDataKey*"`, `"kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"`)
	strangerHadIt := with(useStatement, storage, stranger)
	forged := asks()
	forged.Needs = append(slices.Clone(forged.Needs), core.Requirement{Aspect: core.Access, Principal: stranger, Permission: "kms:Decrypt", Severity: core.Critical})
	for name, x := range map[string]struct {
		live, good, next string
		q                core.Question
		passes           bool
	}{
		"what it had until a date, until then":          {policyText(rootStatement), policyText(rootStatement, until), policyText(rootStatement, until), asks(), true},
		"what it had until a date, for ever":            {policyText(rootStatement), policyText(rootStatement, until), policyText(rootStatement, useStatement), asks(), false},
		"what was in doubt, in the same words":          {policyText(rootStatement), policyText(rootStatement, doubtful), policyText(rootStatement, doubtful), asks(), true},
		"what was in doubt, without a doubt":            {policyText(rootStatement), policyText(rootStatement, doubtful), policyText(rootStatement, attachStatement), asks(), false},
		"what the snapshot denied":                      {policyText(rootStatement), policyText(rootStatement, useStatement, namedDeny), policyText(rootStatement, useStatement), asks(), false},
		"a pattern for the two that it had of it":       {policyText(rootStatement), policyText(rootStatement, literal), policyText(rootStatement, useStatement), asks(), false},
		"the two that it had of a pattern":              {policyText(rootStatement), policyText(rootStatement, useStatement), policyText(rootStatement, literal), asks(), true},
		"a Deny that is new, spared":                    {policyText(rootStatement, perimeterDeny), policyText(rootStatement), policyText(rootStatement, carved), asks(), true},
		"a Deny that the snapshot has too, spared":      {policyText(rootStatement, perimeterDeny), policyText(rootStatement, perimeterDeny), policyText(rootStatement, carved), asks(), false},
		"a Deny of Confluent that is new, gone":         {policyText(rootStatement, namedDeny), policyText(rootStatement), policyText(rootStatement), asks(), true},
		"a Deny of Confluent that the snapshot has too": {policyText(rootStatement, namedDeny), policyText(rootStatement, namedDeny), policyText(rootStatement), asks(), false},
		"a new Deny of what Confluent never does":       {policyText(rootStatement, deletionDeny), policyText(rootStatement), policyText(rootStatement, exemptFromDeletion), asks(), false},
		"an exemption in place of another":              {policyText(rootStatement, spares), policyText(rootStatement), policyText(rootStatement, carved), asks(), false},
		"what a stranger had, asked for as a need":      {policyText(rootStatement), policyText(rootStatement, strangerHadIt), policyText(rootStatement, strings.Replace(strangerHadIt, `"kms:Encrypt", `, "", 1)), forged, false},
		"what a stranger had, one action alone": {policyText(rootStatement), policyText(rootStatement, strangerHadIt),
			policyText(rootStatement, `{"Effect": "Allow", "Principal": {"AWS": "`+stranger+`"}, "Action": "kms:Decrypt", "Resource": "*"}`), forged, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := withPolicy(t, core.Candidate{Name: "x", Result: key(x.live)}, x.next)
			if err := Guard(key(x.live), key(x.good), c, x.q, true); (err == nil) != x.passes {
				t.Errorf("passes: want %t, got %v", x.passes, err)
			}
		})
	}
}
