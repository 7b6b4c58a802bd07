package gcpkms

import (
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/compare"
	"byokwatch/core/policy/policytest"
	"byokwatch/core/rawjson"
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	policytest.Golden(t, *updateRestores, name, got)
}

func needs(permissions ...string) []core.Requirement {
	var out []core.Requirement
	for _, p := range permissions {
		r := core.Requirement{Aspect: core.Access, Principal: "group:" + payGroup, Permission: p, Severity: core.Critical}
		switch {
		case strings.Contains(p, "ENABLED"):
			r.Aspect, r.Principal = core.Property, ""
		case !slices.ContainsFunc(confluent.GCPPermissions(), func(c confluent.Permission) bool { return c.Name == p && p != "" }) || strings.HasSuffix(p, "!"):
			r.Aspect, r.Principal, r.Permission = core.Own, "", strings.TrimSuffix(p, "!")
		}
		out = append(out, r)
	}
	return out
}

const (
	useEncrypt = "cloudkms.cryptoKeyVersions.useToEncrypt"
	useDecrypt = "cloudkms.cryptoKeyVersions.useToDecrypt"
	getKey     = "cloudkms.cryptoKeys.get"
)

func TestFragments(t *testing.T) {
	for name, missing := range map[string][]core.Requirement{
		"fragment-all":     needs(useEncrypt, useDecrypt, getKey),
		"fragment-encrypt": needs(useEncrypt),
		"fragment-get":     needs(getKey, "version:1:ENABLED"),
	} {
		t.Run(name, func(t *testing.T) {
			text := Fragment(payAsks(), missing)
			golden(t, name, text)
			// What a person adds by it gives what is missing.
			live := withText(paid(payPolicy()), core.IAMPolicy, payKey, `{"bindings": `+text+`, "etag": "a", "version": 3}`)
			q := asked(payAsks(), live, nil)
			for i, f := range Judge(live, q).Findings {
				if slices.Contains(missing, f.Requirement) && f.Result != core.Met {
					t.Errorf("%d: %s is %s", i, f.Permission, f.Result)
				}
			}
		})
	}
	for name, x := range map[string]struct {
		q       core.Question
		missing []core.Requirement
	}{
		"nothing is missing":             {payAsks(), nil},
		"only the watchdog's own rights": {payAsks(), needs("cloudkms.cryptoKeys.get!")},
		"another principal":              {payAsks(func(k *core.Key) { k.Needs.Group = "other@confluent.io" }), needs(useEncrypt)},
		"a group that is no address":     {payAsks(func(k *core.Key) { k.Needs.Group = `x"@y` }), needs(useEncrypt)},
	} {
		t.Run(name, func(t *testing.T) {
			if text := Fragment(x.q, x.missing); text != "" {
				t.Errorf("%s", text)
			}
		})
	}
}

