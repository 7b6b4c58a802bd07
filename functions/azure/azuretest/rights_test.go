package azuretest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"byokwatch/functions/azure/azuretest"
)

const someGUID = "0a0a0a0a-1111-4222-8333-0000000000%02d"

func name(n int) string { return fmt.Sprintf(someGUID, n) }

// give makes a role assignment by the real client.
func (w world) give(scope, guid, role, who, kind string) (string, error) {
	p := armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{RoleDefinitionID: to.Ptr(w.RoleID(role)), PrincipalID: &who}}
	if kind != "" {
		p.Properties.PrincipalType = to.Ptr(armauthorization.PrincipalType(kind))
	}
	r, err := w.RoleAssignments.Create(w.t.Context(), scope, guid, p, nil)
	if err != nil {
		return "", err
	}
	return *r.ID, nil
}

func TestWhatBecomesOfARoleAssignment(t *testing.T) {
	for sentence, c := range map[string]struct {
		call   func(w world) error
		status int // 0 is success
		code   string
	}{
		"a new one is made": {func(w world) error {
			_, err := w.give(w.vault, name(2), vaultReader, watcher, "ServicePrincipal")
			return err
		}, 0, ""},
		"the same once more changes nothing": {func(w world) error {
			_, err := w.give(strings.ToUpper(w.vault), name(1), vaultReader, others, "Group")
			return err
		}, 0, ""},
		"the same under another name exists already": {func(w world) error {
			_, err := w.give(w.vault, name(2), vaultReader, others, "Group")
			return err
		}, 409, "RoleAssignmentExists"},
		"another content under the same name is no update": {func(w world) error {
			_, err := w.give(w.vault, name(1), encryptionUser, others, "Group")
			return err
		}, 400, "RoleAssignmentUpdateNotPermitted"},
		"nor is another scope": {func(w world) error {
			_, err := w.give(w.Subscription(), name(1), vaultReader, others, "Group")
			return err
		}, 400, "RoleAssignmentUpdateNotPermitted"},
		"a principal whom nobody finds": {func(w world) error {
			_, err := w.give(w.vault, name(2), vaultReader, name(9), "")
			return err
		}, 400, "PrincipalNotFound"},
		"is not looked for if its type is told": {func(w world) error {
			_, err := w.give(w.vault, name(2), vaultReader, name(9), "ServicePrincipal")
			return err
		}, 0, ""},
		"a principal of another type": {func(w world) error {
			_, err := w.give(w.vault, name(2), vaultReader, others, "User")
			return err
		}, 400, "UnmatchedPrincipalType"},
		"a role that does not exist": {func(w world) error {
			_, err := w.give(w.vault, name(2), name(8), watcher, "")
			return err
		}, 404, "RoleDefinitionDoesNotExist"},
		"a name that is no GUID": {func(w world) error {
			_, err := w.give(w.vault, "reader", vaultReader, watcher, "")
			return err
		}, 400, "InvalidRoleAssignmentId"},
		"a vault that does not exist": {func(w world) error {
			_, err := w.give(w.vault+"2", name(2), vaultReader, watcher, "")
			return err
		}, 404, "ResourceNotFound"},
		"a resource group that does not exist": {func(w world) error {
			_, err := w.give(w.Subscription()+"/resourceGroups/none", name(2), vaultReader, watcher, "")
			return err
		}, 404, "ResourceGroupNotFound"},
		"a caller without the right": {func(w world) error {
			w.Clients, w.t = w.Cloud.Clients("NOBODY"), t
			_, err := w.give(w.vault+"2", name(2), vaultReader, watcher, "")
			return err
		}, 403, "AuthorizationFailed"},
		"one that was deleted": {func(w world) error {
			_, err := w.RoleAssignments.Delete(t.Context(), w.vault, name(1), nil)
			return err
		}, 0, ""},
		"one that was not there is deleted as well": {func(w world) error {
			_, err := w.RoleAssignments.Delete(t.Context(), w.vault, name(2), nil)
			return err
		}, 0, ""},
		"one that is not there is not read": {func(w world) error {
			_, err := w.RoleAssignments.Get(t.Context(), w.vault, name(2), nil)
			return err
		}, 404, "RoleAssignmentNotFound"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := open(t, azuretest.Options{})
			w.Assign(azuretest.Assignment{Name: name(1), Scope: w.vault, Role: vaultReader, Principal: others})
			err := c.call(w)
			if c.status == 0 {
				w.check(err)
				return
			}
			refused(t, sentence, err, c.status, c.code)
		})
	}
}

func TestARoleAssignmentsConditionMayChange(t *testing.T) {
	w := open(t, azuretest.Options{})
	_, err := w.admin.AssignRole(azuretest.Assignment{Name: name(1), Scope: w.vault, Role: vaultReader, Principal: watcher})
	w.check(err)
	id, err := w.admin.AssignRole(azuretest.Assignment{Name: name(1), Scope: w.vault, Role: vaultReader, Principal: watcher,
		Condition: "@Environment[UtcNow] DateTimeLessThan '2001-01-01T00:00:00Z'"})
	w.check(err)
	got, err := w.RoleAssignments.GetByID(t.Context(), id, nil)
	w.check(err)
	if got.Properties.Condition == nil || *got.Properties.ConditionVersion != "2.0" {
		t.Errorf("got %+v", got.Properties)
	}
	if ok, _ := w.Can(watcher, "Microsoft.KeyVault/vaults/read", w.vault); ok {
		t.Error("a condition that ended long ago holds")
	}
}

