package core

import (
	"crypto/sha256"
	"encoding/hex"
)

// Kind says what a Document is: which cloud API answered with it.
type Kind string

// The documents of an AWS key.
const (
	// KeyPolicy is a KMS key policy as `aws kms get-key-policy --output text`
	// prints it.
	KeyPolicy Kind = "aws.key-policy"
	// KeyMetadata is what `aws kms describe-key` prints.
	KeyMetadata Kind = "aws.key-metadata"
)

// The documents of a Google Cloud key. gcloud prints none of these with the name
// of its resource, so a document read from a file may have an empty ID.
const (
	// CryptoKey is what `gcloud kms keys describe` prints; CryptoKeyVersions
	// the array of `gcloud kms keys versions list`. Both have the key's name as
	// ID.
	CryptoKey         Kind = "gcp.crypto-key"
	CryptoKeyVersions Kind = "gcp.crypto-key-versions"
	// IAMPolicy is what a get-iam-policy command prints. ID is the name of the
	// key, key ring, project, folder or organisation.
	IAMPolicy Kind = "gcp.iam-policy"
	// Role is what `gcloud iam roles describe` prints. ID is the role's name.
	Role Kind = "gcp.role"
	// DenyPolicies is the array of `gcloud iam policies list --kind=denypolicies`
	// with rules. ID is the project, folder or organisation.
	DenyPolicies Kind = "gcp.deny-policies"
)

// The documents of an Azure key. Resource IDs are ARM's, in lower case. A document
// read from a file may have an empty ID, or one that begins with "file:".
const (
	// Vault is what `az keyvault show` prints, or, of a vault that is
	// soft-deleted, `az keyvault show-deleted`. ID is the vault's.
	Vault Kind = "azure.vault"
	// VaultKey is the key as Azure Resource Manager has it (`az rest` on the
	// key's ID) or as `az keyvault key show` prints it. ID is the key's.
	VaultKey Kind = "azure.key"
	// VaultKeyVersions is the list of its versions, in either of these forms (`az
	// keyvault key list-versions`). ID is the key's.
	VaultKeyVersions Kind = "azure.key-versions"
	// RoleAssignments is the array of `az role assignment list`. ID is
	// [AssignedTo] of a scope and an object ID: then it lists all assignments at
	// and above the scope that reach that principal, through groups as well.
	RoleAssignments Kind = "azure.role-assignments"
	// RoleDefinitions is the array of `az role definition list`. ID is that of its
	// only role, without a subscription.
	RoleDefinitions Kind = "azure.role-definitions"
	// DenyAssignments is the array of the deny assignments at and above a scope,
	// which is its ID, each as Azure Resource Manager has it.
	DenyAssignments Kind = "azure.deny-assignments"
)

// AssignedTo is the ID of the [RoleAssignments] at and above a scope that reach a
// principal.
func AssignedTo(scope, objectID string) string { return scope + "?assignedTo=" + objectID }

// Ref names a document of a Policy.
type Ref struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

// Document is one answer of a cloud about a key, in the words of that cloud's
// own command line tool, or the reason why there is none.
type Document struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
	// Text is the document to the byte. It is attacker-controlled: only
	// core/policy/<cloud> looks inside.
	Text string `json:"text,omitempty"`
	// Unreadable, when not empty, says in plain words why Text is missing.
	Unreadable string `json:"unreadable,omitempty"`
	// Denied says that it is missing because our identity may not read it, and
	// not because reading failed.
	Denied bool `json:"denied,omitempty"`
}

// Ref names the document.
func (d Document) Ref() Ref { return Ref{d.Kind, d.ID} }

// Policy is everything that decides whether Confluent can use one key.
type Policy []Document

// Find returns the first document of a kind.
func (p Policy) Find(kind Kind) (Document, bool) {
	for _, d := range p {
		if d.Kind == kind {
			return d, true
		}
	}
	return Document{}, false
}

// With returns a copy of p in which each given document stands in for the one
// of the same kind and ID, or is appended.
func (p Policy) With(docs ...Document) Policy {
	out := append(Policy(nil), p...)
next:
	for _, d := range docs {
		for i := range out {
			if out[i].Kind == d.Kind && out[i].ID == d.ID {
				out[i] = d
				continue next
			}
		}
		out = append(out, d)
	}
	return out
}

// Digest identifies what a policy means: two documents that a cloud may print
// for the same policy have one Digest. The form is "sha256:" and 64 hex digits;
// empty means that the policy could not be read or parsed.
type Digest string

// DigestOf is the digest of a policy's canonical text.
func DigestOf(canonical string) Digest {
	h := sha256.Sum256([]byte(canonical))
	return Digest("sha256:" + hex.EncodeToString(h[:]))
}

// Short is the part of a digest that people compare by eye.
func (d Digest) Short() string {
	const prefix = len("sha256:")
	if len(d) < prefix+8 {
		return string(d)
	}
	return string(d[prefix : prefix+8])
}