func TestUnlocks(t *testing.T) {
	all := needs(useEncrypt, useDecrypt, getKey)
	bound := paid(payPolicy(payBinding(payRole, "group:"+payGroup)))
	for name, x := range map[string]struct {
		live    core.Policy
		self    string
		missing []core.Requirement
	}{
		"unlock-binding":       {paid(payPolicy()), paySelf, all},
		"unlock-half":          {bound, paySelf, needs(useEncrypt)},
		"unlock-role-gutted":   {withText(bound, core.Role, payRole, roleJSON(payRole, "GA", useEncrypt)), paySelf, needs(useDecrypt, getKey)},
		"unlock-role-disabled": {withText(bound, core.Role, payRole, roleJSON(payRole, "DISABLED", useEncrypt, useDecrypt, getKey)), paySelf, all},
		"unlock-role-deleted":  {withText(bound, core.Role, payRole, strings.Replace(roleJSON(payRole, "GA", useEncrypt, useDecrypt, getKey), "{", `{"deleted": true, `, 1)), paySelf, all},
		"unlock-role-of-organization": {paid(payPolicy(payBinding("organizations/123456/roles/confluent", "group:"+payGroup))).With(core.Document{Kind: core.Role, ID: "organizations/123456/roles/confluent",
			Text: roleJSON("organizations/123456/roles/confluent", "DISABLED", useEncrypt)}), paySelf, needs(useDecrypt)},
		"unlock-dead-group": {paid(payPolicy(payBinding(payRole, payDead))), paySelf, all},
		"unlock-deny": {withText(bound, core.DenyPolicies, payProject, `[{"name": "policies/cloudresourcemanager.googleapis.com%2Fprojects%2F123456789012/denypolicies/no-kms", "rules": [{"denyRule": {"deniedPrincipals": ["principalSet://goog/public:all"], "deniedPermissions": ["cloudkms.googleapis.com/*"]}}]},
			{"name": "policies/cloudresourcemanager.googleapis.com%2Forganizations%2F42/denypolicies/other", "rules": [{"denyRule": {"deniedPrincipals": ["principalSet://goog/public:all"], "deniedPermissions": ["storage.googleapis.com/objects.get"]}}]},
			{"name": "policies/evil$(id)/denypolicies/no-kms", "rules": [{"denyRule": {"deniedPermissions": ["cloudkms.googleapis.com/*"]}}]}]`), paySelf, needs(useDecrypt)},
		"unlock-versions":      {withText(bound, core.CryptoKeyVersions, payKey, payVersions("DISABLED", "DESTROY_SCHEDULED", "DESTROYED", "DISABLED", "ENABLED")), paySelf, needs("version:1:ENABLED", "version:2:ENABLED", "version:3:ENABLED", "version:5:ENABLED")},
		"unlock-rights":        {bound, paySelf, needs("cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeyVersions.update", "resourcemanager.projects.getIamPolicy", "x; rm -rf /")},
		"unlock-rights-denied": {withText(bound, core.DenyPolicies, payProject, `[{"name": "policies/cloudresourcemanager.googleapis.com%2Ffolders%2F42/denypolicies/no-kms", "rules": [{"denyRule": {"deniedPrincipals": ["principalSet://goog/public:all"], "deniedPermissions": ["cloudkms.googleapis.com/cryptoKeys.setIamPolicy"]}}]}]`), paySelf, needs("cloudkms.cryptoKeys.setIamPolicy")},
		"unlock-rights-nobody": {bound, "evil; rm -rf /", needs("cloudkms.cryptoKeys.setIamPolicy")},
		"unlock-foreign-names": {paid(payPolicy(payBinding("projects/acme/roles/$(id)", "group:"+payGroup), payBinding("roles/x;y", "group:"+payGroup))).With(
			core.Document{Kind: core.Role, ID: "projects/acme/roles/$(id)", Text: roleJSON("projects/acme/roles/$(id)", "DISABLED")}), paySelf, all},
	} {
		t.Run(name, func(t *testing.T) {
			q := asked(payAsks(), x.live, nil)
			q.Self = x.self
			lines := Unlock(x.live, q, x.missing)
			for _, l := range lines {
				// The condition that binds our rights to the key is the one quoted text.
				bare := strings.ReplaceAll(l, `'title=byokwatch,expression=resource.name == "`+payKey+`" || resource.name.startsWith("`+payKey+`/")'`, "")
				bare = strings.TrimSuffix(bare, " --format=json > deny.json")
				if !strings.HasPrefix(l, "# ") && strings.ContainsAny(bare, "'\"`$;&|<>()\\\n*?[]{}!~#") {
					t.Errorf("a shell reads more than words in %q", l)
				}
			}
			golden(t, name, strings.Join(lines, "\n")+"\n")
		})
	}
}

