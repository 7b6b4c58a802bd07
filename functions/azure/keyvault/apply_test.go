package keyvault_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/keyvault"
)

const assigning = "Microsoft.Authorization/roleAssignments/write"

func TestWhatErrorsMean(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{400, "RoleAssignmentUpdateNotPermitted", core.ErrRejected}, {400, "PrincipalNotFound", core.ErrRejected}, {400, "RoleAssignmentLimitExceeded", core.ErrRejected},
		{409, "RoleAssignmentLimitExceeded", core.ErrRejected}, {409, "ScopeLocked", core.ErrRejected}, {400, "", core.ErrRejected},
		{403, "AuthorizationFailed", core.ErrDenied}, {403, "RequestDisallowedByPolicy", core.ErrDenied}, {404, "ResourceNotFound", core.ErrRejected}, {404, "RoleDefinitionDoesNotExist", core.ErrRejected},
		{409, "Conflict", core.ErrConflict}, {412, "PreconditionFailed", core.ErrConflict}, {401, "InvalidAuthenticationToken", nil}, {404, "SubscriptionNotFound", nil}, {404, "", nil}, {418, "", nil},
	} {
		w := rbac(t, whole...)
		w.Inject(chaostest.Fault{Op: assigning, Kind: chaostest.Other, Status: c.status, Code: c.code})
		expect(t, c.code, w.keeper().Apply(t.Context(), w.payments, w.assignStep(named, encrypting, cloudUser)), c.want)
		if n := w.Calls(assigning); n != 1 {
			t.Errorf("%d %s: %d calls", c.status, c.code, n)
		}
	}
	for _, kind := range []chaostest.Kind{chaostest.Throttle, chaostest.Unavailable, chaostest.Internal, chaostest.Dropped, chaostest.Lost} {
		synctest.Test(t, func(t *testing.T) {
			w := rbac(t, whole...)
			w.Inject(chaostest.Fault{Op: assigning, Kind: kind, Times: 3})
			if err := w.keeper().Apply(t.Context(), w.payments, w.assignStep(named, encrypting, cloudUser)); err != nil {
				t.Errorf("%s passes: %v", kind, err)
			}
		})
	}
}

func TestTheEndTellsWhatAzureSaidLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rbac(t, whole...)
		w.SetOdds(chaostest.Odds{SlowFor: time.Hour})
		w.Inject(chaostest.Fault{Op: assigning, Kind: chaostest.Throttle, Times: 3})
		w.Inject(chaostest.Fault{Op: assigning, Kind: chaostest.Slow})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := keyvault.New(w.access(), keyvault.Options{Attempt: time.Hour}).Apply(ctx, w.payments, w.assignStep(named, encrypting, cloudUser))
		expect(t, "apply", err, nil)
		if err == nil || !strings.Contains(err.Error(), "429 TooManyRequests: The request is being throttled") {
			t.Errorf("%v", err)
		}
	})
}

func TestAnAssignmentThatExistsIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		there azuretest.Assignment
		want  error // nil: done
	}{
		"the same under another name":        {azuretest.Assignment{Name: other, Role: encrypting, Principal: cloudUser}, nil},
		"with a condition that ours has not": {azuretest.Assignment{Name: other, Role: encrypting, Principal: cloudUser, Condition: "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'x'"}, core.ErrRejected},
	} {
		w := rbac(t, whole...)
		c.there.Scope = w.vault
		w.Assign(c.there)
		err := w.keeper().Apply(t.Context(), w.payments, w.assignStep(named, encrypting, cloudUser))
		if c.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.want != nil {
			expect(t, name, err, c.want)
		}
	}
	exists := chaostest.Fault{Op: assigning, Kind: chaostest.Other, Status: 409, Code: "RoleAssignmentExists"}
	w := rbac(t, whole...)
	w.Assign(azuretest.Assignment{Scope: w.group, Role: encrypting, Principal: cloudUser}) // above the vault
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: encrypting, Principal: group})     // of a group
	w.Assign(azuretest.Assignment{Scope: w.vault, Role: looking, Principal: cloudUser})    // another role
	w.Inject(exists)
	expect(t, "one that nobody finds", w.keeper().Apply(t.Context(), w.payments, w.assignStep(named, encrypting, cloudUser)), core.ErrConflict)
	w.may(slices.DeleteFunc(slices.Clone(whole), func(r string) bool { return r == "Microsoft.Authorization/roleAssignments/read" })...)
	w.Inject(exists)
	expect(t, "one that we may not look for", w.keeper().Apply(t.Context(), w.payments, w.assignStep(named, encrypting, cloudUser)), nil)
}

