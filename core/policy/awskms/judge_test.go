package awskms

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
)

const publishedPolicy = `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : { "AWS" : "arn:aws:iam::111122223333:root" },
    "Action" : "kms:*",
    "Resource" : "*"
  }, {
    "Sid" : "Allow Confluent account(s) (152535741197) to use the key",
    "Effect" : "Allow",
    "Principal" : { "AWS" : [ "` + fuzzRole + `" ] },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey" ],
    "Resource" : "*"
  }, {
    "Sid" : "Allow Confluent account(s) (152535741197) to attach persistent resources",
    "Effect" : "Allow",
    "Principal" : { "AWS" : [ "` + fuzzRole + `" ] },
    "Action" : [ "kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`

// maximal is a policy as near to 32,768 bytes as more of what add gives brings
// it.
func maximal(add func(i int) string) string {
	head, tail := strings.Split(publishedPolicy, "  } ]\n}")[0], "  } ]\n}"
	var b strings.Builder
	for i := 0; ; i++ {
		next := "  }, " + strings.TrimSuffix(add(i), "}") + "\n"
		if len(head)+b.Len()+len(next)+len(tail) > 32768 {
			return head + b.String() + tail
		}
		b.WriteString(next)
	}
}

func manyStatements(i int) string {
	return fmt.Sprintf(`{"Sid":"s%d","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/app-%d","arn:aws:iam::111122223333:role/job-%d"]},"Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*"],"Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.us-west-2.amazonaws.com"}}}`, i, i, i)
}

func manyDenies(i int) string {
	return fmt.Sprintf(`{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*-%d"}}}`, i)
}

func manyConditions(i int) string {
	return fmt.Sprintf(`{"Effect":"Deny","Principal":"*","Action":["kms:E*","kms:D*"],"Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":["%s","arn:aws:iam::152535741197:role/aws:ec2-infrastructure*"]},"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"NumericLessThan":{"aws:EpochTime":%d}}}`, fuzzRole, i)
}

func TestThePolicyThatConfluentPublishes(t *testing.T) {
	j := fuzzJudge(publishedPolicy)
	for _, f := range j.Findings {
		if f.Principal == fuzzRole && f.Result != core.Met {
			t.Errorf("%s is %v: %s", f.Permission, f.Result, f.Reason)
		}
	}
	if j.Writable != core.Met || j.Disabled || j.Revoked || !j.Expires.IsZero() {
		t.Errorf("%+v", j)
	}
}

func TestPoliciesOfTheGreatestSizeAreJudgedRight(t *testing.T) {
	for name, add := range map[string]func(int) string{"statements": manyStatements, "denies": manyDenies, "conditions": manyConditions} {
		text := maximal(add)
		if len(text) < 32000 || len(text) > 32768 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
		for _, f := range fuzzJudge(text).Findings {
			if f.Principal == fuzzRole && f.Result != core.Met {
				t.Errorf("%s: %s is %v: %s", name, f.Permission, f.Result, f.Reason)
			}
		}
	}
}

func TestTheNeedsOfAKey(t *testing.T) {
	k := core.Key{ID: fuzzKey, Needs: core.Confluent{Roles: []string{"a", "b", "a"}, Principals: []string{"c", "b"}}}
	offline := core.Policy{{Kind: core.KeyPolicy}}
	online := append(offline, core.Document{Kind: core.KeyMetadata, Unreadable: "denied"})
	each := len(confluent.AWSPermissions())
	for name, c := range map[string]struct {
		mode  core.Mode
		care  core.Care
		live  core.Policy
		count int
	}{
		"offline":                         {core.Enforce, core.CareRestore, offline, 3 * each},
		"observing":                       {core.Observe, core.CareRestore, online, 3*each + 1 + 2},
		"an empty mode observes":          {"", core.CareRestore, online, 3*each + 1 + 2},
		"enforcing":                       {core.Enforce, core.CareAlert, online, 3*each + 1 + 3},
		"enforcing and enabling the key":  {core.Enforce, core.CareRestore, online, 3*each + 1 + 4},
		"enforcing without word on state": {core.Enforce, "", online, 3*each + 1 + 3},
	} {
		k.Mode, k.KeyState = c.mode, c.care
		needs := Needs(k, c.live, nil)
		seen := map[core.Requirement]bool{}
		for _, n := range needs {
			if seen[n] {
				t.Errorf("%s: %v twice", name, n)
			}
			seen[n] = true
		}
		if len(needs) != c.count {
			t.Errorf("%s: %d needs, want %d", name, len(needs), c.count)
		}
	}
}