func TestASubscriptionHoldsOnlySoManyAssignments(t *testing.T) {
	w := open(t, azuretest.Options{MaxAssignments: 5})
	_, err := w.give(w.vault, name(1), vaultReader, watcher, "")
	w.check(err)
	_, err = w.give(w.vault, name(2), encryptionUser, watcher, "")
	refused(t, "one too many", err, 400, "RoleAssignmentLimitExceeded")
}

// listed are the last two digits of the names of the assignments at a scope.
func listed(ctx context.Context, c *armauthorization.RoleAssignmentsClient, scope, filter string) (string, int, error) {
	o := &armauthorization.RoleAssignmentsClientListForScopeOptions{}
	if filter != "" {
		o.Filter = &filter
	}
	var out []string
	pages := 0
	for p := c.NewListForScopePager(scope, o); p.More(); pages++ {
		page, err := p.NextPage(ctx)
		if err != nil {
			return "", pages, err
		}
		for _, a := range page.Value {
			if n, ok := strings.CutPrefix(*a.Name, "0a0a0a0a-1111-4222-8333-0000000000"); ok {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, " "), pages, nil
}

func TestListsOfRoleAssignments(t *testing.T) {
	const inner = "93093000-1111-4222-8333-000000000006" // a group in the group
	w := open(t, azuretest.Options{ManagementGroups: []string{"platform"}, PageSize: 2})
	w.AddGroup(inner, watcher)
	w.Join(others, inner)
	for n, a := range []azuretest.Assignment{
		1: {Scope: azuretest.ManagementGroup("platform"), Role: "Reader", Principal: others},
		2: {Scope: w.Subscription() + "/resourcegroups/RG-kafka", Role: vaultReader, Principal: watcher},
		3: {Scope: w.vault, Role: vaultReader, Principal: inner},
		4: {Scope: w.key, Role: encryptionUser, Principal: watcher},
		5: {Scope: w.vault, Role: vaultReader, Principal: nobody},
		6: {Scope: "/", Role: "User Access Administrator", Principal: nobody},
	} {
		if n > 0 {
			a.Name = name(n)
			w.Assign(a)
		}
	}
	w.Assign(azuretest.Assignment{Scope: azuretest.ManagementGroup("platform"), Role: "Reader", Principal: admin})
	server := httptest.NewServer(w.Cloud)
	defer server.Close()
	for _, c := range []struct{ scope, filter, want string }{
		{w.vault, "", "01 02 03 04 05 06"},
		{w.vault, "atScope()", "01 02 03 05 06"},
		{w.vault, "atScope()+and+assignedTo('" + watcher + "')", "01 02 03"},
		{strings.ToUpper(w.key), "atScope()+and+assignedTo('" + strings.ToUpper(watcher) + "')", "01 02 03 04"},
		{w.key, "atScope()%20and%20assignedTo('" + nobody + "')", "05 06"},
		{w.vault, "assignedTo('" + watcher + "')", "01 02 03 04"},
		{w.vault, "principalId+eq+'" + watcher + "'", "02 04"},
		{w.Subscription(), "atScope()", "01 06"},
		{azuretest.ManagementGroup("platform"), "", "01 02 03 04 05 06"},
	} {
		got, pages, err := listed(t.Context(), w.RoleAssignments, c.scope, c.filter)
		if err != nil || got != c.want {
			t.Errorf("%s of %s: %s, want %s; %v", c.filter, c.scope, got, c.want, err)
		}
		if len(c.want) > 5 && pages < 2 {
			t.Errorf("%s of %s came in %d pages", c.filter, c.scope, pages)
		}
		overHTTP, _, err := listed(t.Context(), loopbackAssignments(t, server.URL), c.scope, c.filter)
		if err != nil || overHTTP != got {
			t.Errorf("%s of %s over HTTP: %s, %v", c.filter, c.scope, overHTTP, err)
		}
	}
	for what, filter := range map[string]string{"spaces as they are": "atScope() and assignedTo('" + watcher + "')", "what is no filter": "atScopes()", "a name": "assignedTo('jane')"} {
		for where, c := range map[string]*armauthorization.RoleAssignmentsClient{"in process": w.RoleAssignments, "over HTTP": loopbackAssignments(t, server.URL)} {
			if _, _, err := listed(t.Context(), c, w.vault, filter); err == nil {
				t.Errorf("%s were taken %s", what, where)
			}
		}
	}
}

// loopbackAssignments is the real client of an emulator that listens.
func loopbackAssignments(t *testing.T, url string) *armauthorization.RoleAssignmentsClient {
	t.Helper()
	o := arm.ClientOptions{ClientOptions: azcore.ClientOptions{InsecureAllowCredentialWithHTTP: true, Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
		cloud.ResourceManager: {Endpoint: url, Audience: "https://management.azure.com"}}}}}
	c, err := armauthorization.NewRoleAssignmentsClient(azuretest.DefaultSubscription, azuretest.Credential("ADMIN"), &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const delegated = `((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ` +
	`ForAnyOfAnyValues:GuidEquals {` + encryptionUser + `, ` + vaultReader + `} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {` + confluent + `}))`

func TestARightToAssignMayBeLimited(t *testing.T) {
	const plain = "f58310d9-a9f6-439a-9e8d-f62e7b41a168" // Role Based Access Control Administrator
	for sentence, c := range map[string]struct {
		role, condition string
		assign, to      string
		ok              bool
	}{
		"without a condition to all that anybody needs": {plain, "", "Owner", watcher, true},
		"one of the two roles to Confluent":             {plain, delegated, encryptionUser, confluent, true},
		"the other one to Confluent":                    {plain, delegated, vaultReader, confluent, true},
		"a third role to Confluent":                     {plain, delegated, "Key Vault Crypto Officer", confluent, false},
		"one of the two to somebody else":               {plain, delegated, vaultReader, nobody, false},
		"the built-in limited role, to Confluent":       {"Key Vault Data Access Administrator", "", encryptionUser, confluent, true},
		"the built-in limited role, Owner":              {"Key Vault Data Access Administrator", "", "Owner", confluent, false},
		"a condition beyond this emulator":              {plain, "@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:A_b] StringEquals 'x'", vaultReader, confluent, false},
	} {
		w := open(t, azuretest.Options{})
		for _, a := range w.Assignments(w.vault, confluent) {
			w.check(w.admin.DeleteAssignment(w.vault + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name))
		}
		w.Assign(azuretest.Assignment{Scope: w.Subscription() + "/resourceGroups/rg-kafka", Role: c.role, Principal: watcher, Condition: c.condition})
		_, err := w.As("WATCHER").AssignRole(azuretest.Assignment{Scope: w.vault, Role: c.assign, Principal: c.to})
		if c.ok {
			w.check(err)
		} else {
			refused(t, sentence, err, 403, "AuthorizationFailed")
		}
		if c.condition != "" || c.role != plain {
			err = w.As("WATCHER").UpdateVault(w.vault, map[string]any{"enableRbacAuthorization": false})
			refused(t, sentence+": the permission model", err, 403, "AuthorizationFailed")
		}
	}
}

func TestRoleDefinitionsAreReadWrittenAndDeleted(t *testing.T) {
	w := open(t, azuretest.Options{})
	got, err := w.RoleDefinitions.Get(t.Context(), w.Subscription(), encryptionUser, nil)
	w.check(err)
	if *got.Properties.RoleName != "Key Vault Crypto Service Encryption User" || *got.Properties.RoleType != "BuiltInRole" || *got.ID != w.RoleID(encryptionUser) {
		t.Errorf("got %+v", got.RoleDefinition)
	}
	w.check(w.admin.PutRole(azuretest.Role{GUID: name(1), Name: "byok", Permissions: []azuretest.Permission{{DataActions: []string{readKey, wrapKey, unwrapKey}}}}))
	own, err := w.RoleDefinitions.Get(t.Context(), w.vault, name(1), nil)
	w.check(err)
	if len(own.Properties.Permissions) != 1 || len(own.Properties.Permissions[0].DataActions) != 3 || *own.Properties.RoleType != "CustomRole" {
		t.Errorf("got %+v", own.RoleDefinition)
	}
	_, err = w.RoleDefinitions.Get(t.Context(), w.Subscription(), name(2), nil)
	refused(t, "a role that is not there", err, 404, "RoleDefinitionDoesNotExist")
	refused(t, "a built-in role", w.admin.PutRole(azuretest.Role{GUID: vaultReader, Name: "mine"}), 403, "CannotUpdateBuiltInRoleDefinition")
	id, err := w.admin.AssignRole(azuretest.Assignment{Scope: w.vault, Role: name(1), Principal: watcher})
	w.check(err)
	refused(t, "one that is assigned", w.admin.DeleteRole(name(1)), 400, "RoleDefinitionHasAssignments")
	w.check(w.admin.DeleteAssignment(id))
	w.check(w.admin.DeleteRole(name(1)))
	w.check(w.admin.DeleteRole(name(1)))
	_, err = w.RoleDefinitions.Get(t.Context(), w.Subscription(), name(1), nil)
	refused(t, "a role that was deleted", err, 404, "RoleDefinitionDoesNotExist")
	var custom int
	for p := w.RoleDefinitions.NewListPager(w.Subscription(), &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("type eq 'BuiltInRole'")}); p.More(); {
		page, err := p.NextPage(t.Context())
		w.check(err)
		custom += len(page.Value)
	}
	if custom < 10 {
		t.Errorf("%d built-in roles", custom)
	}
	refused(t, "a definition without a body", func() error {
		_, err := w.admin.Do(http.MethodPut, w.RoleID(name(3)), nil)
		return err
	}(), 400, "InvalidRequestContent")
}
