package azurekv

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
	"byokwatch/core/policy/truth"
	"byokwatch/core/rawjson"
)

const (
	fuzzSub       = "/subscriptions/11111111-2222-3333-4444-555555555555"
	fuzzVault     = fuzzSub + "/resourcegroups/kafka/providers/microsoft.keyvault/vaults/acme-vault"
	fuzzKey       = fuzzVault + "/keys/payments"
	fuzzTenant    = "aaaaaaaa-1111-1111-1111-111111111111"
	fuzzConfluent = "cccccccc-2222-2222-2222-222222222222"
	fuzzSelf      = "dddddddd-3333-3333-3333-333333333333"
	fuzzCustom    = "eeeeeeee-4444-4444-4444-444444444444"
	fuzzVersion   = "0123456789abcdef0123456789abcdef"

	encryptionUser = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
	vaultReader    = "21090545-7ca7-4776-b22c-e363652d74d2"
)

// assigned is a role assignment as az prints it.
func assigned(principal, role, scope, condition string) string {
	quoted := "null"
	if condition != "" {
		b, err := json.Marshal(condition)
		if err != nil {
			panic(err)
		}
		quoted = string(b)
	}
	return `{"condition": ` + quoted + `, "conditionVersion": null, "createdBy": null, "createdOn": "2026-01-02T03:04:05.678901+00:00", "delegatedManagedIdentityResourceId": null, "description": null,
"id": "` + scope + `/providers/Microsoft.Authorization/roleAssignments/99999999-0000-0000-0000-000000000000", "name": "99999999-0000-0000-0000-000000000000", "principalId": "` + principal + `", "principalType": "ServicePrincipal",
"roleDefinitionId": "` + fuzzSub + `/providers/Microsoft.Authorization/roleDefinitions/` + role + `", "scope": "` + scope + `", "type": "Microsoft.Authorization/roleAssignments"}`
}

const (
	fuzzVaultText = `{"id":"` + fuzzVault + `","name":"acme-vault","location":"westus","tags":{},"properties":{"tenantId":"` + fuzzTenant + `","vaultUri":"https://acme-vault.vault.azure.net/","enableRbacAuthorization":true,"enablePurgeProtection":true,"publicNetworkAccess":"Enabled","networkAcls":null,"accessPolicies":[]}}`
	fuzzKeyText   = `{"id":"` + fuzzKey + `","properties":{"attributes":{"enabled":true},"kty":"RSA","keyOps":["wrapKey","unwrapKey"],"keyUri":"https://acme-vault.vault.azure.net/keys/payments","keyUriWithVersion":"https://acme-vault.vault.azure.net/keys/payments/` + fuzzVersion + `"}}`
	fuzzVersions  = `[{"id":"` + fuzzKey + `/versions/` + fuzzVersion + `","properties":{"attributes":{"enabled":true}}}]`
	fuzzRoles     = `[{"id":"/providers/Microsoft.Authorization/roleDefinitions/` + fuzzCustom + `","name":"` + fuzzCustom + `","roleName":"byok","roleType":"CustomRole","permissions":[{"actions":["Microsoft.KeyVault/vaults/read"],"notActions":[],"dataActions":["Microsoft.KeyVault/vaults/keys/*"],"notDataActions":[]}]}]`
)

// fuzzCase is a key about which everything is known.
func fuzzCase(vault, assignments, roles, denies string) core.Policy {
	return core.Policy{
		{Kind: core.Vault, ID: fuzzVault, Text: vault},
		{Kind: core.VaultKey, ID: fuzzKey, Text: fuzzKeyText},
		{Kind: core.VaultKeyVersions, ID: fuzzKey, Text: fuzzVersions},
		{Kind: core.RoleAssignments, ID: core.AssignedTo(fuzzKey, fuzzConfluent), Text: assignments},
		{Kind: core.RoleAssignments, ID: core.AssignedTo(fuzzKey, fuzzSelf), Text: "[" + assigned(fuzzSelf, "8b54135c-b56d-4d72-a534-26097cfdc8d8", fuzzVault, "") + "]"},
		{Kind: core.RoleDefinitions, ID: "/providers/microsoft.authorization/roledefinitions/" + fuzzCustom, Text: roles},
		{Kind: core.DenyAssignments, ID: fuzzKey, Text: denies},
	}
}

