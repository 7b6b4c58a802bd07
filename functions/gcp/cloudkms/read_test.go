package cloudkms_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"
	"google.golang.org/api/option"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcptest"
)

// names lists a policy's documents as kind and ID, and what is unreadable.
func names(p core.Policy) (all []string, hidden map[string]string) {
	hidden = map[string]string{}
	for _, d := range p {
		all = append(all, string(d.Kind)+" "+d.ID)
		if d.Unreadable != "" {
			hidden[string(d.Kind)+" "+d.ID] = d.Unreadable
		}
	}
	slices.Sort(all)
	return all, hidden
}

const (
	folder = "folders/5550001"
	top    = "organizations/8888"
	shared = top + "/roles/shared"
)

// levels is a world with a folder and an organisation, in which everything that
// could matter is bound somewhere.
func levels(t *testing.T) *gcptest.Cloud {
	t.Helper()
	c := world(t, gcptest.Options{Parents: []string{folder, top}}, reading...)
	c.AddRole(shared, needed...)
	c.AddRole(project+"/roles/others", "cloudkms.cryptoKeys.get")
	c.Create("group:CCK-12345@confluent.io")
	put(t, c, key, bind(byok, "group:CCK-12345@Confluent.io"), bind(project+"/roles/others", "group:others@acme.example"))
	put(t, c, ring, bind("roles/cloudkms.viewer", "allAuthenticatedUsers"))
	put(t, c, folder, bind(shared, group))
	put(t, c, top, bind("roles/owner", admin))
	_, err := c.Clients("ADMIN").Deny.Policies.CreatePolicy("policies/cloudresourcemanager.googleapis.com%2Fprojects%2Facme-prod/denypolicies", &iamv2.GoogleIamV2Policy{
		Rules: []*iamv2.GoogleIamV2PolicyRule{{DenyRule: &iamv2.GoogleIamV2DenyRule{DeniedPrincipals: []string{"principalSet://goog/group/x@y.example"}, DeniedPermissions: []string{"cloudkms.googleapis.com/cryptoKeys.get"}}}},
	}).PolicyId("outsiders").Do()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var everything = []string{
	"gcp.crypto-key " + key, "gcp.crypto-key-versions " + key,
	"gcp.deny-policies " + folder, "gcp.deny-policies " + top, "gcp.deny-policies " + project,
	"gcp.iam-policy " + folder, "gcp.iam-policy " + top, "gcp.iam-policy " + project, "gcp.iam-policy " + ring, "gcp.iam-policy " + key,
	"gcp.role " + shared, "gcp.role " + watching, "gcp.role " + byok, "gcp.role roles/cloudkms.viewer",
}

func TestAReadBringsEveryLevelAndEveryRoleThatMatters(t *testing.T) {
	c := levels(t)
	c.AddRole(top+"/roles/look", append([]string{"resourcemanager.folders.get", "resourcemanager.folders.getIamPolicy", "resourcemanager.organizations.getIamPolicy"}, reading...)...)
	put(t, c, top, bind("roles/owner", admin), bind(top+"/roles/look", watcher))
	p, err := keeper(c).Read(t.Context(), payments)
	if err != nil {
		t.Fatal(err)
	}
	got, hidden := names(p)
	want := slices.Sorted(slices.Values(append(slices.Clone(everything), "gcp.role "+top+"/roles/look")))
	if !slices.Equal(got, want) || len(hidden) > 0 {
		t.Errorf("got  %q\nwant %q\nunreadable %v", got, want, hidden)
	}
	if text := textOf(p, core.DenyPolicies, project); !strings.HasPrefix(text, "[\n") || !strings.Contains(text, "principalSet://goog/group/x@y.example") {
		t.Errorf("deny policies without their rules: %s", text)
	}
	if text := textOf(p, core.DenyPolicies, folder); text != "[]" {
		t.Errorf("deny policies of the folder: %s", text)
	}
	if text := textOf(p, core.CryptoKeyVersions, key); strings.Count(text, `"state": "ENABLED"`) != 2 || !strings.HasPrefix(text, "[") {
		t.Errorf("versions: %s", text)
	}
}

// Without rights above the project, its own levels count and the rest is told.
func TestWhatIsAboveTheProjectMayBeHidden(t *testing.T) {
	c := levels(t)
	p, err := keeper(c).Read(t.Context(), payments)
	if err != nil {
		t.Fatal(err)
	}
	got, hidden := names(p)
	for _, name := range []string{"gcp.iam-policy " + folder, "gcp.deny-policies " + folder} {
		if !strings.Contains(hidden[name], "our service account may not") || !strings.Contains(hidden[name], folder) {
			t.Errorf("%s: %q", name, hidden[name])
		}
	}
	if len(hidden) != 2 || slices.Contains(got, "gcp.iam-policy "+top) {
		t.Errorf("documents %q, unreadable %v", got, hidden)
	}
}

func TestBuiltinRolesAreNotRead(t *testing.T) {
	c := levels(t)
	k := cloudkms.New(cloudkms.Clients(c.Clients("WATCHER")), cloudkms.Options{Builtin: func(role string) bool { return strings.HasPrefix(role, "roles/") }})
	p, err := k.Read(t.Context(), payments)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := names(p)
	if slices.Contains(got, "gcp.role roles/cloudkms.viewer") || !slices.Contains(got, "gcp.role "+byok) || slices.Contains(got, "gcp.role "+watching) {
		t.Errorf("%q", got)
	}
}

// A role that nothing binds any more may have been widened since: a restore
// must see what it gives now.
func TestARoleThatMatteredIsStillRead(t *testing.T) {
	c := levels(t)
	k := keeper(c)
	read := func() string {
		p, err := k.Read(t.Context(), payments)
		if err != nil {
			t.Fatal(err)
		}
		return textOf(p, core.Role, byok)
	}
	if read() == "" {
		t.Fatal("a bound role is not read")
	}
	put(t, c, key)
	c.AddRole(byok, append([]string{"cloudkms.cryptoKeys.setIamPolicy"}, needed...)...)
	if !strings.Contains(read(), "setIamPolicy") {
		t.Error("a role that was bound before is not read")
	}
	fresh := keeper(c)
	if got := fresh.Remember(payments, byok, "no role", "roles/cloudkms.viewer"); !slices.Equal(got, []string{byok, "roles/cloudkms.viewer"}) {
		t.Errorf("remembers %q", got)
	}
	k = fresh
	if read() == "" {
		t.Error("a role that somebody told of is not read")
	}
}

// A level that fails for a moment must not look like one that gives nothing.
func TestAnOutageAboveTheKeyEndsTheRead(t *testing.T) {
	for _, op := range []string{"google.cloud.resourcemanager.v3.Projects.GetIamPolicy", "google.cloud.resourcemanager.v3.Projects.GetProject",
		"google.iam.v2.Policies.ListPolicies", "google.iam.v2.Policies.GetPolicy", "google.iam.admin.v1.GetRole"} {
		synctest.Test(t, func(t *testing.T) {
			c := levels(t)
			c.Inject(chaostest.Fault{Op: op, Kind: chaostest.Unavailable, Times: 1 << 20})
			begun := time.Now()
			p, err := keeper(c).Read(t.Context(), payments)
			if err == nil || p != nil || errors.Is(err, core.ErrDenied) || errors.Is(err, core.ErrNotFound) || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %d documents, %v", op, len(p), err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s: took %s", op, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c := levels(t)
		c.Inject(chaostest.Fault{Op: "GetIamPolicy", Resource: ring, Kind: chaostest.Dropped, Times: 1 << 20})
		if p, err := keeper(c).Read(t.Context(), payments); err == nil || p != nil {
			t.Errorf("the ring: %d documents, %v", len(p), err)
		}
	})
}

func TestWhatCannotBeReadOfTheKeyIsSaidPlainly(t *testing.T) {
	for name, c := range map[string]struct {
		fault chaostest.Fault
		want  string
	}{
		"a refusal": {chaostest.Fault{Kind: chaostest.Other, Code: "PERMISSION_DENIED", Status: 403}, "our service account may not cloudkms.cryptoKeyVersions.list on " + key},
		"absence":   {chaostest.Fault{Kind: chaostest.Other, Code: "NOT_FOUND", Status: 404}, key + " does not exist"},
		"a failure": {chaostest.Fault{Kind: chaostest.Throttle, Times: 1 << 20}, "Google Cloud failed with RESOURCE_EXHAUSTED"},
		"silence":   {chaostest.Fault{Kind: chaostest.Dropped, Times: 1 << 20}, "Google Cloud did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := world(t, gcptest.Options{}, reading...)
				c.fault.Op = "ListCryptoKeyVersions"
				cloud.Inject(c.fault)
				p, err := keeper(cloud).Read(t.Context(), payments)
				if err != nil {
					t.Fatal(err)
				}
				_, hidden := names(p)
				if got := hidden["gcp.crypto-key-versions "+key]; !strings.Contains(got, c.want) || len(hidden) != 1 {
					t.Errorf("unreadable %v, want %q", hidden, c.want)
				}
			})
		})
	}
}

