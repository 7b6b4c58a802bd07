package alerttest

import (
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
)

// cases edits the base case into that of each code.
var cases = map[alert.Code]func(*alert.Alert){
	alert.LockedOut: func(a *alert.Alert) {
		unrestored(a)
		a.Repeat = 2
		a.Facts.Findings = append(a.Facts.Findings, core.Finding{
			Requirement: core.Requirement{Aspect: core.Own, Principal: self, Permission: "kms:PutKeyPolicy", Severity: core.Critical},
			Result:      core.Missing, Reason: `statement "DenyWrites" denies it`,
		})
		a.Facts.Commands = []string{getPolicy}
		a.Facts.Fragment = fragment
	},
	alert.CannotRestore: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Detail = "patch: MalformedPolicyDocumentException; snapshot: not configured"
		a.Facts.Left = []string{"cc-kafka-0000: IAM no longer knows this role"}
		a.Facts.Fragment = fragment
	},
	alert.Contested: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Until = night(13, 20)
		a.Facts.Others = []core.Change{{At: night(7, 2), Op: "PutKeyPolicy", Actor: core.Actor{Name: "gh-run-8813", Via: "cloudformation.amazonaws.com"}}}
		a.Facts.Detail = "6 restores since 02:31 UTC"
	},
	alert.NotRecovered: func(a *alert.Alert) {
		a.At = night(33, 30)
		a.Facts.Confirmed = night(3, 1)
		a.Facts.Lost, a.Facts.Findings = missing(permissions[1:3], `statement "DenyOutside" denies it outside o-a1b2c3d4e5`)
		for i := range a.Facts.Findings {
			a.Facts.Findings[i].Remedy = `exempt Confluent: "ArnNotEquals": {"aws:PrincipalArn": [...]}`
		}
	},
	alert.Blind: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Lost, a.Facts.Findings, a.Facts.Who, a.Facts.State = nil, nil, nil, ""
		a.Facts.Detail = "read live policy: kms:GetKeyPolicy: access denied"
	},
	alert.KeyDisabled: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Who.Op = "DisableKey"
		a.Facts.Commands = []string{"aws kms enable-key --region us-west-2 --key-id " + arn}
	},
	alert.KeyDeleting: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Who.Op = "ScheduleKeyDeletion"
		a.Facts.Until = time.Date(2026, 8, 21, 3, 2, 11, 0, time.UTC)
		a.Facts.Commands = []string{
			"aws kms cancel-key-deletion --region us-west-2 --key-id " + arn,
			"aws kms enable-key --region us-west-2 --key-id " + arn,
		}
	},
	alert.OnlyConfluent: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Until = night(32, 50)
		a.Facts.Lost, a.Facts.Findings = missing(permissions, `statement "Block cc-kafka" denies kms:* to Confluent and nobody else`)
	},
	alert.GuardRefused: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Detail = "the target allows arn:aws:iam::444455556666:root kms:Decrypt, which live does not"
		a.Facts.Fragment = fragment
	},
	alert.RoleMisused: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Subject = a.Facts.Who.EventID
		a.Facts.Who.Actor.ID = "arn:aws:sts::111122223333:assumed-role/byokwatch/i-0123456789"
		a.Facts.Detail = "the policy that was written is not of any intent or restore on record"
	},
	alert.HoldEndedBad: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.By, a.Facts.Detail, a.Facts.Until = "jane@acme.example", "moving roles, CHG-4711", night(38, 0)
	},
	alert.RecordLost: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Detail = "records/aws/…json: snapshot's signature does not verify"
	},
	alert.Observed: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Candidate, a.Facts.Fragment = "patch", fragment
		a.Facts.Commands = []string{getPolicy}
	},
	alert.NeverHad: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Never, a.Facts.Findings = missing(permissions[7:], "no statement allows it")
		a.Facts.Lost, a.Facts.Who, a.Facts.LostAt, a.Facts.Fragment = nil, nil, time.Time{}, fragment
	},
	alert.Restored: func(a *alert.Alert) {},
	alert.RestoredPartly: func(a *alert.Alert) {
		a.Facts.Lost, a.Facts.Findings = missing(permissions[:2], "the key policy names AROAEXAMPLE in place of the role")
		a.Facts.Left = []string{"cc-kafka-d45e6381: IAM no longer knows this role"}
		a.Facts.Fragment = fragment
	},
	alert.RestoredUnsure: func(a *alert.Alert) { a.Facts.Detail = "3 of 5 reads showed the restored policy" },
	alert.Recovered: func(a *alert.Alert) {
		a.At = night(33, 2)
		a.Facts.Confirmed = night(3, 1)
	},
	alert.Unclear: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.State, a.Facts.Lost = core.Unclear, nil
		for i := range a.Facts.Findings {
			a.Facts.Findings[i].Result = core.Undetermined
			a.Facts.Findings[i].Reason = `statement "Allow Confluent" needs aws:SourceVpce, which a request of Confluent may not carry`
		}
		a.Facts.Kept = base().Kept
	},
	alert.Expiring: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.State, a.Facts.LostAt, a.Facts.Incident, a.Facts.Who = core.Intact, time.Time{}, "", nil
		a.Facts.Until = time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC)
		for i := range a.Facts.Findings {
			a.Facts.Findings[i].Reason = `statement "Allow until review" ends with aws:CurrentTime before 2026-08-20T00:00:00Z`
		}
	},
	alert.KeyExpiring: func(a *alert.Alert) {
		intact(a)
		a.Facts.Until = time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC)
	},
	alert.RightsGone: func(a *alert.Alert) {
		intact(a)
		own := core.Requirement{Aspect: core.Own, Principal: self, Permission: "kms:PutKeyPolicy", Severity: core.Critical}
		a.Facts.Findings = []core.Finding{{Requirement: own, Result: core.Missing, Reason: `the statement "byokwatch may restore" was removed`}}
		a.Facts.Commands = []string{getPolicy}
	},
	alert.FirstSnapshot: func(a *alert.Alert) {
		intact(a)
		a.Facts.Key, a.Facts.Generation, a.Facts.To, a.Facts.From, a.Facts.Who = core.Key{}, 0, "", "", nil
		a.Facts.Keys = []string{"payments", "orders", "clicks"}
	},
	alert.Widened: func(a *alert.Alert) {
		intact(a)
		a.Facts.Kept = []core.Difference{
			{Change: core.Other, Text: "statement order changed"},
			{Change: core.LosesDeny, Text: `statement "DenyOutside" is gone`},
			{Change: core.Admits, Text: "arn:aws:iam::444455556666:root gains kms:Decrypt", Principal: "arn:aws:iam::444455556666:root"},
		}
	},
	alert.NeedsAcceptance: func(a *alert.Alert) {
		intact(a)
		a.Facts.Kept = base().Kept
	},
	alert.Revoked: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.By, a.Facts.Detail = "", "marker ByokwatchRevokedSEC812"
	},
	alert.MarkerGone: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.Detail = "marker ByokwatchRevokedSEC812 was last seen on 13 Aug 2026"
	},
	alert.Reinstated: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.By, a.Facts.Detail = "jane@acme.example", "SEC-812 closed"
	},
	alert.HoldEnding: func(a *alert.Alert) {
		unrestored(a)
		a.Facts.By, a.Facts.Detail, a.Facts.Until = "jane@acme.example", "moving roles, CHG-4711", night(23, 20)
	},
	alert.Overwrote: func(a *alert.Alert) { a.Facts.Done = nil },
	alert.GrantRevoked: func(a *alert.Alert) {
		intact(a)
		a.Facts.LostAt, a.Facts.Who.Op, a.Facts.Subject = night(2, 11), "RevokeGrant", a.Facts.Who.EventID
		a.Facts.Detail = "grant 0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60"
	},
	alert.EventUnreadable: func(a *alert.Alert) {
		a.Facts = alert.Facts{Subject: "5f8b1f0e-6c0e-4c53-9d1a-2f0d5c7b1a11", Detail: "event: invalid character 'x' after object key"}
	},
	alert.ProtectsLess: func(a *alert.Alert) {
		intact(a)
		a.Facts.Detail = "mode was enforce and is observe"
	},
	alert.RequestRefused: func(a *alert.Alert) {
		intact(a)
		a.Facts.By, a.Facts.Detail = "jane@acme.example", "accept.json names a digest that is not live"
	},
	alert.StoreReadOnly: func(a *alert.Alert) { a.Facts.Detail = "write record: s3:PutObject: access denied" },
	alert.Promoted: func(a *alert.Alert) {
		intact(a)
		a.Facts.Kept = base().Kept
	},
}