func TestAnAccessPolicyIsAddedTo(t *testing.T) {
	w := open(t, azuretest.Options{}, azuretest.VaultSpec{Policies: []azuretest.AccessPolicy{
		{ObjectID: cloudUser, Keys: []string{"Get"}, Secrets: []string{"get"}}, {ObjectID: others, Keys: []string{"all"}}}}, whole...)
	step := core.Step{Op: "Microsoft.KeyVault/vaults/accessPolicies/write", ID: w.payments.Vault + "/accessPolicies/add", Body: policies(cloudUser, "get", "list", "unwrapKey", "wrapKey")}
	for range 2 {
		if err := w.keeper().Apply(t.Context(), w.payments, step); err != nil {
			t.Fatal(err)
		}
	}
	var v struct {
		Properties struct {
			AccessPolicies []struct {
				ObjectID    string
				Permissions struct{ Keys, Secrets []string }
			}
		}
	}
	w.check(json.Unmarshal([]byte(w.Vault(w.vault)), &v))
	list := v.Properties.AccessPolicies
	if len(list) != 2 || len(list[0].Permissions.Keys) != 4 || !slices.Equal(list[0].Permissions.Secrets, []string{"get"}) || !slices.Equal(list[1].Permissions.Keys, []string{"all"}) {
		t.Errorf("%+v", list)
	}
	step.Body = json.RawMessage(strings.Replace(string(step.Body), azuretest.DefaultTenant, admin, 1))
	expect(t, "another tenant", w.keeper().Apply(t.Context(), w.payments, step), core.ErrRejected)
}

func TestTheFirewallChangesAsTheStepSays(t *testing.T) {
	w := open(t, azuretest.Options{}, azuretest.VaultSpec{RBAC: true, Tags: map[string]string{"a": "b"}, Network: &azuretest.Network{Bypass: "None", DefaultAction: "Deny", IPs: []string{"192.0.2.0/24"}}}, whole...)
	before := w.Vault(w.vault)
	body := `{"properties":{"networkAcls":{"bypass":"AzureServices","defaultAction":"Deny","ipRules":[{"value":"192.0.2.0/24"}],"virtualNetworkRules":[]}}}`
	w.check(w.keeper().Apply(t.Context(), w.payments, core.Step{Op: "Microsoft.KeyVault/vaults/write", ID: w.payments.Vault, Body: json.RawMessage(body)}))
	// Who wrote last, and when, changes as well.
	got := w.Vault(w.vault)
	if cut(got) != strings.Replace(cut(before), `"bypass":"None"`, `"bypass":"AzureServices"`, 1) || cut(got) == cut(before) {
		t.Errorf("before %s\nafter  %s", before, got)
	}
}

func cut(vault string) string { return vault[strings.Index(vault, `"properties"`):] }