func TestAbsenceBesideARefusalProvesNothing(t *testing.T) {
	for _, op := range []string{"GetCryptoKey", "ListCryptoKeyVersions", "GetIamPolicy"} {
		c := world(t, gcptest.Options{}, reading...)
		for _, other := range []string{"GetCryptoKey", "ListCryptoKeyVersions", "GetIamPolicy"} {
			f := chaostest.Fault{Op: other, Resource: key, Kind: chaostest.Other, Code: "NOT_FOUND", Status: 404}
			if other == op {
				f.Code, f.Status = "PERMISSION_DENIED", 403
			}
			c.Inject(f)
		}
		_, err := keeper(c).Read(t.Context(), payments)
		if errors.Is(err, core.ErrNotFound) || !errors.Is(err, core.ErrDenied) {
			t.Errorf("%s is refused: %v", op, err)
		}
	}
}

func TestAPassReadsWhatKeysShareOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := levels(t)
		k := keeper(c)
		var keys []core.Key
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			id := ring + "/cryptoKeys/" + name
			c.AddKey(id, 1)
			put(t, c, id, bind(byok, group))
			keys = append(keys, core.Key{ID: id, Cloud: core.GCP, Needs: payments.Needs})
		}
		ctx := share.WithPass(t.Context(), time.Now)
		var all sync.WaitGroup
		for _, one := range keys {
			all.Go(func() {
				p, err := k.Read(ctx, one)
				if got, _ := names(p); err != nil || !slices.Contains(got, "gcp.role "+byok) || !slices.Contains(got, "gcp.deny-policies "+project) || !slices.Contains(got, "gcp.iam-policy "+ring) {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		all.Wait()
		for op, want := range map[string]int{"GetCryptoKey": 5, "ListCryptoKeyVersions": 5, "GetIamPolicy": 6,
			"google.cloud.resourcemanager.v3.Projects.GetIamPolicy": 2, "google.iam.v2.Policies.GetPolicy": 1} {
			if got := c.Calls(op); got != want {
				t.Errorf("%s: %d calls, want %d", op, got, want)
			}
		}
		before := c.Calls("google.iam.admin.v1.GetRole")
		put(t, c, ring)
		p, err := k.Read(ctx, keys[0])
		if err != nil || textOf(p, core.IAMPolicy, ring) == "" || strings.Contains(textOf(p, core.IAMPolicy, ring), "allAuth") || c.Calls("google.iam.admin.v1.GetRole") == before {
			t.Errorf("a second look at a key does not see what has changed: %v, %s", err, textOf(p, core.IAMPolicy, ring))
		}
	})
}

func TestAPassForgetsFailuresAndWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := levels(t)
		other := core.Key{ID: key + "2", Cloud: core.GCP}
		third := core.Key{ID: key + "3", Cloud: core.GCP}
		c.AddKey(other.ID, 1)
		c.AddKey(third.ID, 1)
		ctx, k := share.WithPass(t.Context(), time.Now), keeper(c)
		c.Inject(chaostest.Fault{Op: "GetIamPolicy", Resource: ring, Kind: chaostest.Other, Code: "TEAPOT", Status: 418})
		if _, err := k.Read(ctx, payments); err == nil {
			t.Fatal("no error")
		}
		if _, err := k.Read(ctx, other); err != nil {
			t.Errorf("a failure is remembered: %v", err)
		}
		before := c.Calls("GetIamPolicy")
		time.Sleep(time.Minute)
		if _, err := k.Read(ctx, third); err != nil || c.Calls("GetIamPolicy") != before+2 {
			t.Errorf("what is a minute old is not read again: %v", err)
		}
	})
}

func TestACancelledReadSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := levels(t)
		c.SetOdds(chaostest.Odds{Slow: 1, SlowFor: time.Hour})
		ctx, cancel := context.WithCancel(share.WithPass(t.Context(), time.Now))
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		if _, err := keeper(c).Read(ctx, payments); !errors.Is(err, context.Canceled) || time.Since(begun) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

func TestConditionsAreReadOnEveryLevel(t *testing.T) {
	c := levels(t)
	condition := `,"condition":{"title":"t","expression":"request.time < timestamp(\"2099-04-01T00:00:00Z\")"}}`
	put(t, c, ring, strings.TrimSuffix(bind(byok, group), "}")+condition)
	put(t, c, project, bind("roles/owner", admin), bind(watching, watcher), strings.TrimSuffix(bind(byok, group), "}")+condition)
	p, err := keeper(c).Read(t.Context(), payments)
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []string{ring, project} {
		if text := textOf(p, core.IAMPolicy, level); !strings.Contains(text, `"expression"`) || strings.Contains(text, "withcond") {
			t.Errorf("%s: %s", level, text)
		}
	}
}

func TestTheGroupIsFoundHoweverItIsSpelled(t *testing.T) {
	c := levels(t)
	k := core.Key{ID: key, Cloud: core.GCP, Needs: core.Confluent{Group: "CCK-12345@Confluent.IO"}}
	c.Delete(group) // it reads deleted:group:…?uid= then
	p, err := keeper(c).Read(t.Context(), k)
	if err != nil || textOf(p, core.Role, byok) == "" {
		t.Errorf("the group's role is not read, %v", err)
	}
}

