package gcp_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"byokwatch/deploy/deploytest"
	"byokwatch/functions/gcp/gcptest"
)

// right is an entry of functions/gcp/permissions.json.
type right struct {
	ID          string   `json:"id"`
	Permissions []string `json:"permissions"`
	On          []string `json:"on"`
	At          string   `json:"at"`
	Condition   string   `json:"condition"`
}

type permissions struct {
	Reading, Restoring, Optional, Platform []right
	Deny                                   struct{ Permissions []string }
	Never                                  []string
}

func readPermissions(t *testing.T) permissions {
	t.Helper()
	var p permissions
	readJSON(t, "../../functions/gcp/permissions.json", &p)
	if len(p.Reading) == 0 || len(p.Restoring) == 0 || len(p.Optional) == 0 || len(p.Platform) == 0 || len(p.Deny.Permissions) == 0 || len(p.Never) == 0 {
		t.Fatalf("permissions.json reads as %+v", p)
	}
	return p
}

const (
	plannedSelf = "serviceAccount:google_service_account.acme-byokwatch/byokwatch.email"
	self        = "serviceAccount:byokwatch@acme-byokwatch.iam.gserviceaccount.com"
	organized   = "organizations/8888"
)

// grant is one binding: a role's permissions to a member on a resource under a
// condition.
type grant struct{ role, at, condition string }

// grants reads the custom roles and their bindings to the watchdog from a plan.
func grants(t *testing.T, p *deploytest.Planned) (roles map[string][]string, list []grant) {
	t.Helper()
	roles = map[string][]string{}
	for _, r := range p.All("google_project_iam_custom_role") {
		roles["projects/"+r.String("project")+"/roles/"+r.String("role_id")] = r.Strings("permissions")
	}
	for _, r := range p.All("google_organization_iam_custom_role") {
		roles["organizations/"+r.String("org_id")+"/roles/"+r.String("role_id")] = r.Strings("permissions")
	}
	places := map[string]func(deploytest.Resource) string{
		"google_project_iam_member":        func(r deploytest.Resource) string { return "projects/" + r.String("project") },
		"google_organization_iam_member":   func(r deploytest.Resource) string { return "organizations/" + r.String("org_id") },
		"google_storage_bucket_iam_member": func(r deploytest.Resource) string { return "projects/_/buckets/" + r.String("bucket") },
		"google_secret_manager_secret_iam_member": func(r deploytest.Resource) string {
			return "projects/" + r.String("project") + "/secrets/" + r.String("secret_id")
		},
	}
	for kind, at := range places {
		for _, r := range p.All(kind) {
			if r.String("member") == plannedSelf {
				list = append(list, grant{roleName(r.String("role")), at(r), r.String("condition", 0, "expression")})
			}
		}
	}
	slices.SortFunc(list, func(a, b grant) int {
		return cmp.Or(strings.Compare(a.role, b.role), strings.Compare(a.at, b.at), strings.Compare(a.condition, b.condition))
	})
	return roles, list
}

// roleName is what the cloud will call a role that a plan knows by its address.
func roleName(planned string) string {
	name := strings.TrimSuffix(planned, ".name")
	if at, ok := strings.CutPrefix(name, "google_project_iam_custom_role."); ok {
		project, id, _ := strings.Cut(at, "/")
		return "projects/" + project + "/roles/" + id
	}
	if at, ok := strings.CutPrefix(name, "google_organization_iam_custom_role."); ok {
		return organized + "/roles/" + at[strings.LastIndex(at, "/")+1:]
	}
	return planned
}

