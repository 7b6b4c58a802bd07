package cloudkms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "google.golang.org/api/cloudkms/v1"

	"byokwatch/core"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/core/watchdog/cloudtest"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcptest"
)

const (
	project  = "projects/acme-prod"
	ring     = project + "/locations/us-west1/keyRings/kafka"
	key      = ring + "/cryptoKeys/payments"
	group    = "group:cck-12345@confluent.io"
	self     = "byokwatch@acme-prod.iam.gserviceaccount.com"
	watcher  = "serviceAccount:" + self
	admin    = "user:admin@acme.example"
	byok     = project + "/roles/kafka_payments_custom_kms_role"
	watching = project + "/roles/byokwatch"
	setting  = project + "/roles/byokwatch_restore"
)

var (
	payments = core.Key{ID: key, Cloud: core.GCP, Needs: core.Confluent{Group: "cck-12345@confluent.io"}}
	reading  = []string{"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.getIamPolicy", "cloudkms.cryptoKeyVersions.list", "cloudkms.keyRings.getIamPolicy",
		"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy", "iam.roles.get", "iam.denypolicies.list", "iam.denypolicies.get"}
	restoring = []string{"cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeyVersions.update"}
	needed    = []string{"cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeys.get"}
)

func bind(role string, members ...string) string {
	list, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"role":%q,"members":%s}`, role, list)
}

func allow(bindings ...string) string {
	return `{"version":3,"bindings":[` + strings.Join(bindings, ",") + `]}`
}

func put(t *testing.T, c *gcptest.Cloud, resource string, bindings ...string) {
	t.Helper()
	if err := c.SetPolicy(resource, allow(bindings...)); err != nil {
		t.Fatal(err)
	}
}

// world is a project in which Confluent's group is missing from the key.
func world(t *testing.T, o gcptest.Options, rights ...string) *gcptest.Cloud {
	t.Helper()
	c := gcptest.New(o)
	c.AddKey(key, 2)
	c.Create(group, admin, "group:others@acme.example")
	c.Login(gcptest.Caller{Token: "WATCHER", Member: watcher})
	c.Login(gcptest.Caller{Token: "ADMIN", Member: admin})
	c.AddRole(byok, needed...)
	c.AddRole(watching, rights...)
	put(t, c, project, bind("roles/owner", admin), bind(watching, watcher))
	put(t, c, key, bind("roles/cloudkms.viewer", "group:others@acme.example"))
	return c
}

func keeper(c *gcptest.Cloud) *cloudkms.Keeper {
	return cloudkms.New(cloudkms.Clients(c.Clients("WATCHER")), cloudkms.Options{Self: self})
}

func etagOf(t *testing.T, c *gcptest.Cloud, resource string) string {
	t.Helper()
	var p struct{ Etag string }
	if err := json.Unmarshal([]byte(c.Policy(resource)), &p); err != nil {
		t.Fatal(err)
	}
	return p.Etag
}

func setStep(t *testing.T, c *gcptest.Cloud, bindings ...string) core.Step {
	t.Helper()
	body := fmt.Sprintf(`{"policy":{"bindings":[%s],"etag":%q,"version":3},"updateMask":"bindings,etag"}`, strings.Join(bindings, ","), etagOf(t, c, key))
	return core.Step{Op: "SetIamPolicy", ID: key, Body: json.RawMessage(body)}
}

func textOf(p core.Policy, kind core.Kind, id string) string {
	for _, d := range p {
		if d.Kind == kind && d.ID == id {
			return d.Text
		}
	}
	return ""
}

func TestKeeperKeepsTheContractOfACloud(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) cloudtest.Harness {
		all := slices.Concat(reading, restoring)
		c := world(t, gcptest.Options{}, all...)
		viewer := bind("roles/cloudkms.viewer", "group:others@acme.example")
		rights := func(keep func(string) bool) {
			c.AddRole(watching, slices.DeleteFunc(slices.Clone(all), func(r string) bool { return !keep(r) })...)
		}
		rejected := setStep(t, c, bind(byok, "deleted:"+group+"?uid=123456789012345678901"))
		return cloudtest.Harness{
			Cloud:     keeper(c),
			Key:       payments,
			Absent:    core.Key{ID: ring + "/cryptoKeys/nothing", Cloud: core.GCP},
			Elsewhere: core.Key{ID: "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
			Kinds:     []core.Kind{core.CryptoKey, core.CryptoKeyVersions, core.IAMPolicy, core.Role, core.DenyPolicies},
			Step:      setStep(t, c, viewer, bind(byok, group)),
			Rejected:  rejected,
			Done:      func(p core.Policy) bool { return strings.Contains(textOf(p, core.IAMPolicy, key), group) },
			Mean: func(p core.Policy) string {
				var out []string
				for _, d := range p {
					out = append(out, string(d.Kind), d.ID, d.Text)
				}
				return strings.Join(out, "\n")
			},
			Hide: func() core.Kind {
				rights(func(r string) bool { return r != "cloudkms.cryptoKeyVersions.list" })
				return core.CryptoKeyVersions
			},
			HideAll:    func() { rights(func(string) bool { return false }) },
			Forbid:     func() { rights(func(r string) bool { return !strings.Contains(r, "setIamPolicy") }) },
			Overload:   func(n int) { c.Heal(); c.Inject(chaostest.Fault{Kind: chaostest.Throttle, Times: n}) },
			LoseAnswer: func() { c.Inject(chaostest.Fault{Kind: chaostest.Lost, Op: "SetIamPolicy"}) },
			Calls:      func() int { return c.Calls("") },
		}
	})
}

func TestAPolicyIsReadWithItsConditions(t *testing.T) {
	c := world(t, gcptest.Options{}, reading...)
	put(t, c, key, `{"role":"`+byok+`","members":["`+group+`"],"condition":{"title":"spring","expression":"request.time < timestamp(\"2099-04-01T00:00:00Z\")"}}`)
	p, err := keeper(c).Read(t.Context(), payments)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "bindings": [
    {
      "condition": {
        "expression": "request.time < timestamp(\"2099-04-01T00:00:00Z\")",
        "title": "spring"
      },
      "members": [
        "group:cck-12345@confluent.io"
      ],
      "role": "projects/acme-prod/roles/kafka_payments_custom_kms_role"
    }
  ],
  "etag": "` + etagOf(t, c, key) + `",
  "version": 3
}`
	if got := textOf(p, core.IAMPolicy, key); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := textOf(p, core.IAMPolicy, ring); got != "{\n  \"etag\": \"ACAB\"\n}" {
		t.Errorf("a policy that was never set reads %s", got)
	}
}

