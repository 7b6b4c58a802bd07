package gcpkms

import (
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
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

func FuzzJudge(f *testing.F) {
	roles := policytest.Texts(f, "role.json")
	denies := append(policytest.Texts(f, "deny.json"), "[]")
	projects := append(policytest.Texts(f, "project.json"), `{"etag":"ACAB"}`)
	for i, text := range policytest.Texts(f, "policy.json") {
		f.Add(text, projects[i%len(projects)], denies[i%len(denies)], roles[i%len(roles)], i)
	}
	for i, deny := range denies {
		f.Add(`{"bindings":[{"role":"`+fuzzRole+`","members":["group:`+fuzzGroup+`"]}]}`, `{}`, deny, fuzzGoodRole, i)
	}
	f.Fuzz(func(t *testing.T, policy, project, deny, role string, pick int) {
		p := fuzzCase(policy, project, deny, role)
		j := fuzzJudge(p)
		if _, err := read(p, fuzzKey); err != nil {
			policytest.WantUnread(t, j)
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
		turned[i].Text = policytest.TurnedRound(t, d.Text)
	}
	slices.Reverse(turned)
	after := fuzzJudge(turned)
	policytest.WantSame(t, "turned round", before, after)
}

// addingADenyGivesNothing: no deny rule makes Met what was not, nor opens what
// was Missing.
func addingADenyGivesNothing(t *testing.T, before core.Judgement, p core.Policy, rule string) {
	p = append(slices.Clone(p), core.Document{Kind: core.DenyPolicies, ID: "organizations/1", Text: `[{"name":"policies/x/denypolicies/y","rules":[` + rule + `]}]`})
	after := fuzzJudge(p)
	policytest.WantNoGain(t, rule, before, after)
}

// othersMeanNothing: what everybody else has is not in the digest.
func othersMeanNothing(t *testing.T, before core.Judgement, p core.Policy) {
	p = append(slices.Clone(p), core.Document{Kind: core.IAMPolicy, ID: "folders/7", Text: `{"etag":"new","bindings":[{"role":"roles/owner","members":["user:a@acme.example","group:b@acme.example"],"condition":{"expression":"false"}}]}`})
	if after := fuzzJudge(p); after.Digest != before.Digest {
		t.Fatal("somebody else's binding changes the digest")
	}
}

// FuzzCondition: whatever an expression says, it is judged in bounded time and
// space, and squeezing its space changes nothing.
func FuzzCondition(f *testing.F) {
	for _, text := range policytest.Texts(f, "policy.json") {
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
		for _, text := range policytest.Texts(f, section) {
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
