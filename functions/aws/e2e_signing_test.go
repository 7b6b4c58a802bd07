package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/functions/aws/awstest"
	"byokwatch/functions/functiontest"
)

const signingKey = "arn:aws:kms:us-west-2:111122223333:key/51919191-12ab-34cd-56ef-1234567890ab"

// signedRestore plays the main job with a whole-snapshot restore, which is only
// done from a snapshot whose signature holds.
func signedRestore(t *testing.T, w *world) {
	t.Helper()
	if out := w.invoke(t, w.cloud.Tick(region)); !out.OK() {
		t.Fatalf("outcome %+v", out)
	}
	functiontest.Eventually(t, "the first snapshot is posted", func() bool { return strings.Contains(w.stdout.String(), "PROTECTED") })
	if out := w.invoke(t, w.put(t, payments, without)); !out.OK() || !w.confluentCan() {
		t.Fatalf("outcome %+v", out)
	}
}

func signing(key, public string) string {
	return fmt.Sprintf("restore: snapshot\nsigning: {key: %q, public_key: %q}\n", key, public)
}

func TestSnapshotsSignedByAKeyFile(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "signing.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, func(files, _ map[string]string) {
		files["byokwatch.yaml"] += signing(file, base64.StdEncoding.EncodeToString(spki))
	})
	signedRestore(t, w)
}

func TestSnapshotsSignedByKMS(t *testing.T) {
	t.Parallel()
	cloud := awstest.New(awstest.Options{})
	w := startIn(t, cloud, func(files, _ map[string]string) {
		if err := cloud.AddKey(awstest.NewKey{ARN: signingKey, Signing: true}); err != nil {
			t.Fatal(err)
		}
		out, err := cloud.KMS("admin", region).GetPublicKey(t.Context(), &awskms.GetPublicKeyInput{KeyId: aws.String(signingKey)})
		if err != nil {
			t.Fatal(err)
		}
		files["byokwatch.yaml"] += signing("awskms://"+signingKey, base64.StdEncoding.EncodeToString(out.PublicKey))
	})
	if out := w.invoke(t, w.cloud.Tick(region)); out.OK() {
		t.Fatal("a snapshot is kept although nobody may sign it")
	}
	w.must(t, cloud.Attach(role, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Sign","Resource":"`+signingKey+`"}]}`))
	signedRestore(t, w)
}

func TestSigningKeyThatDoesNotFit(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(files, _ map[string]string) {
		files["signing.pem"] = "not a key"
		files["byokwatch.yaml"] += signing("signing.pem", base64.StdEncoding.EncodeToString(spki))
	})
	out := w.invoke(t, w.cloud.Tick(region))
	if out.OK() || !strings.Contains(out.Tries[0].Err.Message, "signing.key") || strings.Contains(out.Tries[0].Err.Message, "not a key") {
		t.Errorf("outcome %+v, want an error that names signing.key and shows nothing of the file", out)
	}
}