// A policy whose writer asks for less than version 3 is what makes conditions
// disappear; the adapter never sends one.
func TestWhatWouldLoseWhatOthersDidIsNotSent(t *testing.T) {
	c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
	k, whole := keeper(c), setStep(t, c, bind(byok, group))
	for name, change := range map[string][2]string{
		"no etag":              {`"etag":"` + etagOf(t, c, key) + `",`, ``},
		"an empty etag":        {etagOf(t, c, key), ``},
		"version 1":            {`"version":3`, `"version":1`},
		"no version":           {`,"version":3`, ``},
		"audit configurations": {`"bindings,etag"`, `"bindings,etag,auditConfigs"`},
		"no mask":              {`"bindings,etag"`, `""`},
	} {
		s := whole
		s.Body = json.RawMessage(strings.Replace(string(s.Body), change[0], change[1], 1))
		if string(s.Body) == string(whole.Body) {
			t.Fatalf("%s: nothing was changed", name)
		}
		expect(t, name, k.Apply(t.Context(), payments, s), core.ErrRejected)
	}
	for name, s := range map[string]core.Step{
		"disabling":                {Op: "UpdateCryptoKeyVersion", ID: key + "/cryptoKeyVersions/1", Body: json.RawMessage(`{"state":"DISABLED"}`)},
		"a version of another key": {Op: "UpdateCryptoKeyVersion", ID: key + "2/cryptoKeyVersions/1", Body: json.RawMessage(`{"state":"ENABLED"}`)},
		"a version without number": {Op: "UpdateCryptoKeyVersion", ID: key + "/cryptoKeyVersions/x", Body: json.RawMessage(`{"state":"ENABLED"}`)},
		"labels":                   {Op: "UpdateCryptoKey", ID: key, Body: json.RawMessage(`{"cryptoKey":{"labels":{}},"updateMask":"labels"}`)},
	} {
		expect(t, name, k.Apply(t.Context(), payments, s), core.ErrRejected)
	}
	if n := c.Calls(""); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestAVersionIsEnabled(t *testing.T) {
	c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
	version := key + "/cryptoKeyVersions/1"
	versions := c.Clients("ADMIN").KMS.Projects.Locations.KeyRings.CryptoKeys.CryptoKeyVersions
	if _, err := versions.Patch(version, &sdk.CryptoKeyVersion{State: "DISABLED"}).UpdateMask("state").Do(); err != nil {
		t.Fatal(err)
	}
	step := core.Step{Op: "UpdateCryptoKeyVersion", ID: version, Body: json.RawMessage(`{"state":"ENABLED"}`)}
	for range 2 {
		if err := keeper(c).Apply(t.Context(), payments, step); err != nil || c.State(version) != gcptest.Enabled {
			t.Errorf("%v, state %s", err, c.State(version))
		}
	}
	if _, err := versions.Destroy(version, &sdk.DestroyCryptoKeyVersionRequest{}).Do(); err != nil {
		t.Fatal(err)
	}
	expect(t, "a version that is to be destroyed", keeper(c).Apply(t.Context(), payments, step), core.ErrConflict)
	step.ID = key + "/cryptoKeyVersions/9"
	expect(t, "a version that is not there", keeper(c).Apply(t.Context(), payments, step), core.ErrRejected)
}
