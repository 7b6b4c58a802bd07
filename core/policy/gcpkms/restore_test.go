package gcpkms

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/policytest"
	"byokwatch/core/rawjson"
)

var updateRestores = flag.Bool("update", false, "rewrite the golden files of restores")

// The key of the restores' tests, and who is about it.
const (
	payKey      = "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments"
	payRing     = "projects/acme/locations/us-west1/keyRings/kafka"
	payProject  = "projects/acme"
	payGroup    = "cck-12345@confluent.io"
	payRole     = "projects/acme/roles/kafka_payments_custom_kms_role"
	paySelf     = "byokwatch@acme.iam.gserviceaccount.com"
	payPair     = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
	payOperator = "roles/cloudkms.cryptoOperator"
	payViewer   = "roles/cloudkms.viewer"
)

// defaults are the documents of a key with which all is well, but for its own
// IAM policy.
func defaults() core.Policy {
	return core.Policy{
		{Kind: core.CryptoKey, ID: payKey, Text: payCryptoKey("")},
		{Kind: core.CryptoKeyVersions, ID: payKey, Text: payVersions("ENABLED", "ENABLED")},
		{Kind: core.IAMPolicy, ID: payKey, Text: `{"etag": "BwKEY", "version": 1}`},
		{Kind: core.IAMPolicy, ID: payRing, Text: `{"etag": "ACAB"}`},
		{Kind: core.IAMPolicy, ID: payProject, Text: `{"bindings": [{"members": ["serviceAccount:` + paySelf + `"], "role": "projects/acme/roles/byokwatch"}, {"members": ["user:admin@acme.example"], "role": "roles/owner"}], "etag": "BwPROJECT", "version": 1}`},
		{Kind: core.Role, ID: "projects/acme/roles/byokwatch", Text: roleJSON("projects/acme/roles/byokwatch", "GA",
			"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.getIamPolicy", "cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeyVersions.get", "cloudkms.cryptoKeyVersions.list",
			"cloudkms.cryptoKeyVersions.update", "cloudkms.keyRings.getIamPolicy", "resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy", "iam.roles.get")},
		{Kind: core.Role, ID: payRole, Text: roleJSON(payRole, "GA", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeys.get")},
		{Kind: core.Role, ID: payOperator, Text: roleJSON(payOperator, "GA", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeyVersions.useToEncrypt", "resourcemanager.projects.get")},
		{Kind: core.DenyPolicies, ID: payProject, Text: `[]`},
	}
}

func payCryptoKey(labels string) string {
	return `{"name": "` + payKey + `", "purpose": "ENCRYPT_DECRYPT", "labels": {` + labels + `}, "primary": {"name": "` + payKey + `/cryptoKeyVersions/2", "state": "ENABLED"}}`
}

// payVersions lists versions 1, 2, … in these states.
func payVersions(states ...string) string {
	var out []string
	for i, s := range states {
		out = append(out, fmt.Sprintf(`{"name": "%s/cryptoKeyVersions/%d", "state": %q, "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "SOFTWARE"}`, payKey, i+1, s))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func roleJSON(name, stage string, permissions ...string) string {
	return fmt.Sprintf(`{"name": %q, "title": "a role", "stage": %q, "etag": "BwROLE", "includedPermissions": ["%s"]}`, name, stage, strings.Join(permissions, `", "`))
}

// payPolicy is a key's policy text made of bindings.
func payPolicy(bindings ...string) string {
	return `{"bindings": [` + strings.Join(bindings, ", ") + `], "etag": "BwKEY", "version": 1}`
}

func payBinding(role string, members ...string) string {
	return `{"members": ["` + strings.Join(members, `", "`) + `"], "role": "` + role + `"}`
}

func payConditional(expression, role string, members ...string) string {
	return `{"condition": {"expression": ` + rawjson.Quote(expression) + `, "title": "t"}, "members": ["` + strings.Join(members, `", "`) + `"], "role": "` + role + `"}`
}

// paid is the default key with a policy of its own.
func paid(text string) core.Policy { return withText(defaults(), core.IAMPolicy, payKey, text) }

func payAsks(change ...func(*core.Key)) core.Question {
	k := core.Key{ID: payKey, Cloud: core.GCP, Label: "payments", Mode: core.Enforce, Restore: core.Patch, KeyState: core.CareAlert, Needs: core.Confluent{Group: payGroup}}
	for _, c := range change {
		c(&k)
	}
	return core.Question{Key: k, Self: paySelf, At: time.Date(2026, 8, 20, 3, 2, 0, 0, time.UTC)}
}

// asked is the question with its needs, as the watchdog asks it.
func asked(q core.Question, live, good core.Policy) core.Question {
	q.Needs = Needs(q.Key, live, good)
	return q
}

// payLost is what Confluent lost.
func payLost(live, good core.Policy, q core.Question) []core.Requirement {
	return policytest.Lost(Judge, live, good, q)
}

func policyText(t testing.TB, p core.Policy) string {
	t.Helper()
	doc, err := documentOf(p, core.IAMPolicy, payKey)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Text
}

// TestRestores plays every archive of testdata/restore: from live and snapshot
// to each candidate. A section live/… or snapshot/… is a document that differs
// from the defaults, with "gone" for one that is not there; "options" are words
// that change the question.
func TestRestores(t *testing.T) {
	policytest.Restores{
		Update: *updateRestores, Judge: Judge, Candidates: Candidates, Guard: Guard, Describe: describeRestore,
		Open: func(t *testing.T, inputs []policytest.Section) policytest.Restore {
			live, good, q := defaults(), defaults(), payAsks()
			for _, in := range inputs {
				switch side, name, _ := strings.Cut(in.Name, "/"); {
				case side == "live":
					live = section(t, live, name, in.Text)
				case side == "snapshot":
					good = section(t, good, name, in.Text)
				case side == "both":
					live, good = section(t, live, name, in.Text), section(t, good, name, in.Text)
				case in.Name == "options":
					q = restoreOptions(t, in.Text)
				default:
					t.Fatalf("unknown section %q", in.Name)
				}
			}
			q = asked(q, live, good)
			return policytest.Restore{Live: live, Good: Trim(good, q), Q: q}
		},
	}.Run(t)
}

func section(t *testing.T, p core.Policy, name, text string) core.Policy {
	t.Helper()
	ref, known := map[string]core.Ref{
		"key": {Kind: core.IAMPolicy, ID: payKey}, "ring": {Kind: core.IAMPolicy, ID: payRing}, "project": {Kind: core.IAMPolicy, ID: payProject},
		"cryptokey": {Kind: core.CryptoKey, ID: payKey}, "versions": {Kind: core.CryptoKeyVersions, ID: payKey},
		"role": {Kind: core.Role, ID: payRole}, "deny": {Kind: core.DenyPolicies, ID: payProject},
	}[name]
	if !known {
		t.Fatalf("unknown document %q", name)
	}
	if text == "gone" {
		return slices.DeleteFunc(slices.Clone(p), func(d core.Document) bool { return d.Ref() == ref })
	}
	return withText(p, ref.Kind, ref.ID, text)
}

func restoreOptions(t *testing.T, text string) core.Question {
	return payAsks(func(k *core.Key) {
		for _, o := range strings.Fields(text) {
			switch o {
			case "key_state:restore":
				k.KeyState = core.CareRestore
			default:
				t.Fatalf("unknown option %q", o)
			}
		}
	})
}

func describeRestore(t *testing.T, r policytest.Restore, c core.Candidate) string {
	var b strings.Builder
	for _, l := range c.Left {
		fmt.Fprintf(&b, "left: %s\n", l)
	}
	for _, s := range c.Steps {
		fmt.Fprintf(&b, "step: %s\n", s.Command)
	}
	back := 0
	for _, f := range Judge(c.Result, r.Q).Findings {
		switch {
		case !slices.Contains(r.Lost, f.Requirement):
		case f.Result != core.Missing:
			back++
		default:
			fmt.Fprintf(&b, "still %s: %s\n", f.Result, f.Permission)
		}
	}
	fmt.Fprintf(&b, "gives back %d of %d\n", back, len(r.Lost))
	for _, d := range Diff(r.Live, c.Result) {
		fmt.Fprintf(&b, "than live: %s: %s\n", d.Change, d.Text)
	}
	if text := policyText(t, c.Result); text != policyText(t, r.Live) {
		b.WriteString(text + "\n")
	}
	return b.String()
}
