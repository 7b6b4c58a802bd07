package main

import (
	"errors"
	"fmt"
	"strings"

	"byokwatch/core"
)

// gatherAWS makes one policy of all files. A key has one policy and one metadata.
func gatherAWS(files []file, k core.Key) (core.Policy, core.Key, error) {
	var p core.Policy
	from := map[core.Kind]string{}
	for _, f := range files {
		for _, d := range f.docs {
			if d.ID != "" && k.ID != "" && d.ID != k.ID {
				return nil, k, fmt.Errorf("%s is about %s, not about %s", f.name, d.ID, k.ID)
			}
			if d.Unreadable != "" {
				return nil, k, fmt.Errorf("%s holds no %s, for it could not be read: %s", f.name, d.Kind, d.Unreadable)
			}
			if first := from[d.Kind]; first != "" {
				return nil, k, fmt.Errorf("%s and %s both hold the document %s: a key has one", first, f.name, d.Kind)
			}
			from[d.Kind] = f.name
			d.ID = k.ID
			p = append(p, d)
		}
	}
	if from[core.KeyPolicy] == "" {
		return nil, k, errors.New("none of the files is a key policy: save one with aws kms get-key-policy --key-id ID --output text --query Policy")
	}
	return p, k, nil
}

// maxPolicy is the largest key policy in bytes that KMS takes.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
const maxPolicy = 32768

// hintsAWS are hints about key policies.
func hintsAWS(p core.Policy, k core.Key, _ core.Judgement, verdict core.State) []string {
	var out []string
	doc, _ := p.Find(core.KeyPolicy)
	if verdict == core.Unclear && k.Organization == "" && strings.Contains(doc.Text, "aws:PrincipalOrg") {
		out = append(out, "hint      a condition turns on the organization: give your own with --organization ID, or none")
	}
	if n := len(doc.Text); n > maxPolicy {
		out = append(out, fmt.Sprintf("note      the policy has %d bytes and KMS takes at most %d: it can't be applied as it is", n, maxPolicy))
	}
	return out
}