func TestAVersionIsEnabled(t *testing.T) {
	for name, model := range map[string]azuretest.VaultSpec{"by Azure RBAC": {RBAC: true}, "by access policies": {Policies: []azuretest.AccessPolicy{{ObjectID: self, Keys: []string{"update"}}, {ObjectID: admin, Keys: []string{"all"}}}}} {
		w := open(t, azuretest.Options{}, model, whole...)
		w.Assign(azuretest.Assignment{Scope: w.key, Role: "Key Vault Crypto Officer", Principal: self})
		number := w.Versions(w.key)[0]
		w.check(w.admin.SetKeyEnabled(w.key, number, false))
		for range 2 {
			if err := w.keeper().Apply(t.Context(), w.payments, enableStep(w, number)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if text := textOf(w.read(), core.VaultKeyVersions, ""); strings.Contains(text, `"enabled": false`) {
			t.Errorf("%s: %s", name, text)
		}
		expect(t, "a version that is not there", w.keeper().Apply(t.Context(), w.payments, enableStep(w, strings.Repeat("0", 32))), core.ErrRejected)
	}
	w := rbac(t, whole...)
	expect(t, "without the right", w.keeper().Apply(t.Context(), w.payments, enableStep(w, w.Versions(w.key)[0])), core.ErrDenied)
	w = open(t, azuretest.Options{}, azuretest.VaultSpec{RBAC: true, Public: "Disabled"}, whole...)
	w.Assign(azuretest.Assignment{Scope: w.key, Role: "Key Vault Crypto Officer", Principal: self})
	expect(t, "through a firewall", w.keeper().Apply(t.Context(), w.payments, enableStep(w, w.Versions(w.key)[0])), core.ErrDenied)
}

// Whoever could move vaultUri would be sent our token.
func TestATokenGoesToTheVaultsOwnHost(t *testing.T) {
	for _, uri := range []string{"https://acme-vault.vault.azure.net.evil.example/", "https://evil.example/", "http://acme-vault.vault.azure.net/", "https://other-vault.vault.azure.net/", "https://acme-vault.managedhsm.azure.net/", ""} {
		w := rbac(t, whole...)
		w.Assign(azuretest.Assignment{Scope: w.key, Role: "Key Vault Crypto Officer", Principal: self})
		k := w.edited(func(_, body string) string {
			return strings.ReplaceAll(body, "https://acme-vault.vault.azure.net/", uri)
		})
		expect(t, uri, k.Apply(t.Context(), w.payments, enableStep(w, w.Versions(w.key)[0])), core.ErrRejected)
		if w.Calls("KeyUpdate") != 0 {
			t.Errorf("%s: the vault was called", uri)
		}
	}
	w := rbac(t, whole...)
	a := w.access()
	a.VaultEndpoint = "https://evil.example"
	expect(t, "an emulator elsewhere", keyvault.New(a, keyvault.Options{}).Apply(t.Context(), w.payments, enableStep(w, w.Versions(w.key)[0])), core.ErrRejected)
}

// Whoever may assign roles could assign any to anybody; the adapter never does.
func TestWhatNobodyShouldEverAskForIsNotSent(t *testing.T) {
	w := rbac(t, whole...)
	number := w.Versions(w.key)[0]
	grant := w.assignStep(named, encrypting, cloudUser)
	add := core.Step{Op: "Microsoft.KeyVault/vaults/accessPolicies/write", ID: w.payments.Vault + "/accessPolicies/add", Body: policies(cloudUser, "get")}
	wall := core.Step{Op: "Microsoft.KeyVault/vaults/write", ID: w.payments.Vault, Body: json.RawMessage(`{"properties":{"publicNetworkAccess":"Enabled"}}`)}
	with := func(s core.Step, change ...string) core.Step {
		s.Body = json.RawMessage(strings.NewReplacer(change...).Replace(string(s.Body)))
		return s
	}
	at := func(s core.Step, id string) core.Step { s.ID = id; return s }
	for name, s := range map[string]core.Step{
		"another role":                        w.assignStep(named, "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", cloudUser),
		"another principal":                   w.assignStep(named, encrypting, others),
		"no principal":                        w.assignStep(named, encrypting, ""),
		"a name that is no GUID":              w.assignStep("x", encrypting, cloudUser),
		"a user":                              with(grant, `"ServicePrincipal"`, `"User"`),
		"a role of another subscription":      with(grant, azuretest.DefaultSubscription, admin),
		"an assignment on the resource group": at(grant, strings.ToLower(w.group)+"/providers/Microsoft.Authorization/roleAssignments/"+named),
		"an assignment on the key":            at(grant, w.payments.ID+"/providers/Microsoft.Authorization/roleAssignments/"+named),
		"a delegated identity":                with(grant, `"principalType"`, `"delegatedManagedIdentityResourceId":"/x","principalType"`),
		"another's access policy":             with(add, cloudUser, others),
		"two access policies":                 with(add, `[{`, `[{"tenantId":"x","objectId":"`+cloudUser+`","permissions":{"keys":["get"]}},{`),
		"access to secrets":                   with(add, `"keys":["get"]`, `"keys":["get"],"secrets":["get"]`),
		"access to nothing":                   with(add, `"keys":["get"]`, `"keys":[]`),
		"policies in place of others":         at(add, w.payments.Vault+"/accessPolicies/replace"),
		"policies taken away":                 at(add, w.payments.Vault+"/accessPolicies/remove"),
		"another vault's policies":            at(add, w.payments.Vault+"2/accessPolicies/add"),
		"the permission model":                with(wall, `"publicNetworkAccess":"Enabled"`, `"enableRbacAuthorization":true`),
		"policies beside the firewall":        with(wall, `"publicNetworkAccess":"Enabled"`, `"publicNetworkAccess":"Enabled","accessPolicies":[]`),
		"tags beside the firewall":            with(wall, `{"properties"`, `{"tags":{},"properties"`),
		"nothing of the firewall":             with(wall, `"publicNetworkAccess":"Enabled"`, ``),
		"rules that are a list":               with(wall, `"publicNetworkAccess":"Enabled"`, `"networkAcls":[]`),
		"another vault":                       at(wall, w.payments.Vault+"2"),
		"disabling":                           with(enableStep(w, number), "true", "false"),
		"dates":                               with(enableStep(w, number), `"enabled":true`, `"enabled":true,"exp":1`),
		"a version of another key":            at(enableStep(w, number), w.payments.ID+"2/versions/"+number),
		"no version":                          at(enableStep(w, number), w.payments.ID),
		"a version that is a path":            at(enableStep(w, number), w.payments.ID+"/versions/../"+number),
		"what only an operator does":          {Op: "Microsoft.Authorization/roleAssignments/delete", ID: w.payments.Vault + "/providers/Microsoft.Authorization/roleAssignments/" + named},
		"tags":                                {Op: "Microsoft.Resources/tags/write", ID: w.payments.Vault + "/providers/Microsoft.Resources/tags/default", Body: json.RawMessage(`{"operation":"Delete","properties":{"tags":{"byokwatch-revoked":"*"}}}`)},
		"a vault's deletion":                  {Op: "Microsoft.KeyVault/vaults/delete", ID: w.payments.Vault},
	} {
		expect(t, name, w.keeper().Apply(t.Context(), w.payments, s), core.ErrRejected)
	}
	if n := w.Calls(""); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestAnOperatorTakesAway(t *testing.T) {
	w := open(t, azuretest.Options{}, azuretest.VaultSpec{Tags: map[string]string{"team": "data"}, Policies: []azuretest.AccessPolicy{{ObjectID: cloudUser, Keys: []string{"get", "wrapKey"}, Secrets: []string{"get"}}, {ObjectID: others, Keys: []string{"get"}}}},
		slices.Concat(whole, []string{"Microsoft.Authorization/roleAssignments/delete", "Microsoft.Resources/tags/write"})...)
	atKey := w.Assign(azuretest.Assignment{Scope: w.key, Role: encrypting, Principal: cloudUser})
	o := w.keeper().Operator()
	tags := core.Step{Op: "Microsoft.Resources/tags/write", ID: w.payments.Vault + "/providers/Microsoft.Resources/tags/default", Body: json.RawMessage(`{"operation":"Merge","properties":{"tags":{"byokwatch-revoked":"payments","byokwatch-revoked-reason":"SEC-812"}}}`)}
	removal := core.Step{Op: "Microsoft.KeyVault/vaults/accessPolicies/write", ID: w.payments.Vault + "/accessPolicies/remove", Body: json.RawMessage(
		`{"properties":{"accessPolicies":[{"tenantId":"` + azuretest.DefaultTenant + `","objectId":"` + cloudUser + `","permissions":{"keys":["get","wrapKey"],"secrets":["get"]}}]}}`)}
	deletion := core.Step{Op: "Microsoft.Authorization/roleAssignments/delete", ID: atKey}
	for _, s := range []core.Step{tags, removal, deletion, deletion, w.assignStep(named, encrypting, cloudUser)} {
		if err := o.Apply(t.Context(), w.payments, s); err != nil {
			t.Fatal(err)
		}
	}
	v := w.Vault(w.vault)
	for part, there := range map[string]bool{`"team":"data"`: true, `"byokwatch-revoked":"payments"`: true, cloudUser: false, others: true} {
		if strings.Contains(v, part) != there {
			t.Errorf("%s in the vault: want %t\n%s", part, there, v)
		}
	}
	if got := w.Assignments(w.key, cloudUser); len(got) != 1 || got[0].Name != named {
		t.Errorf("%+v", got)
	}
	before := w.Calls("")
	with := func(s core.Step, old, next string) core.Step {
		s.Body = json.RawMessage(strings.Replace(string(s.Body), old, next, 1))
		return s
	}
	at := func(s core.Step, id string) core.Step { s.ID = id; return s }
	for name, s := range map[string]core.Step{
		"somebody else's tag":            with(tags, "byokwatch-revoked-reason", "team"),
		"all tags in place of others":    with(tags, "Merge", "Replace"),
		"another vault's tags":           at(tags, w.payments.Vault+"2/providers/Microsoft.Resources/tags/default"),
		"tags of nothing":                with(tags, `"byokwatch-revoked":"payments","byokwatch-revoked-reason":"SEC-812"`, ""),
		"another's access policy":        with(removal, cloudUser, others),
		"no access policy":               {Op: removal.Op, ID: removal.ID, Body: json.RawMessage(`{"properties":{"accessPolicies":[]}}`)},
		"an assignment above the vault":  at(deletion, strings.ToLower(w.group)+"/providers/Microsoft.Authorization/roleAssignments/"+named),
		"a deletion with a body":         {Op: deletion.Op, ID: deletion.ID, Body: json.RawMessage(`{}`)},
		"an assignment without its name": at(deletion, w.payments.Vault+"/providers/Microsoft.Authorization/roleAssignments/"),
	} {
		expect(t, name, o.Apply(t.Context(), w.payments, s), core.ErrRejected)
	}
	if w.Calls("") != before {
		t.Error("something of it was sent")
	}
	elsewhere := w.payments
	elsewhere.ID = "x"
	if err := o.Apply(t.Context(), elsewhere, tags); err == nil {
		t.Error("applied to no key")
	}
}
