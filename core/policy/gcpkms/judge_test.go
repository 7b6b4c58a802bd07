package gcpkms

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/truth"
	"byokwatch/core/rawjson"
)

const (
	testBinding = `{"role":"` + fuzzRole + `","members":["user:a@acme.example","group:` + fuzzGroup + `"]}`
	testOthers  = `{"role":"roles/viewer","members":["user:b@acme.example"]}`
)

func testPolicy(bindings ...string) string {
	return `{"bindings":[` + strings.Join(bindings, ",") + `],"etag":"BwX","version":3}`
}

func conditional(expression string) string {
	return `{"role":"` + fuzzRole + `","members":["group:` + fuzzGroup + `"],"condition":{"title":"t","expression":` + rawjson.Quote(expression) + `}}`
}

func testDigest(t *testing.T, policy, project, deny, role string) core.Digest {
	t.Helper()
	d := fuzzJudge(fuzzCase(policy, project, deny, role)).Digest
	if d == "" {
		t.Fatal("no digest")
	}
	return d
}

func TestWhatCloudAndOthersDoDoesNotChangeTheDigest(t *testing.T) {
	const none = `{"etag":"ACAB"}`
	base := testPolicy(testBinding, testOthers)
	denying := func(rules string) string { return `[{"name":"policies/x/denypolicies/p","rules":[` + rules + `]}]` }
	for name, c := range map[string][2][4]string{
		"another etag":                        {{base, none, "[]", fuzzGoodRole}, {strings.Replace(base, "BwX", "BwY", 1), none, "[]", fuzzGoodRole}},
		"another version":                     {{base, none, "[]", fuzzGoodRole}, {strings.Replace(base, `"version":3`, `"version":1`, 1), none, "[]", fuzzGoodRole}},
		"the order of bindings":               {{base, none, "[]", fuzzGoodRole}, {testPolicy(testOthers, testBinding), none, "[]", fuzzGoodRole}},
		"the case of the address":             {{base, none, "[]", fuzzGoodRole}, {strings.Replace(base, "cck", "CCK", 1), none, "[]", fuzzGoodRole}},
		"other members":                       {{base, none, "[]", fuzzGoodRole}, {strings.Replace(base, `"user:a@acme.example",`, "", 1), none, "[]", fuzzGoodRole}},
		"other bindings":                      {{base, none, "[]", fuzzGoodRole}, {testPolicy(testBinding), none, "[]", fuzzGoodRole}},
		"other bindings of the project":       {{base, none, "[]", fuzzGoodRole}, {base, testPolicy(testOthers), "[]", fuzzGoodRole}},
		"a role of the group that gives none": {{base, none, "[]", fuzzGoodRole}, {base, testPolicy(`{"role":"roles/browser","members":["group:` + fuzzGroup + `"]}`), "[]", fuzzGoodRole}},
		"a binding divided":                   {{base, none, "[]", fuzzGoodRole}, {testPolicy(testBinding, testBinding), none, "[]", fuzzGoodRole}},
		"more in the role":                    {{base, none, "[]", fuzzGoodRole}, {base, none, "[]", strings.Replace(fuzzGoodRole, `["`, `["cloudkms.keyRings.get","`, 1)}},
		"a deny of something else":            {{base, none, "[]", fuzzGoodRole}, {base, none, denying(strings.ReplaceAll(fuzzDenies[0], "cloudkms", "storage")), fuzzGoodRole}},
		"a deny of somebody else":             {{base, none, "[]", fuzzGoodRole}, {base, none, denying(strings.ReplaceAll(fuzzDenies[0], "public:all", "group/x@acme.example")), fuzzGoodRole}},
		"the space of a condition":            {{testPolicy(conditional(`resource.name == "a  b"`)), none, "[]", fuzzGoodRole}, {testPolicy(conditional("resource.name\n  ==   \"a  b\" ")), none, "[]", fuzzGoodRole}},
	} {
		t.Run(name, func(t *testing.T) {
			if testDigest(t, c[0][0], c[0][1], c[0][2], c[0][3]) != testDigest(t, c[1][0], c[1][1], c[1][2], c[1][3]) {
				t.Error("the digest differs")
			}
		})
	}
}

