package gcpkms

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/confluent"
)

// payDealer deals policies from a seed.
type payDealer struct{ *rand.Rand }

func deal[T any](d payDealer, list ...T) T { return list[d.IntN(len(list))] }

func (d payDealer) policy() string {
	var bindings []string
	for range d.IntN(5) {
		var members []string
		for range 1 + d.IntN(3) {
			if m := deal(d, "group:"+payGroup, "group:CCK-12345@confluent.io", payDead, payApp, payMallory, "allUsers", "deleted:user:x@y.z?uid=1"); !slices.Contains(members, m) {
				members = append(members, m)
			}
		}
		role := deal(d, payRole, payRole, payPair, payViewer, payOperator, "roles/cloudkms.admin", "roles/owner")
		if d.IntN(3) == 0 {
			bindings = append(bindings, payConditional(deal(d, payDated, `request.time < timestamp("2026-08-01T00:00:00Z")`, "true", "false", `resource.name == "`+payKey+`"`, "resource.matchTag('a/b', 'c')", "nonsense("), role, members...))
		} else {
			bindings = append(bindings, payBinding(role, members...))
		}
	}
	return fmt.Sprintf(`{"bindings": [%s], "etag": "Bw%d", "version": %d}`, strings.Join(bindings, ","), d.IntN(9), deal(d, 1, 3))
}

func (d payDealer) key() core.Policy {
	p := paid(d.policy())
	if d.IntN(3) == 0 {
		p = withText(p, core.IAMPolicy, deal(d, payRing, payProject), d.policy())
	}
	if d.IntN(4) == 0 {
		p = withText(p, core.Role, payRole, roleJSON(payRole, deal(d, "GA", "DISABLED"), deal(d, [][]string{{useEncrypt, getKey}, {useDecrypt, useEncrypt, getKey, "a.b.c"}, {"a.b.c"}}...)...))
	}
	if d.IntN(4) == 0 {
		p = withText(p, core.CryptoKeyVersions, payKey, payVersions(deal(d, "ENABLED", "DISABLED", "DESTROY_SCHEDULED"), deal(d, "ENABLED", "ENABLED", "DISABLED"), deal(d, "ENABLED", "DISABLED")))
	}
	if d.IntN(6) == 0 {
		p = withText(p, core.DenyPolicies, payProject, `[{"name": "policies/x/denypolicies/d", "rules": [{"denyRule": {"deniedPrincipals": ["principalSet://goog/group/`+payGroup+`"], "deniedPermissions": ["cloudkms.googleapis.com/`+deal(d, "*", "cryptoKeys.get")+`"]}}]}]`)
	}
	return p
}