// The evidence of an undetermined finding is the set of clauses that a verdict
// compares with the snapshot's: all that is open, and nothing else.
func TestTheEvidenceOfWhatIsUndetermined(t *testing.T) {
	const (
		allow     = `{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}`
		openAllow = `{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}`
		openDeny  = `{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-2"}}}`
	)
	for name, c := range map[string]struct {
		statements string
		want       string
	}{
		"an open Allow":                                {openAllow, "[0]"},
		"an open Deny under a certain Allow":           {allow + "," + openDeny, "[1]"},
		"an open Deny under an open Allow":             {openAllow + "," + openDeny, "[0 1]"},
		"an open Deny under an open and certain Allow": {openAllow + "," + openDeny + "," + allow, "[1]"},
	} {
		f := fuzzJudge(`{"Statement":[` + c.statements + `]}`).Findings[0]
		var got []int
		for _, e := range f.Evidence {
			got = append(got, e.Statement)
		}
		if f.Result != core.Undetermined || fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v by %v, want %s", name, f.Result, got, c.want)
		}
	}
}

func TestAnUnknownAspectOrPropertyIsUndetermined(t *testing.T) {
	p := core.Policy{{Kind: core.KeyPolicy, ID: fuzzKey, Text: publishedPolicy}, {Kind: core.KeyMetadata, Text: `{"KeyMetadata":{"KeyState":"Enabled","Enabled":true}}`}}
	for _, need := range []core.Requirement{{Aspect: "shape", Principal: fuzzRole, Permission: "kms:Encrypt"}, {Aspect: core.Property, Permission: "key:Blue"}, {Aspect: core.Access, Permission: "kms:Encrypt"}} {
		j := Judge(p, core.Question{Key: core.Key{ID: fuzzKey}, Needs: []core.Requirement{need}, Self: fuzzRole, At: time.Unix(1, 0)})
		if f := j.Findings[0]; f.Result != core.Undetermined || f.Reason == "" || f.Requirement != need {
			t.Errorf("%+v", f)
		}
	}
}

func TestWithoutATimeConditionsOnItAreUndetermined(t *testing.T) {
	p := core.Policy{{Kind: core.KeyPolicy, Text: `{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}}}}`}}
	need := core.Requirement{Aspect: core.Access, Principal: fuzzRole, Permission: "kms:Encrypt", Severity: core.Critical}
	if f := Judge(p, core.Question{Needs: []core.Requirement{need}}).Findings[0]; f.Result != core.Undetermined {
		t.Errorf("%+v", f)
	}
}

func TestConfluentInTheKeysOwnAccount(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/kafka"
	k := core.Key{ID: fuzzKey, Needs: core.Confluent{Roles: []string{role}}}
	judge := func(statement, organization string) core.Finding {
		k.Organization = organization
		need := core.Requirement{Aspect: core.Access, Principal: role, Permission: "kms:Encrypt", Severity: core.Critical}
		return Judge(oneStatement(statement), core.Question{Key: k, Needs: []core.Requirement{need}, At: time.Unix(1, 0)}).Findings[0]
	}
	f := judge(`{"Effect":"Deny","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}`, "none")
	if f.Result != core.Missing || f.Evidence[0].ConfluentOnly {
		t.Errorf("a Deny to everybody of the own account is taken for one to Confluent alone: %+v", f)
	}
	const within = `{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`
	if f := judge(within, "o-a1b2c3d4e5"); f.Result != core.Met {
		t.Errorf("in the own organization: %+v", f)
	}
	if f := judge(within, "none"); f.Result != core.Missing {
		t.Errorf("in no organization: %+v", f)
	}
	if f := judge(within, ""); f.Result != core.Undetermined {
		t.Errorf("in an organization that is not known: %+v", f)
	}
}

