package azurekv

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/confluent"
)

// rigDealer deals keys from a seed.
type rigDealer struct{ *rand.Rand }

func deal[T any](d rigDealer, list ...T) T { return list[d.IntN(len(list))] }

func (d rigDealer) assignments() core.Document {
	var items []string
	for range d.IntN(4) {
		options := []string{deal(d, rigPrincipal, rigPrincipal, rigTeam)}
		if d.IntN(3) == 0 {
			options = append(options, deal(d, rigTrue, rigLater, rigOpaque, rigNonsense))
		}
		item := rigAssign(deal(d, rigCrypto, rigCrypto, rigReader, rigReader, rigCustom, rigOfficer, rigMallory), deal(d, rigVault, rigVault, rigVault, rigKey, rigGroupID, rigSub, "/"), options...)
		if !slices.Contains(items, item) {
			items = append(items, item)
		}
	}
	doc := rigGiven(items...)
	if d.IntN(8) == 0 {
		doc.Text = `{"value": ` + doc.Text + `}`
	}
	return doc
}

func (d rigDealer) vault(rbac bool) core.Document {
	var entries []string
	for _, who := range []string{rigPrincipal, rigMallory, rigTeam} {
		if d.IntN(2) == 0 {
			continue
		}
		keys := slices.DeleteFunc([]string{"Get", "list", "unwrapKey", "WrapKey", "sign", "purge", "all"}, func(string) bool { return d.IntN(2) == 0 })
		e := rigEntry(deal(d, who, strings.ToUpper(who)), keys...)
		if d.IntN(6) == 0 {
			e = strings.Replace(e, `"permissions"`, `"applicationId": `+deal(d, "null", `"`+rigTeam+`"`)+`, "permissions"`, 1)
		}
		if d.IntN(10) == 0 {
			e = strings.Replace(e, rigTenant, rigMallory, 1)
		}
		entries = append(entries, e)
	}
	members := []string{"enableRbacAuthorization", fmt.Sprint(rbac), "accessPolicies", rigList(entries...)}
	if d.IntN(2) == 0 {
		members = append(members, "networkAcls", fmt.Sprintf(`{"bypass": %s, "defaultAction": %s, "ipRules": %s, "virtualNetworkRules": []}`,
			deal(d, `"AzureServices"`, `"None"`, `"none"`, "null"), deal(d, `"Allow"`, `"Deny"`, "null"), deal(d, "[]", `[{"value": "192.0.2.0/24"}]`)))
	}
	if d.IntN(3) == 0 {
		members = append(members, "publicNetworkAccess", deal(d, `"Enabled"`, `"Disabled"`, `"disabled"`, `"SecuredByPerimeter"`, "null"))
	}
	if d.IntN(12) == 0 {
		members = append(members, "tags", deal(d, `{"byokwatch-revoked": "payments"}`, `{"byokwatch-revoked": "orders"}`, `{"BYOKWATCH-REVOKED": "*"}`))
	}
	if d.IntN(15) == 0 {
		members = append(members, "tenantId", `"`+rigMallory+`"`)
	}
	return rigVaultDoc(members...)
}

func (d rigDealer) key(rbac bool) core.Policy {
	if d.IntN(10) == 0 {
		rbac = !rbac
	}
	p := rig(d.assignments(), d.vault(rbac))
	if d.IntN(3) == 0 {
		p = p.With(rigVersionsDoc(deal(d, "enabled", "disabled"), deal(d, "enabled", "disabled"), deal(d, "enabled", "disabled")))
	}
	if d.IntN(4) == 0 {
		p = p.With(rigKeyDoc(deal(d, rigOne, rigTwo), d.IntN(2) == 0))
	}
	if d.IntN(4) == 0 {
		p = p.With(rigRole(rigCustom, nil, deal(d, [][]string{{"Microsoft.KeyVault/vaults/keys/read"}, {"Microsoft.KeyVault/*"}, nil}...)))
	}
	if d.IntN(6) == 0 {
		p = p.With(rigDenies(rigDeny("99999999-9999-4999-8999-999999999999", "Microsoft.KeyVault/vaults/keys/"+deal(d, "*", "wrap/action", "read"))))
	}
	return p
}

