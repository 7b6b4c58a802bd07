package gcptest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/gcp/gcptest"
)

const (
	project  = "projects/acme-prod"
	ring     = project + "/locations/us-west1/keyRings/kafka"
	key      = ring + "/cryptoKeys/payments"
	group    = "group:cck-12345@confluent.io"
	admin    = "user:admin@acme.example"
	nobody   = "user:nobody@acme.example"
	byok     = project + "/roles/byok"
	decrypt  = "cloudkms.cryptoKeyVersions.useToDecrypt"
	encrypt  = "cloudkms.cryptoKeyVersions.useToEncrypt"
	get      = "cloudkms.cryptoKeys.get"
	folder   = "folders/5550001"
	topLevel = "organizations/8888"
)

type world struct {
	*gcptest.Cloud
	t *testing.T
	gcptest.Clients
}

// open is a project whose key gives Confluent's group a custom role.
func open(t *testing.T, o gcptest.Options) world {
	t.Helper()
	o.Parents = []string{folder, topLevel}
	c := gcptest.New(o)
	c.AddKey(key, 2)
	c.Create(group, "group:others@acme.example", "user:dev@acme.example")
	c.Login(gcptest.Caller{Token: "ADMIN", Member: admin, Address: "203.0.113.7", Agent: "gcloud"})
	c.Login(gcptest.Caller{Token: "NOBODY", Member: nobody})
	c.AddRole(byok, encrypt, decrypt, get)
	w := world{c, t, c.Clients("ADMIN")}
	w.put(topLevel, `{"bindings":[{"role":"roles/owner","members":["`+admin+`"]}]}`)
	w.put(key, `{"bindings":[{"role":"`+byok+`","members":["`+group+`"]}]}`)
	return w
}

func (w world) put(resource, policy string) {
	w.t.Helper()
	w.check(w.SetPolicy(resource, policy))
}

func (w world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w world) keys() *cloudkms.ProjectsLocationsKeyRingsCryptoKeysService {
	return w.KMS.Projects.Locations.KeyRings.CryptoKeys
}

func (w world) read(version int64) *cloudkms.Policy {
	w.t.Helper()
	p, err := w.keys().GetIamPolicy(key).OptionsRequestedPolicyVersion(version).Do()
	w.check(err)
	return p
}

func (w world) set(p *cloudkms.Policy) error {
	_, err := w.keys().SetIamPolicy(key, &cloudkms.SetIamPolicyRequest{Policy: p}).Do()
	return err
}

// can says whether the group may do all three.
func (w world) can() bool {
	for _, p := range []string{encrypt, decrypt, get} {
		if ok, _ := w.Can(group, p, key); !ok {
			return false
		}
	}
	return true
}

// refused wants an error of Google Cloud with this code.
func refused(t *testing.T, what string, err error, code int, part string) {
	t.Helper()
	api, ok := errors.AsType[*googleapi.Error](err)
	if !ok || api.Code != code || !strings.Contains(api.Message, part) {
		t.Errorf("%s: %v, want %d with %q", what, err, code, part)
	}
}

func bindings(list ...*cloudkms.Binding) *cloudkms.Policy {
	return &cloudkms.Policy{Bindings: list}
}

func to(role string, members ...string) *cloudkms.Binding {
	return &cloudkms.Binding{Role: role, Members: members}
}

