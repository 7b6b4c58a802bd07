package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

// keyID is a protected key as the field key: names it.
type keyID struct {
	cloud core.Cloud
	id    string   // canonical; empty for Azure until the vault is known
	vault vaultKey // Azure
}

// parseKey reads a KMS key ARN, the URL of a vault key or the resource name of
// a cryptoKey.
func parseKey(s string) (keyID, error) {
	switch {
	case strings.HasPrefix(s, "arn:"):
		id, err := parseKMSKey(s)
		return keyID{cloud: core.AWS, id: id}, err
	case strings.HasPrefix(s, "https://"):
		v, err := parseVaultKey(s)
		return keyID{cloud: core.Azure, vault: v}, err
	case strings.HasPrefix(s, "projects/"):
		id, err := parseCryptoKey(s)
		return keyID{cloud: core.GCP, id: id}, err
	case strings.HasPrefix(s, "alias/"):
		return keyID{}, fmt.Errorf("%s is an alias, which can be moved to another key: write the key's ARN (aws kms describe-key --key-id %s)", quote(s), "ALIAS")
	case kmsKeyID.MatchString(s):
		return keyID{}, fmt.Errorf("%s is a bare key ID, which does not say account and Region: write the key's ARN", quote(s))
	}
	return keyID{}, fmt.Errorf("%s is no key: write a KMS key ARN (arn:aws:kms:…), the URL of a vault key (https://….vault.azure.net/keys/…) or a cryptoKey (projects/…/cryptoKeys/…)", quote(s))
}

// AWS. Shapes: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html#awskeymanagementservice-resources-for-iam-policies
// and https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN
var (
	kmsKeyID     = pattern.New(`^(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$`)
	kmsARN       = pattern.New(`^arn:(aws|aws-cn|aws-us-gov):kms:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):([0-9]{12}):key/(.+)$`)
	roleARN      = pattern.New(`^arn:(?:aws|aws-cn|aws-us-gov):iam::[0-9]{12}:role/(?:[\x21-\x29\x2b-\x3e\x40-\x7e]{1,510}/)?[A-Za-z0-9+=,.@_-]{1,64}$`)
	rootARN      = pattern.New(`^arn:(?:aws|aws-cn|aws-us-gov):iam::[0-9]{12}:root$`)
	secretARN    = pattern.New(`^arn:(?:aws|aws-cn|aws-us-gov):secretsmanager:[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,512}$`)
	organization = pattern.New(`^o-[a-z0-9]{10,32}$`)
)

func parseKMSKey(s string) (string, error) {
	m := kmsARN.FindStringSubmatch(s)
	switch {
	case strings.Contains(s, ":alias/"):
		return "", fmt.Errorf("%s is an alias, which can be moved to another key: write the key's own ARN, …:key/…", quote(s))
	case m == nil:
		return "", fmt.Errorf("%s is not a KMS key ARN: arn:aws:kms:REGION:ACCOUNT:key/KEY-ID, with 12 digits for the account", quote(s))
	case !kmsKeyID.MatchString(m[4]):
		return "", fmt.Errorf("%s ends in %s, which is not a key ID: a UUID, or mrk- and 32 hex digits, in lower case", quote(s), quote(m[4]))
	case m[1] != regionPartition(m[2]):
		return "", fmt.Errorf("%s puts the Region %s into the partition %s; it is in %s", quote(s), m[2], m[1], regionPartition(m[2]))
	}
	return s, nil
}

// regionPartition knows the three partitions that we accept by their Regions'
// names: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func regionPartition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func partition(arn string) string { return strings.Split(arn, ":")[1] }

// awsPlace is the account and the Region of a key's ARN.
func awsPlace(arn string) (account, region string) {
	if m := kmsARN.FindStringSubmatch(arn); m != nil {
		return m[3], m[2]
	}
	return "", ""
}

func parseRole(s string) (string, error) {
	switch {
	case roleARN.MatchString(s):
		return s, nil
	case rootARN.MatchString(s):
		return "", fmt.Errorf("%s is an account, not a role: it belongs under principals", quote(s))
	case strings.HasPrefix(s, "arn:") && strings.Contains(s, ":assumed-role/"):
		return "", fmt.Errorf("%s is a session: write the role's own ARN, arn:aws:iam::ACCOUNT:role/NAME", quote(s))
	}
	return "", fmt.Errorf("%s is not the ARN of an IAM role: arn:aws:iam::ACCOUNT:role/NAME, as Confluent shows it with the key", quote(s))
}

