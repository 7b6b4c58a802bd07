package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/rogpeppe/go-internal/testscript"

	"byokwatch/functions/aws/awstest"
)

// The scripts read as the manual of the command line: what a person types, and
// what comes back. Each has an AWS of its own on loopback, in which the account
// 111122223333 holds the keys payments and orders; a Google Cloud, in which the
// project acme-prod holds the keys clicks and carts; and an Azure, in which the
// vault acme-vault holds the keys ledger and stock, and acme-legacy the key
// legacy.
const (
	payments = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	orders   = "arn:aws:kms:eu-west-1:111122223333:key/5678abcd-12ab-34cd-56ef-1234567890ab"
	kafka    = "arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"
	jane     = "arn:aws:iam::111122223333:user/jane"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"byokwatch": main})
}

func TestScripts(t *testing.T) { runScripts(t, "testdata/script", setup) }

// runScripts runs the scripts of a folder, each in a world that prepare makes.
func runScripts(t *testing.T, dir string, prepare func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               prepare,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"confluent": confluentCommand,
			"kms":       kmsCommand,
			"actions":   actions,
			"exit":      exit,
			"accept":    accept,
			"tamper":    tamper,
			"google":    googleCommand,
			"azure":     azureCommand,
		},
	})
}

type worldKey struct{}

// setup makes the AWS of one script and the environment of an operator in it.
func setup(env *testscript.Env) error {
	cloud := awstest.New(awstest.Options{})
	awstest.NewS3(cloud, awstest.S3Options{}, "acme-byokwatch")
	cloud.Create(jane, kafka)
	cloud.Login(awstest.Caller{AccessKey: "jane", Principal: jane})
	cloud.Login(awstest.Caller{AccessKey: "nobody", Principal: kafka})
	if err := cloud.Attach(jane, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:*","s3:*"],"Resource":"*"}]}`); err != nil {
		return err
	}
	for _, arn := range []string{payments, orders} {
		if err := cloud.AddKey(awstest.NewKey{ARN: arn, Policy: goodPolicy}); err != nil {
			return err
		}
	}
	server := httptest.NewServer(cloud)
	env.Defer(server.Close)
	env.Values[worldKey{}] = cloud
	if err := errors.Join(setupGoogle(env), setupAzure(env)); err != nil {
		return err
	}
	if err := fillIn(env.WorkDir); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "jane", "AWS_SECRET_ACCESS_KEY": "emulated", "AWS_REGION": "us-west-2",
		"AWS_ENDPOINT_URL": server.URL, "EMULATOR": server.URL, "USER": "jane", "PAYMENTS": payments, "ORDERS": orders, "KAFKA": kafka,
	} {
		env.Setenv(name, value)
	}
	return nil
}

// goodPolicy is what Confluent asks its customers for, beside AWS's default.
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-aws.html
const goodPolicy = `{"Version":"2012-10-17","Statement":[
 {"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
 {"Sid":"Allow Confluent account(s) (152535741197) to use the key","Effect":"Allow","Principal":{"AWS":["` + kafka + `"]},
  "Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*"},
 {"Sid":"Allow Confluent account(s) (152535741197) to attach persistent resources","Effect":"Allow","Principal":{"AWS":["` + kafka + `"]},
  "Action":["kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*"}]}`

func cloudOf(ts *testscript.TestScript) *awstest.Cloud {
	return ts.Value(worldKey{}).(*awstest.Cloud)
}

// confluentCommand asserts that Confluent's role can use a key: confluent payments. It
// asks the emulator, which knows nothing of the judge.
func confluentCommand(ts *testscript.TestScript, neg bool, args []string) {
	can, why := cloudOf(ts).Can(kafka, "kms:Decrypt", ts.Getenv(strings.ToUpper(args[0])))
	if can == neg {
		ts.Fatalf("Confluent can decrypt with %s: %t (%s)", args[0], can, why)
	}
}

// kmsCommand does what somebody else does meanwhile: kms put KEY FILE, kms
// disable KEY, kms enable KEY.
func kmsCommand(ts *testscript.TestScript, neg bool, args []string) {
	arn := ts.Getenv(strings.ToUpper(args[1]))
	client := cloudOf(ts).KMS("jane", regionOf(arn))
	ctx := context.Background()
	var err error
	switch args[0] {
	case "put":
		_, err = client.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &arn, Policy: aws.String(ts.ReadFile(args[2]))})
	case "disable":
		_, err = client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &arn})
	case "enable":
		_, err = client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &arn})
	default:
		ts.Fatalf("kms %s: unknown", args[0])
	}
	if (err != nil) != neg {
		ts.Fatalf("kms %s: %v", strings.Join(args, " "), err)
	}
}

// actions asserts that a right was used, or with ! that it never was:
// ! actions kms:PutKeyPolicy.
func actions(ts *testscript.TestScript, neg bool, args []string) {
	for _, a := range cloudOf(ts).Actions() {
		if a.Name == args[0] {
			if neg {
				ts.Fatalf("%s was used by %s", args[0], a.Caller)
			}
			return
		}
	}
	if !neg {
		ts.Fatalf("%s was never used", args[0])
	}
}

// exit runs a program and asserts its exit code: exit 1 byokwatch check …
func exit(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("exit asserts a code; ! exit means nothing")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		code = ended.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s: exit code %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// accept accepts the policy that a key has now: it reads the digest off the
// command's own answer, as a person does.
func accept(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Exec("byokwatch", "snapshot", "accept", args[0]))
	digest := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(ts.ReadFile("stdout"))
	err := ts.Exec("byokwatch", "snapshot", "accept", args[0], "--digest", digest, "--reason", "looked at")
	if (err != nil) != neg {
		ts.Fatalf("accept %s: %v", digest, err)
	}
}

// fillIn makes a signing key and writes it and the script's own folder into its
// configurations.
func fillIn(dir string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	if err := os.WriteFile(filepath.Join(dir, "signing.pem"), key, 0o600); err != nil {
		return err
	}
	fill := strings.NewReplacer("${WORK}", filepath.ToSlash(dir), "${PUBLIC_KEY}", base64.StdEncoding.EncodeToString(spki), "${CONTAINER}", azureContainer)
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(fill.Replace(string(data))), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// tamper changes a word in every kept snapshot and record of the store.
func tamper(ts *testscript.TestScript, neg bool, args []string) {
	changed := 0
	ts.Check(filepath.WalkDir(ts.MkAbs("store"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".json" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		edited := strings.ReplaceAll(string(data), args[0], args[1])
		if edited != string(data) {
			changed++
		}
		return os.WriteFile(name, []byte(edited), 0o600)
	}))
	if changed == 0 {
		ts.Fatalf("%q is nowhere in the store", args[0])
	}
}