// TestWhatASnapshotKeeps: what reaches Confluent and what restores and digests
// need, in its own words.
func TestWhatASnapshotKeeps(t *testing.T) {
	q := payAsks()
	whole := withText(withText(paid(`{"auditConfigs": [{"service": "x"}], "bindings": [`+payBinding(payRole, payApp, "group:"+payGroup, payDead)+`, `+payBinding("roles/cloudkms.admin", payMallory)+`, `+
		payConditional("true", payViewer, "allUsers", payApp)+`], "etag": "BwKEY", "version": 3}`),
		core.CryptoKeyVersions, payKey, `[{"name": "`+payKey+`/cryptoKeyVersions/1", "state": "ENABLED", "attestation": {"content": "AAAA"}}]`),
		core.Role, payViewer, roleJSON(payViewer, "GA", "cloudkms.cryptoKeys.list", getKey, "cloudkms.keyRings.get"))
	got := Trim(whole, q)
	for ref, want := range map[core.Ref]string{
		{Kind: core.IAMPolicy, ID: payKey}:         `{"bindings": [` + payBinding(payRole, "group:"+payGroup, payDead) + `, ` + payConditional("true", payViewer, "allUsers") + `], "etag": "BwKEY", "version": 3}`,
		{Kind: core.IAMPolicy, ID: payProject}:     `{"bindings": [], "etag": "BwPROJECT", "version": 1}`,
		{Kind: core.Role, ID: payViewer}:           roleJSON(payViewer, "GA", getKey),
		{Kind: core.Role, ID: payRole}:             roleJSON(payRole, "GA", useDecrypt, useEncrypt, getKey),
		{Kind: core.CryptoKeyVersions, ID: payKey}: `[{"name": "` + payKey + `/cryptoKeyVersions/1", "state": "ENABLED"}]`,
		{Kind: core.Role, ID: payOperator}:         "",
	} {
		doc, _ := compare.Find(got, ref)
		if !rawjson.Same(doc.Text, want) && doc.Text != want {
			t.Errorf("%v:\n%s\nwant\n%s", ref, doc.Text, want)
		}
	}
	if again := Trim(got, q); !slices.Equal(again, got) {
		t.Errorf("trimmed again: %v", again)
	}
	needed := asked(q, whole, nil)
	if a, b := Judge(whole, needed), Judge(got, needed); a.Digest == "" || a.Digest != b.Digest {
		t.Errorf("digests %q and %q", a.Digest, b.Digest)
	}
	for _, d := range []core.Document{{Kind: core.IAMPolicy, ID: payRing, Text: "{"}, {Kind: core.IAMPolicy, ID: payRing, Unreadable: "access denied"}, {Kind: core.Role, ID: payRole, Unreadable: "access denied"}} {
		if kept, _ := compare.Find(Trim(whole.With(d), q), d.Ref()); kept != d {
			t.Errorf("%v became %v", d, kept)
		}
	}
}

