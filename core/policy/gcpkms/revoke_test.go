package gcpkms

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/rawjson"
)

func TestRevokeTakesConfluentOffTheKeyAndNothingFromOthers(t *testing.T) {
	text := `{"auditConfigs": [], "bindings": [` + payBinding(payRole, payApp, "group:CCK-12345@confluent.io", payDead) + `, ` + payBinding(payViewer, "group:"+payGroup) + `, ` + payBinding("roles/cloudkms.admin", payMallory) + `], "etag": "BwKEY", "version": 1}`
	live := withText(paid(text), core.CryptoKey, payKey, payCryptoKey(`"team": "kafka"`))
	q := asked(payAsks(), live, nil)
	c, err := Revoke(live, q, "SEC-812: key leaked; <!channel>")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, s := range c.Steps {
		commands = append(commands, s.Op+" "+s.Command)
	}
	want := []string{
		"UpdateCryptoKey gcloud kms keys update payments --update-labels=byokwatch-revoked=sec-812-key-leaked-channel --keyring=kafka --location=us-west1 --project=acme",
		"SetIamPolicy gcloud kms keys set-iam-policy payments policy.json --keyring=kafka --location=us-west1 --project=acme",
	}
	if !slices.Equal(commands, want) {
		t.Errorf("steps %q", commands)
	}
	if got := string(c.Steps[0].Body); got != `{"cryptoKey":{"labels":{"byokwatch-revoked":"sec-812-key-leaked-channel","team":"kafka"}},"updateMask":"labels"}` {
		t.Errorf("labels %s", got)
	}
	var body setBody
	if err := json.Unmarshal(c.Steps[1].Body, &body); err != nil {
		t.Fatal(err)
	}
	left := `{"auditConfigs": [], "bindings": [` + payBinding(payRole, payApp) + `, ` + payBinding("roles/cloudkms.admin", payMallory) + `], "etag": "BwKEY", "version": 3}`
	if policyText(t, c.Result) != left || !rawjson.Same(string(body.Policy), left) || body.UpdateMask != policyMask {
		t.Errorf("%s", policyText(t, c.Result))
	}
	j := Judge(c.Result, q)
	if !j.Revoked || len(c.Left) > 0 {
		t.Errorf("revoked %t, left %q", j.Revoked, c.Left)
	}
	for _, f := range j.Findings {
		if f.Aspect == core.Access && f.Result != core.Missing {
			t.Errorf("%s is %s", f.Permission, f.Result)
		}
	}
	if candidates, err := Candidates(c.Result, live, q, payLost(c.Result, live, q)); len(candidates) > 0 || err != nil {
		t.Errorf("a restore would undo it: %v, %v", candidates, err)
	}
	if _, err := Revoke(c.Result, q, "again"); !errors.Is(err, ErrRevoked) {
		t.Errorf("again: %v", err)
	}
	back, err := Reinstate(c.Result, q)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(back.Steps[0].Body); len(back.Steps) != 1 || got != `{"cryptoKey":{"labels":{"team":"kafka"}},"updateMask":"labels"}` {
		t.Errorf("%s", got)
	}
	if doc, _ := documentOf(back.Result, core.CryptoKey, payKey); !rawjson.Same(doc.Text, payCryptoKey(`"team": "kafka"`)) {
		t.Errorf("%s", doc.Text)
	}
	if candidates, err := Candidates(back.Result, Trim(live, q), q, payLost(back.Result, live, q)); err != nil || len(candidates) == 0 {
		t.Errorf("nothing gives back what was reinstated: %v", err)
	}
}

func TestRevokeSaysWhatItCanNotTake(t *testing.T) {
	for name, live := range map[string]core.Policy{
		"the project gives it": withText(paid(payPolicy(payBinding(payRole, "group:"+payGroup))), core.IAMPolicy, payProject, payPolicy(payBinding(payRole, "group:"+payGroup))),
		"everybody has it":     paid(payPolicy(payBinding(payRole, "allUsers"))),
	} {
		t.Run(name, func(t *testing.T) {
			q := asked(payAsks(), live, nil)
			c, err := Revoke(live, q, "")
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Left) != 3 || !strings.Contains(c.Left[0], "still has") || !Judge(c.Result, q).Revoked {
				t.Errorf("left %q", c.Left)
			}
		})
	}
}

func TestRevokeRefuses(t *testing.T) {
	good := paid(payPolicy(payBinding(payRole, "group:"+payGroup)))
	for name, x := range map[string]struct {
		live core.Policy
		q    core.Question
	}{
		"a key without a group":        {good, payAsks(func(k *core.Key) { k.Needs.Group = "" })},
		"a key that can't be read":     {good.With(core.Document{Kind: core.CryptoKey, ID: payKey, Unreadable: "access denied"}), payAsks()},
		"a policy that does not parse": {withText(good, core.IAMPolicy, payKey, "{"), payAsks()},
		"a policy without an etag":     {withText(good, core.IAMPolicy, payKey, `{"bindings": []}`), payAsks()},
		"a name that is none":          {good, payAsks(func(k *core.Key) { k.ID = "x" })},
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := Revoke(x.live, x.q, "x"); err == nil {
				t.Errorf("%+v", c.Steps)
			}
		})
	}
	if _, err := Reinstate(good, payAsks()); !errors.Is(err, ErrNotRevoked) {
		t.Errorf("reinstating what nobody revoked: %v", err)
	}
}

func TestReasonsAsLabels(t *testing.T) {
	for reason, want := range map[string]string{
		"":                          "yes",
		"<!>":                       "yes",
		"SEC-812: leaked":           "sec-812-leaked",
		strings.Repeat("long ", 30): strings.TrimSuffix(strings.Repeat("long-", 13)[:63], "-"),
		"Schlüssel":                 "schl-ssel",
		"a;rm -rf /":                "a-rm--rf",
	} {
		if got := labelValue(reason); got != want || len(got) > 63 {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}
