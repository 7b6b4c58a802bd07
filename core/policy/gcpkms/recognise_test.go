package gcpkms

import (
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/core/rawjson"
)

// What gcloud prints without --format.
// Sources: https://cloud.google.com/sdk/gcloud/reference/kms/keys/get-iam-policy,
// https://cloud.google.com/sdk/gcloud/reference/iam/roles/describe
const (
	yamlPolicy = `bindings:
- condition:
    description: until the migration is over
    expression: request.time < timestamp("2027-01-01T00:00:00Z")
    title: ends in 2027
  members:
  - group:cck-12345@confluent.io
  role: projects/acme/roles/kafka_payments_custom_kms_role
- members:
  - serviceAccount:app@acme.iam.gserviceaccount.com
  - user:admin@acme.example
  role: roles/cloudkms.admin
etag: BwXhqDVkFfo=
version: 3
`
	yamlRole = `description: Grant necessary permissions for Confluent to access KMS key
etag: BwXhqDVkFfo=
includedPermissions:
- cloudkms.cryptoKeyVersions.useToDecrypt
- cloudkms.cryptoKeyVersions.useToEncrypt
- cloudkms.cryptoKeys.get
name: projects/acme/roles/kafka_payments_custom_kms_role
stage: GA
title: kafka_payments_custom_kms_role
`
	yamlKey = `createTime: '2025-01-02T03:04:05.678901234Z'
destroyScheduledDuration: 2592000s
labels:
  team: payments
name: projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments
primary:
  algorithm: GOOGLE_SYMMETRIC_ENCRYPTION
  name: projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments/cryptoKeyVersions/1
  protectionLevel: SOFTWARE
  state: ENABLED
purpose: ENCRYPT_DECRYPT
`
	yamlVersions = `---
name: projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments/cryptoKeyVersions/1
state: ENABLED
---
name: projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments/cryptoKeyVersions/2
state: DISABLED
`
	jsonDeny = `{"name": "policies/cloudresourcemanager.googleapis.com%2Fprojects%2F123456789012/denypolicies/no-kms", "kind": "DenyPolicy",
"rules": [{"denyRule": {"deniedPrincipals": ["principalSet://goog/public:all"], "deniedPermissions": ["storage.googleapis.com/buckets.delete"]}}]}`
)

func TestGcloudsOutputIsRecognised(t *testing.T) {
	for name, c := range map[string]struct {
		file, id string
		kind     core.Kind
	}{
		"a policy":                 {yamlPolicy, "", core.IAMPolicy},
		"a policy in JSON":         {testPolicy(testBinding), "", core.IAMPolicy},
		"a policy never set":       {"etag: ACAB\n", "", core.IAMPolicy},
		"a role":                   {yamlRole, "projects/acme/roles/kafka_payments_custom_kms_role", core.Role},
		"a role gutted":            {`{"name": "roles/x", "stage": "GA"}`, "roles/x", core.Role},
		"a key":                    {yamlKey, fuzzKey, core.CryptoKey},
		"versions":                 {yamlVersions, fuzzKey, core.CryptoKeyVersions},
		"one version in a list":    {strings.SplitAfter(yamlVersions, "ENABLED\n")[0], fuzzKey, core.CryptoKeyVersions},
		"versions of the API":      {`{"cryptoKeyVersions": [{"name": "` + fuzzKey + `/cryptoKeyVersions/1", "state": "ENABLED"}], "totalSize": 1}`, fuzzKey, core.CryptoKeyVersions},
		"a deny policy":            {jsonDeny, "projects/123456789012", core.DenyPolicies},
		"deny policies":            {"[" + jsonDeny + "]", "projects/123456789012", core.DenyPolicies},
		"a deny policy of nowhere": {`{"name": "policies/elsewhere%2F1/denypolicies/x", "rules": []}`, "", core.DenyPolicies},
		"a byte order mark":        {"\xef\xbb\xbf\r\n" + yamlPolicy, "", core.IAMPolicy},
		"a document of a snapshot": {`{"kind": "gcp.role", "id": "roles/x", "text": "{\"name\": \"roles/x\"}"}`, "roles/x", core.Role},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Recognise([]byte(c.file))
			if err != nil || d.Kind != c.kind || d.ID != c.id {
				t.Errorf("%s %q, %v; want %s %q", d.Kind, d.ID, err, c.kind, c.id)
			}
		})
	}
}