func TestAPolicyThatWasNeverSetIsEmptyWithAnEtag(t *testing.T) {
	w := open(t, gcptest.Options{})
	p, err := w.KMS.Projects.Locations.KeyRings.GetIamPolicy(ring).Do()
	if err != nil || p.Etag != "ACAB" || p.Version != 0 || len(p.Bindings) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestOfTwoWritersWithOneEtagTheSecondIsRefused(t *testing.T) {
	w := open(t, gcptest.Options{})
	first, second := w.read(3), w.read(3)
	first.Bindings = append(first.Bindings, to("roles/cloudkms.viewer", "group:others@acme.example"))
	w.check(w.set(first))
	second.Bindings = nil
	refused(t, "the second", w.set(second), http.StatusConflict, "concurrent policy changes")
	if len(w.read(3).Bindings) != 2 {
		t.Errorf("a refused write changed the policy: %s", w.Policy(key))
	}
	second.Etag = ""
	w.check(w.set(second)) // without an etag whatever is there is overwritten
	if len(w.read(3).Bindings) != 0 {
		t.Errorf("not overwritten: %s", w.Policy(key))
	}
}

func TestConditionsAreThereInVersion3Only(t *testing.T) {
	w := open(t, gcptest.Options{})
	conditional := to(byok, group)
	conditional.Condition = &cloudkms.Expr{Title: "spring", Expression: `request.time < timestamp("2099-04-01T00:00:00Z")`}
	p := w.read(3)
	p.Bindings = []*cloudkms.Binding{conditional}
	p.Version = 1
	refused(t, "a condition in version 1", w.set(p), http.StatusBadRequest, "version must be 3")
	p.Version = 3
	w.check(w.set(p))
	if p = w.read(3); p.Version != 3 || p.Bindings[0].Condition == nil || p.Bindings[0].Role != byok {
		t.Errorf("in version 3: %s", w.Policy(key))
	}
	for _, version := range []int64{0, 1} {
		p = w.read(version)
		if p.Version != 1 || p.Bindings[0].Condition != nil || !strings.HasPrefix(p.Bindings[0].Role, byok+"_withcond_") {
			t.Errorf("in version %d: %+v", version, p.Bindings[0])
		}
		refused(t, "what was read without conditions, sent back", w.set(p), http.StatusBadRequest, "version 3")
	}
	_, err := w.keys().GetIamPolicy(key).OptionsRequestedPolicyVersion(2).Do()
	refused(t, "version 2", err, http.StatusBadRequest, "version 2")
	p.Etag, p.Bindings[0].Role = "", byok
	w.check(w.set(p))
	if strings.Contains(w.Policy(key), "condition") {
		t.Error("a blind write in version 1 must lose the condition")
	}
}

func TestWhoIsNotThereIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		binding *cloudkms.Binding
		part    string
	}{
		"an unknown group":             {to(byok, "group:cck-99999@confluent.io"), "does not exist"},
		"an unknown service account":   {to(byok, "serviceAccount:x@acme-prod.iam.gserviceaccount.com"), "does not exist"},
		"no type":                      {to(byok, "cck-12345@confluent.io"), "unknown type"},
		"a made-up uid":                {to(byok, "deleted:"+group+"?uid=1"), "unique ID"},
		"an unknown role":              {to("roles/cloudkms.none", group), "does not exist"},
		"a custom role of elsewhere":   {to("projects/other/roles/byok", group), "does not exist"},
		"a role that is none":          {to("cloudkms.viewer", group), "does not exist"},
		"a member beside its own dead": {to(byok, group, "deleted:"+group+"?uid=1"), ""},
	} {
		w := open(t, gcptest.Options{})
		refused(t, name, w.set(bindings(c.binding)), http.StatusBadRequest, c.part)
	}
	w := open(t, gcptest.Options{})
	var many []string
	for i := range 251 {
		many = append(many, fmt.Sprintf("group:g%d@acme.example", i))
	}
	w.Create(many...)
	refused(t, "251 groups", w.set(bindings(to(byok, many...))), http.StatusBadRequest, "number of groups")
	w.check(w.set(bindings(to(byok, many[1:]...))))
}

