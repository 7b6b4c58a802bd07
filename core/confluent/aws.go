package confluent

import "byokwatch/core"

// AWSPermissions lists the concrete KMS actions that every Confluent principal
// needs on a key, in the order in which people read about them. They are the
// actions that Confluent's two statements cover, wildcards resolved. The key
// pair actions come with kms:GenerateDataKey* but a symmetric key has no use
// for them, so lacking them is worth a warning only.
//
// Sources: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-aws.html
// and https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
func AWSPermissions() []Permission {
	return []Permission{
		{"kms:Encrypt", core.Critical},
		{"kms:Decrypt", core.Critical},
		{"kms:ReEncryptFrom", core.Critical},
		{"kms:ReEncryptTo", core.Critical},
		{"kms:GenerateDataKey", core.Critical},
		{"kms:GenerateDataKeyWithoutPlaintext", core.Critical},
		{"kms:GenerateDataKeyPair", core.Warning},
		{"kms:GenerateDataKeyPairWithoutPlaintext", core.Warning},
		{"kms:DescribeKey", core.Critical},
		{"kms:CreateGrant", core.Critical},
		{"kms:ListGrants", core.Critical},
		{"kms:RevokeGrant", core.Critical},
	}
}

// AWSStatement is the shape of one statement that Confluent asks its customers
// to put in the key policy: Effect Allow, Resource "*", and as Principal all
// of the key's Confluent principals.
type AWSStatement struct {
	Sid     string
	Actions []string // as Confluent writes them, wildcards included
}

// AWSStatements are the two published statements, word for word: one for
// compute, one for storage.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-aws.html
func AWSStatements() []AWSStatement {
	return []AWSStatement{
		{
			Sid:     "Allow Confluent accounts to use the key",
			Actions: []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"},
		},
		{
			Sid:     "Allow Confluent accounts to attach persistent resources",
			Actions: []string{"kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"},
		},
	}
}

// AWSBlockStorageRole is the pattern of the role through which EC2 uses the
// grants that Confluent's role made for its volumes. It belongs to AWS, lives
// in Confluent's account and needs no allow of its own, because a grant gives
// it access; but a Deny in the key policy beats a grant.
//
// Sources: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-aws.html
// ("AWS internal roles (for example aws:ec2-infrastructure)") and
// https://docs.aws.amazon.com/kms/latest/developerguide/services-ebs.html
func AWSBlockStorageRole(partition, account string) string {
	return "arn:" + partition + ":iam::" + account + ":role/aws:ec2-infrastructure*"
}

// AWSGrantable says whether a grant can carry the action at all. What it can't
// carry, the block storage role never does.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/grants.html#terms-grant-operations
func AWSGrantable(action string) bool {
	switch action {
	case "kms:ListGrants", "kms:RevokeGrant":
		return false
	}
	return true
}

// AWSKeySpec and AWSKeyUsage are the only kind of key that Confluent takes.
//
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/byok-aws.html
const (
	AWSKeySpec  = "SYMMETRIC_DEFAULT"
	AWSKeyUsage = "ENCRYPT_DECRYPT"
)