func TestWhatReachesConfluentChangesTheDigest(t *testing.T) {
	const none = `{"etag":"ACAB"}`
	base := testPolicy(testBinding, testOthers)
	denying := func(rules string) string { return `[{"name":"policies/x/denypolicies/p","rules":[` + rules + `]}]` }
	seen := map[core.Digest]string{testDigest(t, base, none, "[]", fuzzGoodRole): "the base"}
	for name, c := range map[string][4]string{
		"the group gone":                {testPolicy(testOthers), none, "[]", fuzzGoodRole},
		"the group elsewhere":           {testPolicy(testOthers), base, "[]", fuzzGoodRole},
		"everybody as well":             {testPolicy(testBinding, `{"role":"roles/cloudkms.viewer","members":["allUsers"]}`), none, "[]", fuzzGoodRole},
		"everybody alone":               {testPolicy(`{"role":"` + fuzzRole + `","members":["allUsers"]}`), none, "[]", fuzzGoodRole},
		"a role gutted":                 {base, none, "[]", strings.Replace(fuzzGoodRole, `"cloudkms.cryptoKeyVersions.useToDecrypt",`, "", 1)},
		"a role disabled":               {base, none, "[]", strings.Replace(fuzzGoodRole, "GA", "DISABLED", 1)},
		"a condition":                   {testPolicy(conditional("true")), none, "[]", fuzzGoodRole},
		"another condition":             {testPolicy(conditional("false")), none, "[]", fuzzGoodRole},
		"a space in a condition's text": {testPolicy(conditional(`resource.name == "a b"`)), none, "[]", fuzzGoodRole},
		"two spaces in it":              {testPolicy(conditional(`resource.name == "a  b"`)), none, "[]", fuzzGoodRole},
		"a deny of everybody":           {base, none, denying(fuzzDenies[0]), fuzzGoodRole},
		"a deny of the group":           {base, none, denying(fuzzDenies[1]), fuzzGoodRole},
		"a deny but for a customer":     {base, none, denying(fuzzDenies[2]), fuzzGoodRole},
		"a deny by tag":                 {base, none, denying(fuzzDenies[3]), fuzzGoodRole},
		"a deny that nobody can read":   {base, none, denying("{}"), fuzzGoodRole},
	} {
		d := testDigest(t, c[0], c[1], c[2], c[3])
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
}

func TestStatesAndTheOwnersMarkChangeTheDigest(t *testing.T) {
	base := fuzzCase(testPolicy(testBinding), "{}", "[]", fuzzGoodRole)
	seen := map[core.Digest]string{}
	for name, change := range map[string][2]string{
		"nothing":            {"", ""},
		"the primary state":  {"ENABLED", "DISABLED"},
		"the primary":        {"Versions/1\",\"state", "Versions/2\",\"state"},
		"the mark":           {`"purpose"`, `"labels":{"byokwatch-revoked":"x"},"purpose"`},
		"what the mark says": {`"purpose"`, `"labels":{"byokwatch-revoked":"y"},"purpose"`},
	} {
		p := append(core.Policy(nil), base...)
		p[0].Text = strings.Replace(p[0].Text, change[0], change[1], 1)
		d := fuzzJudge(p).Digest
		if other, ok := seen[d]; ok || d == "" {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
	p := append(core.Policy(nil), base...)
	p[0].Text = strings.Replace(p[0].Text, `"purpose"`, `"labels":{"team":"x"},"nextRotationTime":"2027-01-01T00:00:00Z","purpose"`, 1)
	if fuzzJudge(p).Digest != fuzzJudge(base).Digest {
		t.Error("other labels or the rotation change the digest")
	}
}

func TestPartsOfAPolicyHaveADigest(t *testing.T) {
	whole := fuzzCase(testPolicy(testBinding), testPolicy(testBinding), "[]", fuzzGoodRole)
	for i := range whole {
		part := core.Policy{whole[i]}
		if j := Judge(part, fuzzQuestion(whole)); j.Digest == "" {
			t.Errorf("%s alone has no digest", whole[i].Kind)
		}
		if whole[i].Kind == core.Role {
			continue
		}
		part[0].Text, part[0].Unreadable = "", "denied"
		want := whole[i].ID == fuzzKey
		if j := Judge(part, fuzzQuestion(whole)); (j.Digest == "") != want {
			t.Errorf("%s of %s, unreadable, has the digest %q", whole[i].Kind, whole[i].ID, j.Digest)
		}
	}
}

func TestManyDatesAreTooMany(t *testing.T) {
	var bindings []string
	for i := range maxDates + 1 {
		bindings = append(bindings, conditional(fmt.Sprintf(`request.time < timestamp("2027-01-01T00:00:00Z") + duration("%ds")`, i)))
	}
	few := fuzzJudge(fuzzCase(testPolicy(bindings[:maxDates]...), "{}", "[]", fuzzGoodRole))
	if want := time.Date(2027, 1, 1, 0, 0, maxDates-1, 0, time.UTC); few.Findings[0].Result != core.Met || !few.Expires.Equal(want) {
		t.Errorf("%d dates: %v until %v, want it met until %v", maxDates, few.Findings[0].Result, few.Expires, want)
	}
	var others []string
	for i, b := range bindings {
		others = append(others, strings.Replace(b, fuzzGroup, fmt.Sprintf("team-%d@acme.example", i), 1))
	}
	beside := fuzzJudge(fuzzCase(testPolicy(bindings[0]), testPolicy(others...), "[]", fuzzGoodRole))
	if beside.Findings[0].Result != core.Met || beside.Expires.IsZero() {
		t.Errorf("the dates of others: %v until %v", beside.Findings[0].Result, beside.Expires)
	}
	many := fuzzJudge(fuzzCase(testPolicy(bindings...), "{}", "[]", fuzzGoodRole))
	if f := many.Findings[0]; f.Result != core.Undetermined || !strings.Contains(f.Reason, "more than 50 dates") || !many.Expires.IsZero() {
		t.Errorf("%d dates: %v until %v, %s", maxDates+1, f.Result, many.Expires, f.Reason)
	}
}

func TestWhatExceedsTheBoundsOfAnExpressionIsUnknown(t *testing.T) {
	for name, text := range map[string]string{
		"depth":  strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500),
		"length": `"` + strings.Repeat("a", maxExpression) + `" != ""`,
		"cost":   strings.Repeat("resource.name + ", 450) + `"" != ""`,
		"bytes":  "\xff\xfe",
	} {
		x := &expression{clause: &clause{Expression: text}}
		if got := x.holds(facts{at: time.Unix(0, 0), name: fuzzKey, kind: typeKey}); got != truth.Unknown {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestExtractIsThatOfIAM(t *testing.T) {
	// Source: https://cloud.google.com/iam/docs/conditions-attribute-reference#extract
	const object = "projects/_/buckets/acme-orders-aaa/data_lake/orders/order_date=2019-11-03/aef87g87ae0876"
	for _, c := range []struct{ text, template, want string }{
		{object, "/order_date={date}/", "2019-11-03"},
		{object, "buckets/{name}/", "acme-orders-aaa"},
		{object, "/orders/{empty}order_date", ""},
		{object, "{start}/objects/data_lake", ""},
		{object, "orders/{end}", "order_date=2019-11-03/aef87g87ae0876"},
		{object, "{all}", object},
		{object, "/{none}/nowhere", ""},
	} {
		if got, err := extract(c.text, c.template); err != nil || got != c.want {
			t.Errorf("extract(%q) is %q, %v; want %q", c.template, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "no braces", "{}", "{a}{b}", "}a{", "{a}}"} {
		if got, err := extract(object, bad); err == nil {
			t.Errorf("extract(%q) is %q, want an error", bad, got)
		}
	}
}
