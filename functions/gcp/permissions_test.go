package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	sdk "google.golang.org/api/cloudkms/v1"
	iamv2 "google.golang.org/api/iam/v2"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/functions/functiontest"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcptest"
	"byokwatch/functions/gcp/gcsstore"
)

// permissions is permissions.json.
type permissions struct {
	About     string            `json:"about"`
	Scopes    map[string]string `json:"scopes"`
	Reading   []right           `json:"reading"`
	Restoring []right           `json:"restoring"`
	Optional  []right           `json:"optional"`
	Platform  []right           `json:"platform"`
	Deny      struct {
		Why         string   `json:"why"`
		Source      string   `json:"source"`
		Permissions []string `json:"permissions"`
	} `json:"deny"`
	Never []string `json:"never"`
}

// right is one custom role and its bindings.
type right struct {
	ID          string   `json:"id"`
	Permissions []string `json:"permissions"`
	On          []string `json:"on"`
	At          string   `json:"at"`
	Condition   string   `json:"condition"`
	Implied     bool     `json:"implied"`
	Why         string   `json:"why"`
	Source      string   `json:"source"`
}

func readPermissions(t *testing.T) permissions {
	t.Helper()
	var p permissions
	functiontest.ReadJSON(t, "permissions.json", &p)
	return p
}

const (
	inProject    = "projects/acme-prod"
	folder       = "folders/5550001"
	organization = "organizations/8888"
	keyRing      = inProject + "/locations/us-west1/keyRings/kafka"
	observed     = keyRing + "/cryptoKeys/observed"
	enforced     = keyRing + "/cryptoKeys/enforced"
	enabling     = keyRing + "/cryptoKeys/enabling"
	stranger     = keyRing + "/cryptoKeys/enforced2" // begins like a protected one
	storeName    = "acme-byokwatch"
	objects      = "projects/_/buckets/" + storeName + "/objects/"
	function     = "serviceAccount:byokwatch@acme-prod.iam.gserviceaccount.com"
	operator     = "user:operator@acme.example"
	confluent    = "group:cck-12345@confluent.io"
	byokRole     = inProject + "/roles/byok"
)

// filled is what a deployment fills in for three keys, one of each kind.
func filled() map[string][]string {
	return map[string][]string{
		"keys": {observed, enforced, enabling}, "enforced": {enforced, enabling}, "enabling": {enabling},
		"project": {inProject}, "organization": {organization}, "bucket": {"projects/_/buckets/" + storeName},
		"records": {objects + "prod/records/"}, "kept": {objects + "prod/kept/"}, "requests": {objects + "prod/requests/"},
		"configuration": {objects + "byokwatch.yaml"}, "secrets": {"projects/acme-prod/secrets/slack"},
	}
}

// stage is a project with three protected keys under a folder and an
// organisation, a bucket, and a function whose service account has the given
// rights.
type stage struct {
	cloud   *gcptest.Cloud
	storage http.Handler
	levels  bool // it may see the levels above the project
}

func newStage(t *testing.T, rights []right) *stage {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Writer: io.Discard})
	functiontest.Must(t, err)
	t.Cleanup(server.Stop)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: storeName})
	server.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: storeName, Name: "byokwatch.yaml"}, Content: []byte("mode: observe")})
	c := gcptest.New(gcptest.Options{Parents: []string{folder, organization}})
	c.Create(confluent)
	c.Login(gcptest.Caller{Token: "FUNCTION", Member: function})
	c.Login(gcptest.Caller{Token: "OPERATOR", Member: operator})
	c.AddRole(byokRole, "cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeys.get")
	for _, k := range []string{observed, enforced, enabling, stranger} {
		c.AddKey(k, 1)
		functiontest.Must(t, c.SetPolicy(k, fmt.Sprintf(`{"bindings":[{"role":%q,"members":[%q]}]}`, byokRole, confluent)))
	}
	bindings := map[string][]any{organization: {binding("roles/owner", "")}}
	for _, r := range rights {
		role := inProject + "/roles/" + r.ID
		if r.At == "organization" {
			role = organization + "/roles/" + r.ID
		}
		c.AddRole(role, r.Permissions...)
		for _, set := range r.On {
			for _, name := range filled()[set] {
				at := filled()[r.At][0]
				bindings[at] = append(bindings[at], binding(role, strings.ReplaceAll(r.Condition, "NAME", name)))
			}
		}
	}
	for at, list := range bindings {
		text, err := json.Marshal(map[string]any{"version": 3, "bindings": list})
		functiontest.Must(t, err)
		functiontest.Must(t, c.SetPolicy(at, string(text)))
	}
	levels := slices.ContainsFunc(rights, func(r right) bool { return r.At == "organization" })
	return &stage{c, c.Guard(server.HTTPHandler()), levels}
}

