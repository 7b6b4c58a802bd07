package gcpkms

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
	"byokwatch/core/policy/truth"
)

const (
	fuzzKey   = "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments"
	fuzzGroup = "cck-12345@confluent.io"
	fuzzRole  = "projects/acme/roles/kafka_payments_custom_kms_role"
	fuzzSelf  = "byokwatch@acme.iam.gserviceaccount.com"
)

// fuzzCase is a key about which everything is known.
func fuzzCase(policy, project, deny, role string) core.Policy {
	return core.Policy{
		{Kind: core.CryptoKey, ID: fuzzKey, Text: `{"name":"` + fuzzKey + `","purpose":"ENCRYPT_DECRYPT","primary":{"name":"` + fuzzKey + `/cryptoKeyVersions/1","state":"ENABLED"}}`},
		{Kind: core.CryptoKeyVersions, ID: fuzzKey, Text: `[{"name":"` + fuzzKey + `/cryptoKeyVersions/1","state":"ENABLED"}]`},
		{Kind: core.IAMPolicy, ID: fuzzKey, Text: policy},
		{Kind: core.IAMPolicy, ID: "projects/acme", Text: project},
		{Kind: core.Role, ID: fuzzRole, Text: role},
		{Kind: core.DenyPolicies, ID: "projects/acme", Text: deny},
	}
}

func fuzzQuestion(p core.Policy) core.Question {
	k := core.Key{ID: fuzzKey, Cloud: core.GCP, Mode: core.Enforce, Needs: core.Confluent{Group: fuzzGroup}}
	return core.Question{Key: k, Needs: Needs(k, p, nil), Self: fuzzSelf, At: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
}

func fuzzJudge(p core.Policy) core.Judgement { return Judge(p, fuzzQuestion(p)) }

const fuzzGoodRole = `{"name":"` + fuzzRole + `","stage":"GA","includedPermissions":["cloudkms.cryptoKeyVersions.useToDecrypt","cloudkms.cryptoKeyVersions.useToEncrypt","cloudkms.cryptoKeys.get"]}`

var fuzzDenies = []string{
	`{"denyRule":{"deniedPrincipals":["principalSet://goog/public:all"],"deniedPermissions":["cloudkms.googleapis.com/*"]}}`,
	`{"denyRule":{"deniedPrincipals":["principalSet://goog/group/` + fuzzGroup + `"],"deniedPermissions":["cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt"]}}`,
	`{"denyRule":{"deniedPrincipals":["principalSet://goog/public:all"],"exceptionPrincipals":["principalSet://goog/cloudIdentityCustomerId/C1"],"deniedPermissions":["cloudkms.googleapis.com/cryptoKeys.*"]}}`,
	`{"denyRule":{"deniedPrincipals":["principalSet://goog/public:all"],"deniedPermissions":["cloudkms.googleapis.com/*"],"denialCondition":{"expression":"resource.matchTag('1/a','b')"}}}`,
	`{}`,
}

// corpusTexts are the documents of the corpus, by the end of their section.
func corpusTexts(f testing.TB, section string) []string {
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
		for _, s := range txtar.Parse(data).Files {
			if s.Name[strings.LastIndexByte(s.Name, '/')+1:] == section && !slices.Contains(out, string(s.Data)) {
				out = append(out, string(s.Data))
			}
		}
	}
	return out
}

func FuzzJudge(f *testing.F) {
	roles := corpusTexts(f, "role.json")
	denies := append(corpusTexts(f, "deny.json"), "[]")
	projects := append(corpusTexts(f, "project.json"), `{"etag":"ACAB"}`)
	for i, text := range corpusTexts(f, "policy.json") {
		f.Add(text, projects[i%len(projects)], denies[i%len(denies)], roles[i%len(roles)], i)
	}
	for i, deny := range denies {
		f.Add(`{"bindings":[{"role":"`+fuzzRole+`","members":["group:`+fuzzGroup+`"]}]}`, `{}`, deny, fuzzGoodRole, i)
	}
	f.Fuzz(func(t *testing.T, policy, project, deny, role string, pick int) {
		p := fuzzCase(policy, project, deny, role)
		j := fuzzJudge(p)
		if _, err := read(p, fuzzKey); err != nil {
			if j.Digest != "" || slices.ContainsFunc(j.Findings, func(f core.Finding) bool { return f.Aspect != core.Property && f.Result != core.Undetermined }) {
				t.Fatalf("judged what does not parse: %+v", j)
			}
			return
		}
		if j.Digest == "" {
			t.Fatal("no digest")
		}
		orderMeansNothing(t, j, p)
		addingADenyGivesNothing(t, j, p, fuzzDenies[uint(pick)%uint(len(fuzzDenies))])
		othersMeanNothing(t, j, p)
		if q := fuzzQuestion(p); Judge(Trim(p, q), q).Digest != j.Digest {
			t.Fatal("a trimmed policy has another digest")
		}
	})
}

