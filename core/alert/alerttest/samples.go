// Package alerttest has one realistic case of every alert, and one of which
// almost nothing is known, so that the catalogue and every channel prove
// themselves on the same cases.
package alerttest

import (
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
)

const (
	role = "arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"
	arn  = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	self = "arn:aws:iam::111122223333:role/byokwatch"
)

var permissions = []string{
	"kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey",
	"kms:GenerateDataKeyWithoutPlaintext", "kms:DescribeKey", "kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant",
}

// night returns 03:mm:ss on the night of all samples.
func night(minute, second int) time.Time {
	return time.Date(2026, 8, 14, 3, minute, second, 0, time.UTC)
}

// Bare is an alert of which only the key is known.
func Bare(c alert.Code) alert.Alert {
	return alert.Alert{ID: "bare/" + string(c), Code: c, At: night(8, 0), Facts: alert.Facts{Key: core.Key{ID: arn, Cloud: core.AWS}}}
}

// Full is a realistic case of a code, with every fact that its entry can show.
func Full(c alert.Code) alert.Alert {
	a := alert.Alert{ID: "inc-7Q2F/" + string(c), Code: c, At: night(2, 56), Facts: base()}
	if edit, ok := cases[c]; ok {
		edit(&a)
	}
	return a
}

func base() alert.Facts {
	lost, findings := missing(permissions, `the statement "Allow Confluent to use the key" was removed`)
	return alert.Facts{
		Key: core.Key{
			ID: arn, Cloud: core.AWS, Label: "payments", Owner: "@payments-oncall", Clusters: []string{"prod-payments (lkc-abc123)"},
			Runbook: "https://wiki.acme.example/kafka/byok",
		},
		Incident: "inc-7Q2F", State: core.Broken, Total: len(permissions), Lost: lost, Findings: findings,
		Who: &core.Change{
			Key: arn, Kind: core.PolicyChange, EventID: "5f8b1f0e-6c0e-4c53-9d1a-2f0d5c7b1a11", At: night(2, 11), Op: "PutKeyPolicy",
			Actor: core.Actor{
				ID: "arn:aws:sts::111122223333:assumed-role/terraform-ci/gh-run-8812", Name: "gh-run-8812",
				Address: "192.0.2.7", Agent: "APN/1.0 HashiCorp/1.0 Terraform/1.9.2",
			},
		},
		LostAt: night(2, 11), SeenAt: night(2, 50), Restored: night(2, 55), Watch: night(33, 1), Candidate: "patch",
		Done:       []core.Difference{{Change: core.Admits, Text: `statement "Allow Confluent to use the key" is back`, Principal: role}},
		Kept:       []core.Difference{{Change: core.Admits, Text: "arn:aws:iam::111122223333:role/audit-ro gains kms:DescribeKey", Principal: "arn:aws:iam::111122223333:role/audit-ro"}},
		From:       core.Digest("sha256:" + strings.Repeat("1a2b3c4d", 8)),
		To:         core.Digest("sha256:" + strings.Repeat("9f8e7d6c", 8)),
		Generation: 7,
	}
}

func missing(names []string, reason string) ([]core.Requirement, []core.Finding) {
	var lost []core.Requirement
	var findings []core.Finding
	for _, p := range names {
		r := core.Requirement{Aspect: core.Access, Principal: role, Permission: p, Severity: core.Critical}
		lost = append(lost, r)
		findings = append(findings, core.Finding{Requirement: r, Result: core.Missing, Reason: reason})
	}
	return lost, findings
}

// unrestored takes back what only a restored case has.
func unrestored(a *alert.Alert) {
	f := &a.Facts
	a.At = night(8, 20)
	f.Restored, f.Watch, f.Done, f.Kept = time.Time{}, time.Time{}, nil, nil
	f.Candidate = ""
}

// intact makes a case in which Confluent has everything.
func intact(a *alert.Alert) {
	unrestored(a)
	f := &a.Facts
	f.Incident, f.State, f.Lost, f.Findings, f.LostAt = "", core.Intact, nil, nil, time.Time{}
}

const fragment = `{
  "Sid": "Allow Confluent to use the key",
  "Effect": "Allow",
  "Principal": {"AWS": "` + role + `"},
  "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
  "Resource": "*"
}`

const getPolicy = "aws kms get-key-policy --region us-west-2 --key-id " + arn + " --policy-name default --output text --query Policy"