func TestYAMLSaysInJSONWhatItSaid(t *testing.T) {
	const in = "bindings:\n- condition:\n    expression: request.time < timestamp(\"2027-01-01T00:00:00Z\") && resource.name ==\n      'a'\n    title: 't: x'\n  members: []\n  role: \"a\\tb\"\netag: 0123\nversion: 3\nother: [yes, 1e3, ~, true, 0x1F]\n"
	const want = `{"bindings":[{"condition":{"expression":"request.time < timestamp(\"2027-01-01T00:00:00Z\") && resource.name == 'a'","title":"t: x"},"members":[],"role":"a\tb"}],"etag":"0123","version":3,"other":["yes","1e3",null,true,"0x1F"]}`
	out, err := fromYAML([]byte(in))
	if err != nil || !rawjson.Same(string(out), want) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestASnapshotIsRecognisedAsAWhole(t *testing.T) {
	const file = `{"generation": 3, "policy": [
{"kind": "gcp.crypto-key", "id": "` + fuzzKey + `", "unreadable": "denied"},
{"kind": "gcp.role", "id": "roles/x", "text": "{\"name\": \"roles/x\"}"},
{"kind": "gcp.iam-policy", "id": "` + fuzzKey + `", "text": "{\"etag\": \"ACAB\"}"}]}`
	docs, err := RecogniseAll([]byte(file))
	if err != nil || len(docs) != 3 || docs[0].Unreadable != "denied" {
		t.Fatalf("%+v, %v", docs, err)
	}
	if d, err := Recognise([]byte(file)); err != nil || d.Kind != core.IAMPolicy || d.ID != fuzzKey {
		t.Errorf("of a snapshot %+v, %v", d, err)
	}
}

func TestPlainGcloudOutputIsJudged(t *testing.T) {
	var p core.Policy
	for _, file := range []string{yamlPolicy, yamlRole, yamlKey, yamlVersions, jsonDeny} {
		docs, err := RecogniseAll([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, docs...)
	}
	q := fuzzQuestion(p)
	q.Self = ""
	j := Judge(p, q)
	for _, f := range j.Findings {
		want := core.Met
		if f.Aspect == core.Own {
			want = core.Undetermined
		}
		if f.Result != want {
			t.Errorf("%s is %v: %s", f.Permission, f.Result, f.Reason)
		}
	}
	if j.Expires.IsZero() {
		t.Error("the condition's date is lost")
	}
}

func TestPoliciesOfFilesAddUp(t *testing.T) {
	half := func(role string) string {
		return `{"bindings":[{"role":"` + role + `","members":["group:` + fuzzGroup + `"]}]}`
	}
	p := core.Policy{
		{Kind: core.IAMPolicy, ID: FromFile + "key.json", Text: half("roles/cloudkms.cryptoKeyEncrypterDecrypter")},
		{Kind: core.IAMPolicy, ID: FromFile + "project.json", Text: half("roles/cloudkms.viewer")},
	}
	for _, key := range []string{"", fuzzKey} {
		k := core.Key{ID: key, Cloud: core.GCP, Needs: core.Confluent{Group: fuzzGroup}}
		j := Judge(p, core.Question{Key: k, Needs: Needs(k, p, nil)})
		for i, f := range j.Findings {
			if want := "binding 0 on " + []string{"key.json", "key.json", "project.json"}[i]; f.Result != core.Met || !strings.HasPrefix(f.Reason, want) {
				t.Errorf("%s is %v: %s", f.Permission, f.Result, f.Reason)
			}
		}
	}
}

func TestWhatIsNotRecognisedSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ file, why string }{
		"nothing":              {" \n", "empty"},
		"an empty list":        {"[]", "an empty list says nothing"},
		"an AWS policy":        {`{"Version": "2012-10-17", "Statement": []}`, "neither an IAM policy"},
		"one version":          {`{"name": "` + fuzzKey + `/cryptoKeyVersions/1", "state": "ENABLED"}`, "all are needed"},
		"the table of a list":  {"NAME  STATE\nx     ENABLED\n", ""},
		"a text":               {"hello", "neither"},
		"a duplicate in YAML":  {"etag: a\netag: b\n", ""},
		"an alias":             {"bindings: &x []\netag: *x\n", "never prints"},
		"a block text":         {"bindings: []\ndescription: |\n  a\n", "--format=json"},
		"a tag":                {"etag: !!binary aGk=\n", "never prints"},
		"depth in YAML":        {strings.Repeat("- ", 200) + "x", "nested"},
		"depth in brackets":    {"a: " + strings.Repeat("[", 200), "nested"},
		"a broken policy":      {`{"bindings": [{"members": []}]}`, "names no role"},
		"a snapshot of AWS":    {`{"policy": [{"kind": "aws.key-policy", "id": "x", "text": "{}"}]}`, "not one of a Google Cloud key"},
		"an empty snapshot":    {`{"policy": []}`, "no document"},
		"a duplicate in JSON":  {`{"etag": "a", "etag": "b"}`, "duplicate"},
		"two objects":          {`{"etag": "a"} {}`, "after"},
		"a list of two things": {`[{"etag": "a"}, {"etag": "b"}]`, "neither an IAM policy"},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := RecogniseAll([]byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%+v, %v; want an error with %q", docs, err, c.why)
			}
		})
	}
}

func TestBuiltInRolesHoldOnlyWhatIsAskedAbout(t *testing.T) {
	if Builtin("roles/cloudkms.somethingNew") || Builtin(fuzzRole) {
		t.Error("a role is built in that is not")
	}
	for _, r := range []string{"roles/owner", "roles/browser", "roles/cloudkms.cryptoKeyEncrypterDecrypter", "roles/cloudkms.viewer"} {
		if !Builtin(r) {
			t.Errorf("%s is not built in", r)
		}
	}
}
