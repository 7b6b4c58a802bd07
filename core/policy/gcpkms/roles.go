package gcpkms

import (
	"slices"
	"strings"

	"byokwatch/core/policy/truth"
)

// The permissions that the judge ever asks about. Those of Confluent are in
// core/confluent; these are the watchdog's own.
const (
	rightGet         = "cloudkms.cryptoKeys.get"
	rightGetPolicy   = "cloudkms.cryptoKeys.getIamPolicy"
	rightSetPolicy   = "cloudkms.cryptoKeys.setIamPolicy"
	rightList        = "cloudkms.cryptoKeyVersions.list"
	rightUpdate      = "cloudkms.cryptoKeyVersions.update"
	useToEncrypt     = "cloudkms.cryptoKeyVersions.useToEncrypt"
	useToDecrypt     = "cloudkms.cryptoKeyVersions.useToDecrypt"
	disabledRole     = "DISABLED"
	predefinedPrefix = "roles/"
)

// predefined is what Google's own roles give of the permissions above, as far
// as they are known here. A role that gives none of them has an empty entry; a
// role without an entry is not known, which is another thing.
//
// Sources: https://cloud.google.com/iam/docs/roles-permissions/cloudkms,
// https://cloud.google.com/iam/docs/roles-overview#basic,
// https://cloud.google.com/iam/docs/roles-permissions/iam
func predefined(role string) ([]string, bool) {
	switch role {
	case "roles/owner":
		return []string{rightGet, rightGetPolicy, rightSetPolicy, rightList, rightUpdate, useToEncrypt, useToDecrypt}, true
	case "roles/editor":
		return []string{rightGet, rightGetPolicy, rightList, rightUpdate}, true
	case "roles/viewer":
		return []string{rightGet, rightGetPolicy, rightList}, true
	case "roles/cloudkms.viewer":
		return []string{rightGet, rightList}, true
	case "roles/cloudkms.admin":
		return []string{rightGet, rightGetPolicy, rightSetPolicy, rightList, rightUpdate}, true
	case "roles/cloudkms.cryptoKeyEncrypterDecrypter", "roles/cloudkms.cryptoOperator":
		return []string{useToEncrypt, useToDecrypt}, true
	case "roles/cloudkms.cryptoKeyEncrypter":
		return []string{useToEncrypt}, true
	case "roles/cloudkms.cryptoKeyDecrypter":
		return []string{useToDecrypt}, true
	case "roles/iam.securityAdmin":
		return []string{rightGetPolicy, rightSetPolicy, rightList}, true
	case "roles/iam.securityReviewer":
		return []string{rightGetPolicy, rightList}, true
	case "roles/cloudkms.cryptoKeyEncrypterDecrypterViaDelegation", "roles/cloudkms.cryptoKeyEncrypterViaDelegation",
		"roles/cloudkms.cryptoKeyDecrypterViaDelegation", "roles/cloudkms.publicKeyViewer", "roles/cloudkms.signer",
		"roles/cloudkms.signerVerifier", "roles/cloudkms.verifier", "roles/cloudkms.importer", "roles/browser":
		return nil, true
	}
	return nil, false
}

// gives says whether a role carries a permission. A given definition wins over
// the built-in table; a role that is disabled or deleted carries nothing; of one
// that is neither built in nor given nobody knows, nor of a role of another
// project, which IAM does not take here.
//
// Sources: https://cloud.google.com/iam/docs/creating-custom-roles,
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles/delete
func (f file) gives(role, permission, project string) truth.Truth {
	if d, ok := f.roles[role]; ok {
		if !d.alive() || !slices.Contains(d.Permissions, permission) {
			return truth.No
		}
		return truth.Known(!foreignRole(role, project)).Or(truth.Unknown)
	}
	list, ok := predefined(role)
	if !ok {
		return truth.Unknown
	}
	return truth.Known(slices.Contains(list, permission))
}

func (d definition) alive() bool { return !d.Deleted && d.Stage != disabledRole }

// foreignRole says that a custom role is one of a project other than the
// key's, as far as names tell.
//
// Source: https://cloud.google.com/iam/docs/roles-overview#custom
func foreignRole(role, project string) bool {
	if !strings.HasPrefix(role, "projects/") || project == "" {
		return false
	}
	of := projectOf(role)
	return of != project && !digits(of) && !digits(project)
}

// Builtin says that the judge knows by itself what a role gives, so that nobody
// needs to read its definition.
func Builtin(role string) bool {
	_, ok := predefined(role)
	return ok
}