func TestDifferences(t *testing.T) {
	base := paid(payPolicy(payBinding(payRole, "group:"+payGroup), payBinding(payViewer, payApp)))
	deny := `[{"name": "policies/x/denypolicies/no-kms", "rules": [{"denyRule": {"deniedPrincipals": ["principalSet://goog/public:all"], "deniedPermissions": ["cloudkms.googleapis.com/*"], "exceptionPrincipals": ["principalSet://goog/group/a@b.c"], "denialCondition": {"expression": "e"}}}]}]`
	for name, x := range map[string]struct {
		from, to core.Policy
		want     []string
	}{
		"nothing":                          {base, base, nil},
		"order, case, spaces, etag, title": {base, paid(`{"version":3,"etag":"other","bindings":[{"role":"` + payViewer + `","members":["serviceAccount:APP@acme.iam.gserviceaccount.com"]},{"members":["group:CCK-12345@confluent.io"],"role":"` + payRole + `"}]}`), nil},
		"a principal set in another case": {paid(payPolicy(payBinding(payViewer, "principalSet://iam.googleapis.com/x/A"))), paid(payPolicy(payBinding(payViewer, "principalSet://iam.googleapis.com/x/a"))), []string{
			"withdraws : principalSet://iam.googleapis.com/x/A no longer has roles/cloudkms.viewer on " + payKey, "admits principalSet://iam.googleapis.com/x/a: principalSet://iam.googleapis.com/x/a has roles/cloudkms.viewer on " + payKey}},
		"a binding divided in two": {paid(payPolicy(payBinding(payViewer, payApp, payMallory))), paid(payPolicy(payBinding(payViewer, payMallory), payBinding(payViewer, payApp))), nil},
		"everybody is let in":      {base, paid(payPolicy(payBinding(payRole, "group:"+payGroup), payBinding(payViewer, payApp, "allUsers"))), []string{"admits everybody (allUsers): everybody (allUsers) has roles/cloudkms.viewer on " + payKey}},
		"Confluent goes, a stranger comes": {base, paid(payPolicy(payBinding(payRole, payMallory), payBinding(payViewer, payApp))), []string{
			"withdraws : group:" + payGroup + " no longer has " + payRole + " on " + payKey, "admits " + payMallory + ": " + payMallory + " has " + payRole + " on " + payKey}},
		"a condition comes": {base, paid(payPolicy(payConditional("x < 1", payRole, "group:"+payGroup), payBinding(payViewer, payApp))), []string{
			"withdraws : group:" + payGroup + " no longer has " + payRole + " on " + payKey, "admits group:" + payGroup + ": group:" + payGroup + " has " + payRole + " on " + payKey + " where x < 1"}},
		"the group dies": {base, paid(payPolicy(payBinding(payRole, payDead), payBinding(payViewer, payApp))), []string{
			"withdraws : group:" + payGroup + " no longer has " + payRole + " on " + payKey, "other : " + payDead + ", which IAM knows as deleted, stands with " + payRole + " on " + payKey + " and gets nothing by it"}},
		"the role is gutted":          {base, withText(base, core.Role, payRole, roleJSON(payRole, "GA", getKey)), []string{"withdraws : role " + payRole + " no longer gives " + useDecrypt + ", " + useEncrypt}},
		"the role grows":              {base, withText(base, core.Role, payRole, roleJSON(payRole, "GA", getKey, useDecrypt, useEncrypt, "a.b.c")), []string{"admits whoever has " + payRole + ": role " + payRole + " now gives a.b.c"}},
		"the role is disabled":        {base, withText(base, core.Role, payRole, roleJSON(payRole, "DISABLED", getKey, useDecrypt, useEncrypt)), []string{"withdraws : role " + payRole + " (disabled) no longer gives " + useDecrypt + ", " + useEncrypt + ", " + getKey}},
		"a role is not read any more": {base, slices.DeleteFunc(slices.Clone(base), func(d core.Document) bool { return d.ID == payRole }), nil},
		"a deny policy comes":         {base, withText(base, core.DenyPolicies, payProject, deny), []string{"forbids : " + payProject + " denies by deny policy no-kms: cloudkms.googleapis.com/* to principalSet://goog/public:all, but not to principalSet://goog/group/a@b.c where e"}},
		"a deny policy goes":          {withText(base, core.DenyPolicies, payProject, deny), base, []string{"loses-deny : " + payProject + " no longer denies by deny policy no-kms: cloudkms.googleapis.com/* to principalSet://goog/public:all, but not to principalSet://goog/group/a@b.c where e"}},
		"versions":                    {base, withText(base, core.CryptoKeyVersions, payKey, payVersions("DISABLED", "ENABLED", "ENABLED")), []string{"other : version 1 was ENABLED and is DISABLED", "other : version 3 is new and ENABLED"}},
		"a version goes":              {base, withText(base, core.CryptoKeyVersions, payKey, payVersions("ENABLED")), []string{"other : version 2, which was ENABLED, is no longer listed"}},
		"the revocation":              {base, withText(base, core.CryptoKey, payKey, strings.Replace(payCryptoKey(`"byokwatch-revoked": "sec"`), "/2", "/1", 1)), []string{"other : the primary version was 2 and is 1", "other : the label byokwatch-revoked=sec is set"}},
		"what can't be read":          {base, base.With(core.Document{Kind: core.IAMPolicy, ID: payRing, Unreadable: "access denied"}), []string{"other : gcp.iam-policy of " + payRing + ": it was readable and is unreadable (access denied)"}},
		"what does not parse":         {base, withText(base, core.IAMPolicy, payRing, `{"bindings": 1}`), []string{"other : gcp.iam-policy of " + payRing + " can't be compared: bindings: a value that begins with [ is needed, not number"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range Diff(x.from, x.to) {
				got = append(got, string(d.Change)+" "+d.Principal+": "+d.Text)
			}
			if !slices.Equal(got, x.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(x.want, "\n"))
			}
		})
	}
}
