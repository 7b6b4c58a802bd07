package azure_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"byokwatch/core/confluent"
	"byokwatch/deploy/deploytest"
)

// right is one entry of permissions.json.
type right struct {
	ID          string   `json:"id"`
	Role        string   `json:"role"`
	Actions     []string `json:"actions"`
	DataActions []string `json:"dataActions"`
	On          []string `json:"on"`
	Condition   string   `json:"condition"`
}

type permissions struct {
	Reading, Restoring, Optional, Platform []right
	Never                                  struct{ Actions, DataActions []string }
}

func readPermissions(t *testing.T) permissions {
	t.Helper()
	var p permissions
	readJSON(t, "../../functions/azure/permissions.json", &p)
	if len(p.Reading) == 0 || len(p.Restoring) == 0 || len(p.Optional) == 0 || len(p.Platform) == 0 || len(p.Never.Actions) == 0 {
		t.Fatalf("permissions.json was not understood: %+v", p)
	}
	return p
}

const (
	watchdog = "azurerm_user_assigned_identity.acme-byokwatch.principal_id"
	platform = "azurerm_function_app_flex_consumption.acme-byokwatch.identity.0.principal_id"
	hostAt   = "azurerm_storage_account.acmebyokwatchostb49eb8ab.id"
	appAt    = "azurerm_application_insights.acme-byokwatch.id"
)

// place is where a right is assigned, in lower case, and what its condition names.
type place struct{ scope, name, principals string }

// places says for each set of permissions.json where its rights belong, in the
// fixture with some vaults that use access policies.
func places(d deployment, policies []string) map[string][]place {
	at := func(ids []string) (out []place) {
		for _, id := range ids {
			out = append(out, place{scope: id})
		}
		return out
	}
	byPolicy := func(id string) bool { return slices.Contains(policies, strings.Split(id, "/keys/")[0]) }
	out := map[string][]place{
		"groups": at(d.Scopes["groups"]), "firewalls": at(d.Scopes["firewalls"]), "subscriptions": at(d.Scopes["subscriptions"]),
		"container": {{scope: container}}, "records": {{container, d.Store.Prefix + "/records/", ""}}, "kept": {{container, d.Store.Prefix + "/kept/", ""}},
		"secrets": {{scope: secret}}, "hostStorage": {{scope: hostAt}}, "insights": {{scope: appAt}}, "configuration": nil,
	}
	for _, vault := range d.Scopes["enforced_vaults"] {
		group := strings.Split(vault, "/providers/")[0]
		assigned := place{group, "", strings.Join(d.Principals[group], ", ")}
		switch {
		case byPolicy(vault):
			out["policyVaults"] = append(out["policyVaults"], place{scope: vault})
		case !slices.Contains(out["assigning"], assigned):
			out["assigning"] = append(out["assigning"], assigned)
		}
	}
	for _, key := range d.Scopes["enabling"] {
		if !byPolicy(key) {
			out["enabling"] = append(out["enabling"], place{scope: key})
		}
	}
	return out
}

// assigned is one role assignment: who has which role where, under what condition.
type assigned struct{ who, role, scope, condition string }

func (a assigned) String() string {
	return fmt.Sprintf("%s has %s at %s if %q", a.who, a.role, strings.ToLower(a.scope), a.condition)
}

// want is what permissions.json asks for.
func want(rights []right, at map[string][]place) []string {
	var out []string
	for _, r := range rights {
		for _, set := range r.On {
			for _, p := range at[set] {
				a := assigned{watchdog, r.ID, p.scope, strings.NewReplacer("NAME", p.name, "PRINCIPALS", p.principals).Replace(r.Condition)}
				if r.Role != "" {
					a.role = r.Role
				}
				if set == "secrets" {
					a.who = platform
				}
				out = append(out, a.String())
			}
		}
	}
	slices.Sort(out)
	return out
}

// have is what the plan assigns to the function app's identities. A custom role
// is called by its name without that of the function app.
func have(t *testing.T, p *deploytest.Planned) []string {
	t.Helper()
	var out []string
	for _, r := range p.All("azurerm_role_assignment") {
		who := r.String("principal_id")
		if who != watchdog && who != platform {
			continue
		}
		id := r.String("role_definition_id")
		role := id[strings.LastIndex(id, "/roleDefinitions/")+len("/roleDefinitions/"):]
		role = strings.TrimSuffix(strings.TrimPrefix(role, "azurerm_role_definition."), " (acme-byokwatch).role_definition_id")
		condition := r.String("condition")
		if condition != "" && r.String("condition_version") != "2.0" {
			t.Errorf("%s: the condition is of version %q", r.Address, r.String("condition_version"))
		}
		if scope := r.String("scope"); strings.HasPrefix(scope, "/subscriptions/") && !strings.HasPrefix(id, strings.Join(strings.Split(scope, "/")[:3], "/")+"/") {
			t.Errorf("%s: %s is not of the subscription of %s", r.Address, id, scope)
		}
		out = append(out, assigned{who, role, r.String("scope"), condition}.String())
	}
	slices.Sort(out)
	return out
}