func parseAccountRoot(s string) (string, error) {
	switch {
	case rootARN.MatchString(s):
		return s, nil
	case roleARN.MatchString(s):
		return "", fmt.Errorf("%s is a role: it belongs under roles", quote(s))
	}
	return "", fmt.Errorf("%s is not the ARN of an account: arn:aws:iam::ACCOUNT:root, with 12 digits", quote(s))
}

func parseOrganization(s string) (string, error) {
	if !organization.MatchString(s) {
		return "", fmt.Errorf("%s is not an organization's ID: o- and 10 to 32 lower-case letters or digits", quote(s))
	}
	return s, nil
}

func parseOwnOrganization(s string) (string, error) {
	if s == "none" {
		return s, nil
	}
	id, err := parseOrganization(s)
	if err != nil {
		return "", fmt.Errorf("%w; or none where the account is in no organization", err)
	}
	return id, nil
}

// Azure. Shapes: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftkeyvault
// and https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers
var (
	guid     = pattern.New(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	vaultID  = pattern.New(`^/subscriptions/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/resourcegroups/[\pL\pN_().-]{0,89}[\pL\pN_()-]/providers/microsoft\.keyvault/vaults/([a-z][a-z0-9-]{1,22}[a-z0-9])$`)
	vaultURL = pattern.New(`^https://([a-z][a-z0-9-]{1,22}[a-z0-9])\.(?:vault\.azure\.net|vault\.azure\.cn|vault\.usgovcloudapi\.net)/keys/([a-z0-9-]{1,127})$`)
)

// vaultKey is what the URL of a vault key says, in lower case: Azure compares
// both names without regard to case.
type vaultKey struct{ name, key string }

func (v vaultKey) suffix() string { return "/vaults/" + v.name + "/keys/" + v.key }

func parseVaultKey(s string) (vaultKey, error) {
	lower := strings.TrimSuffix(strings.ToLower(s), "/")
	if m := vaultURL.FindStringSubmatch(lower); m != nil {
		return vaultKey{m[1], m[2]}, nil
	}
	if dir, version, ok := cutLast(lower, "/"); ok && version != "" && vaultURL.MatchString(dir) {
		return vaultKey{}, fmt.Errorf("%s names one version: write the key's URL without it", quote(s))
	}
	return vaultKey{}, fmt.Errorf("%s is not the URL of a vault key: https://VAULT.vault.azure.net/keys/KEY", quote(s))
}

func parseVault(s string) (string, error) {
	lower := strings.TrimSuffix(strings.ToLower(s), "/")
	if !vaultID.MatchString(lower) {
		return "", fmt.Errorf("%s is not the ARM ID of a vault: /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/NAME", quote(s))
	}
	return lower, nil
}

func vaultName(vault string) string {
	_, name, _ := cutLast(vault, "/")
	return name
}

func parseGUID(s string) (string, error) {
	if lower := strings.ToLower(s); guid.MatchString(lower) {
		return lower, nil
	}
	return "", fmt.Errorf("%s is not a GUID: 8-4-4-4-12 hex digits", quote(s))
}

// Google Cloud. Shapes: https://cloud.google.com/kms/docs/resource-hierarchy
// and https://cloud.google.com/resource-manager/docs/creating-managing-projects
var (
	cryptoKey     = pattern.New(`^projects/(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{2,62}/locations/[a-z][a-z0-9-]{1,62}/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)
	projectNumber = pattern.New(`^projects/[0-9]+/`)
)

func parseCryptoKey(s string) (string, error) {
	switch {
	case cryptoKey.MatchString(s):
		return s, nil
	case projectNumber.MatchString(s):
		return "", fmt.Errorf("%s names the project by its number: write the project's ID", quote(s))
	case strings.Contains(s, "/cryptoKeyVersions/"):
		return "", fmt.Errorf("%s names one version: write the cryptoKey without it", quote(s))
	}
	return "", fmt.Errorf("%s is not a cryptoKey: projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY", quote(s))
}

func parseGroup(s string) (string, error) {
	addr, err := mail.ParseAddress(s)
	if err != nil || addr.Address != s || !groupAddress.MatchString(s) {
		return "", fmt.Errorf("%s is not the address of a group: NAME@DOMAIN, without group: before it", quote(s))
	}
	return strings.ToLower(s), nil
}

var groupAddress = pattern.New(`^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

var label = pattern.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// parseLabel keeps labels to what may stand in a command that people paste.
func parseLabel(s string) (string, error) {
	if !label.MatchString(s) {
		return "", fmt.Errorf("%s is not a label: at most 63 letters, digits, dots, underscores and hyphens, the first a letter or digit", quote(s))
	}
	return s, nil
}

func parseRunbook(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", errors.New("must be an https URL without a user name")
	}
	return s, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
