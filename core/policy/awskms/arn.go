package awskms

import "strings"

// arn is an ARN's parts; resource keeps its own colons.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
type arn struct {
	partition, service, region, account, resource string
}

func parseARN(s string) (arn, bool) {
	var parts [6]string
	for i := range 5 {
		part, rest, ok := strings.Cut(s, ":")
		if !ok {
			return arn{}, false
		}
		parts[i], s = part, rest
	}
	parts[5] = s
	return arn{parts[1], parts[2], parts[3], parts[4], parts[5]}, parts[0] == "arn"
}

// partition is the partition that the key is in, read off its ARN; without one
// it is the standard partition.
func partition(key string) string {
	if a, ok := parseARN(key); ok && a.service == "kms" {
		return a.partition
	}
	return "aws"
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// deadID says that a principal is the unique ID of a user, role or the like,
// which is what KMS shows once the principal is deleted: it matches nobody, not
// even a new principal of the same name.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func deadID(principal string) bool {
	if len(principal) < 16 {
		return false
	}
	switch principal[:4] {
	case "AROA", "AIDA", "AIPA", "ANPA", "AGPA", "ASIA":
	default:
		return false
	}
	for _, c := range []byte(principal) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