// TestRestoresGiveBackAndNothingElse deals pairs of live and snapshot and looks
// at every candidate with eyes of its own.
func TestRestoresGiveBackAndNothingElse(t *testing.T) {
	restored := 0
	for seed := range uint64(400) {
		d := payDealer{rand.New(rand.NewPCG(seed, 7))}
		live, whole := d.key(), d.key()
		q := asked(payAsks(func(k *core.Key) { k.KeyState = deal(d, core.CareAlert, core.CareRestore) }), live, whole)
		good := Trim(whole, q)
		lost := payLost(live, good, q)
		candidates, err := Candidates(live, good, q, lost)
		if err != nil && Judge(live, q).Digest != "" && Judge(good, q).Digest != "" {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, c := range candidates {
			restored++
			if err := Guard(live, good, c, q, false); err != nil {
				t.Fatalf("seed %d: %v\nlive %s\ngood %s\nnew %s", seed, err, policyText(t, live), policyText(t, good), policyText(t, c.Result))
			}
			if why := outOfPlace(t, live, good, c, q); why != "" {
				t.Fatalf("seed %d: %s: %s\nlive %s\ngood %s\nnew %s", seed, c.Name, why, policyText(t, live), policyText(t, good), policyText(t, c.Result))
			}
			tampering(t, d, live, good, c, q)
		}
	}
	if restored < 150 {
		t.Errorf("only %d candidates: the deals play nothing", restored)
	}
}

// outOfPlace says what a candidate gives to whom it should not, or takes.
func outOfPlace(t *testing.T, live, good core.Policy, c core.Candidate, q core.Question) string {
	now, before := Judge(live, q), Judge(c.Result, q)
	for i, f := range before.Findings {
		if f.Result.WorseThan(now.Findings[i].Result) {
			return f.Permission + " gets worse"
		}
	}
	was, wasAs, err := shares(policyText(t, live))
	if err != nil {
		t.Fatal(err)
	}
	is, isAs, err := shares(policyText(t, c.Result))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range was {
		if isAs[s] == "" && !isDeadGroup(s.member, payGroup) {
			return s.member + " loses " + s.role
		}
	}
	_, hadAs, err := shares(policyText(t, good))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range is {
		documented := slices.ContainsFunc(confluent.GCPRoles(), func(r confluent.Role) bool { return r.Name == s.role })
		switch {
		case wasAs[s] != "" || s.member == "group:"+payGroup && (hadAs[s] != "" || documented):
		default:
			return s.member + " gains " + s.role
		}
	}
	for _, s := range c.Steps {
		if s.Op == opUpdateVersion && q.Key.KeyState != core.CareRestore {
			return "it enables a version"
		}
	}
	return ""
}

// tampering edits the candidate's policy at random: what passes the guard must
// give nobody anything that the snapshot does not show.
func tampering(t *testing.T, d payDealer, live, good core.Policy, c core.Candidate, q core.Question) {
	text := policyText(t, c.Result)
	for range 3 {
		old := deal(d, payApp, payMallory, payViewer, payRole, payPair, `"group:`+payGroup+`"`, payDead, `"version": 3`, `"title"`, "allUsers", "2027", "]", "{")
		bad := strings.Replace(text, old, deal(d, payMallory, "roles/owner", `"group:`+payGroup+`"`, `"version": 1`, "allUsers", `"group:`+payGroup+`", "allUsers"`, "2037", `, {"role": "roles/owner", "members": ["`+payMallory+`"]}]`), 1)
		if bad == text {
			continue
		}
		x := rewritten(t, c, `{"etag":""}`)
		s := x.Steps[0]
		s.Body = []byte(`{"policy":` + bad + `,"updateMask":"bindings,etag"}`)
		x.Steps, x.Result = []core.Step{s}, withText(c.Result, core.IAMPolicy, payKey, bad)
		if Guard(live, good, x, q, false) != nil {
			continue
		}
		if why := outOfPlace(t, live, good, x, q); why != "" && !strings.HasSuffix(why, "gets worse") {
			t.Fatalf("the guard lets pass: %s\nlive %s\ngood %s\nnew %s", why, policyText(t, live), policyText(t, good), bad)
		}
	}
}

// BenchmarkRestore plans and guards the restore of a key whose policy has as
// many members as IAM takes.
// Source: https://cloud.google.com/iam/quotas
func BenchmarkRestore(b *testing.B) {
	var bindings []string
	for i := range 30 {
		var members []string
		for j := range 49 {
			members = append(members, fmt.Sprintf("serviceAccount:app-%d-%d@acme.iam.gserviceaccount.com", i, j))
		}
		bindings = append(bindings, payBinding(fmt.Sprintf("roles/custom%d", i), members...))
	}
	live := paid(payPolicy(bindings...))
	good := paid(payPolicy(append(slices.Clone(bindings), payBinding(payRole, "group:"+payGroup))...))
	q := asked(payAsks(), live, good)
	good = Trim(good, q)
	lost := payLost(live, good, q)
	for b.Loop() {
		candidates, err := Candidates(live, good, q, lost)
		if err != nil || len(candidates) == 0 {
			b.Fatal(err)
		}
		if err := Guard(live, good, candidates[0], q, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTrim is what every look pays.
func BenchmarkTrim(b *testing.B) {
	var members []string
	for i := range 1500 {
		members = append(members, fmt.Sprintf("serviceAccount:app-%d@acme.iam.gserviceaccount.com", i))
	}
	live, q := paid(payPolicy(payBinding("roles/viewer", members...), payBinding(payRole, "group:"+payGroup))), payAsks()
	for b.Loop() {
		if p := Trim(live, q); len(p) != len(live)-2 {
			b.Fatal(len(p))
		}
	}
}

// FuzzGuard lets anything be written over one live policy: what passes gives
// nobody but Confluent's group anything, and takes nothing.
func FuzzGuard(f *testing.F) {
	live, good, q := guardCase()
	c := bestRestore(f, live, good, q)
	text := policyText(f, c.Result)
	f.Add(text)
	f.Add(policyText(f, live))
	f.Add(strings.Replace(text, payBinding(payRole, "group:"+payGroup), payBinding(payPair, "group:"+payGroup)+", "+payBinding(payViewer, "group:"+payGroup), 1))
	f.Fuzz(func(t *testing.T, bad string) {
		x := c
		s := c.Steps[0]
		s.Body = []byte(`{"policy":` + bad + `,"updateMask":"bindings,etag"}`)
		x.Steps, x.Result = []core.Step{s}, withText(c.Result, core.IAMPolicy, payKey, bad)
		if Guard(live, good, x, q, false) != nil {
			return
		}
		if why := outOfPlace(t, live, good, x, q); why != "" {
			t.Fatalf("the guard lets pass: %s\n%s", why, bad)
		}
	})
}
