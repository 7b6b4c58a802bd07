package azurekv

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
)

// guardCase is a key of which everything that may be repaired is broken, under
// Azure RBAC: an assignment is gone, the firewall closed, a version disabled.
func guardCase() (live, good core.Policy, q core.Question) {
	live = rig(rigGiven(rigAssign(rigOfficer, rigSub, rigTeam)), rigVersionsDoc("disabled", "enabled"),
		rigVaultDoc("networkAcls", `{"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "192.0.2.0/24"}], "virtualNetworkRules": [{"id": "/x"}], "new": {"x": 1}}`, "accessPolicies", rigList(rigEntry(rigMallory, "get"))))
	live = withText(live, core.RoleDefinitions, "/providers/microsoft.authorization/roledefinitions/"+rigOfficer,
		strings.ReplaceAll(rigRole(rigOfficer, nil, nil).Text, "CustomRole", "BuiltInRole"))
	good = rig(rigVaultDoc("networkAcls", `{"bypass": "AzureServices", "defaultAction": "Deny"}`))
	q = rigAsked(rigAsks(rigNetwork, rigKeyState), live, good)
	return live, Trim(good, q), q
}

// policyCase is the same in a vault with access policies.
func policyCase() (live, good core.Policy, q core.Question) {
	live = rig(rigGiven(), rigPolicies(rigEntry(rigMallory, "get", "purge"), rigEntry(rigPrincipal, "List")))
	good = rig(rigGiven(), rigPolicies(rigEntry(rigPrincipal, "Get", "List", "UnwrapKey", "WrapKey", "Sign")))
	q = rigAsked(rigAsks(), live, good)
	return live, Trim(good, q), q
}

func bestRestore(t testing.TB, live, good core.Policy, q core.Question) core.Candidate {
	t.Helper()
	candidates, err := Candidates(live, good, q, rigLost(live, good, q))
	if err != nil || len(candidates) == 0 {
		t.Fatalf("no candidates: %v", err)
	}
	return candidates[0]
}

// made is the candidate that writes something, whether it may or not.
func made(t testing.TB, live core.Policy, w writes) core.Candidate {
	t.Helper()
	c := core.Candidate{Name: "made"}
	on, err := newScene(live, rigAsks().Key)
	if err != nil {
		t.Fatal(err)
	}
	if c.Result, err = on.with(w); err != nil {
		t.Fatal(err)
	}
	if c.Steps, err = on.steps(w); err != nil {
		t.Fatal(err)
	}
	return c
}

// bodied edits a step's body as text.
func bodied(s core.Step, old, new string) core.Step {
	s.Body = bytes.Replace(s.Body, []byte(old), []byte(new), 1)
	return s
}

