package gcpkms

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/compare"
)

const (
	payMallory = "user:mallory@evil.example"
	payApp     = "serviceAccount:app@acme.iam.gserviceaccount.com"
	payDead    = "deleted:group:" + payGroup + "?uid=123456789012345678901"
	payDated   = `request.time < timestamp("2027-01-01T00:00:00Z")`
)

// guardCase is a key whose snapshot has a custom role without, and a predefined
// one under a condition, and whose live policy has neither.
func guardCase() (live, good core.Policy, q core.Question) {
	live = paid(`{"auditConfigs": [], "bindings": [` + payBinding(payViewer, payApp, payDead) + `, ` + payConditional("true", payRole, payApp) + `], "etag": "BwLIVE", "version": 3, "new": {"x": 1}}`)
	good = paid(payPolicy(payBinding(payRole, "group:"+payGroup), payConditional(payDated, payOperator, "group:"+payGroup), payBinding("roles/cloudkms.admin", payMallory)))
	q = asked(payAsks(), live, good)
	return live, Trim(good, q), q
}

func bestRestore(t testing.TB, live, good core.Policy, q core.Question) core.Candidate {
	t.Helper()
	candidates, err := Candidates(live, good, q, payLost(live, good, q))
	if err != nil || len(candidates) == 0 {
		t.Fatalf("no candidates: %v", err)
	}
	return candidates[0]
}

// rewritten is the candidate with another policy, in all places alike.
func rewritten(t testing.TB, c core.Candidate, text string) core.Candidate {
	t.Helper()
	s, err := policyStep(payKey, text)
	if err != nil {
		t.Fatal(err)
	}
	c.Result = withText(c.Result, core.IAMPolicy, payKey, text)
	c.Steps = []core.Step{s}
	return c
}