// TestRestoresGiveBackAndNothingElse deals pairs of live and snapshot and looks
// at every candidate with eyes of its own.
func TestRestoresGiveBackAndNothingElse(t *testing.T) {
	restored, kinds := 0, map[string]int{}
	for seed := range uint64(400) {
		d := rigDealer{rand.New(rand.NewPCG(seed, 11))}
		rbac := d.IntN(3) > 0
		live, whole := d.key(rbac), d.key(rbac)
		q := rigAsked(rigAsks(func(k *core.Key) {
			k.KeyState, k.Network = deal(d, core.CareAlert, core.CareRestore), deal(d, core.CareAlert, core.CareRestore)
			k.Needs.Cluster = deal(d, "dedicated", "enterprise", "")
		}), live, whole)
		good := Trim(whole, q)
		lost := rigLost(live, good, q)
		candidates, err := Candidates(live, good, q, lost)
		if err != nil && Judge(live, q).Digest != "" && Judge(good, q).Digest != "" {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, c := range candidates {
			restored++
			for _, s := range c.Steps {
				kinds[s.Op]++
				shellWords(t, s.Command)
			}
			if err := Guard(live, good, c, q, false); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, dealt(live, good, c))
			}
			if why := outOfPlace(live, good, c, q); why != "" {
				t.Fatalf("seed %d: %s: %s\n%s", seed, c.Name, why, dealt(live, good, c))
			}
			if why := otherwise(live, c.Result); why != "" {
				t.Fatalf("seed %d: %s: %s\n%s", seed, c.Name, why, dealt(live, good, c))
			}
			tampering(t, d, live, good, c, q)
		}
	}
	if restored < 120 || len(kinds) != 4 {
		t.Errorf("only %d candidates with %v: the deals play nothing", restored, kinds)
	}
}

func dealt(live, good core.Policy, c core.Candidate) string {
	var b strings.Builder
	for name, p := range map[string]core.Policy{"live": live, "good": good, "new": c.Result} {
		for _, d := range p {
			if d.Kind == core.Vault || d.ID == rigConfluents {
				fmt.Fprintf(&b, "%s %s: %s\n", name, d.Kind, d.Text)
			}
		}
	}
	for _, s := range c.Steps {
		fmt.Fprintf(&b, "%s %s %s\n", s.Op, s.ID, s.Body)
	}
	return b.String()
}

// loose reads JSON as anybody would who does not know this package.
func loose(text string) map[string]any {
	var m map[string]any
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	return m
}

func looseAt(v any, names ...string) any {
	for _, n := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[n]
	}
	return v
}

// looseOwn says that an access policy is Confluent's own.
func looseOwn(vault map[string]any, e any) bool {
	where, _ := looseAt(vault, "properties", "tenantId").(string)
	object, _ := looseAt(e, "objectId").(string)
	tenant, _ := looseAt(e, "tenantId").(string)
	return strings.EqualFold(object, rigPrincipal) && strings.EqualFold(tenant, where) && looseAt(e, "applicationId") == nil
}

func looseVault(p core.Policy) map[string]any {
	for _, d := range p {
		if d.Kind == core.Vault {
			return loose(d.Text)
		}
	}
	return nil
}

// looseOthers is the vault without what restores may touch.
func looseOthers(p core.Policy) any {
	v := looseVault(p)
	properties, _ := v["properties"].(map[string]any)
	entries, _ := properties["accessPolicies"].([]any)
	properties["accessPolicies"] = slices.DeleteFunc(slices.Clone(entries), func(e any) bool { return looseOwn(v, e) })
	delete(properties, "publicNetworkAccess")
	if rules, ok := properties["networkAcls"].(map[string]any); ok {
		delete(rules, "bypass")
		delete(rules, "defaultAction")
		if len(rules) == 0 {
			delete(properties, "networkAcls")
		}
	}
	return v
}

// otherwise says what a result changes beside what is Confluent's, its firewall
// and its versions.
func otherwise(live, result core.Policy) string {
	if a, b := looseOthers(live), looseOthers(result); !reflect.DeepEqual(a, b) {
		return fmt.Sprintf("the vault is %v and was %v", b, a)
	}
	for i, d := range live {
		switch {
		case d.Kind == core.RoleAssignments && d.ID == rigConfluents:
			old := strings.TrimRight(strings.TrimRight(d.Text, "}"), "] ")
			if !strings.HasPrefix(result[i].Text, old) {
				return "assignments of live are gone: " + result[i].Text
			}
		case d.Kind != core.Vault && d.Kind != core.VaultKey && d.Kind != core.VaultKeyVersions && d != result[i]:
			return "another document changed: " + d.ID
		}
	}
	return ""
}

