package gcpkms

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"byokwatch/core"
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

// payLost is what Confluent lost, as the verdict over a key says it.
func payLost(live, good core.Policy, q core.Question) []core.Requirement {
	var lost []core.Requirement
	now, before := Judge(live, q).Findings, Judge(good, q).Findings
	for i, f := range now {
		if f.Severity == core.Critical && f.Aspect != core.Own && f.Result == core.Missing && before[i].Result != core.Missing {
			lost = append(lost, f.Requirement)
		}
	}
	return lost
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
	files, err := filepath.Glob("testdata/restore/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { playRestore(t, file) })
	}
}

func playRestore(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	live, good, q := defaults(), defaults(), payAsks()
	kept := a.Files[:0:0]
	var want []string
	for _, f := range a.Files {
		side, name, _ := strings.Cut(f.Name, "/")
		text := strings.TrimSpace(string(f.Data))
		switch {
		case side == "live":
			live = section(t, live, name, text)
		case side == "snapshot":
			good = section(t, good, name, text)
		case side == "both":
			live, good = section(t, live, name, text), section(t, good, name, text)
		case f.Name == "options":
			q = restoreOptions(t, text)
		case strings.HasPrefix(f.Name, "candidate "):
			want = append(want, f.Name+"\n"+string(f.Data))
			continue
		case f.Name == "none":
			continue
		default:
			t.Fatalf("unknown section %q", f.Name)
		}
		kept = append(kept, f)
	}
	q = asked(q, live, good)
	good = Trim(good, q)
	lost := payLost(live, good, q)
	if len(lost) == 0 {
		t.Fatalf("nothing is lost: the archive plays nothing; live %+v", Judge(live, q).Findings)
	}
	candidates, err := Candidates(live, good, q, lost)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, c := range candidates {
		if err := Guard(live, good, c, q, false); err != nil {
			t.Errorf("candidate %d: %v", i, err)
		}
		got = append(got, fmt.Sprintf("candidate %d %s\n%s", i, c.Name, describeRestore(t, live, c, q, lost)))
	}
	if *updateRestores {
		a.Files = kept
		for _, g := range got {
			name, data, _ := strings.Cut(g, "\n")
			a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
		}
		if len(got) == 0 {
			a.Files = append(a.Files, txtar.File{Name: "none"})
		}
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\n\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
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

func describeRestore(t *testing.T, live core.Policy, c core.Candidate, q core.Question, lost []core.Requirement) string {
	var b strings.Builder
	for _, l := range c.Left {
		fmt.Fprintf(&b, "left: %s\n", l)
	}
	for _, s := range c.Steps {
		fmt.Fprintf(&b, "step: %s\n", s.Command)
	}
	back := 0
	for _, f := range Judge(c.Result, q).Findings {
		switch {
		case !slices.Contains(lost, f.Requirement):
		case f.Result != core.Missing:
			back++
		default:
			fmt.Fprintf(&b, "still %s: %s\n", f.Result, f.Permission)
		}
	}
	fmt.Fprintf(&b, "gives back %d of %d\n", back, len(lost))
	for _, d := range Diff(live, c.Result) {
		fmt.Fprintf(&b, "than live: %s: %s\n", d.Change, d.Text)
	}
	if text := policyText(t, c.Result); text != policyText(t, live) {
		b.WriteString(text + "\n")
	}
	return b.String()
}