// The rights are those of permissions.json: none is missing, none is superfluous,
// each is where it says and under its condition.
func TestRightsAreThoseOfTheFile(t *testing.T) {
	p, d := readPermissions(t), fixture(t)
	asked := fixture(t)
	asked.Mode = "observe"
	observed := fixture(t)
	observed.Mode = "observe"
	observed.Scopes["enforced_groups"], observed.Scopes["enforced_vaults"], observed.Scopes["firewalls"], observed.Scopes["enabling"] = []string{}, []string{}, []string{}, []string{}
	for name, test := range map[string]struct {
		d        deployment
		policies []string
		more     map[string]any
		rights   []right
	}{
		"enforce":                          {d, []string{}, nil, slices.Concat(p.Reading, p.Restoring, p.Optional, p.Platform)},
		"observe":                          {observed, []string{}, nil, slices.Concat(p.Reading, p.Optional, p.Platform)},
		"a vault with access policies":     {d, d.Scopes["enforced_vaults"], nil, slices.Concat(p.Reading, p.Restoring, p.Optional, p.Platform)},
		"observe, whatever the scopes say": {asked, []string{}, nil, slices.Concat(p.Reading, p.Optional, p.Platform)},
		"without what is optional":         {d, []string{}, map[string]any{"see_deleted_vaults": false}, slices.Concat(p.Reading, p.Restoring, p.Platform)},
	} {
		t.Run(name, func(t *testing.T) {
			more := map[string]any{"deployment": printed(test.d), "access_policy_vaults": test.policies}
			for k, v := range test.more {
				more[k] = v
			}
			got, want := have(t, planned(t, more)), want(test.rights, places(test.d, test.policies))
			for _, a := range got {
				if !slices.Contains(want, a) {
					t.Errorf("superfluous: %s", a)
				}
			}
			for _, a := range want {
				if !slices.Contains(got, a) {
					t.Errorf("missing: %s", a)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d assignments instead of %d", len(got), len(want))
			}
		})
	}
}

// printed is a deployment as the CLI prints it.
func printed(d deployment) map[string]any {
	return map[string]any{"cloud": "azure", "mode": d.Mode, "sweep_minutes": d.SweepMinutes, "subscriptions": d.Subscriptions, "vaults": d.Vaults,
		"store": d.Store, "scopes": d.Scopes, "principals": d.Principals, "secrets": d.Secrets, "tenants": []string{}, "labels": d.Labels}
}

// Each custom role holds the actions of its entry, and can be assigned where it is
// needed and nowhere else.
func TestRolesAreThoseOfTheFile(t *testing.T) {
	p, plan := readPermissions(t), planned(t, nil)
	rights := map[string]right{}
	for _, r := range slices.Concat(p.Reading, p.Restoring, p.Optional, p.Platform) {
		rights[r.ID] = r
	}
	roles := plan.All("azurerm_role_definition")
	if len(roles) < 8 {
		t.Fatalf("only %d custom roles", len(roles))
	}
	for _, role := range roles {
		r, ok := rights[strings.TrimSuffix(role.String("name"), " (acme-byokwatch)")]
		if !ok || r.Role != "" {
			t.Errorf("%s is no custom role of permissions.json", role.String("name"))
		}
		if got := role.Strings("permissions", 0, "actions"); !slices.Equal(got, r.Actions) {
			t.Errorf("%s: actions %v instead of %v", r.ID, got, r.Actions)
		}
		if got := role.Strings("permissions", 0, "data_actions"); !slices.Equal(got, slices.Sorted(slices.Values(r.DataActions))) {
			t.Errorf("%s: data actions %v instead of %v", r.ID, got, r.DataActions)
		}
		needed := []string{"azurerm_resource_group.acme-byokwatch.id"}
		for _, a := range plan.All("azurerm_role_assignment") {
			if strings.Contains(a.String("role_definition_id"), "."+r.ID+" (") {
				parts := strings.Split(a.String("scope"), "/")
				needed = append(needed, strings.Join(parts[:min(len(parts), 5)], "/"))
			}
		}
		slices.Sort(needed)
		got := slices.Sorted(slices.Values(role.Strings("assignable_scopes")))
		if needed = slices.Compact(needed); len(needed) < 2 || !slices.Equal(got, needed) {
			t.Errorf("%s can be assigned at %v, and is needed at %v", r.ID, got, needed)
		}
	}
}

// The one right that could make more rights is bound to Confluent's roles, as the
// product knows them, and to Confluent's service principals of that group.
func TestOnlyConfluentsRolesMayBeAssigned(t *testing.T) {
	d := fixture(t)
	var roles []string
	for _, r := range confluent.AzureRoles() {
		roles = append(roles, r.ID)
	}
	var found int
	for _, a := range planned(t, nil).All("azurerm_role_assignment") {
		if !strings.Contains(a.String("role_definition_id"), "byokwatchRestoreAssignments") {
			continue
		}
		found++
		group := strings.ToLower(a.String("scope"))
		for _, clause := range []string{
			"@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + strings.Join(roles, ", ") + "} AND ",
			" AND @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {" + strings.Join(d.Principals[group], ", ") + "}",
		} {
			if len(d.Principals[group]) == 0 || !strings.Contains(a.String("condition"), clause) {
				t.Errorf("%s: %s lacks %s", a.Address, a.String("condition"), clause)
			}
		}
	}
	if found != len(d.Scopes["enforced_groups"]) {
		t.Errorf("access is given back in %d of %d groups", found, len(d.Scopes["enforced_groups"]))
	}
}