func TestADeletedGroupTurnsUpUnderAnotherName(t *testing.T) {
	w := open(t, gcptest.Options{})
	w.Delete(group)
	p := w.read(3)
	dead := p.Bindings[0].Members[0]
	if !strings.HasPrefix(dead, "deleted:"+group+"?uid=") || w.can() {
		t.Errorf("member %s, can %t", dead, w.can())
	}
	w.check(w.set(p)) // what was read can be sent back
	p = w.read(3)
	p.Bindings[0].Members = []string{group}
	refused(t, "the living form of a deleted group", w.set(p), http.StatusBadRequest, "does not exist")
	w.Recover(group)
	if !w.can() {
		t.Error("a recovered group must have its access back")
	}
	w.Delete(group)
	w.Create(group)
	if w.can() || w.read(3).Bindings[0].Members[0] != dead {
		t.Errorf("a group made anew has the access of the old one: %s", w.Policy(key))
	}
	p = w.read(3)
	p.Bindings[0].Members = append(p.Bindings[0].Members, group)
	refused(t, "both forms", w.set(p), http.StatusBadRequest, "Inconsistent representation of deleted member")
	p.Bindings[0].Members = []string{strings.ToUpper(group[:6]) + group[6:]}
	refused(t, "a type in another case", w.set(p), http.StatusBadRequest, "unknown type")
	p.Bindings[0].Members = []string{"group:CCK-12345@Confluent.IO"}
	w.check(w.set(p))
	if !w.can() || w.read(3).Bindings[0].Members[0] != group {
		t.Errorf("addresses differ by case: %s", w.Policy(key))
	}
}

func TestWhoMayNotSeeAKeyIsNotToldThatItIsAbsent(t *testing.T) {
	w := open(t, gcptest.Options{})
	absent := ring + "/cryptoKeys/nothing"
	_, err := w.keys().Get(absent).Do()
	refused(t, "the owner", err, http.StatusNotFound, "not found")
	stranger := w.Cloud.Clients("NOBODY").KMS.Projects.Locations.KeyRings.CryptoKeys
	for _, name := range []string{absent, key} {
		_, err = stranger.Get(name).Do()
		refused(t, "a stranger", err, http.StatusForbidden, "or it may not exist")
	}
	_, err = w.Cloud.Clients("UNKNOWN").KMS.Projects.Locations.KeyRings.CryptoKeys.Get(key).Do()
	refused(t, "an unknown token", err, http.StatusUnauthorized, "")
	want := gcptest.Use{Caller: nobody, Permission: get, Resource: key}
	uses := w.Uses()
	if last := uses[len(uses)-1]; last.Caller != want.Caller || last.Permission != want.Permission || last.Resource != want.Resource || last.Allowed {
		t.Errorf("recorded %+v", last)
	}
}

func TestARoleThatIsGuttedDisabledOrDeletedGivesNothing(t *testing.T) {
	w := open(t, gcptest.Options{})
	roles := w.Roles.Projects.Roles
	before := w.Policy(key)
	steps := []struct {
		name string
		do   func() error
		can  bool
	}{
		{"gutted", func() error {
			_, err := roles.Patch(byok, &iam.Role{IncludedPermissions: []string{get}}).UpdateMask("includedPermissions").Do()
			return err
		}, false},
		{"mended", func() error {
			_, err := roles.Patch(byok, &iam.Role{IncludedPermissions: []string{get, encrypt, decrypt}}).UpdateMask("includedPermissions").Do()
			return err
		}, true},
		{"disabled", func() error {
			_, err := roles.Patch(byok, &iam.Role{Stage: "DISABLED"}).UpdateMask("stage").Do()
			return err
		}, false},
		{"enabled", func() error {
			_, err := roles.Patch(byok, &iam.Role{Stage: "GA"}).UpdateMask("stage").Do()
			return err
		}, true},
		{"deleted", func() error { _, err := roles.Delete(byok).Do(); return err }, false},
		{"undeleted", func() error { _, err := roles.Undelete(byok, &iam.UndeleteRoleRequest{}).Do(); return err }, true},
	}
	for _, s := range steps {
		w.check(s.do())
		if w.can() != s.can || w.Policy(key) != before {
			t.Errorf("%s: can %t, policy %s", s.name, w.can(), w.Policy(key))
		}
	}
	r, err := roles.Get(byok).Do()
	w.check(err)
	_, err = roles.Patch(byok, &iam.Role{Etag: "BwAAAAAAAAA=", Stage: "GA"}).UpdateMask("stage").Do()
	refused(t, "another etag", err, http.StatusConflict, "")
	_, err = roles.Patch(byok, &iam.Role{Etag: r.Etag, Stage: "GA"}).UpdateMask("stage").Do()
	w.check(err)
}

