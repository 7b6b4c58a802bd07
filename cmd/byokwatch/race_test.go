package main

import (
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/functions/aws/awstest"
)

// reader answers a question, but does something first.
type reader struct {
	before func()
	answer io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if r.before != nil {
		r.before()
		r.before = nil
	}
	return r.answer.Read(p)
}

func TestAPolicyThatChangesWhileAPersonIsAskedIsNotWrittenOver(t *testing.T) {
	cloud := awstest.New(awstest.Options{})
	cloud.Create(jane, kafka)
	cloud.Login(awstest.Caller{AccessKey: "jane", Principal: jane})
	if err := cloud.Attach(jane, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	if err := cloud.AddKey(awstest.NewKey{ARN: payments, Policy: goodPolicy}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(cloud)
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "jane", "AWS_SECRET_ACCESS_KEY": "emulated", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-west-2",
		"AWS_ENDPOINT_URL": server.URL, "AWS_PROFILE": "", "HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "byokwatch.yaml")
	text := "mode: observe\nstore: file://" + filepath.ToSlash(dir) + "/store\naws: {organization: none}\nkeys:\n- key: " + payments +
		"\n  label: payments\n  confluent: {roles: [\"" + kafka + "\"]}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(goodPolicy, "Enable IAM User Permissions", "Somebody was quicker", 1)
	stdin := &reader{answer: strings.NewReader("payments\n"), before: func() {
		_, err := cloud.KMS("jane", "us-west-2").PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: aws.String(payments), Policy: &newer})
		if err != nil {
			t.Error(err)
		}
	}}
	var stdout, stderr bytes.Buffer
	code := run([]string{"revoke", "payments", "--reason", "x", "--config", config}, stdin, &stdout, &stderr, func(name string) string {
		return map[string]string{"USER": "jane"}[name]
	})
	if code != exitUnknown || !strings.Contains(stderr.String(), "payments changed meanwhile, so nothing was written") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	if n := len(cloud.Writes(payments)); n != 1 || !strings.Contains(cloud.Policy(payments), "Somebody was quicker") {
		t.Errorf("%d writes, want the other one alone:\n%s", n, cloud.Policy(payments))
	}
}