func TestGuardRefusesPoliciesThatGiveOrTakeAnythingElse(t *testing.T) {
	live, good, q := guardCase()
	c := bestRestore(t, live, good, q)
	if err := Guard(live, good, c, q, false); err != nil {
		t.Fatalf("the candidate as it is: %v", err)
	}
	text := policyText(t, c.Result)
	add := func(binding string) string { return strings.Replace(text, `], "etag"`, ", "+binding+`], "etag"`, 1) }
	own := payBinding(payRole, "group:"+payGroup)
	swap := func(old, new string) string { return strings.Replace(text, old, new, 1) }
	for name, bad := range map[string]string{
		"a stranger joins Confluent's binding":               swap(`"group:`+payGroup+`"`, `"group:`+payGroup+`", "`+payMallory+`"`),
		"a stranger takes the group's place":                 swap(`"group:`+payGroup+`"`, `"`+payMallory+`"`),
		"everybody takes the group's place":                  swap(`"group:`+payGroup+`"`, `"allUsers"`),
		"another group takes the group's place":              swap(`"group:`+payGroup, `"group:x`+payGroup),
		"a user of the group's name takes its place":         swap(`"group:`+payGroup, `"user:`+payGroup),
		"the group is written in another case":               swap(`"group:`+payGroup, `"group:`+strings.ToUpper(payGroup)),
		"the group is named twice":                           swap(`"group:`+payGroup+`"`, `"group:`+payGroup+`", "group:`+payGroup+`"`),
		"the group is named dead":                            swap(`"group:`+payGroup+`"`, `"`+payDead+`"`),
		"the group gets the admin's role":                    swap(own, payBinding("roles/cloudkms.admin", "group:"+payGroup)),
		"the group gets a role more":                         add(payBinding("roles/owner", "group:"+payGroup)),
		"the group gets the conditional role without it":     add(payBinding(payOperator, "group:"+payGroup)),
		"the group gets it under a longer condition":         add(payConditional(strings.Replace(payDated, "2027", "2037", 1), payOperator, "group:"+payGroup)),
		"the group gets it under another title":              add(strings.Replace(payConditional(payDated, payOperator, "group:"+payGroup), `"t"`, `"mine"`, 1)),
		"the group's binding has a member that nobody knows": swap(own, strings.Replace(own, "{", `{"surprise": 1, `, 1)),
		"a stranger gets a binding":                          add(payBinding("roles/cloudkms.viewer", payMallory)),
		"nobody gets a binding":                              add(`{"members": [], "role": "roles/cloudkms.viewer"}`),
		"the watchdog gets a binding":                        add(payBinding("roles/cloudkms.admin", "serviceAccount:"+paySelf)),
		"the snapshot's other member comes back":             add(payBinding("roles/cloudkms.admin", payMallory)),
		"the app loses its binding":                          swap(payBinding(payViewer, payApp)+", ", ""),
		"the app becomes somebody else":                      swap(payApp, payMallory),
		"the app's role changes":                             swap(`"`+payViewer+`"`, `"roles/cloudkms.admin"`),
		"the app's condition changes":                        swap(`"expression": "true"`, `"expression": "false"`),
		"the app's condition goes":                           swap(`"condition": {"expression": "true", "title": "t"}, `, ""),
		"the group slips under the app's condition":          swap(`"title": "t"}, "members": ["`+payApp+`"`, `"title": "t"}, "members": ["`+payApp+`", "group:`+payGroup+`"`),
		"the order of live changes":                          `{"auditConfigs": [], "bindings": [` + payConditional("true", payRole, payApp) + `, ` + payBinding(payViewer, payApp) + `, ` + own + `], "etag": "BwLIVE", "version": 3, "new": {"x": 1}}`,
		"the etag is the snapshot's":                         swap("BwLIVE", "BwKEY"),
		"the etag goes":                                      swap(`"etag": "BwLIVE", `, ""),
		"the etag is empty":                                  swap("BwLIVE", ""),
		"the version is 1":                                   swap(`"version": 3`, `"version": 1`),
		"the version is a text":                              swap(`"version": 3`, `"version": "3"`),
		"the version goes":                                   swap(`"version": 3, `, ""),
		"an audit configuration comes":                       swap(`"auditConfigs": []`, `"auditConfigs": [{"service": "allServices"}]`),
		"a member that nobody knows goes":                    swap(`, "new": {"x": 1}`, ""),
		"a member that nobody knows changes":                 swap(`"x": 1`, `"x": 1.0`),
		"a member that nobody knows comes":                   swap(`"new"`, `"newer": 2, "new"`),
		"everything goes":                                    `{"etag": "BwLIVE", "version": 3}`,
		"a member comes twice":                               swap(`"version": 3`, `"version": 3, "bindings": []`),
		"a miscased member comes":                            swap(`"version": 3`, `"version": 3, "Bindings": []`),
		"a binding with an old form's condition":             add(payBinding("roles/x_withcond_12345", "group:"+payGroup)),
	} {
		t.Run(name, func(t *testing.T) {
			if bad == text {
				t.Fatal("nothing was tampered with")
			}
			if err := Guard(live, good, rewritten(t, c, bad), q, true); err == nil {
				t.Errorf("passed:\n%s", bad)
			}
		})
	}
}

func TestGuardLetsPass(t *testing.T) {
	live, good, q := guardCase()
	c := bestRestore(t, live, good, q)
	text := policyText(t, c.Result)
	for name, x := range map[string]string{
		"only one of what was had":      strings.Replace(text, ", "+payConditional(payDated, payOperator, "group:"+payGroup), "", 1),
		"the predefined roles instead":  strings.Replace(text, payBinding(payRole, "group:"+payGroup), payBinding(payPair, "group:"+payGroup)+", "+payBinding(payViewer, "group:"+payGroup), 1),
		"the dead member left as it is": strings.Replace(text, payApp+`"], "role": "`+payViewer, payApp+`", "`+payDead+`"], "role": "`+payViewer, 1),
		"other spaces and escapes":      strings.Replace(strings.ReplaceAll(text, `": `, `" :  `), payApp, `serviceAccount:\u0061pp@acme.iam.gserviceaccount.com`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if x == text {
				t.Fatal("nothing differs")
			}
			if err := Guard(live, good, rewritten(t, c, x), q, false); err != nil {
				t.Errorf("%v\n%s", err, x)
			}
		})
	}
}

