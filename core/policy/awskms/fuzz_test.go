package awskms

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
)

const (
	fuzzKey  = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	fuzzRole = "arn:aws:iam::152535741197:role/cc-kafka-d45e6381"
)

// fuzzJudge judges a policy text for a role and an account.
func fuzzJudge(text string) core.Judgement {
	k := core.Key{
		ID: fuzzKey, Mode: core.Enforce, Organization: "o-a1b2c3d4e5",
		Needs: core.Confluent{Roles: []string{fuzzRole}, Principals: []string{"arn:aws:iam::987654321234:root"}},
	}
	p := core.Policy{
		{Kind: core.KeyPolicy, ID: fuzzKey, Text: text},
		{Kind: core.KeyMetadata, ID: fuzzKey, Text: `{"KeyMetadata":{"KeyState":"Enabled","Enabled":true}}`},
	}
	return Judge(p, core.Question{
		Key: k, Needs: Needs(k, p, nil), Self: "arn:aws:iam::111122223333:role/byokwatch",
		At: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
	})
}

// corpusPolicies are the policies of the corpus, as seeds.
func corpusPolicies(f *testing.F) []string {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no corpus: %v", err)
	}
	var out []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		base := ""
		for _, section := range txtar.Parse(data).Files {
			text := string(section.Data)
			switch name := section.Name[strings.LastIndexByte(section.Name, '/')+1:]; {
			case section.Name == "policy.json":
				base = text
			case name == "policy.json":
				out = append(out, text)
			case name == "more" || name == "who" || name == "rest" || name == "condition":
				out = append(out, strings.ReplaceAll(base, "<<"+name+">>", text))
			}
		}
	}
	return out
}

var fuzzDenies = []string{
	`{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}`,
	`{"Effect":"Deny","Principal":{"AWS":"152535741197"},"Action":"kms:Decrypt","Resource":"*"}`,
	`{"Effect":"Deny","NotPrincipal":{"AWS":"152535741197"},"NotAction":"kms:Decrypt","Resource":"*"}`,
	`{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`,
	`{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-12-24T00:00:00Z"}}}`,
	`{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`,
}

func FuzzJudge(f *testing.F) {
	for i, text := range corpusPolicies(f) {
		f.Add(text, i)
	}
	f.Fuzz(func(t *testing.T, text string, pick int) {
		j := fuzzJudge(text)
		parsed, err := parse(text)
		if err != nil {
			policytest.WantUnread(t, j)
			return
		}
		addingADenyGivesNothing(t, j, parsed, fuzzDenies[uint(pick)%uint(len(fuzzDenies))])
		orderMeansNothing(t, j, text)
		carelessReadersAreNotFollowed(t, parsed)
	})
}

func rebuilt(p policy, statements ...string) string {
	version, err := json.Marshal(p.language())
	if err != nil {
		panic(err)
	}
	return `{"Version":` + string(version) + `,"Statement":[` + strings.Join(statements, ",") + `]}`
}

func raws(p policy) []string {
	var out []string
	for _, s := range p.Statements {
		out = append(out, string(s.raw))
	}
	return out
}

// addingADenyGivesNothing: no Deny makes Met what was not.
func addingADenyGivesNothing(t *testing.T, before core.Judgement, p policy, deny string) {
	after := fuzzJudge(rebuilt(p, append(raws(p), deny)...))
	policytest.WantNoGain(t, deny, before, after)
}

// orderMeansNothing: every list of the policy may be turned round.
func orderMeansNothing(t *testing.T, before core.Judgement, text string) {
	after := fuzzJudge(policytest.TurnedRound(t, text))
	policytest.WantSame(t, "turned round", before, after)
}

// carelessReadersAreNotFollowed: a statement with an element twice, or in
// another case, is what some reader would take for another statement.
func carelessReadersAreNotFollowed(t *testing.T, p policy) {
	for i, s := range p.Statements {
		for _, extra := range []string{`"Effect":"Allow",`, `"effect":"Allow",`, `"EFFECT":"Deny",`, `"principal":"*",`, `"Effect":"Allow",`} {
			changed := raws(p)
			changed[i] = "{" + extra + strings.TrimPrefix(string(s.raw), "{")
			if j := fuzzJudge(rebuilt(p, changed...)); j.Digest != "" || slices.ContainsFunc(j.Findings, func(f core.Finding) bool { return f.Aspect == core.Access && f.Result == core.Met }) {
				t.Fatalf("%s was judged", changed[i])
			}
		}
		for _, name := range []string{"Effect", "Action", "Principal", "Resource", "Condition"} {
			changed := raws(p)
			if changed[i] = strings.Replace(string(s.raw), `"`+name+`"`, `"`+strings.ToLower(name)+`"`, 1); changed[i] == string(s.raw) {
				continue
			}
			if _, err := parse(rebuilt(p, changed...)); err == nil && !strings.Contains(valuesOf(s), name) {
				t.Fatalf("%s parsed", changed[i])
			}
		}
	}
}

// valuesOf is all text in which an element's name may stand as a value.
func valuesOf(s statement) string {
	var b strings.Builder
	b.WriteString(s.Sid)
	for _, list := range [][]string{s.Action, s.NotAction, s.Resource, s.NotResource} {
		b.WriteString(strings.Join(list, " "))
	}
	for _, p := range []*principals{s.Principal, s.NotPrincipal} {
		if p != nil {
			b.WriteString(strings.Join(slices.Concat(p.AWS, p.Federated, p.Service, p.Canonical), " "))
		}
	}
	for _, c := range s.Conditions {
		b.WriteString(c.Operator + " " + c.Key + strings.Join(c.Values, " "))
	}
	return b.String()
}
