package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/functions/aws/awstest"
	"byokwatch/functions/functiontest"
)

const (
	region    = "us-west-2"
	payments  = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	strangers = "arn:aws:kms:us-west-2:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab"
	kafka     = "arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"
	admin     = "arn:aws:iam::111122223333:role/terraform-ci"
	bucket    = "acme-byokwatch"

	rootStatement = `{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`
	// What Confluent Cloud asks its customers to add:
	// https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-aws.html
	confluentStatements = `{"Sid":"Allow Confluent accounts to use the key","Effect":"Allow","Principal":{"AWS":"` + kafka + `"},
	  "Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*"},
	 {"Sid":"Allow Confluent accounts to attach persistent resources","Effect":"Allow","Principal":{"AWS":"` + kafka + `"},
	  "Action":["kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*"}`
	with    = `{"Version":"2012-10-17","Statement":[` + rootStatement + `,` + confluentStatements + `]}`
	without = `{"Version":"2012-10-17","Statement":[` + rootStatement + `]}`
)

const yaml = `
mode: enforce
store: {aws: s3://acme-byokwatch/prod}
aws: {organization: o-a1b2c3d4e5}
keys:
  - key: ` + payments + `
    label: payments
    confluent: {roles: ["` + kafka + `"]}
alerts:
  - stdout:
`

// world is one emulated AWS with the built function in it.
type world struct {
	cloud  *awstest.Cloud
	s3     *awstest.S3
	lambda *awstest.Lambda
	config awstest.LambdaConfig
	stdout *functiontest.Buffer // alerts
	stderr *functiontest.Buffer // log
}

// buffer is written by the function and read by the test.

// start makes a world: keys that Confluent can use, a role with no more rights
// than the function needs, and the function with its configuration.
func start(tb testing.TB, change func(files, vars map[string]string)) *world {
	tb.Helper()
	return startIn(tb, awstest.New(awstest.Options{}), change)
}

