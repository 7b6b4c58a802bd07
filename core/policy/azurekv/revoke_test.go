package azurekv

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/compare"
	"byokwatch/core/rawjson"
)

func tagsIn(t *testing.T, p core.Policy) string {
	t.Helper()
	s, err := sheetOf(p, rigVault)
	if err != nil {
		t.Fatal(err)
	}
	return s.object.Get("tags")
}

func told(c core.Candidate) []string {
	var out []string
	for _, s := range c.Steps {
		out = append(out, rigShort.Replace(s.Op+" "+strings.TrimPrefix(s.ID, rigVault)+" "+string(s.Body)+"\n"+s.Command))
	}
	return out
}

func TestRevokeMarksTheVaultAndTakesConfluentsOwn(t *testing.T) {
	key, vault := rigAssign(rigCrypto, rigKey), rigAssign(rigReader, rigVault)
	others := []string{rigAssign(rigCrypto, rigVault, rigTeam), rigAssign(rigReader, rigGroupID)}
	live := rig(rigGiven(append([]string{key, vault}, others...)...), rigVaultDoc("tags", `{"team": "kafka"}`, "accessPolicies", rigList(rigEntry(rigMallory, "get"), strings.Replace(rigEntry(rigPrincipal, "Get"), `"secrets": []`, `"secrets": ["List"]`, 1))))
	q := rigAsked(rigAsks(), live, nil)
	c, err := Revoke(live, q, "SEC-812: key leaked; <!channel>\n")
	if err != nil {
		t.Fatal(err)
	}
	row := func(item string) string {
		o, err := rawjson.ReadObject(item)
		if err != nil {
			t.Fatal(err)
		}
		return textOf(o, "name")
	}
	want := []string{
		"Microsoft.Resources/tags/write /providers/Microsoft.Resources/tags/default " + `{"operation":"Merge","properties":{"tags":{"byokwatch-revoked":"payments","byokwatch-revoked-reason":"SEC-812: key leaked channel"}}}` +
			"\naz tag update --resource-id <vault> --operation Merge --tags byokwatch-revoked=payments 'byokwatch-revoked-reason=SEC-812: key leaked channel'",
		"Microsoft.Authorization/roleAssignments/delete /keys/payments/providers/Microsoft.Authorization/roleAssignments/" + row(key) + " \naz role assignment delete --ids <vault>/keys/payments/providers/Microsoft.Authorization/roleAssignments/" + row(key),
		"Microsoft.Authorization/roleAssignments/delete /providers/Microsoft.Authorization/roleAssignments/" + row(vault) + " \naz role assignment delete --ids <vault>/providers/Microsoft.Authorization/roleAssignments/" + row(vault),
		"Microsoft.KeyVault/vaults/accessPolicies/write /accessPolicies/remove " + `{"properties":{"accessPolicies":[{"tenantId":"` + rigTenant + `","objectId":"<confluent>","permissions":{"keys":["Get"],"secrets":["List"],"certificates":[]}}]}}` +
			"\naz keyvault delete-policy --name acme-vault --subscription <id> --object-id <confluent>",
	}
	if got := told(c); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, s := range c.Steps {
		shellWords(t, s.Command)
	}
	if got := tagsIn(t, c.Result); got != `{"team": "kafka", "byokwatch-revoked": "payments", "byokwatch-revoked-reason": "SEC-812: key leaked channel"}` {
		t.Errorf("tags %s", got)
	}
	doc, _ := compare.Find(c.Result, core.Ref{Kind: core.RoleAssignments, ID: rigConfluents})
	if !rawjson.Same(doc.Text, rigList(others...)) {
		t.Errorf("%s", doc.Text)
	}
	if s, err := sheetOf(c.Result, rigVault); err != nil || len(s.entries) != 1 || s.entries[0].principal != rigMallory {
		t.Errorf("%+v, %v", s.entries, err)
	}
	j := Judge(c.Result, q)
	if !j.Revoked || !strings.Contains(j.Marker, "SEC-812: key leaked channel") {
		t.Errorf("revoked %t by %q", j.Revoked, j.Marker)
	}
	// What reaches Confluent from above, or through its group, is other people's.
	if len(c.Left) != 4 || !strings.Contains(c.Left[0], "still has") {
		t.Errorf("left %q", c.Left)
	}
	if candidates, err := Candidates(c.Result, Trim(live, q), q, rigLost(c.Result, live, q)); len(candidates) > 0 || err != nil {
		t.Errorf("a restore would undo it: %v, %v", candidates, err)
	}
	if _, err := Revoke(c.Result, q, "again"); !errors.Is(err, ErrRevoked) {
		t.Errorf("again: %v", err)
	}
}

