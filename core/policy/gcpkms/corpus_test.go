package gcpkms_test

import (
	"testing"

	"byokwatch/core"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/core/policy/policytest"
)

func TestTheCorpus(t *testing.T) {
	const ring = "projects/acme/locations/us-west1/keyRings/"
	suite := policytest.Suite{
		Judge: gcpkms.Judge,
		Needs: gcpkms.Needs,
		Cloud: core.GCP,
		Documents: map[string]core.Kind{
			"key.json": core.CryptoKey, "versions.json": core.CryptoKeyVersions,
			"policy.json": core.IAMPolicy, "given.json": core.IAMPolicy, "ring.json": core.IAMPolicy, "project.json": core.IAMPolicy,
			"folder.json": core.IAMPolicy, "organization.json": core.IAMPolicy,
			"otherkey.json": core.IAMPolicy, "otherring.json": core.IAMPolicy, "otherproject.json": core.IAMPolicy,
			"role.json": core.Role, "orgrole.json": core.Role, "otherrole.json": core.Role, "newrole.json": core.Role, "encrole.json": core.Role, "selfrole.json": core.Role,
			"deny.json": core.DenyPolicies, "orgdeny.json": core.DenyPolicies,
		},
		IDs: map[string]string{
			"given.json": "", "ring.json": ring + "kafka", "project.json": "projects/acme", "folder.json": "folders/77", "organization.json": "organizations/1234",
			"otherkey.json": ring + "kafka/cryptoKeys/orders", "otherring.json": ring + "kafka2", "otherproject.json": "projects/other",
			"role.json": "projects/acme/roles/kafka_payments_custom_kms_role", "orgrole.json": "organizations/1234/roles/byok", "otherrole.json": "projects/other/roles/byok",
			"newrole.json": "roles/cloudkms.somethingNew", "encrole.json": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "selfrole.json": "projects/acme/roles/byokwatch",
			"deny.json": "projects/acme", "orgdeny.json": "organizations/1234",
		},
		Sources: []string{"https://cloud.google.com/iam/docs/", "https://cloud.google.com/kms/docs/", "https://docs.confluent.io/"},
	}
	suite.Run(t, "testdata/*.txtar", 240)
}
