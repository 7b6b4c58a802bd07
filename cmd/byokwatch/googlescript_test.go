package main

import (
	"io"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/api/cloudkms/v1"

	"byokwatch/functions/gcp/gcptest"
)

const (
	clicks      = "projects/acme-prod/locations/us-west1/keyRings/kafka/cryptoKeys/clicks"
	carts       = "projects/acme-prod/locations/us-west1/keyRings/kafka/cryptoKeys/carts"
	cck         = "group:cck-12345@confluent.io"
	googleJane  = "user:jane@acme.example"
	nobody      = "user:nobody@acme.example"
	googleGroup = `{"bindings":[
 {"role":"roles/cloudkms.cryptoKeyEncrypterDecrypter","members":["` + cck + `"]},
 {"role":"roles/cloudkms.viewer","members":["` + cck + `"]}]}`
)

type googleKey struct{}

// setupGoogle makes the Google Cloud of one script. Whoever shows no token is
// jane.
func setupGoogle(env *testscript.Env) error {
	cloud := gcptest.New(gcptest.Options{})
	cloud.Create(cck, nobody)
	cloud.Login(gcptest.Caller{Member: googleJane})
	cloud.Login(gcptest.Caller{Token: "jane", Member: googleJane})
	cloud.AddRole("projects/acme-prod/roles/custom", "cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeys.get")
	for _, name := range []string{clicks, carts} {
		cloud.AddKey(name, 2)
		if err := cloud.SetPolicy(name, googleGroup); err != nil {
			return err
		}
	}
	for resource, policy := range map[string]string{
		"projects/acme-prod":                 `{"bindings":[{"role":"roles/cloudkms.admin","members":["` + googleJane + `"]},{"role":"roles/iam.securityReviewer","members":["` + googleJane + `"]}]}`,
		gcptest.BucketName("acme-byokwatch"): `{"bindings":[{"role":"roles/storage.objectUser","members":["` + googleJane + `"]}]}`,
	} {
		if err := cloud.SetPolicy(resource, policy); err != nil {
			return err
		}
	}
	storage, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Writer: io.Discard})
	if err != nil {
		return err
	}
	env.Defer(storage.Stop)
	storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "acme-byokwatch"})
	server, buckets := httptest.NewServer(cloud), httptest.NewServer(cloud.Guard(storage.HTTPHandler()))
	env.Defer(server.Close)
	env.Defer(buckets.Close)
	env.Values[googleKey{}] = cloud
	for _, service := range []string{"CLOUDKMS", "IAM", "CLOUDRESOURCEMANAGER"} {
		env.Setenv("BYOKWATCH_"+service+"_ENDPOINT", server.URL)
	}
	env.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(buckets.URL, "http://"))
	env.Setenv("CLICKS", clicks)
	env.Setenv("CARTS", carts)
	env.Setenv("PROJECT", "projects/acme-prod")
	return nil
}

// googleCommand does what somebody else does meanwhile, or asks the emulator,
// which knows nothing of the judge:
//
//	google can KEY             Confluent's group can encrypt, decrypt and look
//	google put KEY FILE        the key's policy is replaced
//	google label KEY K=V       the key's labels are replaced
//	google disable KEY VERSION
//	google login MEMBER        whoever shows no token is this one
func googleCommand(ts *testscript.TestScript, neg bool, args []string) {
	cloud := ts.Value(googleKey{}).(*gcptest.Cloud)
	if args[0] == "login" {
		cloud.Login(gcptest.Caller{Member: args[1]})
		return
	}
	name := ts.Getenv(strings.ToUpper(args[1]))
	keys := cloud.Clients("jane").KMS.Projects.Locations.KeyRings.CryptoKeys
	var err error
	switch args[0] {
	case "can":
		for _, p := range []string{"cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeys.get"} {
			if can, why := cloud.Can(cck, p, name); can == neg {
				ts.Fatalf("Confluent has %s on %s: %t (%s)", p, args[1], can, why)
			}
		}
		return
	case "put":
		err = cloud.SetPolicy(name, ts.ReadFile(args[2]))
	case "label":
		k, v, _ := strings.Cut(args[2], "=")
		_, err = keys.Patch(name, &cloudkms.CryptoKey{Labels: map[string]string{k: v}}).UpdateMask("labels").Do()
	case "disable":
		n, _ := strconv.Atoi(args[2])
		_, err = keys.CryptoKeyVersions.Patch(name+"/cryptoKeyVersions/"+strconv.Itoa(n), &cloudkms.CryptoKeyVersion{State: "DISABLED"}).UpdateMask("state").Do()
	default:
		ts.Fatalf("google %s: unknown", args[0])
	}
	if (err != nil) != neg {
		ts.Fatalf("google %s: %v", strings.Join(args, " "), err)
	}
}