func TestGuardRefusesStepsThatDoAnythingElse(t *testing.T) {
	live, good, q := guardCase()
	c := bestRestore(t, live, good, q)
	if err := Guard(live, good, c, q, false); err != nil {
		t.Fatalf("the candidate as it is: %v", err)
	}
	var ops []string
	for _, s := range c.Steps {
		ops = append(ops, s.Op)
	}
	if want := []string{opAssign, opAssign, opVault, opKey}; !slices.Equal(ops, want) {
		t.Fatalf("steps %q", ops)
	}
	const crypto, reader, network, version = 0, 1, 2, 3
	edit := func(i int, change func(*core.Step)) func(*core.Candidate) {
		return func(c *core.Candidate) { change(&c.Steps[i]) }
	}
	body := func(i int, old, new string) func(*core.Candidate) {
		return edit(i, func(s *core.Step) { *s = bodied(*s, old, new) })
	}
	// Where a command says the same as the body, it is tampered with alike.
	both := func(i int, old, new string) func(*core.Candidate) {
		return edit(i, func(s *core.Step) {
			*s = bodied(*s, old, new)
			s.Command = strings.ReplaceAll(s.Command, old, new)
		})
	}
	id := func(i int, old, new string) func(*core.Candidate) {
		return edit(i, func(s *core.Step) {
			s.ID = strings.Replace(s.ID, old, new, 1)
			s.Command = strings.ReplaceAll(s.Command, old, new)
		})
	}
	otherVault := strings.Replace(rigVault, "acme-vault", "evil-vault", 1)
	for name, tamper := range map[string]func(*core.Candidate){
		"another principal":                      both(crypto, rigPrincipal, rigMallory),
		"the watchdog itself":                    both(crypto, rigPrincipal, rigSelf),
		"the group that Confluent is in":         both(crypto, rigPrincipal, rigTeam),
		"the principal in another case":          both(crypto, rigPrincipal, strings.ToUpper(rigPrincipal)),
		"the principal with a space":             both(crypto, rigPrincipal, rigPrincipal+" "),
		"no principal":                           body(crypto, rigPrincipal, ""),
		"the principal's member in another case": body(crypto, "principalId", "principalID"),
		"two principals":                         body(crypto, `"principalId"`, `"principalId":"`+rigPrincipal+`","principalId"`),
		"a third role":                           both(crypto, rigCrypto, rigOfficer),
		"Owner":                                  both(crypto, rigCrypto, "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
		"a custom role":                          both(crypto, rigCrypto, rigCustom),
		"the role in another case":               both(crypto, rigCrypto, strings.ToUpper(rigCrypto)),
		"the role without a subscription":        body(crypto, rigSub+"/providers/Microsoft.Authorization/role", "/providers/Microsoft.Authorization/role"),
		"the role of another subscription":       body(crypto, "/subscriptions/0b1f6471", "/subscriptions/0b1f6472"),
		"the role's GUID alone":                  body(crypto, rigSub+"/providers/Microsoft.Authorization/roleDefinitions/", ""),
		"a role whose path ends in another":      body(crypto, rigCrypto, rigCrypto+"/../"+rigOfficer),
		"a user":                                 both(crypto, servicePrincipal, "User"),
		"a group":                                both(crypto, servicePrincipal, "Group"),
		"no type":                                body(crypto, `,"principalType":"ServicePrincipal"`, ""),
		"a condition":                            body(crypto, `"principalType"`, `"condition":"true","conditionVersion":"2.0","principalType"`),
		"the version of a condition":             body(crypto, `"principalType"`, `"conditionVersion":"2.0","principalType"`),
		"an empty condition":                     body(crypto, `"principalType"`, `"condition":"","principalType"`),
		"a description":                          body(crypto, `"principalType"`, `"description":"x","principalType"`),
		"a scope in the body":                    body(crypto, `"principalType"`, `"scope":"/","principalType"`),
		"a delegated managed identity":           body(crypto, `"principalType"`, `"delegatedManagedIdentityResourceId":"/x","principalType"`),
		"a member beside the properties":         body(crypto, `{"properties"`, `{"id":"/x","properties"`),
		"properties twice":                       body(crypto, `{"properties"`, `{"properties":{},"properties"`),
		"properties in another case":             body(crypto, `{"properties"`, `{"Properties"`),
		"the subscription as scope":              edit(crypto, func(s *core.Step) { s.ID = strings.Replace(s.ID, rigVault, rigSub, 1) }),
		"the resource group as scope":            edit(crypto, func(s *core.Step) { s.ID = strings.Replace(s.ID, rigVault, rigGroupID, 1) }),
		"the key as scope":                       edit(crypto, func(s *core.Step) { s.ID = strings.Replace(s.ID, rigVault, rigKey, 1) }),
		"another vault as scope":                 id(crypto, rigVault, otherVault),
		"a scope with a way up":                  edit(crypto, func(s *core.Step) { s.ID = strings.Replace(s.ID, rigVault, rigVault+"/../..", 1) }),
		"the scope in another case":              id(crypto, "acme-vault", "ACME-vault"),
		"another name for the assignment":        id(crypto, lastSegment(c.Steps[crypto].ID), rigMallory),
		"the other assignment's name":            id(crypto, lastSegment(c.Steps[crypto].ID), lastSegment(c.Steps[reader].ID)),
		"a name in another case":                 id(crypto, lastSegment(c.Steps[crypto].ID), strings.ToUpper(lastSegment(c.Steps[crypto].ID))),
		"a name that is none":                    id(crypto, lastSegment(c.Steps[crypto].ID), "x"),
		"the role twice":                         func(c *core.Candidate) { c.Steps = append(c.Steps, c.Steps[crypto]) },
		"a deletion":                             edit(crypto, func(s *core.Step) { s.Op = opUnassign }),
		"an operation in another case":           edit(crypto, func(s *core.Step) { s.Op = strings.ToLower(s.Op) }),
		"a role definition":                      edit(crypto, func(s *core.Step) { s.Op = "Microsoft.Authorization/roleDefinitions/write" }),
		"tags":                                   edit(crypto, func(s *core.Step) { s.Op, s.ID = opTags, rigVault+"/providers/Microsoft.Resources/tags/default" }),
		"a key created":                          edit(version, func(s *core.Step) { s.Op = "Microsoft.KeyVault/vaults/keys/write" }),
		"no body":                                edit(crypto, func(s *core.Step) { s.Body = nil }),
		"a body that is null":                    edit(crypto, func(s *core.Step) { s.Body = json.RawMessage(`null`) }),
		"a body with something behind it":        edit(crypto, func(s *core.Step) { s.Body = append(slices.Clone(s.Body), "{}"...) }),
		"another command":                        edit(crypto, func(s *core.Step) { s.Command += "; rm -rf /" }),
		"no command":                             edit(crypto, func(s *core.Step) { s.Command = "" }),
		"no step":                                func(c *core.Candidate) { c.Steps = nil },
		"no step, and nothing to do":             func(c *core.Candidate) { c.Steps, c.Result = nil, live },
		"a vault without rules, and a result without": func(c *core.Candidate) {
			c.Steps[network].Body = json.RawMessage(`{"properties":{}}`)
			c.Steps[network].Command = rigAddress(t).open(opening{})
			c.Result = c.Result.With(live[0])
		},
		"a step that is nothing": func(c *core.Candidate) { c.Steps = append(c.Steps, core.Step{}) },
		"an access policy under Azure RBAC": func(c *core.Candidate) {
			c.Steps = append(c.Steps, made(t, live, writes{keys: []string{"get"}}).Steps...)
		},
		"an address let in":               body(network, `"192.0.2.0/24"`, `"0.0.0.0/0"`),
		"an address more":                 body(network, `{"value":"192.0.2.0/24"}`, `{"value":"192.0.2.0/24"},{"value":"0.0.0.0/0"}`),
		"no address rules":                body(network, `"ipRules":[{"value":"192.0.2.0/24"}],`, ""),
		"another virtual network":         body(network, `"/x"`, `"/evil"`),
		"rules without what nobody knows": body(network, `,"new":{"x":1}`, ""),
		"rules with what nobody knows":    body(network, `"new"`, `"serviceTags":["*"],"new"`),
		"the default action let in":       body(network, `"Deny"`, `"Allow"`),
		"the default action let in, command and all": func(c *core.Candidate) {
			c.Steps[network] = openedTo(t, live, opening{bypass: "AzureServices", action: "Allow"})
		},
		"the public let in, command and all": func(c *core.Candidate) {
			c.Steps[network] = openedTo(t, live, opening{bypass: "AzureServices", public: "Enabled"})
		},
		"a bypass of another name":          both(network, "AzureServices", "AzureServices, Everybody"),
		"the bypass in another case":        both(network, "AzureServices", "azureservices"),
		"the bypass as a list":              body(network, `"AzureServices"`, `["AzureServices"]`),
		"the bypass in another member":      body(network, `"bypass"`, `"Bypass"`),
		"rules that are null":               edit(network, func(s *core.Step) { s.Body = json.RawMessage(`{"properties":{"networkAcls":null}}`) }),
		"a vault without rules":             edit(network, func(s *core.Step) { s.Body = json.RawMessage(`{"properties":{}}`) }),
		"the switch as well":                body(network, `{"properties":{`, `{"properties":{"enableRbacAuthorization":false,`),
		"access policies as well":           body(network, `{"properties":{`, `{"properties":{"accessPolicies":[],`),
		"purge protection as well":          body(network, `{"properties":{`, `{"properties":{"enablePurgeProtection":false,`),
		"the tenant as well":                body(network, `{"properties":{`, `{"properties":{"tenantId":"`+rigTenant+`",`),
		"recovery as well":                  body(network, `{"properties":{`, `{"properties":{"createMode":"recover",`),
		"tags as well":                      body(network, `{"properties"`, `{"tags":{},"properties"`),
		"another vault":                     id(network, "acme-vault", "evil-vault"),
		"the key in the place of the vault": edit(network, func(s *core.Step) { s.ID = rigKey }),
		"the firewall twice":                func(c *core.Candidate) { c.Steps = append(c.Steps, c.Steps[network]) },
		"another version":                   id(version, rigOne, rigTwo),
		"a version of another key":          id(version, "/payments/", "/orders/"),
		"a version with a way up":           id(version, "/versions/", "/versions/../versions/"),
		"a version in another case":         id(version, rigOne, strings.Replace(rigOne, "1", "A", 1)),
		"the key without a version":         id(version, "/versions/"+rigOne, ""),
		"a version disabled":                both(version, "true", "false"),
		"a version enabled by a word":       body(version, "true", `"true"`),
		"an expiry as well":                 body(version, `"enabled"`, `"exp":1,"enabled"`),
		"operations as well":                body(version, `{"attributes"`, `{"key_ops":["decrypt"],"attributes"`),
		"a release policy as well":          body(version, `{"attributes"`, `{"release_policy":{},"attributes"`),
		"no attributes":                     edit(version, func(s *core.Step) { s.Body = json.RawMessage(`{}`) }),
		"the version twice":                 func(c *core.Candidate) { c.Steps = append(c.Steps, c.Steps[version]) },
		"a result with a document less":     func(c *core.Candidate) { c.Result = c.Result[:len(c.Result)-1] },
		"a result with a document more":     func(c *core.Candidate) { c.Result = append(c.Result, rigRole(rigCustom, nil, nil)) },
		"a result in another order":         func(c *core.Candidate) { slices.Reverse(c.Result) },
		"a result that can't be read": func(c *core.Candidate) {
			c.Result[7] = core.Document{Kind: core.DenyAssignments, ID: rigKey, Unreadable: "access denied"}
		},
		"a result that is live":                       func(c *core.Candidate) { c.Result = live },
		"a result with another assignment":            func(c *core.Candidate) { c.Result = c.Result.With(rigGiven(rigAssign(rigCrypto, rigVault))) },
		"a result with another network":               func(c *core.Candidate) { c.Result = c.Result.With(rigVaultDoc()) },
		"a result with another state":                 func(c *core.Candidate) { c.Result = c.Result.With(rigVersionsDoc("disabled", "enabled")) },
		"a result that is revoked":                    func(c *core.Candidate) { c.Result = c.Result.With(rigVaultDoc("tags", `{"byokwatch-revoked": "*"}`)) },
		"a result that does not parse":                func(c *core.Candidate) { c.Result = withText(c.Result, core.DenyAssignments, rigKey, "{") },
		"a step less than the result":                 func(c *core.Candidate) { c.Steps = c.Steps[1:] },
		"a step more than the result, of a good kind": func(c *core.Candidate) { c.Result = made(t, live, writes{versions: []string{rigOne}}).Result },
	} {
		t.Run(name, func(t *testing.T) {
			bad := c
			bad.Steps, bad.Result = slices.Clone(c.Steps), slices.Clone(c.Result)
			tamper(&bad)
			if slices.EqualFunc(bad.Steps, c.Steps, func(a, b core.Step) bool {
				return a.Op == b.Op && a.ID == b.ID && bytes.Equal(a.Body, b.Body) && a.Command == b.Command
			}) && slices.Equal(bad.Result, c.Result) {
				t.Fatal("nothing was tampered with")
			}
			if err := Guard(live, good, bad, q, true); err == nil {
				t.Errorf("passed: %+v", bad.Steps)
			}
		})
	}
}

// openedTo is the step that changes the firewall, whether it may or not.
func openedTo(t *testing.T, live core.Policy, o opening) core.Step {
	t.Helper()
	return made(t, live, writes{opening: o}).Steps[0]
}

func TestGuardRefusesAccessPoliciesThatGiveAnythingElse(t *testing.T) {
	live, good, q := policyCase()
	c := bestRestore(t, live, good, q)
	if err := Guard(live, good, c, q, false); err != nil || len(c.Steps) != 1 || c.Steps[0].Op != opPolicies {
		t.Fatalf("the candidate as it is: %v\n%+v", err, c.Steps)
	}
	body := func(old, new string) core.Step { return bodied(c.Steps[0], old, new) }
	keys := func(list ...string) core.Step { return made(t, live, writes{keys: list}).Steps[0] }
	id := func(new string) core.Step {
		s := c.Steps[0]
		s.ID = new
		return s
	}
	for name, s := range map[string]core.Step{
		"another principal":                   body(rigPrincipal, rigMallory),
		"the principal in another case":       body(rigPrincipal, strings.ToUpper(rigPrincipal)),
		"another tenant":                      body(rigTenant, rigMallory),
		"the tenant in another case":          body(rigTenant, strings.ToUpper(rigTenant)),
		"an application":                      body(`"permissions"`, `"applicationId":"`+rigMallory+`","permissions"`),
		"an application that is null":         body(`"permissions"`, `"applicationId":null,"permissions"`),
		"secrets":                             body(`{"keys"`, `{"secrets":["get"],"keys"`),
		"certificates":                        body(`{"keys"`, `{"certificates":["get"],"keys"`),
		"storage":                             body(`{"keys"`, `{"storage":["get"],"keys"`),
		"keys in another case":                body(`"keys"`, `"Keys"`),
		"keys twice":                          body(`{"keys"`, `{"keys":["purge"],"keys"`),
		"somebody else as well":               body(`"accessPolicies":[`, `"accessPolicies":[`+rigEntry(rigMallory, "get")+`,`),
		"nobody":                              body(c0(c.Steps[0].Body), ""),
		"purge":                               keys("get", "unwrapKey", "wrapKey", "purge"),
		"all":                                 keys("all"),
		"what the snapshot had beside it":     keys("get", "unwrapKey", "wrapKey", "sign"),
		"decrypt":                             keys("get", "unwrapKey", "wrapKey", "decrypt"),
		"a permission of another spelling":    keys("get", "unwrapkey", "wrapKey"),
		"a permission that is there":          keys("get", "list", "unwrapKey", "wrapKey"),
		"a permission twice":                  keys("get", "get", "unwrapKey", "wrapKey"),
		"no permission":                       keys0(c.Steps[0]),
		"the policies replaced":               id(rigVault + "/accessPolicies/replace"),
		"the policies removed":                id(rigVault + "/accessPolicies/remove"),
		"the policies of another vault":       id(strings.Replace(rigVault, "acme", "evil", 1) + "/accessPolicies/add"),
		"the operation in another case":       id(rigVault + "/accessPolicies/Add"),
		"the vault itself":                    id(rigVault),
		"a command that leaves out what is":   {Op: c.Steps[0].Op, ID: c.Steps[0].ID, Body: c.Steps[0].Body, Command: strings.Replace(c.Steps[0].Command, " list", "", 1)},
		"a command that gives secrets":        {Op: c.Steps[0].Op, ID: c.Steps[0].ID, Body: c.Steps[0].Body, Command: c.Steps[0].Command + " --secret-permissions all"},
		"a role in a vault without them":      made(t, live, writes{grants: []grant{{derivedName(rigVault, rigPrincipal, rigCrypto), rigCrypto, clause{}}}}).Steps[0],
		"the switch, in the place of the add": {Op: opVault, ID: rigVault, Body: json.RawMessage(`{"properties":{"enableRbacAuthorization":true}}`), Command: "az keyvault update"},
	} {
		t.Run(name, func(t *testing.T) {
			if s.Op == c.Steps[0].Op && s.ID == c.Steps[0].ID && bytes.Equal(s.Body, c.Steps[0].Body) && s.Command == c.Steps[0].Command {
				t.Fatal("nothing was tampered with")
			}
			bad := c
			for _, steps := range [][]core.Step{{s}, {s, c.Steps[0]}, {c.Steps[0], s}} {
				bad.Steps = steps
				if err := Guard(live, good, bad, q, true); err == nil {
					t.Errorf("passed: %s, one of %d", s.Body, len(steps))
				}
			}
		})
	}
}

// c0 is the only entry in the body of a step.
func c0(body json.RawMessage) string {
	text := string(body)
	return text[strings.Index(text, "[")+1 : strings.LastIndex(text, "]")]
}

func keys0(s core.Step) core.Step {
	text := string(s.Body)
	s.Body = json.RawMessage(text[:strings.LastIndex(text, `"keys":[`)] + `"keys":[]}}]}}`)
	return s
}
