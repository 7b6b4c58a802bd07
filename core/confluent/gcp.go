package confluent

import "byokwatch/core"

// GCPPermissions lists what Confluent's group needs on a Cloud KMS key, in the
// order in which Confluent documents it.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-gcp.html
func GCPPermissions() []Permission {
	return []Permission{
		{"cloudkms.cryptoKeyVersions.useToEncrypt", core.Critical},
		{"cloudkms.cryptoKeyVersions.useToDecrypt", core.Critical},
		{"cloudkms.cryptoKeys.get", core.Critical},
	}
}

// Role is a role that Confluent asks for and the required permissions that it
// gives, which are not all that it gives.
type Role struct {
	Name        string
	Permissions []string
}

// GCPRoles is the pair of predefined roles that Confluent's own Terraform
// example binds instead of a custom role. Nobody but Google changes them, so
// they serve where a custom role is dead.
//
// Sources: https://github.com/confluentinc/terraform-provider-confluent/tree/master/examples/configurations/dedicated-public-gcp-byok-kafka-acls,
// https://cloud.google.com/iam/docs/roles-permissions/cloudkms
func GCPRoles() []Role {
	return []Role{
		{"roles/cloudkms.cryptoKeyEncrypterDecrypter", []string{"cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt"}},
		{"roles/cloudkms.viewer", []string{"cloudkms.cryptoKeys.get"}},
	}
}

// GCPCustomRole is the ID that Confluent gives the custom role it recommends
// for a key, within the key's project. The role has exactly [GCPPermissions].
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-gcp.html
func GCPCustomRole(ring, key string) string { return ring + "_" + key + "_custom_kms_role" }

// GCPPurpose is the only purpose of a key that Confluent takes: symmetric
// encryption.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/byok-gcp.html
const GCPPurpose = "ENCRYPT_DECRYPT"