func TestGuardRefusesStepsThatDoAnythingElse(t *testing.T) {
	live, good, q := guardCase()
	c := bestRestore(t, live, good, q)
	const another = "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/other"
	body := func(edit func(map[string]any)) func(*core.Candidate) {
		return func(c *core.Candidate) {
			var m map[string]any
			if err := json.Unmarshal(c.Steps[0].Body, &m); err != nil {
				t.Fatal(err)
			}
			edit(m)
			var err error
			if c.Steps[0].Body, err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	step := func(edit func(*core.Step)) func(*core.Candidate) {
		return func(c *core.Candidate) { edit(&c.Steps[0]) }
	}
	extra := func(op, id, body, command string) func(*core.Candidate) {
		return func(c *core.Candidate) {
			c.Steps = append(c.Steps, core.Step{Op: op, ID: id, Body: json.RawMessage(body), Command: command})
		}
	}
	enable, err := versionStep(payKey, "1")
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*core.Candidate){
		"another key":                      step(func(s *core.Step) { s.ID = another }),
		"the key's ring":                   step(func(s *core.Step) { s.ID = payRing }),
		"another operation":                step(func(s *core.Step) { s.Op = "DestroyCryptoKeyVersion" }),
		"an operation of another spelling": step(func(s *core.Step) { s.Op = "setIamPolicy" }),
		"labels":                           extra(opUpdateKey, payKey, `{"cryptoKey":{"labels":{}},"updateMask":"labels"}`, "gcloud kms keys update payments"),
		"a mask that has audit configs":    body(func(m map[string]any) { m["updateMask"] = "bindings,etag,auditConfigs" }),
		"a mask without etag":              body(func(m map[string]any) { m["updateMask"] = "bindings" }),
		"no mask":                          body(func(m map[string]any) { delete(m, "updateMask") }),
		"a member that nobody knows":       body(func(m map[string]any) { m["resource"] = another }),
		"no policy":                        body(func(m map[string]any) { delete(m, "policy") }),
		"another policy than the result":   body(func(m map[string]any) { m["policy"].(map[string]any)["bindings"] = []any{} }),
		"a policy that is a list":          body(func(m map[string]any) { m["policy"] = []any{} }),
		"a policy that is null":            body(func(m map[string]any) { m["policy"] = nil }),
		"no body":                          step(func(s *core.Step) { s.Body = nil }),
		"the policy twice": step(func(s *core.Step) {
			s.Body = json.RawMessage(strings.Replace(string(s.Body), `{"policy"`, `{"policy":{},"policy"`, 1))
		}),
		"another command":               step(func(s *core.Step) { s.Command += "; rm -rf /" }),
		"the step twice":                func(c *core.Candidate) { c.Steps = append(c.Steps, c.Steps[0]) },
		"no step":                       func(c *core.Candidate) { c.Steps = nil },
		"a version enabled, which is":   extra(enable.Op, enable.ID, string(enable.Body), enable.Command),
		"a result with a document less": func(c *core.Candidate) { c.Result = c.Result[:len(c.Result)-1] },
		"a result with a document more": func(c *core.Candidate) {
			c.Result = append(c.Result, core.Document{Kind: core.Role, ID: "roles/x", Text: "{}"})
		},
		"a result of another key": func(c *core.Candidate) { c.Result[2].ID = another },
		"a result with another ring policy": func(c *core.Candidate) {
			c.Result = withText(c.Result, core.IAMPolicy, payRing, payPolicy(payBinding(payPair, "group:"+payGroup)))
		},
		"a result that has a stranger more": func(c *core.Candidate) {
			c.Result = withText(c.Result, core.IAMPolicy, payKey, strings.Replace(policyText(t, c.Result), payApp, payMallory, 1))
		},
		"a result with another state": func(c *core.Candidate) {
			c.Result = withText(c.Result, core.CryptoKeyVersions, payKey, payVersions("ENABLED", "DISABLED"))
		},
		"a result that does not parse": func(c *core.Candidate) { c.Result = withText(c.Result, core.IAMPolicy, payProject, "{") },
	} {
		t.Run(name, func(t *testing.T) {
			bad := c
			bad.Steps, bad.Result = slices.Clone(c.Steps), slices.Clone(c.Result)
			edit(&bad)
			if err := Guard(live, good, bad, q, true); err == nil {
				t.Errorf("passed: %+v", bad.Steps)
			}
		})
	}
}

func TestGuardOnWhatChangedUnderTheCandidate(t *testing.T) {
	live, good, q := guardCase()
	c := bestRestore(t, live, good, q)
	marked := strings.Replace(payCryptoKey(""), `"labels": {}`, `"labels": {"byokwatch-revoked": "sec-812"}`, 1)
	for name, x := range map[string]struct {
		live, good core.Policy
		q          core.Question
	}{
		"the etag moved on":               {withText(live, core.IAMPolicy, payKey, strings.Replace(policyText(t, live), "BwLIVE", "BwNEWER", 1)), good, q},
		"somebody joined":                 {withText(live, core.IAMPolicy, payKey, strings.Replace(policyText(t, live), payApp, payApp+`", "`+payMallory, 1)), good, q},
		"the key was revoked":             {withText(live, core.CryptoKey, payKey, marked), good, q},
		"live lost its etag":              {withText(live, core.IAMPolicy, payKey, strings.Replace(policyText(t, live), `"etag": "BwLIVE", `, "", 1)), good, q},
		"live does not parse":             {withText(live, core.IAMPolicy, payKey, "{"), good, q},
		"the custom role grew":            {withText(live, core.Role, payRole, roleJSON(payRole, "GA", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.setIamPolicy")), good, q},
		"the custom role is disabled":     {withText(live, core.Role, payRole, roleJSON(payRole, "DISABLED", "cloudkms.cryptoKeys.get")), good, q},
		"the custom role can't be read":   {live.With(core.Document{Kind: core.Role, ID: payRole, Unreadable: "access denied"}), good, q},
		"the snapshot is of nothing":      {live, paid(payPolicy()), q},
		"the snapshot's group is another": {live, paid(payPolicy(payBinding(payRole, "group:cck-99@confluent.io"))), q},
		"the snapshot's binding is dead":  {live, paid(payPolicy(payBinding(payRole, payDead))), q},
		"the snapshot's binding is over":  {live, paid(payPolicy(payConditional(`request.time < timestamp("2026-08-01T00:00:00Z")`, payRole, "group:"+payGroup))), q},
		"the snapshot had it on the ring": {live, withText(paid(payPolicy()), core.IAMPolicy, payRing, payPolicy(payBinding(payRole, "group:"+payGroup))), q},
		"the snapshot knew no such role":  {live, slices.DeleteFunc(slices.Clone(good), func(d core.Document) bool { return d.ID == payRole }), q},
		"another group is configured":     {live, good, asked(payAsks(func(k *core.Key) { k.Needs.Group = "evil@evil.example" }), live, good)},
		"no group is configured":          {live, good, asked(payAsks(func(k *core.Key) { k.Needs.Group = "" }), live, good)},
		"another key is asked about":      {live, good, asked(payAsks(func(k *core.Key) { k.ID += "2" }), live, good)},
		"the key's name is no name":       {live, good, asked(payAsks(func(k *core.Key) { k.ID = "projects/acme; rm -rf /" }), live, good)},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Guard(x.live, x.good, c, x.q, true); err == nil {
				t.Error("passed")
			}
		})
	}
}

// TestGuardOnOneBinding writes one policy over another, with the snapshot that
// is to justify it: no more is in play than the sentence says.
func TestGuardOnOneBinding(t *testing.T) {
	group := "group:" + payGroup
	const etag = `"etag": "BwKEY", "version": 3}`
	policy := func(bindings ...string) string { return `{"bindings": [` + strings.Join(bindings, ", ") + `], ` + etag }
	late := strings.Replace(payDated, "2027-", "2026-", 1)
	custom, pair, viewer, operator := payBinding(payRole, group), payBinding(payPair, group), payBinding(payViewer, group), payBinding(payOperator, group)
	revoked := func(p core.Policy) core.Policy {
		return withText(p, core.CryptoKey, payKey, payCryptoKey(`"byokwatch-revoked": "sec-812"`))
	}
	for name, x := range map[string]struct {
		live, next string
		good       core.Policy
		live2      func(core.Policy) core.Policy
		group      string
		passes     bool
	}{
		"the snapshot's own":                               {live: policy(), next: policy(custom), good: paid(policy(custom)), passes: true},
		"the snapshot's own, in a binding with others":     {live: policy(payBinding(payRole, payApp)), next: policy(payBinding(payRole, payApp, group)), good: paid(policy(custom)), passes: true},
		"the group where it is already":                    {live: policy(payBinding(payRole, payApp, group)), next: policy(payBinding(payRole, payApp, group, group)), good: paid(policy(custom))},
		"a role of the project's":                          {live: policy(), next: policy(operator), good: withText(paid(policy()), core.IAMPolicy, payProject, policy(operator))},
		"a custom role of the ring's":                      {live: policy(), next: policy(custom), good: withText(paid(policy()), core.IAMPolicy, payRing, policy(custom))},
		"the predefined pair for the ring's":               {live: policy(), next: policy(pair, viewer), good: withText(paid(policy()), core.IAMPolicy, payRing, policy(custom)), passes: true},
		"a role that everybody had":                        {live: policy(), next: policy(operator), good: paid(policy(payBinding(payOperator, "allUsers")))},
		"the predefined role that everybody had":           {live: policy(), next: policy(pair), good: paid(policy(payBinding(payOperator, "allUsers"))), passes: true},
		"a role that gave nothing that Confluent needs":    {live: policy(), next: policy(payBinding("roles/cloudkms.publicKeyViewer", group)), good: paid(policy(payBinding("roles/cloudkms.publicKeyViewer", group), viewer))},
		"a binding that is over":                           {live: policy(), next: policy(payConditional(late, payRole, group)), good: paid(policy(payConditional(late, payRole, group), viewer))},
		"a binding that holds":                             {live: policy(), next: policy(payConditional(payDated, payRole, group)), good: paid(policy(payConditional(payDated, payRole, group))), passes: true},
		"the pair wider than the condition":                {live: policy(), next: policy(pair), good: paid(policy(payConditional(payDated, payRole, group)))},
		"the pair under the condition":                     {live: policy(), next: policy(payConditional(payDated, payPair, group)), good: paid(policy(payConditional(payDated, payRole, group))), passes: true},
		"the pair under a narrower condition":              {live: policy(), next: policy(payConditional(payDated, payPair, group)), good: paid(policy(custom)), passes: true},
		"the pair for half of it":                          {live: policy(), next: policy(pair), good: paid(policy(payBinding("roles/cloudkms.cryptoKeyEncrypter", group)))},
		"the pair for get":                                 {live: policy(), next: policy(pair), good: paid(policy(viewer))},
		"viewer for encrypting":                            {live: policy(), next: policy(viewer), good: paid(policy(pair))},
		"one that a deny policy took away in the snapshot": {live: policy(), next: policy(pair), good: withText(paid(policy(pair)), core.DenyPolicies, payProject, `[{"name": "policies/x/denypolicies/d", "rules": [{"denyRule": {"deniedPrincipals": ["principalSet://goog/group/`+payGroup+`"], "deniedPermissions": ["cloudkms.googleapis.com/cryptoKeyVersions.*"]}}]}]`)},
		"a revoked key":                                    {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: revoked},
		"no etag on either side":                           {live: `{"bindings": [], "version": 3}`, next: `{"bindings": [` + custom + `], "version": 3}`, good: paid(policy(custom))},
		"no group configured, and none in the snapshot":    {live: policy(), next: policy(payBinding(payRole, "group:")), good: paid(policy(payBinding(payRole, "group:"))), group: "-"},
		"a custom role that live does not show": {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: func(p core.Policy) core.Policy {
			return slices.DeleteFunc(slices.Clone(p), func(d core.Document) bool { return d.ID == payRole })
		}, passes: true},
		"a deleted custom role": {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: func(p core.Policy) core.Policy {
			return withText(p, core.Role, payRole, strings.Replace(roleJSON(payRole, "GA", useEncrypt), "{", `{"deleted": true, `, 1))
		}},
		"a disabled custom role": {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: func(p core.Policy) core.Policy {
			return withText(p, core.Role, payRole, roleJSON(payRole, "DISABLED", useEncrypt))
		}},
		"a custom role that grew": {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: func(p core.Policy) core.Policy {
			return withText(p, core.Role, payRole, roleJSON(payRole, "GA", useEncrypt, "a.b.c"))
		}},
		"a custom role that can't be read": {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: func(p core.Policy) core.Policy {
			return p.With(core.Document{Kind: core.Role, ID: payRole, Unreadable: "access denied"})
		}},
		"a project's policy that does not parse": {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: func(p core.Policy) core.Policy {
			return withText(p, core.IAMPolicy, payProject, "{")
		}},
		"a key that nobody can use": {live: policy(), next: policy(custom), good: paid(policy(custom)), live2: func(p core.Policy) core.Policy {
			return withText(withText(p, core.CryptoKeyVersions, payKey, payVersions("DISABLED", "DISABLED")), core.CryptoKey, payKey, strings.Replace(payCryptoKey(""), "ENABLED", "DISABLED", 1))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			live := paid(x.live)
			if x.live2 != nil {
				live = x.live2(live)
			}
			q := asked(payAsks(func(k *core.Key) { k.Needs.Group = strings.TrimPrefix(cmp.Or(x.group, k.Needs.Group), "-") }), live, x.good)
			good := Trim(x.good, q)
			c := rewritten(t, core.Candidate{Name: "one", Result: live}, x.next)
			if role, ok := compare.Find(good, core.Ref{Kind: core.Role, ID: payRole}); ok && strings.Contains(x.next, payRole) {
				if _, shown := compare.Find(live, role.Ref()); !shown {
					c.Result = append(c.Result, role)
				}
			}
			err := Guard(live, good, c, q, false)
			if (err == nil) != x.passes {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestGuardOnKeyVersions(t *testing.T) {
	restore := func(k *core.Key) { k.KeyState = core.CareRestore }
	text := payPolicy(payBinding(payRole, "group:"+payGroup))
	with := func(states ...string) core.Policy {
		return withText(paid(text), core.CryptoKeyVersions, payKey, payVersions(states...))
	}
	for name, x := range map[string]struct {
		live, good core.Policy
		care       func(*core.Key)
		number     string
		edit       func(*core.Step)
		passes     bool
	}{
		"one that was enabled and is disabled": {with("DISABLED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", nil, true},
		"nobody opted in":                      {with("DISABLED", "ENABLED"), with("ENABLED", "ENABLED"), func(*core.Key) {}, "1", nil, false},
		"it is enabled":                        {with("ENABLED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", nil, false},
		"it is scheduled for destruction":      {with("DESTROY_SCHEDULED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", nil, false},
		"it was disabled in the snapshot":      {with("DISABLED", "ENABLED"), with("DISABLED", "ENABLED"), restore, "1", nil, false},
		"the snapshot does not know it":        {with("ENABLED", "ENABLED", "DISABLED"), with("ENABLED", "ENABLED"), restore, "3", nil, false},
		"live does not know it":                {with("ENABLED"), with("ENABLED", "ENABLED"), restore, "2", nil, false},
		"a body that disables":                 {with("DISABLED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", func(s *core.Step) { s.Body = json.RawMessage(`{"state":"DISABLED"}`) }, false},
		"a body that says more":                {with("DISABLED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", func(s *core.Step) { s.Body = json.RawMessage(`{"state":"ENABLED","x":1}`) }, false},
		"a version of another key":             {with("DISABLED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", func(s *core.Step) { s.ID = strings.Replace(s.ID, "payments/", "other/", 1) }, false},
		"a command for another version":        {with("DISABLED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", func(s *core.Step) { s.Command = strings.Replace(s.Command, "enable 1", "enable 2", 1) }, false},
		"a version number that is a path":      {with("DISABLED", "ENABLED"), with("ENABLED", "ENABLED"), restore, "1", func(s *core.Step) { s.ID += "/../2" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			q := asked(payAsks(x.care), x.live, x.good)
			s, err := versionStep(payKey, x.number)
			if err != nil {
				t.Fatal(err)
			}
			if x.edit != nil {
				x.edit(&s)
			}
			result, err := enabled(x.live, payKey, []string{x.number})
			if err != nil {
				t.Fatal(err)
			}
			if err := Guard(x.live, x.good, core.Candidate{Name: "twice", Result: result, Steps: []core.Step{s, s}}, q, false); err == nil {
				t.Error("the same version passes twice")
			}
			err = Guard(x.live, x.good, core.Candidate{Name: "key versions", Result: result, Steps: []core.Step{s}}, q, false)
			if (err == nil) != x.passes {
				t.Errorf("%v", err)
			}
		})
	}
}