func TestADenyPolicyThatGoesWhileItIsReadIsGone(t *testing.T) {
	c := levels(t)
	c.Inject(chaostest.Fault{Op: "google.iam.v2.Policies.GetPolicy", Kind: chaostest.Other, Code: "NOT_FOUND", Status: 404})
	p, err := keeper(c).Read(t.Context(), payments)
	if text := textOf(p, core.DenyPolicies, project); err != nil || text != "[]" {
		t.Errorf("%s, %v", text, err)
	}
}

// TestAnAnswerAboutSomethingElseIsNone renames what is answered.
func TestAnAnswerAboutSomethingElseIsNone(t *testing.T) {
	for part, to := range map[string]string{`"name":"` + key + `"`: `"name":"` + key + `2"`, `"name":"` + byok + `"`: `"name":"` + byok + `2"`, `"parent":"` + folder + `"`: `"parent":"../v3/projects/other"`} {
		c := levels(t)
		hc := option.WithHTTPClient(&http.Client{Transport: renaming{c.RoundTripper("WATCHER"), part, to}})
		k := cloudkms.New(cloudkms.Clients{KMS: made(sdk.NewService(t.Context(), hc)), Projects: made(cloudresourcemanager.NewService(t.Context(), hc)),
			Roles: made(iam.NewService(t.Context(), hc)), Deny: made(iamv2.NewService(t.Context(), hc))}, cloudkms.Options{Reading: 100 * time.Millisecond})
		p, err := k.Read(t.Context(), payments)
		if d, ok := p.Find(core.CryptoKey); err == nil && (!ok || d.Unreadable == "") {
			t.Errorf("%s: taken for ours", to)
		}
	}
}

func made[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type renaming struct {
	next     http.RoundTripper
	part, to string
}

func (n renaming) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	text := strings.ReplaceAll(string(body), n.part, n.to)
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, err
}