// outOfPlace says what the steps of a candidate do that the snapshot does not
// justify. It reads them as Azure would.
func outOfPlace(live, good core.Policy, c core.Candidate, q core.Question) string {
	now, before := looseVault(live), looseVault(good)
	rbac := func(v map[string]any) bool { return looseAt(v, "properties", "enableRbacAuthorization") == true }
	for _, s := range c.Steps {
		body := loose(string(s.Body))
		properties, _ := body["properties"].(map[string]any)
		switch s.Op {
		case opAssign:
			if why := badGrant(good, q, s.ID, properties); why != "" || !rbac(now) || !rbac(before) {
				return s.Op + ": " + why
			}
		case opPolicies:
			entries, _ := properties["accessPolicies"].([]any)
			if s.ID != rigVault+"/accessPolicies/add" || rbac(now) || rbac(before) || len(entries) != 1 || !looseOwn(now, entries[0]) || len(entries[0].(map[string]any)) != 3 {
				return fmt.Sprintf("%s: %v", s.Op, entries)
			}
			permissions, _ := looseAt(entries[0], "permissions").(map[string]any)
			for _, k := range permissions["keys"].([]any) {
				if len(permissions) != 1 || !hadKey(before, k.(string)) {
					return fmt.Sprintf("%s: %v", s.Op, permissions)
				}
			}
		case opVault:
			if why := badNetwork(now, before, properties); why != "" || s.ID != rigVault || q.Key.Network != core.CareRestore {
				return s.Op + ": " + why
			}
		case opKey:
			if !strings.HasPrefix(s.ID, rigKey+"/versions/") || q.Key.KeyState != core.CareRestore || !reflect.DeepEqual(body, map[string]any{"attributes": map[string]any{"enabled": true}}) {
				return fmt.Sprintf("%s: %s %s", s.Op, s.ID, s.Body)
			}
		default:
			return s.Op
		}
	}
	return ""
}

// badGrant says what is wrong about a role assignment.
func badGrant(good core.Policy, q core.Question, id string, p map[string]any) string {
	definition, _ := p["roleDefinitionId"].(string)
	condition, _ := p["condition"].(string)
	i := slices.IndexFunc(confluent.AzureRoles(), func(r confluent.AzureRole) bool {
		return definition == rigSub+"/providers/Microsoft.Authorization/roleDefinitions/"+r.ID
	})
	if i < 0 || p["principalId"] != rigPrincipal || p["principalType"] != "ServicePrincipal" || !strings.HasPrefix(id, rigVault+"/providers/Microsoft.Authorization/roleAssignments/") {
		return fmt.Sprintf("%s: %v", id, p)
	}
	// Of the snapshot, only what held without a condition, or under this one.
	var items []any
	for _, d := range good {
		if d.ID != rigConfluents {
			continue
		}
		if err := json.Unmarshal([]byte(d.Text), &items); err != nil {
			items, _ = loose(d.Text)["value"].([]any)
		}
	}
	items = slices.DeleteFunc(items, func(a any) bool {
		c, _ := looseAt(a, "condition").(string)
		return c != "" && c != condition
	})
	text, err := json.Marshal(items)
	if err != nil {
		return err.Error()
	}
	if len(items) == 0 {
		text = []byte("[]")
	}
	for _, f := range Judge(withText(good, core.RoleAssignments, rigConfluents, string(text)), q).Findings {
		if f.Aspect == core.Access && slices.Contains(confluent.AzureRoles()[i].Permissions, f.Permission) && f.Result != core.Met && (condition != rigOpaque && condition != rigNonsense || f.Result == core.Missing) {
			return "the snapshot does not give " + f.Permission + ": " + f.Reason
		}
	}
	return ""
}

func hadKey(vault map[string]any, word string) bool {
	entries, _ := looseAt(vault, "properties", "accessPolicies").([]any)
	for _, e := range entries {
		if !looseOwn(vault, e) {
			continue
		}
		keys, _ := looseAt(e, "permissions", "keys").([]any)
		for _, k := range keys {
			if strings.EqualFold(k.(string), word) || strings.EqualFold(k.(string), "all") && word != "list" {
				return slices.Contains(confluent.AzureAccessPolicy(), word)
			}
		}
	}
	return false
}

// badNetwork says what a change of the firewall changes that it may not.
func badNetwork(now, before map[string]any, p map[string]any) string {
	open := map[string]string{"bypass": "AzureServices", "defaultAction": "Allow", "publicNetworkAccess": "Enabled"}
	was := func(v map[string]any, name string) any {
		if name == "publicNetworkAccess" {
			return looseAt(v, "properties", name)
		}
		return looseAt(v, "properties", "networkAcls", name)
	}
	may := func(name string, value any) bool {
		if reflect.DeepEqual(value, was(now, name)) {
			return true
		}
		old, _ := was(before, name).(string)
		return value == open[name] && (old == "" || strings.EqualFold(old, open[name]))
	}
	for name, value := range p {
		switch name {
		case "publicNetworkAccess":
			if !may(name, value) {
				return fmt.Sprintf("%s becomes %v", name, value)
			}
		case "networkAcls":
			rules, _ := value.(map[string]any)
			old, _ := looseAt(now, "properties", "networkAcls").(map[string]any)
			for n := range old {
				if _, kept := rules[n]; !kept {
					return n + " is gone"
				}
			}
			for n, v := range rules {
				if n != "bypass" && n != "defaultAction" && !reflect.DeepEqual(v, old[n]) || (n == "bypass" || n == "defaultAction") && !may(n, v) {
					return fmt.Sprintf("%s becomes %v", n, v)
				}
			}
		default:
			return name + " is in it"
		}
	}
	return ""
}