func startIn(tb testing.TB, cloud *awstest.Cloud, change func(files, vars map[string]string)) *world {
	tb.Helper()
	w := &world{cloud: cloud, stdout: &functiontest.Buffer{}, stderr: &functiontest.Buffer{}}
	w.s3 = awstest.NewS3(w.cloud, awstest.S3Options{}, bucket)
	w.cloud.Create(role, admin, kafka)
	w.cloud.Login(awstest.Caller{AccessKey: "test", Principal: role, Session: "byokwatch"})
	w.cloud.Login(awstest.Caller{AccessKey: "admin", Principal: admin, Session: "gh-run-8812"})
	w.must(tb, w.cloud.Attach(admin, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`))
	w.must(tb, w.cloud.Attach(role, `{"Version":"2012-10-17","Statement":[
	  {"Effect":"Allow","Action":["kms:GetKeyPolicy","kms:DescribeKey","kms:PutKeyPolicy"],"Resource":"`+payments+`"},
	  {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:ListBucket"],"Resource":["arn:aws:s3:::acme-byokwatch","arn:aws:s3:::acme-byokwatch/*"]}]}`))
	for _, arn := range []string{payments, strangers} {
		w.must(tb, w.cloud.AddKey(awstest.NewKey{ARN: arn, Policy: with}))
	}
	server := httptest.NewServer(w.cloud)
	tb.Cleanup(server.Close)

	files := map[string]string{"byokwatch.yaml": yaml}
	vars := map[string]string{
		"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_ENDPOINT_URL": server.URL, "BYOKWATCH_CONFIG": "byokwatch.yaml", "BYOKWATCH_SELF": role,
	}
	if change != nil {
		change(files, vars)
	}
	dir := tb.TempDir()
	for name, text := range files {
		w.must(tb, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	w.config = awstest.LambdaConfig{
		Binary: binary.Build(tb, "."), Dir: dir, Env: env, Stdout: w.stdout, Stderr: w.stderr, Timeout: 30 * time.Second,
	}
	l, err := awstest.StartLambda(w.config)
	w.must(tb, err)
	w.lambda = l
	tb.Cleanup(func() {
		if err := l.Stop(); err != nil {
			tb.Errorf("stop: %v", err)
		}
		if tb.Failed() {
			tb.Logf("stdout:\n%s\nstderr:\n%s", w.stdout, w.stderr)
		}
	})
	return w
}

func (w *world) must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// invoke delivers an event with its retries.
func (w *world) invoke(tb testing.TB, event []byte) awstest.Outcome {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 100*time.Second)
	defer cancel()
	out, err := w.lambda.Invoke(ctx, event)
	w.must(tb, err)
	return out
}

// arm lets a sweep take the first snapshot.
func (w *world) arm(tb testing.TB) {
	tb.Helper()
	if out := w.invoke(tb, w.cloud.Tick(region)); !out.OK() {
		tb.Fatalf("the first sweep failed: %v", out.Tries[0].Err)
	}
}

// put writes a policy as the administrator and returns the event of it.
func (w *world) put(tb testing.TB, key, policy string) []byte {
	tb.Helper()
	_, err := w.cloud.KMS("admin", region).PutKeyPolicy(tb.Context(), &awskms.PutKeyPolicyInput{KeyId: aws.String(key), Policy: aws.String(policy)})
	w.must(tb, err)
	events := w.cloud.Events()
	return events[len(events)-1].Data
}

// used counts the function's calls.
func (w *world) used() int {
	n := 0
	for _, a := range w.cloud.Actions() {
		if a.Caller == role {
			n++
		}
	}
	return n
}

func (w *world) confluentCan() bool {
	for _, action := range []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey",
		"kms:GenerateDataKeyWithoutPlaintext", "kms:DescribeKey", "kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"} {
		if ok, _ := w.cloud.Can(kafka, action, payments); !ok {
			return false
		}
	}
	return true
}

// lines are the log's lines, each of which must be as Lambda's log service
// filters it.
func (w *world) lines(tb testing.TB) []map[string]any {
	tb.Helper()
	var out []map[string]any
	for line := range strings.Lines(w.stderr.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			tb.Fatalf("log line %q: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(fields["timestamp"])); err != nil || fields["level"] == nil || fields["message"] == nil {
			tb.Errorf("log line %q lacks timestamp, level or message", line)
		}
		out = append(out, fields)
	}
	return out
}

func (w *world) errorLines(tb testing.TB) int {
	tb.Helper()
	n := 0
	for _, line := range w.lines(tb) {
		if line["level"] == "ERROR" {
			n++
		}
	}
	return n
}

func TestConfluentIsRemovedAndGivenBack(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(t)
	functiontest.Eventually(t, "the first snapshot is posted", func() bool { return strings.Contains(w.stdout.String(), "PROTECTED") })
	event := w.put(t, payments, without)
	if w.confluentCan() {
		t.Fatal("the test's own edit takes nothing away")
	}
	before := len(w.cloud.Events())
	if out := w.invoke(t, event); !out.OK() || len(out.Tries) != 1 {
		t.Fatalf("outcome %+v", out)
	}
	if !w.confluentCan() {
		t.Fatalf("Confluent is not back:\n%s", w.cloud.Policy(payments))
	}
	writes := w.cloud.Writes(payments)
	if last := writes[len(writes)-1]; len(writes) != 2 || last.Caller != role {
		t.Errorf("%d writes, the last by %s; want the administrator's and ours", len(writes), last.Caller)
	}
	functiontest.Eventually(t, "the restore is told", func() bool { return strings.Contains(w.stdout.String(), "RESTORED") })
	told := w.stdout.String()
	for _, want := range []string{"payments", "terraform-ci", "gh-run-8812"} {
		if !strings.Contains(told, want) {
			t.Errorf("the alert does not say %q:\n%s", want, told)
		}
	}

	// The echo of our own write ends in nothing, and nobody is told twice.
	echo := w.cloud.Events()[before:]
	if len(echo) != 1 {
		t.Fatalf("%d events after the restore, want the one of our write", len(echo))
	}
	for _, again := range [][]byte{echo[0].Data, event} {
		if out := w.invoke(t, again); !out.OK() {
			t.Errorf("outcome %+v", out)
		}
	}
	if n := len(w.cloud.Writes(payments)); n != 2 {
		t.Errorf("%d writes after the echo and a redelivery, want 2", n)
	}
	if now := w.stdout.String(); strings.Count(now, "RESTORED") != strings.Count(told, "RESTORED") {
		t.Errorf("the restore is told again:\n%s", now)
	}
	functiontest.Eventually(t, "four handled lines", func() bool { return strings.Count(w.stderr.String(), `"message":"handled"`) >= 4 })
	handled := 0
	for _, line := range w.lines(t) {
		if line["message"] == "handled" && line["key"] == payments {
			handled++
			if line["requestId"] == nil || line["verdict"] == nil || line["plan"] == nil || line["outcome"] == nil {
				t.Errorf("log line lacks a field: %v", line)
			}
		}
	}
	if handled != 4 {
		t.Errorf("%d lines for 4 handled Changes", handled)
	}
}

func TestEventsThatConcernNobodyMakeNoCall(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	failed := func() []byte {
		_, err := w.cloud.KMS("admin", region).PutKeyPolicy(t.Context(), &awskms.PutKeyPolicyInput{KeyId: aws.String(payments), Policy: aws.String("{}")})
		if err == nil {
			t.Fatal("KMS accepts an empty policy")
		}
		events := w.cloud.Events()
		return events[len(events)-1].Data
	}()
	written := w.put(t, payments, with)
	events := map[string][]byte{
		"a key that is not protected": w.put(t, strangers, without),
		"a failed call":               failed,
		"another account":             bytes.ReplaceAll(written, []byte("111122223333"), []byte("444455556666")),
		"another Region":              bytes.ReplaceAll(written, []byte("us-west-2"), []byte("eu-west-1")),
		"another operation":           bytes.ReplaceAll(written, []byte(`"PutKeyPolicy"`), []byte(`"DescribeKey"`)),
	}
	for name, event := range events {
		before := w.used()
		if out := w.invoke(t, event); !out.OK() || len(out.Tries) != 1 {
			t.Errorf("%s: outcome %+v", name, out)
		}
		if n := w.used() - before; n != 0 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
	if n := w.errorLines(t); n != 0 {
		t.Errorf("%d error lines", n)
	}
}

func TestForgedEventOnlyCausesALook(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(t)
	event := w.put(t, payments, with)
	forged := bytes.ReplaceAll(event, []byte("arn:aws:iam::111122223333:root"), []byte("arn:aws:iam::999999999999:role/evil"))
	if bytes.Equal(forged, event) {
		t.Fatal("the event does not show the policy")
	}
	writes := len(w.cloud.Writes(""))
	if out := w.invoke(t, forged); !out.OK() {
		t.Errorf("outcome %+v", out)
	}
	if n := len(w.cloud.Writes("")); n != writes {
		t.Errorf("a forged event caused %d writes", n-writes)
	}
	if strings.Contains(w.cloud.Policy(payments), "evil") {
		t.Error("the forged policy is in place")
	}
}

// The samples are of the protected key, but tell of a past in which the live
// policy is as it should be: each is looked into, none causes a write.
func TestEverySampleEndsInNothing(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(t)
	samples, err := filepath.Glob("awstest/testdata/events/*.json")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, sample := range samples {
		event, err := os.ReadFile(sample)
		w.must(t, err)
		if out := w.invoke(t, event); !out.OK() || len(out.Tries) != 1 {
			t.Errorf("%s: outcome %+v", sample, out)
		}
	}
	if n := len(w.cloud.Writes("")); n != 0 {
		t.Errorf("%d writes", n)
	}
	functiontest.Eventually(t, "the grant that the owner revoked is told of", func() bool { return strings.Contains(w.stdout.String(), "GRANT REVOKED") })
	if n := strings.Count(w.stdout.String(), "GRANT REVOKED"); n != 1 {
		t.Errorf("told of %d revoked grants, want that of the owner only", n)
	}
}

func TestUnparsableEventIsToldOnceAndLeftToTheDeadLetters(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for range 2 {
		out := w.invoke(t, []byte(`{"kind":"sweep"}`))
		if out.OK() || len(out.Tries) != 3 {
			t.Fatalf("outcome %+v, want an error at each of 3 tries", out)
		}
	}
	functiontest.Eventually(t, "the event is told of", func() bool { return strings.Contains(w.stdout.String(), "EVENT UNREADABLE") })
	if n := strings.Count(w.stdout.String(), "EVENT UNREADABLE"); n != 1 {
		t.Errorf("told %d times, want once:\n%s", n, w.stdout)
	}
	if w.lambda.Starts() != 1 {
		t.Errorf("%d processes: the function crashes instead of failing", w.lambda.Starts())
	}
}

func TestStoreTroubleFailsTheEventWithoutAWrite(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(t)
	event := w.put(t, payments, without)
	if err := w.s3.SetPolicy(bucket, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	writes := len(w.cloud.Writes(payments))
	if out := w.invoke(t, event); out.OK() || len(out.Tries) != 3 {
		t.Errorf("outcome %+v, want an error at each of 3 tries", out)
	}
	if n := len(w.cloud.Writes(payments)); n != writes {
		t.Error("wrote a key although a hold may stand in the store that can't be read")
	}
	if err := w.s3.SetPolicy(bucket, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+role+`"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-byokwatch/*"}]}`); err != nil {
		t.Fatal(err)
	}
	if out := w.invoke(t, event); !out.OK() || !w.confluentCan() {
		t.Errorf("the next delivery does not restore: %+v", out)
	}
}

func TestConfigurationThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	sum := func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
	tests := map[string]struct {
		change func(files, vars map[string]string)
		want   string
	}{
		"another sum": {func(_, vars map[string]string) { vars["BYOKWATCH_CONFIG_SHA256"] = sum("another") }, "SHA-256"},
		"no file":     {func(_, vars map[string]string) { vars["BYOKWATCH_CONFIG"] = "absent.yaml" }, "absent.yaml"},
		"no setting":  {func(_, vars map[string]string) { delete(vars, "BYOKWATCH_CONFIG") }, "BYOKWATCH_CONFIG"},
		"an object that is not there": {func(_, vars map[string]string) {
			vars["BYOKWATCH_CONFIG"], vars["BYOKWATCH_CONFIG_SHA256"] = "s3://acme-byokwatch/config/byokwatch.yaml", sum(yaml)
		}, "NoSuchKey"},
		"a file with a fault": {func(files, _ map[string]string) { files["byokwatch.yaml"] += "\ncolour: red\n" }, "colour"},
		"no key of this account": {func(files, _ map[string]string) {
			files["byokwatch.yaml"] = strings.ReplaceAll(yaml, "us-west-2", "eu-west-1")
		}, "no key"},
		"no role": {func(_, vars map[string]string) { delete(vars, "BYOKWATCH_SELF") }, "BYOKWATCH_SELF"},
		"a role of another account": {func(files, vars map[string]string) {
			vars["BYOKWATCH_SELF"] = strings.ReplaceAll(role, "111122223333", "444455556666")
			files["byokwatch.yaml"] = strings.ReplaceAll(yaml, ":111122223333:", ":444455556666:")
		}, "BYOKWATCH_SELF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, test.change)
			for i := range 2 {
				out := w.invoke(t, w.put(t, payments, without))
				if out.OK() || len(out.Tries) != 3 {
					t.Fatalf("outcome %+v, want an error at each of 3 tries", out)
				}
				for _, try := range out.Tries {
					if !strings.Contains(try.Err.Message, test.want) {
						t.Errorf("error %q does not say %q", try.Err.Message, test.want)
					}
				}
				functiontest.Eventually(t, "an error line for each try", func() bool { return w.errorLines(t) >= 3*(i+1) })
				if n := w.errorLines(t); n != 3*(i+1) {
					t.Errorf("%d error lines after %d tries", n, 3*(i+1))
				}
			}
			for _, a := range w.cloud.Actions() {
				if a.Caller == role && (a.Name == "kms:PutKeyPolicy" || a.Name == "s3:PutObject") {
					t.Errorf("used %s on %s", a.Name, a.Resource)
				}
			}
			if w.lambda.Starts() != 1 || w.stdout.String() != "" {
				t.Errorf("%d processes, stdout %q", w.lambda.Starts(), w.stdout)
			}
		})
	}
}

func TestConfigurationFromTheStore(t *testing.T) {
	t.Parallel()
	w := start(t, func(files, vars map[string]string) {
		delete(files, "byokwatch.yaml")
		vars["BYOKWATCH_CONFIG"] = "s3://acme-byokwatch/config/byokwatch.yaml"
		vars["BYOKWATCH_CONFIG_SHA256"] = fmt.Sprintf("%x", sha256.Sum256([]byte(yaml)))
	})
	// Somebody put another one there: nothing in it is used.
	w.s3.SetObject(bucket, "config/byokwatch.yaml", []byte(strings.Replace(yaml, "enforce", "observe", 1)))
	if out := w.invoke(t, w.cloud.Tick(region)); out.OK() || !strings.Contains(out.Tries[0].Err.Message, "SHA-256") {
		t.Fatalf("outcome %+v, want an error about the sum", out)
	}
	// Put right, it works without another start.
	w.s3.SetObject(bucket, "config/byokwatch.yaml", []byte(yaml))
	w.arm(t)
	if out := w.invoke(t, w.put(t, payments, without)); !out.OK() || !w.confluentCan() {
		t.Errorf("outcome %+v", out)
	}
	if w.lambda.Starts() != 1 {
		t.Errorf("%d processes", w.lambda.Starts())
	}
}

func TestEndpointElsewhereStopsTheStart(t *testing.T) {
	t.Parallel()
	w := start(t, func(_, vars map[string]string) {
		vars["AWS_ENDPOINT_URL_KMS"] = "https://kms.us-west-2.amazonaws.com.evil.example"
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.lambda.Ready(ctx); err == nil {
		t.Fatal("the function starts")
	}
	functiontest.Eventually(t, "the log says why", func() bool { return w.errorLines(t) > 0 })
	lines := w.lines(t)
	if len(lines) == 0 || !strings.Contains(fmt.Sprint(lines[0]["error"]), "AWS_ENDPOINT_URL_KMS") {
		t.Errorf("the log does not say why: %v", lines)
	}
	if n := w.used(); n != 0 {
		t.Errorf("%d calls", n)
	}
}