func binding(role, condition string) map[string]any {
	b := map[string]any{"role": role, "members": []string{function}}
	if role == "roles/owner" {
		b["members"] = []string{operator}
	}
	if condition != "" {
		b["condition"] = map[string]string{"title": "byokwatch", "expression": condition}
	}
	return b
}

func (s *stage) store(t *testing.T, token string) *storage.Service {
	t.Helper()
	out, err := storage.NewService(t.Context(), option.WithHTTPClient(&http.Client{Transport: gcptest.InProcess(s.storage, token)}))
	functiontest.Must(t, err)
	return out
}

// operate does everything that the function does, and returns what did not work.
func (s *stage) operate(t *testing.T, restoring bool) error {
	t.Helper()
	ctx := t.Context()
	var failed functiontest.Failures
	keeper := cloudkms.New(cloudkms.Clients(s.cloud.Clients("FUNCTION")), cloudkms.Options{Self: strings.TrimPrefix(function, "serviceAccount:")})
	for _, id := range filled()["keys"] {
		p, err := keeper.Read(ctx, core.Key{ID: id, Cloud: core.GCP, Needs: core.Confluent{Group: strings.TrimPrefix(confluent, "group:")}})
		failed.Did("read "+id, err)
		for _, d := range p {
			if d.Unreadable != "" && (s.levels || !above(d)) {
				failed.Did("read "+id, errors.New(d.Unreadable))
			}
		}
		if !slices.ContainsFunc(p, func(d core.Document) bool { return d.ID == organization }) && s.levels {
			failed.Did("read "+id, errors.New("the organisation's policies are not there"))
		}
	}
	if restoring {
		for _, id := range filled()["enforced"] {
			failed.Did("restore "+id, keeper.Apply(ctx, core.Key{ID: id}, restore(t, s.cloud, id)))
		}
		failed.Did("enable", s.enable(t, keeper))
	}
	own := s.store(t, "FUNCTION")
	stored := func(client *storage.Service) *record.Store {
		return record.NewStore(gcsstore.New(client, storeName, "prod"), nil)
	}
	failed.Remember(t, stored(own), stored(s.store(t, "OPERATOR")), core.Key{ID: enforced, Cloud: core.GCP}, core.IAMPolicy)
	_, err := gcsstore.New(own, storeName, "").Get(ctx, "byokwatch.yaml")
	failed.Did("read the configuration", err)
	return failed.Err()
}

// above says that a document is one that only optional rights give.
func above(d core.Document) bool {
	return d.Kind == core.DenyPolicies || d.ID == folder || d.ID == organization || strings.HasPrefix(d.ID, organization)
}

func restore(t *testing.T, c *gcptest.Cloud, id string) core.Step {
	t.Helper()
	body := fmt.Sprintf(`{"policy":%s,"updateMask":"bindings,etag"}`, strings.Replace(c.Policy(id), `"version":1`, `"version":3`, 1))
	return core.Step{Op: "SetIamPolicy", ID: id, Body: json.RawMessage(body)}
}

// enable enables a version that an operator disabled.
func (s *stage) enable(t *testing.T, k *cloudkms.Keeper) error {
	t.Helper()
	version := enabling + "/cryptoKeyVersions/1"
	_, err := s.cloud.Clients("OPERATOR").KMS.Projects.Locations.KeyRings.CryptoKeys.CryptoKeyVersions.
		Patch(version, &sdk.CryptoKeyVersion{State: "DISABLED"}).UpdateMask("state").Do()
	functiontest.Must(t, err)
	return k.Apply(t.Context(), core.Key{ID: enabling}, core.Step{Op: "UpdateCryptoKeyVersion", ID: version, Body: json.RawMessage(`{"state":"ENABLED"}`)})
}

// used lists "permission on scope" for everything that the function used, and
// apart from it what was refused.
func (s *stage) used(t *testing.T) (allowed, refused map[string]bool) {
	t.Helper()
	allowed, refused = map[string]bool{}, map[string]bool{}
	for _, u := range s.cloud.Uses() {
		if u.Caller != function {
			continue
		}
		list := allowed
		if !u.Allowed {
			list = refused
		}
		list[u.Permission+" on "+scopeOf(u)] = true
	}
	return allowed, refused
}

