package awskms

import (
	"slices"
	"strconv"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
)

// digest is the digest of what an AWS policy means: the key policy's canonical
// form and, where the metadata is there, whether and for what the key can be
// used. It is empty if a document can't be read or does not parse, so that
// nothing is ever equal to what nobody understood.
//
// KMS prints one policy in many ways: the order of principals changes from read
// to read, a list of one becomes a string, an account's ID its root ARN.
// The canonical form is the same for all of them. It keeps Sid, Id and Version,
// which KMS gives back as they were written: the first can be the revocation
// marker, and a snapshot is to hold people's own words.
//
// Sources: https://github.com/aws/aws-cli/issues/9456,
// https://github.com/hashicorp/terraform-provider-aws/issues/39788
func digest(p core.Policy) core.Digest {
	doc, err := policyDocument(p)
	if err != nil {
		return ""
	}
	parsed, err := parse(doc.Text)
	if err != nil {
		return ""
	}
	return digestOf(parsed, doc.ID, p)
}

func digestOf(parsed policy, id string, p core.Policy) core.Digest {
	meta := ""
	if _, ok := p.Find(core.KeyMetadata); ok {
		m, err := readMetadata(p)
		if err != nil {
			return ""
		}
		meta = m.canonical()
	}
	return core.DigestOf(canonical(parsed, partition(id)) + "\nkey " + meta)
}

// canonical is the canonical form of a policy as text for hashing: its
// statements as an unordered multiset, each list of values as a sorted set.
func canonical(p policy, partition string) string {
	lines := make([]string, 0, len(p.Statements))
	for _, s := range p.Statements {
		lines = append(lines, "Sid "+strconv.Quote(s.Sid)+" "+s.canonical(partition))
	}
	slices.Sort(lines)
	return "Version " + p.language() + "\nId " + strconv.Quote(p.ID) + "\n" + strings.Join(lines, "\n")
}

// language is the Version that IAM reads the policy by.
func (p policy) language() string {
	if p.Version == "" {
		return version2008
	}
	return p.Version
}

// clauseDigest identifies a statement as a reason: its canonical form without
// the Sid, which decides nothing, and with the policy's Version where a text
// may be a variable.
func (p policy) clauseDigest(s statement, partition string) core.Digest {
	text := s.canonical(partition)
	if strings.Contains(text, "${") {
		text = p.language() + " " + text
	}
	return core.DigestOf(text)
}

func (s statement) canonical(partition string) string {
	b := make([]byte, 0, 256)
	b = append(b, s.Effect...)
	b = appendPrincipals(b, "Principal", s.Principal, partition)
	b = appendPrincipals(b, "NotPrincipal", s.NotPrincipal, partition)
	b = appendSet(b, "Action", s.Action, wording.Lower)
	b = appendSet(b, "NotAction", s.NotAction, wording.Lower)
	b = appendSet(b, "Resource", s.Resource, nil)
	b = appendSet(b, "NotResource", s.NotResource, nil)
	conditions := make([]string, 0, len(s.Conditions))
	for _, c := range s.Conditions {
		conditions = append(conditions, string(appendSet(nil, wording.Lower(c.Operator)+" "+strconv.Quote(canonicalKey(c.Key)), c.Values, nil)))
	}
	slices.Sort(conditions)
	for _, c := range conditions {
		b = append(b, c...)
	}
	return string(b)
}

// canonicalKey folds the name of a condition key, which is not case-sensitive,
// and leaves what follows it, such as the key of an encryption context, which
// is.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
func canonicalKey(key string) string {
	end := len(key)
	if i := strings.IndexByte(key, '/'); i >= 0 {
		end = i
	}
	if i := strings.IndexByte(key[:end], ':'); i >= 0 {
		if j := strings.IndexByte(key[i+1:end], ':'); j >= 0 {
			end = i + 1 + j
		}
	}
	return wording.Lower(key[:end]) + key[end:]
}

func appendPrincipals(b []byte, name string, p *principals, partition string) []byte {
	if p == nil {
		return b
	}
	b = appendSet(b, name, p.AWS, func(s string) string { return canonicalPrincipal(s, partition) })
	b = appendSet(b, "Federated", p.Federated, nil)
	b = appendSet(b, "Service", p.Service, nil)
	return appendSet(b, "CanonicalUser", p.Canonical, nil)
}

// canonicalPrincipal writes an account in one way.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts
func canonicalPrincipal(s, partition string) string {
	if isAccount(s) {
		return "arn:" + partition + ":iam::" + s + ":root"
	}
	return s
}

// appendSet appends name and the sorted set of values; nothing for nil.
func appendSet(b []byte, name string, values []string, fold func(string) string) []byte {
	if values == nil {
		return b
	}
	set := make([]string, len(values))
	for i, v := range values {
		if fold != nil {
			v = fold(v)
		}
		set[i] = v
	}
	slices.Sort(set)
	b = append(append(append(b, ' '), name...), '[')
	for _, v := range slices.Compact(set) {
		b = append(strconv.AppendQuote(b, v), ',')
	}
	return append(b, ']')
}