func fuzzQuestion(p core.Policy) core.Question {
	k := core.Key{ID: fuzzKey, Vault: fuzzVault, Cloud: core.Azure, Mode: core.Enforce, Needs: core.Confluent{Principal: fuzzConfluent, Tenant: fuzzTenant, Cluster: "dedicated"}}
	return core.Question{Key: k, Needs: Needs(k, p, nil), Self: fuzzSelf, At: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
}

func fuzzJudge(p core.Policy) core.Judgement { return Judge(p, fuzzQuestion(p)) }

// pair is what Confluent's snippet assigns.
func pair() string {
	return "[" + assigned(fuzzConfluent, encryptionUser, fuzzVault, "") + "," + assigned(fuzzConfluent, vaultReader, fuzzVault, "") + "]"
}

var fuzzDenies = []string{
	everybodyDenied,
	`{"scope":"` + fuzzSub + `","principals":[{"id":"` + fuzzConfluent + `","type":"ServicePrincipal"}],"permissions":[{"dataActions":["*"],"actions":["*"]}]}`,
	`{"scope":"` + fuzzKey + `","principals":[{"id":"x","type":"Group"}],"permissions":[{"dataActions":["*"]}]}`,
	`{"scope":"/","principals":[{"id":"` + everyone + `"}],"excludePrincipals":[{"id":"x","type":"Group"}],"permissions":[{"actions":["*"]}]}`,
	`{"scope":"` + fuzzVault + `","doNotApplyToChildScopes":true,"principals":[{"id":"` + everyone + `"}],"permissions":[{"dataActions":["*"],"condition":"x"}]}`,
}

func FuzzJudge(f *testing.F) {
	vaults := append(policytest.Texts(f, "vault.json"), fuzzVaultText)
	roles := append(policytest.Texts(f, "role.json"), fuzzRoles)
	denies := append(policytest.Texts(f, "deny.json"), "[]")
	lists := append(policytest.Texts(f, "assigned.json"), pair())
	for i, text := range lists {
		f.Add(vaults[i%len(vaults)], text, roles[i%len(roles)], denies[i%len(denies)], i)
		f.Add(fuzzVaultText, text, roles[i%len(roles)], "[]", i)
	}
	for i, text := range vaults {
		f.Add(text, pair(), fuzzRoles, denies[i%len(denies)], i)
	}
	f.Fuzz(func(t *testing.T, vault, assignments, roles, denies string, pick int) {
		p := fuzzCase(vault, assignments, roles, denies)
		j := fuzzJudge(p)
		if _, err := read(p, fuzzQuestion(p).Key); err != nil {
			policytest.WantUnread(t, j)
			return
		}
		if j.Digest == "" {
			t.Fatal("no digest")
		}
		evidenceIsThere(t, j, p)
		orderMeansNothing(t, j, p)
		addingADenyGivesNothing(t, j, p, fuzzDenies[uint(pick)%uint(len(fuzzDenies))])
		takingAwayGivesNothing(t, j, p, pick)
		othersMeanNothing(t, j, p)
		trimIsSound(t, p, fuzzQuestion(p))
	})
}

func evidenceIsThere(t *testing.T, j core.Judgement, p core.Policy) {
	for _, f := range j.Findings {
		if f.Reason == "" {
			t.Fatalf("%s is %v for no reason", f.Permission, f.Result)
		}
		for _, e := range f.Evidence {
			if !slices.ContainsFunc(p, func(d core.Document) bool {
				return d.ID == e.Document && d.Kind == e.Kind && 0 <= e.Start && e.Start < e.End && e.End <= len(d.Text)
			}) || e.Clause == "" {
				t.Fatalf("evidence %+v lies in no document", e)
			}
		}
	}
}

// orderMeansNothing: every list of every document may be turned round, and so
// may the documents.
func orderMeansNothing(t *testing.T, before core.Judgement, p core.Policy) {
	turned := slices.Clone(p)
	for i, d := range turned {
		turned[i].Text = policytest.TurnedRound(t, d.Text)
	}
	slices.Reverse(turned)
	policytest.WantSame(t, "turned round", before, fuzzJudge(turned))
}

// addingADenyGivesNothing: no deny assignment makes Met what was not, nor opens
// what was Missing.
func addingADenyGivesNothing(t *testing.T, before core.Judgement, p core.Policy, deny string) {
	p = append(slices.Clone(p), core.Document{Kind: core.DenyAssignments, Text: "[" + deny + "]"})
	after := fuzzJudge(p)
	policytest.WantNoGain(t, deny, before, after)
}

// takingAwayGivesNothing: without one of Confluent's assignments nothing that was
// Missing is Met. It may become open: through which groups Azure says that
// Confluent has roles also tells which deny assignments hit it.
func takingAwayGivesNothing(t *testing.T, before core.Judgement, p core.Policy, pick int) {
	l, err := rawjson.ReadList(p[3].Text)
	if err != nil || len(l.Elements) == 0 {
		return
	}
	i := int(uint(pick) % uint(len(l.Elements)))
	l.Elements = slices.Delete(l.Elements, i, i+1)
	p = slices.Clone(p)
	p[3].Text = l.String()
	for i, f := range fuzzJudge(p).Findings {
		if f.Result == core.Met && before.Findings[i].Result != core.Met {
			t.Fatalf("%s was %v and is met without an assignment", f.Permission, before.Findings[i].Result)
		}
	}
}

// othersMeanNothing: what everybody else has is not in the digest.
func othersMeanNothing(t *testing.T, before core.Judgement, p core.Policy) {
	p = append(slices.Clone(p), core.Document{Kind: core.RoleAssignments, Text: "[" + others + "]"})
	if after := fuzzJudge(p); after.Digest != before.Digest {
		t.Fatal("somebody else's assignment changes the digest")
	}
}

// FuzzSpelling: a policy that differs from a good one only in the case of members,
// or by a member twice, is never better than it.
func FuzzSpelling(f *testing.F) {
	for i := range 40 {
		f.Add(i, i*7, i%3 == 0)
	}
	good := goodCase()
	f.Fuzz(func(t *testing.T, which, where int, twice bool) {
		p := slices.Clone(good)
		d := &p[uint(which)%4]
		names := memberNames(d.Text)
		name := names[uint(where)%uint(len(names))]
		other := strings.ToUpper(name)
		if twice {
			other = name + `": null, "` + name
		}
		d.Text = strings.Replace(d.Text, `"`+name+`":`, `"`+other+`":`, 1)
		j := fuzzJudge(p)
		switch {
		case other != name && twice && j.Digest != "":
			t.Fatalf("%s twice in %s is read", name, d.Kind)
		case j.Digest == "" || sameAs(j, good):
		default:
			t.Fatalf("%s as %s in %s makes another policy", name, other, d.Kind)
		}
	})
}

func memberNames(text string) []string {
	var out []string
	for _, part := range strings.Split(text, `":`) {
		out = append(out, part[strings.LastIndexByte(part, '"')+1:])
	}
	return out[:len(out)-1]
}

func sameAs(j core.Judgement, good core.Policy) bool {
	before := fuzzJudge(good)
	return j.Digest == before.Digest && slices.EqualFunc(j.Findings, before.Findings, func(a, b core.Finding) bool { return a.Result == b.Result })
}

// FuzzCondition: whatever a condition says, it is judged in bounded time, its
// spelling means the same, and between its dates it does not change.
func FuzzCondition(f *testing.F) {
	for _, text := range policytest.Texts(f, "assigned.json") {
		items, err := parseAssignments(text)
		if err != nil {
			continue
		}
		for _, a := range items {
			if a.Condition != "" {
				f.Add(a.Condition)
			}
		}
	}
	f.Add(dataAccessCondition)
	f.Add(strings.Repeat("!(", 30) + "ActionMatches{'*'}" + strings.Repeat(")", 30))
	at := facts{action: "microsoft.keyvault/vaults/keys/unwrap/action", at: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), request: map[string]string{askedRole: encryptionUser, askedPrincipal: fuzzConfluent, askedType: "ServicePrincipal"}}
	f.Fuzz(func(t *testing.T, text string) {
		c := parseCondition(text, "")
		held := c.holds(at)
		spelled := squeezed(text)
		if again := parseCondition(spelled, ""); len(spelled) <= maxCondition && (again.holds(at) != held || squeezed(spelled) != spelled) {
			t.Fatalf("%q is %d, spelled %q it is %d", text, held, spelled, again.holds(at))
		}
		if held == truth.Unknown {
			return
		}
		for _, after := range []time.Duration{time.Nanosecond, time.Hour, 24 * 400 * time.Hour} {
			later := at
			later.at = at.at.Add(after)
			passed := slices.ContainsFunc(c.dates, func(d time.Time) bool { return !d.Before(at.at) && !d.After(later.at) })
			if !passed && c.holds(later) != held {
				t.Fatalf("%q changes within %s without a date: %v", text, after, c.dates)
			}
		}
	})
}

func FuzzRecognise(f *testing.F) {
	for _, section := range []string{"vault.json", "key.json", "versions.json", "assigned.json", "role.json", "deny.json"} {
		for _, text := range policytest.Texts(f, section) {
			f.Add([]byte(text))
		}
	}
	for _, text := range []string{azKey, azVersions, azDeleted, armRole, `{"value":` + pair() + `}`, `{"policy":[]}`} {
		f.Add([]byte(text))
	}
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
		if again, err := RecogniseAll([]byte(docs[0].Text)); len(docs) == 1 && docs[0].Unreadable == "" && docs[0].Text != "[]" && (err != nil || again[0].Kind != docs[0].Kind || again[0].Text != strings.TrimSpace(docs[0].Text)) {
			t.Fatalf("recognised %s, its text again as %v, %v", docs[0].Kind, again, err)
		}
	})
}