// scopeOf says to which scope a right belongs: of the store the part of the
// bucket, for writes the keys, for reads the level above.
func scopeOf(u gcptest.Use) string {
	for _, set := range []string{"records", "kept", "requests", "configuration", "bucket"} {
		if name := filled()[set][0]; u.Resource == name || strings.HasSuffix(name, "/") && strings.HasPrefix(u.Resource, name) {
			return set
		}
	}
	switch {
	case strings.HasPrefix(u.Permission, "iam.denypolicies."), !strings.HasPrefix(u.Resource, "projects/"):
		return "organization"
	case strings.HasSuffix(u.Permission, ".setIamPolicy"):
		return "enforced"
	case strings.HasSuffix(u.Permission, ".update"):
		return "enabling"
	}
	return "project"
}

func declared(rights []right) map[string]bool {
	out := map[string]bool{}
	for _, r := range rights {
		for _, p := range r.Permissions {
			for _, set := range r.On {
				out[p+" on "+set] = true
			}
		}
	}
	return out
}

func TestPermissionsAreExactlyWhatIsUsed(t *testing.T) {
	p := readPermissions(t)
	for name, c := range map[string]struct {
		restoring bool
		rights    []right
	}{
		"reading":                           {false, p.Reading},
		"reading and restoring":             {true, slices.Concat(p.Reading, p.Restoring)},
		"reading, restoring and the levels": {true, slices.Concat(p.Reading, p.Restoring, p.Optional)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c.rights)
			plant(t, s.cloud)
			if err := s.operate(t, c.restoring); err != nil {
				t.Errorf("the rights do not suffice: %v", err)
			}
			got, refused := s.used(t)
			if want := declared(c.rights); !maps.Equal(got, want) {
				t.Errorf("used and declared differ:\nused     %v\ndeclared %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			for r := range refused {
				if !declared(p.Optional)[r] || declared(c.rights)[r] {
					t.Errorf("refused: %s", r)
				}
			}
		})
	}
}

// plant adds what the optional rights are for: a deny policy, and a role of the
// organisation that is bound to Confluent's group.
func plant(t *testing.T, c *gcptest.Cloud) {
	t.Helper()
	shared := organization + "/roles/shared"
	c.AddRole(shared, "cloudkms.cryptoKeys.get")
	functiontest.Must(t, c.SetPolicy(keyRing, fmt.Sprintf(`{"bindings":[{"role":%q,"members":[%q]}]}`, shared, confluent)))
	deny(t, c, "nobody", "principal://goog/subject/nobody@acme.example", "cloudkms.googleapis.com/cryptoKeys.get")
}

func deny(t *testing.T, c *gcptest.Cloud, id, principal string, permissions ...string) {
	t.Helper()
	_, err := c.Clients("OPERATOR").Deny.Policies.CreatePolicy("policies/cloudresourcemanager.googleapis.com%2Fprojects%2Facme-prod/denypolicies",
		&iamv2.GoogleIamV2Policy{Rules: []*iamv2.GoogleIamV2PolicyRule{{DenyRule: &iamv2.GoogleIamV2DenyRule{DeniedPrincipals: []string{principal}, DeniedPermissions: permissions}}}}).PolicyId(id).Do()
	functiontest.Must(t, err)
}

// TestEveryRightIsNeeded takes each away, with and without the optional ones:
// some are of use only beside those.
func TestEveryRightIsNeeded(t *testing.T) {
	p := readPermissions(t)
	required := slices.Concat(p.Reading, p.Restoring)
	all := slices.Concat(required, p.Optional)
	for i, r := range all {
		for _, permission := range r.Permissions {
			for _, set := range r.On {
				t.Run(permission+" on "+set, func(t *testing.T) {
					works := func(rights []right) error {
						s := newStage(t, without(rights, r.ID, permission, set))
						plant(t, s.cloud)
						return s.operate(t, true)
					}
					if (i >= len(required) || works(required) == nil) && works(all) == nil {
						t.Error("everything works without it")
					}
				})
			}
		}
	}
}

// without takes one permission on one scope out of a right.
func without(rights []right, id, permission, set string) []right {
	var out []right
	for _, r := range rights {
		if r.ID == id {
			rest := r
			rest.ID, rest.Permissions = "rest", []string{permission}
			rest.On = slices.DeleteFunc(slices.Clone(r.On), func(s string) bool { return s == set })
			r.Permissions = slices.DeleteFunc(slices.Clone(r.Permissions), func(p string) bool { return p == permission })
			out = append(out, rest)
		}
		out = append(out, r)
	}
	return out
}