func TestADeletedRoleMayStayButNotBeBoundAndGoesAfterAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, gcptest.Options{})
		_, err := w.Roles.Projects.Roles.Delete(byok).Do()
		w.check(err)
		w.check(w.set(w.read(3)))
		w.put(key, `{"bindings":[]}`)
		refused(t, "binding it anew", w.set(bindings(to(byok, group))), http.StatusBadRequest, "deleted")
		w.put(ring, `{"bindings":[]}`)
		time.Sleep(7*24*time.Hour + time.Second)
		_, err = w.Roles.Projects.Roles.Get(byok).Do()
		refused(t, "the role a week later", err, http.StatusNotFound, "")
	})
}

func TestStatesOfVersions(t *testing.T) {
	w := open(t, gcptest.Options{})
	v := w.keys().CryptoKeyVersions
	primary, old := key+"/cryptoKeyVersions/2", key+"/cryptoKeyVersions/1"
	turn := func(name, state string) error {
		_, err := v.Patch(name, &cloudkms.CryptoKeyVersion{State: state}).UpdateMask("state").Do()
		return err
	}
	w.check(turn(old, "DISABLED"))
	if ok, _ := w.Can(group, decrypt, old); ok || !w.can() {
		t.Error("an old version that is disabled decrypts, or the primary one does not")
	}
	w.check(turn(primary, "DISABLED"))
	if ok, why := w.Can(group, encrypt, key); ok || !strings.Contains(why, "DISABLED") {
		t.Errorf("encrypt with a disabled primary version: %t, %s", ok, why)
	}
	w.check(turn(primary, "ENABLED"))
	_, err := v.Destroy(old, &cloudkms.DestroyCryptoKeyVersionRequest{}).Do()
	w.check(err)
	refused(t, "enabling what is to be destroyed", turn(old, "ENABLED"), http.StatusBadRequest, "DESTROY_SCHEDULED")
	got, err := v.Restore(old, &cloudkms.RestoreCryptoKeyVersionRequest{}).Do()
	if err != nil || got.State != "DISABLED" {
		t.Errorf("restored: %+v, %v", got, err)
	}
	refused(t, "destroying by state", turn(old, "DESTROYED"), http.StatusBadRequest, "Invalid value")
	k, err := w.keys().Patch(key, &cloudkms.CryptoKey{Labels: map[string]string{"byokwatch-revoked": "yes"}}).UpdateMask("labels").Do()
	if err != nil || k.Labels["byokwatch-revoked"] != "yes" || k.Primary.Name != primary {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestManyVersionsComeInPages(t *testing.T) {
	w := open(t, gcptest.Options{})
	w.AddKey(key+"-many", 230)
	n := 0
	w.check(w.keys().CryptoKeyVersions.List(key+"-many").PageSize(1000).Pages(t.Context(), func(r *cloudkms.ListCryptoKeyVersionsResponse) error {
		if len(r.CryptoKeyVersions) > 100 {
			t.Errorf("a page of %d", len(r.CryptoKeyVersions))
		}
		n += len(r.CryptoKeyVersions)
		return nil
	}))
	if n != 230 {
		t.Errorf("%d versions", n)
	}
}

func TestADenyPolicyBeatsEveryBinding(t *testing.T) {
	for attach, member := range map[string]string{
		"projects%2Facme-prod": "principalSet://goog/group/cck-12345@confluent.io", "folders%2F5550001": "principalSet://goog/public:all",
		"organizations%2F8888": "principalSet://goog/group/CCK-12345@confluent.io",
	} {
		w := open(t, gcptest.Options{})
		parent := "policies/cloudresourcemanager.googleapis.com%2F" + attach + "/denypolicies"
		rule := &iamv2.GoogleIamV2DenyRule{DeniedPrincipals: []string{member}, DeniedPermissions: []string{"cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt"}}
		in := &iamv2.GoogleIamV2Policy{Rules: []*iamv2.GoogleIamV2PolicyRule{{DenyRule: rule}}}
		_, err := w.Deny.Policies.CreatePolicy(parent, in).PolicyId("no-outsiders").Do()
		w.check(err)
		if w.can() {
			t.Errorf("%s: the deny policy has no effect", attach)
		}
		list, err := w.Deny.Policies.ListPolicies(parent).Do()
		if err != nil || len(list.Policies) != 1 || list.Policies[0].Rules != nil {
			t.Fatalf("list: %+v, %v", list, err)
		}
		whole, err := w.Deny.Policies.Get(list.Policies[0].Name).Do()
		if err != nil || len(whole.Rules) != 1 {
			t.Errorf("get: %+v, %v", whole, err)
		}
		rule.ExceptionPrincipals = []string{"principalSet://goog/group/cck-12345@confluent.io"}
		_, err = w.Deny.Policies.CreatePolicy(parent, in).PolicyId("no-outsiders").Do()
		refused(t, "one of that name", err, http.StatusConflict, "already exists")
		_, err = w.Deny.Policies.Delete(whole.Name).Do()
		w.check(err)
		_, err = w.Deny.Policies.CreatePolicy(parent, in).PolicyId("with-exception").Do()
		w.check(err)
		if !w.can() {
			t.Errorf("%s: the exception has no effect", attach)
		}
	}
}

func TestAccessComesDownFromEveryLevelUnderItsCondition(t *testing.T) {
	for name, c := range map[string]struct {
		level, condition string
		can              bool
	}{
		"the ring":                      {ring, "", true},
		"the project":                   {project, "", true},
		"a condition on the key":        {project, `resource.name == \"` + key + `\"`, true},
		"one on another key":            {project, `resource.name == \"` + key + `2\"`, false},
		"a prefix of the name":          {project, `resource.name.startsWith(\"` + ring + `/\") && resource.service == \"cloudkms.googleapis.com\"`, true},
		"a time that is over":           {ring, `request.time < timestamp(\"2001-01-01T00:00:00Z\")`, false},
		"a time that is not over":       {ring, `(request.time < timestamp(\"2999-01-01T00:00:00Z\")) || false`, true},
		"the type of the key":           {ring, `!(resource.type != \"cloudkms.googleapis.com/CryptoKey\")`, true},
		"what nobody here can evaluate": {ring, `resource.matchTag(\"env\", \"prod\")`, false},
	} {
		w := open(t, gcptest.Options{})
		w.put(key, `{"bindings":[]}`)
		condition := ""
		if c.condition != "" {
			condition = `,"condition":{"title":"t","expression":"` + c.condition + `"}`
		}
		w.put(c.level, `{"version":3,"bindings":[{"role":"`+byok+`","members":["`+group+`"]`+condition+`}]}`)
		if w.can() != c.can {
			t.Errorf("%s: can %t", name, w.can())
		}
	}
	w := open(t, gcptest.Options{})
	w.put(key, `{"bindings":[]}`)
	w.AddRole(topLevel+"/roles/byok", encrypt, decrypt, get)
	w.put(folder, `{"bindings":[{"role":"`+topLevel+`/roles/byok","members":["allAuthenticatedUsers"]}]}`)
	if !w.can() {
		t.Error("everybody's access from a folder, by a role of the organisation")
	}
	p, err := w.Projects.Folders.GetIamPolicy(folder, &cloudresourcemanager.GetIamPolicyRequest{Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: 3}}).Do()
	if err != nil || len(p.Bindings) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	node, err := w.Projects.Projects.Get(project).Do()
	if err != nil || node.Parent != folder || node.ProjectId != "acme-prod" || node.Name == project {
		t.Errorf("%+v, %v", node, err)
	}
	for _, bad := range []string{`(`, ``, "a b \x00"} {
		b := to(byok, group)
		b.Condition = &cloudkms.Expr{Title: "t", Expression: bad, ForceSendFields: []string{"Expression"}}
		refused(t, fmt.Sprintf("condition %q", bad), w.set(&cloudkms.Policy{Version: 3, Bindings: []*cloudkms.Binding{b}}), http.StatusBadRequest, "compilation failed")
	}
}

func TestBindingsComeBackMerged(t *testing.T) {
	w := open(t, gcptest.Options{})
	w.check(w.set(bindings(to("roles/cloudkms.viewer", group), to(byok, group), to("roles/cloudkms.viewer", "group:others@acme.example", group), to("roles/viewer"))))
	var got []string
	for _, b := range w.read(3).Bindings {
		got = append(got, b.Role+" "+strings.Join(b.Members, ","))
	}
	want := []string{byok + " " + group, "roles/cloudkms.viewer " + group + ",group:others@acme.example"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestFaultsRepeatByTheirSeed(t *testing.T) {
	run := func(seed uint64) string {
		w := open(t, gcptest.Options{Seed: seed, Odds: chaostest.Odds{Throttle: .2, Unavailable: .2, Internal: .1, Dropped: .1}})
		var out []string
		for range 40 {
			_, err := w.keys().Get(key).Do()
			api, _ := errors.AsType[*googleapi.Error](err)
			if api == nil {
				out = append(out, fmt.Sprint(err != nil))
			} else {
				out = append(out, fmt.Sprint(api.Code))
			}
		}
		return strings.Join(out, " ")
	}
	one := run(1)
	if one != run(1) || one == run(2) {
		t.Errorf("seeds do not decide: %s", one)
	}
	for _, kind := range []string{"429", "503", "500", "true", "false"} {
		if !strings.Contains(one, kind) {
			t.Errorf("never %s in %s", kind, one)
		}
	}
}

func TestALostAnswerAndAStaleRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, gcptest.Options{})
		w.Inject(chaostest.Fault{Op: "SetIamPolicy", Kind: chaostest.Lost})
		if err := w.set(bindings()); err == nil || w.can() {
			t.Errorf("a lost answer: %v, can %t", err, w.can())
		}
		w.Inject(chaostest.Fault{Op: "GetIamPolicy", Kind: chaostest.Stale})
		if p := w.read(3); len(p.Bindings) != 1 {
			t.Error("a stale read must show what was there before")
		}
		if p := w.read(3); len(p.Bindings) != 0 {
			t.Error("and the next one what is there now")
		}
		w.SetOdds(chaostest.Odds{StaleFor: time.Hour})
		w.check(w.set(bindings(to(byok, group))))
		if p := w.read(3); len(p.Bindings) != 0 || !w.can() {
			t.Error("a write is seen at once, or has no effect")
		}
		time.Sleep(time.Hour)
		if p := w.read(3); len(p.Bindings) != 1 {
			t.Error("a write is never seen")
		}
	})
}

func TestWritesAreRecorded(t *testing.T) {
	w := open(t, gcptest.Options{})
	before := w.Policy(key)
	w.check(w.set(bindings()))
	got := w.Writes(key)
	if len(got) != 1 || got[0].Before != before || got[0].After != w.Policy(key) || got[0].Caller != admin || len(w.Writes(ring)) != 0 {
		t.Errorf("%+v", got)
	}
	if !json.Valid([]byte(got[0].After)) {
		t.Error("not JSON")
	}
}