// tampering edits the candidate's steps at random: what passes the guard must do
// nothing that the snapshot does not justify.
func tampering(t *testing.T, d rigDealer, live, good core.Policy, c core.Candidate, q core.Question) {
	for range 4 {
		x := c
		x.Steps = slices.Clone(c.Steps)
		i := d.IntN(len(x.Steps))
		s := &x.Steps[i]
		old := deal(d, rigPrincipal, rigCrypto, rigReader, rigTenant, "ServicePrincipal", "get", "wrapKey", "list", "AzureServices", "Deny", "Allow", "None", "Enabled", "true", "{", "}", "[", `"keys"`, `"properties"`, "acme-vault", rigVault, rigOne, rigTwo)
		bad := deal(d, rigMallory, rigTeam, rigSelf, rigOfficer, rigCustom, rigCrypto, rigReader, "Group", "purge", "all", "list", "sign", "AzureServices", "Allow", "Enabled", "false", `{"applicationId":"`+rigTeam+`",`, `{"secrets":["get"],`, `, "x": 1}`, `["all",`, "evil-vault", rigSub, rigTwo)
		body := strings.Replace(string(s.Body), old, bad, 1)
		id := s.ID
		if d.IntN(3) == 0 {
			id = strings.Replace(s.ID, old, bad, 1)
		}
		if body == string(s.Body) && id == s.ID {
			continue
		}
		s.Body, s.ID = json.RawMessage(body), id
		if d.IntN(2) == 0 {
			s.Command = strings.ReplaceAll(s.Command, old, bad)
		}
		if Guard(live, good, x, q, true) != nil {
			continue
		}
		if why := outOfPlace(live, good, x, q); why != "" {
			t.Fatalf("the guard lets pass: %s\n%s", why, dealt(live, good, x))
		}
	}
}

// FuzzGuard lets anything be written over one live policy: what passes does
// nothing that the snapshot does not justify.
func FuzzGuard(f *testing.F) {
	live, good, q := guardCase()
	policyLive, policyGood, policyQ := policyCase()
	all := bestRestore(f, live, good, q)
	policy := bestRestore(f, policyLive, policyGood, policyQ)
	for i, s := range append(slices.Clone(all.Steps), policy.Steps...) {
		f.Add(uint8(i), s.ID, string(s.Body), s.Command)
	}
	f.Add(uint8(0), rigVault, `{"properties":{"enableRbacAuthorization":false}}`, "az keyvault update")
	f.Fuzz(func(t *testing.T, which uint8, id, body, command string) {
		live, good, q, c := live, good, q, all
		i := int(which) % 5
		if i == 4 {
			live, good, q, c, i = policyLive, policyGood, policyQ, policy, 0
		}
		c.Steps = slices.Clone(c.Steps)
		s := &c.Steps[i]
		s.ID, s.Body, s.Command = id, json.RawMessage(body), command
		if Guard(live, good, c, q, false) != nil {
			return
		}
		if why := outOfPlace(live, good, c, q); why != "" {
			t.Fatalf("the guard lets pass: %s\n%s", why, body)
		}
	})
}

// FuzzRestores lets any document stand in live: nothing panics, and what is
// planned passes the guard.
func FuzzRestores(f *testing.F) {
	for _, d := range rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "get"))) {
		f.Add(string(d.Kind), d.ID, d.Text)
	}
	good := rig()
	f.Fuzz(func(t *testing.T, kind, id, text string) {
		live := rig(rigGiven()).With(core.Document{Kind: core.Kind(kind), ID: id, Text: text})
		q := rigAsked(rigAsks(rigNetwork, rigKeyState), live, good)
		trimmed := Trim(good, q)
		lost := rigLost(live, trimmed, q)
		candidates, err := Candidates(live, trimmed, q, lost)
		for _, c := range candidates {
			if err := Guard(live, trimmed, c, q, false); err != nil {
				t.Fatal(err)
			}
			if why := outOfPlace(live, trimmed, c, q); why != "" {
				t.Fatal(why)
			}
		}
		if err == nil {
			Diff(trimmed, live)
		}
		for _, l := range Unlock(live, q, q.Needs) {
			if !strings.HasPrefix(l, "# ") {
				shellWords(t, l)
			}
		}
		Explains(core.Change{Op: opVault, Resource: rigVault}, live, trimmed, lost)
		if c, err := Revoke(live, q, text); err == nil {
			for _, s := range c.Steps {
				shellWords(t, s.Command)
			}
		}
		if c, err := Reinstate(live, q); err == nil {
			shellWords(t, c.Steps[0].Command)
		}
	})
}