// wanted is what permissions.json asks for, filled in by this test.
func wanted(d deployment, rights []right) (roles map[string][]string, list []grant) {
	bucket := "projects/_/buckets/" + d.Store.Bucket
	objects := bucket + "/objects/" + d.Store.Prefix + "/"
	names := map[string][]string{
		"enforced": d.Scopes.Enforced, "enabling": d.Scopes.Enabling, "bucket": {bucket},
		"records": {objects + "records/"}, "kept": {objects + "kept/"}, "requests": {objects + "requests/"},
		"organization": {organized}, "secrets": {"projects/" + home + "/secrets/slack-webhook-url"},
	}
	for _, p := range d.Projects {
		names["project"] = append(names["project"], "projects/"+p)
	}
	roles = map[string][]string{}
	for _, r := range rights {
		for _, set := range r.On {
			for _, name := range names[set] {
				at := map[string]string{"bucket": bucket, "organization": organized, "secrets": name}[r.At]
				owner := cmp.Or(map[string]string{"bucket": "projects/" + home, "secrets": "projects/" + home, "organization": organized}[r.At], strings.Join(strings.Split(name, "/")[:2], "/"))
				role := owner + "/roles/" + r.ID
				roles[role] = slices.Sorted(slices.Values(r.Permissions))
				list = append(list, grant{role, cmp.Or(at, owner), strings.ReplaceAll(r.Condition, "NAME", name)})
			}
		}
	}
	slices.SortFunc(list, func(a, b grant) int {
		return cmp.Or(strings.Compare(a.role, b.role), strings.Compare(a.at, b.at), strings.Compare(a.condition, b.condition))
	})
	return roles, list
}

func TestRightsAreThoseOfTheFile(t *testing.T) {
	file, d := readPermissions(t), readDeployment(t)
	for name, c := range map[string]struct {
		changes map[string]any
		rights  []right
	}{
		"observe":                    {observing(t), slices.Concat(file.Reading, file.Platform)},
		"enforce":                    {map[string]any{}, slices.Concat(file.Reading, file.Restoring, file.Platform)},
		"enforce, and what is above": {ofOrganization, slices.Concat(file.Reading, file.Restoring, file.Optional, file.Platform)},
	} {
		t.Run(name, func(t *testing.T) {
			changes := maps.Clone(c.changes)
			changes["operators"] = []string{}
			roles, list := grants(t, plan(t, changes))
			wantRoles, wantList := wanted(d, c.rights)
			if !maps.EqualFunc(roles, wantRoles, slices.Equal) {
				t.Errorf("roles:\ngot  %v\nwant %v", roles, wantRoles)
			}
			if !slices.Equal(list, wantList) {
				t.Errorf("bindings:\ngot  %v\nwant %v", list, wantList)
			}
		})
	}
}