func TestWhatTheFunctionMustNeverBeAbleTo(t *testing.T) {
	p := readPermissions(t)
	all := slices.Concat(p.Reading, p.Restoring, p.Optional, p.Platform)
	for _, r := range all {
		for _, permission := range r.Permissions {
			if slices.Contains(p.Never, permission) || strings.Contains(permission, "*") {
				t.Errorf("%s gives %s", r.ID, permission)
			}
		}
	}
	s := newStage(t, slices.Concat(p.Reading, p.Restoring, p.Optional))
	for _, resource := range []string{observed, enforced, enabling, stranger, keyRing, inProject, folder, organization, filled()["bucket"][0]} {
		for _, permission := range p.Never {
			if s.cloud.May(function, permission, resource) {
				t.Errorf("%s on %s", permission, resource)
			}
		}
	}
	for resource, list := range map[string][]string{
		observed: {"cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeyVersions.update"}, enforced: {"cloudkms.cryptoKeyVersions.update"},
		stranger:                               {"cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeyVersions.update"},
		stranger + "/cryptoKeyVersions/1":      {"cloudkms.cryptoKeyVersions.update"},
		filled()["kept"][0] + "x.json":         {"storage.objects.delete"},
		filled()["requests"][0] + "x.json":     {"storage.objects.create", "storage.objects.delete"},
		filled()["configuration"][0]:           {"storage.objects.create", "storage.objects.delete"},
		objects + "production/records/a.json":  {"storage.objects.get", "storage.objects.create"},
		objects + "other/prod/records/a.json":  {"storage.objects.get"},
		filled()["configuration"][0] + "/more": {"storage.objects.get"},
	} {
		for _, permission := range list {
			if s.cloud.May(function, permission, resource) {
				t.Errorf("%s on %s", permission, resource)
			}
		}
	}
}

// TestTheDenyPolicyStopsASelfGrant lets the function write itself into the
// policy of a key that it may restore.
func TestTheDenyPolicyStopsASelfGrant(t *testing.T) {
	p := readPermissions(t)
	for _, denied := range []bool{false, true} {
		s := newStage(t, slices.Concat(p.Reading, p.Restoring))
		if denied {
			deny(t, s.cloud, "byokwatch", "principal://iam.googleapis.com/projects/-/serviceAccounts/"+strings.TrimPrefix(function, "serviceAccount:"), p.Deny.Permissions...)
		}
		if err := s.operate(t, true); err != nil {
			t.Errorf("the deny policy stops the function itself: %v", err)
		}
		keys := s.cloud.Clients("FUNCTION").KMS.Projects.Locations.KeyRings.CryptoKeys
		live, err := keys.GetIamPolicy(enforced).OptionsRequestedPolicyVersion(3).Do()
		functiontest.Must(t, err)
		live.Bindings = append(live.Bindings, &sdk.Binding{Role: "roles/owner", Members: []string{function}})
		live.Version = 3
		_, err = keys.SetIamPolicy(enforced, &sdk.SetIamPolicyRequest{Policy: live}).Do()
		functiontest.Must(t, err)
		for _, full := range p.Deny.Permissions {
			service, rest, _ := strings.Cut(full, ".googleapis.com/")
			permission := service + "." + rest
			if !slices.Contains(p.Never, permission) {
				t.Errorf("%s is denied, but not among what must never be", permission)
			}
			if s.cloud.May(function, permission, enforced) == denied {
				t.Errorf("with the deny policy %t: %s is %t", denied, permission, !denied)
			}
		}
	}
}

func TestPermissionsSayWhatTheyAreFor(t *testing.T) {
	p := readPermissions(t)
	ids := map[string]bool{}
	for _, r := range slices.Concat(p.Reading, p.Restoring, p.Optional, p.Platform) {
		if ok, err := path.Match("byokwatch[A-Z]*", r.ID); err != nil || !ok || ids[r.ID] {
			t.Errorf("%q is no role ID of its own", r.ID)
		}
		ids[r.ID] = true
		if r.Why == "" || len(r.On) == 0 || len(r.Permissions) == 0 || filled()[r.At] == nil {
			t.Errorf("%s is incomplete: %+v", r.ID, r)
		}
		if (r.Implied || strings.Contains(r.Condition, "||")) && !strings.HasPrefix(r.Source, "https://docs.cloud.google.com/") {
			t.Errorf("%s rests on a rule without a source", r.ID)
		}
		if narrow := r.On[0] != r.At; narrow != (r.Condition != "") {
			t.Errorf("%s is bound at %s for %v under the condition %q", r.ID, r.At, r.On, r.Condition)
		}
		for _, set := range r.On {
			if p.Scopes[set] == "" {
				t.Errorf("%s is on %q, which nobody describes", r.ID, set)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(p.Scopes)); !slices.Equal(got, slices.Sorted(maps.Keys(filled()))) {
		t.Errorf("scopes: %v", got)
	}
	if p.Deny.Why == "" || p.Deny.Source == "" || p.About == "" {
		t.Error("the deny policy or the file is not explained")
	}
}