func TestALongPolicyMakesNoLongReason(t *testing.T) {
	long := strings.Repeat("é", 10000)
	for _, text := range []string{
		`{"Statement":{"Sid":"` + long + `","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalType":"` + long + `"}}}}`,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"` + long + `":"x"}}}}`,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"` + long + `"}}`,
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"AROA` + strings.Repeat("A", 10000) + `"},"Action":"kms:*","Resource":"*"}}`,
		`{"Statement":{"` + long + `":1}}`,
	} {
		for _, f := range fuzzJudge(text).Findings {
			size := len([]rune(f.Reason + f.Remedy))
			for _, e := range f.Evidence {
				size += len([]rune(e.Sid))
			}
			if size > 2*wording.Longest || !utf8.ValidString(f.Reason) {
				t.Errorf("%.60s…: %d characters about %s, valid: %v", text, size, f.Permission, utf8.ValidString(f.Reason))
			}
		}
	}
}

func TestWhoNamesNobodyButConfluent(t *testing.T) {
	k := core.Key{ID: fuzzKey, Needs: core.Confluent{Roles: []string{fuzzRole, "arn:aws:iam::111122223333:role/kafka"}}}
	for statement, want := range map[string]bool{
		`"Principal":{"AWS":"` + fuzzRole + `"}`:                              true,
		`"Principal":{"AWS":"152535741197"}`:                                  true,
		`"Principal":{"AWS":"arn:aws:iam::152535741197:role/other"}`:          true,
		`"Principal":{"AWS":["` + fuzzRole + `","AROADBQP57FF2AEXAMPLE"]}`:    true,
		`"Principal":{"AWS":"arn:aws:iam::111122223333:role/kafka"}`:          true,
		`"Principal":{"AWS":"AROADBQP57FF2AEXAMPLE"}`:                         false,
		`"Principal":{"AWS":[]}`:                                              false,
		`"Principal":"*"`:                                                     false,
		`"Principal":{"AWS":"111122223333"}`:                                  false,
		`"Principal":{"AWS":"arn:aws:iam::111122223333:role/app"}`:            false,
		`"Principal":{"AWS":["` + fuzzRole + `","999999999999"]}`:             false,
		`"Principal":{"AWS":"` + fuzzRole + `","Service":"s3.amazonaws.com"}`: false,
		`"NotPrincipal":{"AWS":"` + fuzzRole + `"}`:                           false,
		`"Principal":"*","Condition":{"ArnLike":{"aws:PrincipalArn":["` + fuzzRole + `","arn:aws:iam::152535741197:role/aws:ec2-infrastructure*"]}}`: true,
		`"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"152535741197"},"Bool":{"aws:SecureTransport":"true"}}`:                 true,
		`"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}`:                                                       false,
		`"Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"152535741197"}}`:                                                    false,
		`"Principal":"*","Condition":{"StringEqualsIfExists":{"aws:PrincipalAccount":"152535741197"}}`:                                               false,
		`"Principal":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/cc-kafka-*"}}`:                                              false,
		`"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":[]}}`:                                                                   false,
	} {
		p, err := parse(`{"Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*",` + statement + `}}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := onlyConfluent(&p.Statements[0], k); got != want {
			t.Errorf("%s: %v", statement, got)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"typical", publishedPolicy},
		{"32KB-statements", maximal(manyStatements)},
		{"32KB-denies", maximal(manyDenies)},
		{"32KB-conditions", maximal(manyConditions)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				if j := fuzzJudge(c.text); j.Digest == "" {
					b.Fatal("not judged")
				}
			}
		})
	}
}
