package main

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"byokwatch/core/confluent"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/functiontest"
)

// permissions is permissions.json.
type permissions struct {
	About     string            `json:"about"`
	Scopes    map[string]string `json:"scopes"`
	Reading   []right           `json:"reading"`
	Restoring []right           `json:"restoring"`
	Optional  []right           `json:"optional"`
	Platform  []right           `json:"platform"`
	Never     struct {
		Actions     []string `json:"actions"`
		DataActions []string `json:"dataActions"`
	} `json:"never"`
}

// right is one custom role and its assignments.
type right struct {
	ID          string   `json:"id"`
	Role        string   `json:"role"` // GUID of a built-in role, in place of a custom one
	Actions     []string `json:"actions"`
	DataActions []string `json:"dataActions"`
	On          []string `json:"on"`
	At          string   `json:"at"`
	Condition   string   `json:"condition"`
	Implied     bool     `json:"implied"`
	Why         string   `json:"why"`
	Source      string   `json:"source"`
}

func (r right) all() []string { return slices.Concat(r.Actions, r.DataActions) }

func readPermissions(tb testing.TB) permissions {
	tb.Helper()
	var p permissions
	functiontest.ReadJSON(tb, "permissions.json", &p)
	return p
}

// grant does what a deployment does: it makes a custom role of each right and
// assigns it to the watchdog at each of its scopes that is filled in.
func grant(c *azuretest.Cloud, scopes map[string][]string, principals []string, rights ...right) {
	for _, r := range rights {
		var role string
		for _, set := range r.On {
			for _, name := range scopes[set] {
				if role == "" {
					role = c.AddCustomRole(azuretest.Role{Name: r.ID, Permissions: []azuretest.Permission{{Actions: r.Actions, DataActions: r.DataActions}}})
				}
				at := name
				if set != r.At {
					at = scopes[r.At][0]
				}
				condition := strings.NewReplacer("NAME", name, "PRINCIPALS", strings.Join(principals, ", ")).Replace(r.Condition)
				c.Assign(azuretest.Assignment{Scope: at, Role: role, Principal: self, Condition: condition})
			}
		}
	}
}

func TestPermissionsSayWhatTheyAreFor(t *testing.T) {
	p := readPermissions(t)
	ids, used := map[string]bool{}, map[string]bool{}
	for _, r := range slices.Concat(p.Reading, p.Restoring, p.Optional, p.Platform) {
		if ok, err := path.Match("byokwatch[A-Z]*", r.ID); err != nil || !ok || ids[r.ID] {
			t.Errorf("%q is no name of its own", r.ID)
		}
		ids[r.ID] = true
		if r.Why == "" || len(r.On) == 0 || (len(r.all()) > 0) != (r.Role == "") {
			t.Errorf("%s is incomplete: %+v", r.ID, r)
		}
		if (r.Implied || r.Condition != "" || r.Role != "") && !strings.HasPrefix(r.Source, "https://learn.microsoft.com/") {
			t.Errorf("%s rests on a rule without a source", r.ID)
		}
		if narrow := r.On[0] != r.At; narrow && !strings.Contains(r.Condition, "'NAME'") {
			t.Errorf("%s is assigned at %s for %v under the condition %q", r.ID, r.At, r.On, r.Condition)
		}
		for _, set := range append(r.On, r.At) {
			used[set] = true
			if p.Scopes[set] == "" {
				t.Errorf("%s is on %q, which nobody describes", r.ID, set)
			}
		}
		for _, action := range r.all() {
			if strings.Contains(action, "*") || slices.Contains(p.Never.Actions, action) || slices.Contains(p.Never.DataActions, action) {
				t.Errorf("%s gives %s", r.ID, action)
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(p.Scopes)); !slices.Equal(got, want) {
		t.Errorf("scopes %v are described, %v used", want, got)
	}
	if p.About == "" {
		t.Error("the file is not explained")
	}
}

// What may be assigned, and to whom, is written once for the product and once
// for whoever deploys it.
func TestOnlyConfluentsRolesMayBeAssigned(t *testing.T) {
	for _, r := range readPermissions(t).Restoring {
		if !slices.Contains(r.Actions, "Microsoft.Authorization/roleAssignments/write") {
			continue
		}
		var roles []string
		for _, role := range confluent.AzureRoles() {
			roles = append(roles, role.ID)
		}
		for _, want := range []string{"RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + strings.Join(roles, ", ") + "}", "PrincipalId] ForAnyOfAnyValues:GuidEquals {PRINCIPALS}"} {
			if !strings.Contains(r.Condition, want) {
				t.Errorf("the condition %s lacks %s", r.Condition, want)
			}
		}
		return
	}
	t.Error("nothing may be assigned")
}