// orderMeansNothing: every list of every document may be turned round.
func orderMeansNothing(t *testing.T, before core.Judgement, p core.Policy) {
	turned := slices.Clone(p)
	for i, d := range turned {
		turned[i].Text = rewrittenText(t, d.Text, reversed)
	}
	slices.Reverse(turned)
	after := fuzzJudge(turned)
	if after.Digest != before.Digest || after.Writable != before.Writable || after.Marker != before.Marker || !after.Expires.Equal(before.Expires) {
		t.Fatalf("turned round: %+v, before %+v", after, before)
	}
	for i, f := range after.Findings {
		b := before.Findings[i]
		if f.Result != b.Result || f.Result == core.Undetermined && !slices.Equal(clauses(f), clauses(b)) {
			t.Fatalf("turned round, %s is %v by %v, was %v by %v", f.Permission, f.Result, clauses(f), b.Result, clauses(b))
		}
	}
}

// addingADenyGivesNothing: no deny rule makes Met what was not, nor opens what
// was Missing.
func addingADenyGivesNothing(t *testing.T, before core.Judgement, p core.Policy, rule string) {
	p = append(slices.Clone(p), core.Document{Kind: core.DenyPolicies, ID: "organizations/1", Text: `[{"name":"policies/x/denypolicies/y","rules":[` + rule + `]}]`})
	after := fuzzJudge(p)
	if after.Digest == "" {
		t.Fatalf("%s can't be added", rule)
	}
	for i, f := range after.Findings {
		was := before.Findings[i].Result
		if f.Result == core.Met && was != core.Met || f.Result == core.Undetermined && was == core.Missing {
			t.Fatalf("%s was %v and is %v with %s", f.Permission, was, f.Result, rule)
		}
	}
}

// othersMeanNothing: what everybody else has is not in the digest.
func othersMeanNothing(t *testing.T, before core.Judgement, p core.Policy) {
	p = append(slices.Clone(p), core.Document{Kind: core.IAMPolicy, ID: "folders/7", Text: `{"etag":"new","bindings":[{"role":"roles/owner","members":["user:a@acme.example","group:b@acme.example"],"condition":{"expression":"false"}}]}`})
	if after := fuzzJudge(p); after.Digest != before.Digest {
		t.Fatal("somebody else's binding changes the digest")
	}
}

func clauses(f core.Finding) []core.Digest {
	var out []core.Digest
	for _, e := range f.Evidence {
		out = append(out, e.Clause)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func rewrittenText(t *testing.T, text string, change func(any) any) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(change(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func reversed(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = reversed(v[i])
		}
		slices.Reverse(v)
	case map[string]any:
		for k := range v {
			v[k] = reversed(v[k])
		}
	}
	return v
}

// FuzzCondition: whatever an expression says, it is judged in bounded time and
// space, and squeezing its space changes nothing.
func FuzzCondition(f *testing.F) {
	for _, text := range corpusTexts(f, "policy.json") {
		bindings, err := parsePolicy(text)
		if err != nil {
			continue
		}
		for _, b := range bindings {
			if b.Condition != nil {
				f.Add(b.Condition.Expression)
			}
		}
	}
	f.Add(strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400))
	f.Add(`"a" + "b" == 'a b' // c`)
	at := facts{at: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), name: fuzzKey, kind: typeKey}
	f.Fuzz(func(t *testing.T, text string) {
		x := &expression{clause: &clause{Expression: text}}
		held := x.holds(at)
		squeezedTo := squeezed(text)
		if y := (&expression{clause: &clause{Expression: squeezedTo}}); y.holds(at) != held {
			t.Fatalf("%q is %d, squeezed to %q it is %d", text, held, squeezedTo, y.holds(at))
		}
		if held == truth.Unknown {
			return
		}
		// A condition that is decided stays so between its dates.
		for _, after := range []time.Duration{time.Nanosecond, time.Hour, 24 * 400 * time.Hour} {
			later := at
			later.at = at.at.Add(after)
			passed := slices.ContainsFunc(x.dates, func(d time.Time) bool { return !d.Before(at.at) && !d.After(later.at) })
			if !passed && x.holds(later) != held {
				t.Fatalf("%q changes within %s without a date: %v", text, after, x.dates)
			}
		}
	})
}

func FuzzRecognise(f *testing.F) {
	for _, section := range []string{"policy.json", "role.json", "deny.json", "key.json", "versions.json"} {
		for _, text := range corpusTexts(f, section) {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte("bindings:\n- members:\n  - group:x@confluent.io\n  role: roles/viewer\netag: BwX=\nversion: 1\n"))
	f.Add([]byte("---\nname: " + fuzzKey + "/cryptoKeyVersions/1\nstate: ENABLED\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		docs, err := RecogniseAll(file)
		if err != nil {
			return
		}
		for _, d := range docs {
			if d.Unreadable == "" {
				if _, err := checked(d); err != nil {
					t.Fatalf("recognised %s that does not parse: %v", d.Kind, err)
				}
			}
		}
		if again, err := RecogniseAll([]byte(docs[0].Text)); len(docs) == 1 && docs[0].Unreadable == "" && (err != nil || again[0].Kind != docs[0].Kind || again[0].Text != strings.TrimSpace(docs[0].Text)) {
			t.Fatalf("recognised %s, its text again as %v, %v", docs[0].Kind, again, err)
		}
	})
}