// TestRightsReachWhatTheyShould lets the emulator of Google Cloud evaluate what
// would be deployed, conditions included.
func TestRightsReachWhatTheyShould(t *testing.T) {
	file, d := readPermissions(t), readDeployment(t)
	roles, list := grants(t, plan(t, map[string]any{}))
	c := gcptest.New(gcptest.Options{Project: home, Parents: []string{organized}}) // whose the bucket is
	for _, p := range d.Projects {
		c.AddProject(p, organized)
	}
	c.Login(gcptest.Caller{Token: "SELF", Member: self})
	for name, permissions := range roles {
		c.AddRole(name, permissions...)
	}
	policies := map[string][]any{}
	for _, g := range list {
		b := map[string]any{"role": g.role, "members": []string{self}}
		if g.condition != "" {
			b["condition"] = map[string]string{"title": "byokwatch", "expression": g.condition}
		}
		policies[g.at] = append(policies[g.at], b)
	}
	for at, bindings := range policies {
		text, err := json.Marshal(map[string]any{"version": 3, "bindings": bindings})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(at, "/secrets/") {
			continue // the emulator has no Secret Manager
		}
		if err := c.SetPolicy(at, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	objects := "projects/_/buckets/" + d.Store.Bucket + "/objects/"
	may := map[string]bool{}
	expect := func(permission string, yes bool, resources ...string) {
		for _, r := range resources {
			may[fmt.Sprintf("%s on %s", permission, r)] = yes
			if got := c.May(self, permission, r); got != yes {
				t.Errorf("%s on %s: %t", permission, r, got)
			}
		}
	}
	for _, key := range d.Scopes.Keys {
		expect("cloudkms.cryptoKeys.getIamPolicy", true, key)
		enforced, enabling := slices.Contains(d.Scopes.Enforced, key), slices.Contains(d.Scopes.Enabling, key)
		expect("cloudkms.cryptoKeys.setIamPolicy", enforced, key)
		expect("cloudkms.cryptoKeyVersions.update", enabling, key+"/cryptoKeyVersions/1")
		expect("cloudkms.cryptoKeys.setIamPolicy", false, key+"2", key[:strings.LastIndex(key, "/")]+"/other")
		expect("cloudkms.cryptoKeyVersions.update", false, key+"2/cryptoKeyVersions/1")
		for _, permission := range file.Never {
			expect(permission, false, key, "projects/"+strings.Split(key, "/")[1])
		}
	}
	prefix := objects + d.Store.Prefix
	expect("storage.objects.create", true, prefix+"/records/gcp/a.json", prefix+"/kept/gcp/a.json")
	expect("storage.objects.create", false, prefix+"/requests/gcp/a.json", objects+"byokwatch.yaml", objects+"production/records/a.json")
	expect("storage.objects.delete", true, prefix+"/records/gcp/a.json")
	expect("storage.objects.delete", false, prefix+"/kept/gcp/a.json", prefix+"/requests/gcp/a.json")
	if yes := slices.Collect(maps.Values(may)); !slices.Contains(yes, true) || !slices.Contains(yes, false) {
		t.Error("nothing was asked")
	}
}

func TestOperatorsOnlyAsk(t *testing.T) {
	p := plan(t, map[string]any{})
	got := map[string]string{}
	for _, r := range p.All("google_storage_bucket_iam_member") {
		if r.String("member") != "group:kms-operators@acme.example" {
			continue
		}
		role := p.One(t, fmt.Sprintf("google_project_iam_custom_role.operator[%q]", strings.TrimSuffix(r.String("role")[strings.LastIndex(r.String("role"), "/")+1:], ".name")))
		for _, permission := range role.Strings("permissions") {
			got[permission] = r.String("condition", 0, "expression")
		}
	}
	requests := `resource.name.startsWith("projects/_/buckets/acme-byokwatch/objects/prod/requests/")`
	want := map[string]string{
		"storage.objects.get": "", "storage.objects.list": "",
		"storage.objects.create": requests, "storage.objects.delete": requests,
	}
	if !maps.Equal(got, want) {
		t.Errorf("operators: %v", got)
	}
}

func TestTheDenyPolicyIsThatOfTheFile(t *testing.T) {
	file, d := readPermissions(t), readDeployment(t)
	policies := plan(t, ofOrganization).All("google_iam_deny_policy")
	if len(policies) != len(d.Projects) {
		t.Errorf("%d deny policies for %v", len(policies), d.Projects)
	}
	for i, r := range policies {
		if want := "cloudresourcemanager.googleapis.com%2Fprojects%2F" + slices.Sorted(slices.Values(d.Projects))[i]; r.String("parent") != want {
			t.Errorf("%s is attached to %s", r.Address, r.String("parent"))
		}
		rule := func(name string) []string { return r.Strings("rules", 0, "deny_rule", 0, name) }
		if got := rule("denied_permissions"); !slices.Equal(got, file.Deny.Permissions) {
			t.Errorf("%s denies %v", r.Address, got)
		}
		if got := rule("denied_principals"); len(got) != 1 || !strings.HasPrefix(got[0], "principal://iam.googleapis.com/projects/-/serviceAccounts/") || !strings.HasSuffix(got[0], strings.TrimPrefix(plannedSelf, "serviceAccount:")) {
			t.Errorf("%s denies it to %v", r.Address, got)
		}
		if got := rule("exception_principals"); len(got) != 0 {
			t.Errorf("%s leaves out %v", r.Address, got)
		}
	}
}