// TestRevokeAndReinstateGoThereAndBack: what the watchdog then restores from its
// snapshot is all that Confluent had.
func TestRevokeAndReinstateGoThereAndBack(t *testing.T) {
	for name, live := range map[string]core.Policy{
		"under Azure RBAC":     rig(rigVaultDoc("tags", "null")),
		"with access policies": rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "get", "list", "unwrapKey", "wrapKey"))),
	} {
		t.Run(name, func(t *testing.T) {
			q := rigAsked(rigAsks(), live, nil)
			c, err := Revoke(live, q, "SEC-812")
			if err != nil || len(c.Left) > 0 {
				t.Fatalf("left %q, %v", c.Left, err)
			}
			if steps := told(c); !strings.HasPrefix(steps[0], opTags) || len(steps) < 2 {
				t.Errorf("the tags don't go first: %q", steps)
			}
			for _, f := range Judge(c.Result, q).Findings {
				if f.Aspect == core.Access && f.Result != core.Missing {
					t.Errorf("%s is %s", f.Permission, f.Result)
				}
			}
			back, err := Reinstate(c.Result, q)
			if err != nil || len(back.Left) > 0 {
				t.Fatalf("left %q, %v", back.Left, err)
			}
			want := opTags + " /providers/Microsoft.Resources/tags/default " + `{"operation":"Delete","properties":{"tags":{"byokwatch-revoked":"payments","byokwatch-revoked-reason":"SEC-812"}}}` +
				"\naz tag update --resource-id <vault> --operation Delete --tags byokwatch-revoked=payments byokwatch-revoked-reason=SEC-812"
			if got := told(back); len(got) != 1 || got[0] != want {
				t.Errorf("%q", got)
			}
			if j := Judge(back.Result, q); j.Revoked {
				t.Error("it is revoked still")
			}
			restored := bestRestore(t, back.Result, Trim(live, q), q)
			for _, f := range Judge(restored.Result, q).Findings {
				if f.Aspect == core.Access && f.Severity == core.Critical && f.Result != core.Met {
					t.Errorf("%s does not come back", f.Permission)
				}
			}
		})
	}
}

// TestTheTagOfSeveralKeys: what other people wrote into it stays, and only names
// of keys enter the command.
func TestTheTagOfSeveralKeys(t *testing.T) {
	with := func(tags string) core.Policy { return rig(rigVaultDoc("tags", tags)) }
	for name, x := range map[string]struct {
		tags             string
		revoked, command string // "" where it is revoked already
		after            string // the tags once it is reinstated from there
	}{
		"no tags":             {`null`, `{"byokwatch-revoked": "payments", "byokwatch-revoked-reason": "why"}`, "byokwatch-revoked=payments", `{}`},
		"another key":         {`{"byokwatch-revoked": "orders"}`, `{"byokwatch-revoked": "orders payments", "byokwatch-revoked-reason": "why"}`, "byokwatch-revoked=orders payments", `{"byokwatch-revoked": "orders", "byokwatch-revoked-reason": "why"}`},
		"in capitals":         {`{"Byokwatch-REVOKED": "Orders,clicks", "BYOKWATCH-revoked-reason": "old"}`, `{"Byokwatch-REVOKED": "Orders,clicks payments", "BYOKWATCH-revoked-reason": "why"}`, "byokwatch-revoked=Orders clicks payments", `{"Byokwatch-REVOKED": "Orders clicks", "BYOKWATCH-revoked-reason": "why"}`},
		"something else":      {`{"byokwatch-revoked": "$(id) see SEC-812"}`, `{"byokwatch-revoked": "$(id) see SEC-812 payments", "byokwatch-revoked-reason": "why"}`, "byokwatch-revoked=id see SEC-812 payments", `{"byokwatch-revoked": "id see SEC-812", "byokwatch-revoked-reason": "why"}`},
		"a longer name":       {`{"byokwatch-revoked": "payments2 my-payments"}`, `{"byokwatch-revoked": "payments2 my-payments payments", "byokwatch-revoked-reason": "why"}`, "byokwatch-revoked=payments2 my-payments payments", `{"byokwatch-revoked": "payments2 my-payments", "byokwatch-revoked-reason": "why"}`},
		"between quotes":      {`{"byokwatch-revoked": "'orders' \"Payments\""}`, "", "", `{"byokwatch-revoked": "orders"}`},
		"by other spaces":     {`{"byokwatch-revoked": "orders\u00a0payments\u200b"}`, "", "", `{"byokwatch-revoked": "orders"}`},
		"by its address":      {`{"byokwatch-revoked": "keys/payments"}`, "", "", `{"byokwatch-revoked": "keys"}`},
		"every key, quoted":   {`{"byokwatch-revoked": "''"}`, "", "", `{}`},
		"every key like it":   {`{"byokwatch-revoked": "pay*"}`, "", "", `{}`},
		"itself":              {`{"byokwatch-revoked": "orders; PAYMENTS", "team": "kafka"}`, "", "", `{"byokwatch-revoked": "orders", "team": "kafka"}`},
		"itself alone":        {`{"byokwatch-revoked": "payments", "team": "kafka"}`, "", "", `{"team": "kafka"}`},
		"every key":           {`{"byokwatch-revoked": "*", "byokwatch-revoked-reason": "old", "team": "kafka"}`, "", "", `{"team": "kafka"}`},
		"every key, in words": {`{"byokwatch-revoked": " "}`, "", "", `{}`},
		"every key and one":   {`{"byokwatch-revoked": "orders *"}`, "", "", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			live := with(x.tags)
			q := rigAsked(rigAsks(), live, nil)
			c, err := Revoke(live, q, "why")
			switch {
			case x.revoked == "":
				if !errors.Is(err, ErrRevoked) {
					t.Fatalf("%v", err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				if got := tagsIn(t, c.Result); !rawjson.Same(got, x.revoked) {
					t.Errorf("tags %s", got)
				}
				if words := shellWords(t, c.Steps[0].Command); !slices.Contains(words, x.command) {
					t.Errorf("command %q", c.Steps[0].Command)
				}
				live = c.Result
			}
			if !Judge(live, q).Revoked {
				t.Error("the judge does not see it")
			}
			back, err := Reinstate(live, q)
			if err != nil {
				t.Fatal(err)
			}
			if got := tagsIn(t, back.Result); !rawjson.Same(got, x.after) {
				t.Errorf("tags %s", got)
			}
			if all := strings.HasPrefix(name, "every"); all != (len(back.Left) > 0) {
				t.Errorf("left %q", back.Left)
			}
			shellWords(t, back.Steps[0].Command)
			if Judge(back.Result, q).Revoked {
				t.Error("it is revoked still")
			}
			if _, err := Reinstate(back.Result, q); !errors.Is(err, ErrNotRevoked) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestRevokeRefuses(t *testing.T) {
	good := rig()
	long := strings.TrimSpace(strings.Repeat("another-key ", 25))
	for name, x := range map[string]struct {
		live core.Policy
		q    core.Question
	}{
		"a key without a principal":            {good, rigAsks(func(k *core.Key) { k.Needs.Principal = "" })},
		"a key without a proper ID":            {good, rigAsks(func(k *core.Key) { k.ID = "x" })},
		"a vault that can't be read":           {good.With(core.Document{Kind: core.Vault, ID: rigVault, Unreadable: "access denied"}), rigAsks()},
		"a vault that does not parse":          {withText(good, core.Vault, rigVault, "{"), rigAsks()},
		"a deleted vault":                      {withText(good, core.Vault, rigVault, `{"properties": {"vaultId": "`+rigVault+`"}}`), rigAsks()},
		"assignments that can't be read":       {good.With(core.Document{Kind: core.RoleAssignments, ID: rigConfluents, Unreadable: "access denied"}), rigAsks()},
		"a tag that is as long as they may be": {good.With(rigVaultDoc("tags", `{"byokwatch-revoked": "`+long[:250]+`"}`)), rigAsks()},
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := Revoke(x.live, x.q, "x"); err == nil {
				t.Errorf("%+v", c.Steps)
			}
		})
	}
	if _, err := Reinstate(good, rigAsks()); !errors.Is(err, ErrNotRevoked) {
		t.Errorf("reinstating what nobody revoked: %v", err)
	}
	policies := rig(rigPolicies(rigEntry(rigPrincipal, "get")), core.Document{Kind: core.RoleAssignments, ID: rigConfluents, Unreadable: "access denied"})
	if c, err := Revoke(policies, rigAsked(rigAsks(), policies, nil), "x"); err != nil || len(c.Steps) != 2 {
		t.Errorf("in a vault with access policies, assignments that can't be read keep nothing: %v, %+v", err, c.Steps)
	}
}

func TestReasonsAsTags(t *testing.T) {
	for reason, want := range map[string]string{
		"":                                "",
		"<!>":                             "",
		"SEC-812: leaked":                 "SEC-812: leaked",
		"a\nb\u202ec\x1b[31m":             "a b c 31m",
		"Schlüssel 💥 weg":                 "Schlüssel weg",
		"x'; rm -rf / #":                  "x rm -rf",
		"https://evil.example/?a=b&c=<d>": "https: evil.example a b c d",
		strings.Repeat("é ", 200):         strings.TrimSpace(strings.Repeat("é ", 128)),
	} {
		if got := cleanReason(reason); got != want || len([]rune(got)) > maxTag {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}
