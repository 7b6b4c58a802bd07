package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"byokwatch/deploy/aws/cfn"
)

// call is what somebody who holds the role tries.
type call struct {
	action, resource string
	context          map[string][]string // keys of conditions, as the service gives them
}

// decides is what statements of IAM make of a call: "Deny", "Allow", or "" if
// they leave it to others. The order is that of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func decides(t *testing.T, statements []map[string]any, c call) string {
	t.Helper()
	out := ""
	for _, s := range statements {
		if !meets(s, "Action", strings.ToLower(c.action), strings.ToLower) || !meets(s, "Resource", c.resource, strings.Clone) || !inContext(t, s["Condition"], c) {
			continue
		}
		if out = s["Effect"].(string); out == "Deny" {
			return out
		}
	}
	return out
}

// meets says whether an element of a statement, or its opposite, is about a value.
func meets(s map[string]any, element, value string, as func(string) string) bool {
	about := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return as(p) == value || strings.Contains(p, "*") && wild(as(p), value) })
	}
	if not, there := s["Not"+element]; there {
		return !about(texts(not))
	}
	return about(texts(s[element]))
}

// inContext evaluates the conditions that the role's policies have; any other
// fails the test. A key that is not given never equals anything, and all of no
// values are unlike anything:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func inContext(t *testing.T, condition any, c call) bool {
	t.Helper()
	all, _ := condition.(map[string]any)
	for operator, keys := range all {
		for key, want := range keys.(map[string]any) {
			values, ok := c.context[key], false
			switch operator {
			case "Bool", "StringEquals":
				ok = len(values) == 1 && slices.Contains(texts(want), values[0])
			case "ForAllValues:StringNotLike":
				ok = !slices.ContainsFunc(values, func(v string) bool {
					return slices.ContainsFunc(texts(want), func(p string) bool { return wild(p, v) })
				})
			default:
				t.Fatalf("no condition that this test knows: %s", operator)
			}
			if !ok {
				return false
			}
		}
	}
	return true
}

// never are calls that no policy of anybody's may get the role, by service:
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var never = map[string]string{
	"iam":            "CreateAccessKey PassRole PutRolePolicy AttachRolePolicy DeleteRolePermissionsBoundary UpdateAssumeRolePolicy CreatePolicyVersion",
	"organizations":  "DetachPolicy UpdatePolicy LeaveOrganization",
	"sts":            "AssumeRole",
	"lambda":         "InvokeFunction UpdateFunctionCode UpdateFunctionConfiguration PutFunctionConcurrency DeleteFunction AddPermission",
	"events":         "PutRule PutTargets PutEvents PutPermission DeleteRule DisableRule EnableRule RemoveTargets RemovePermission UpdateConnection CreateEventBus StartReplay TagResource UntagResource",
	"cloudtrail":     "PutEventSelectors DeleteTrail StopLogging StartLogging UpdateTrail CreateTrail AddTags RemoveTags RestoreEventDataStore DeregisterOrganizationDelegatedAdmin",
	"secretsmanager": "PutSecretValue PutResourcePolicy CreateSecret UpdateSecret DeleteSecret RestoreSecret RotateSecret CancelRotateSecret ReplicateSecretToRegions RemoveRegionsFromReplication StopReplicationToReplica TagResource UntagResource",
	"s3": "DeleteObject DeleteObjectVersion DeleteBucket DeleteBucketPolicy PutBucketPolicy PutBucketVersioning PutBucketPublicAccessBlock PutObjectAcl PutObjectVersionAcl PutObjectRetention PutObjectLegalHold " +
		"BypassGovernanceRetention PutLifecycleConfiguration PutReplicationConfiguration PutEncryptionConfiguration PutAccountPublicAccessBlock PutAccessPointPolicy ObjectOwnerOverrideToBucketOwner ReplicateDelete",
}

// neverOnKeys are those on any key, whatever its policy says of the role.
const neverOnKeys = "Decrypt Encrypt ReEncryptFrom ReEncryptTo GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair GenerateMac " +
	"CreateGrant RevokeGrant RetireGrant ScheduleKeyDeletion CancelKeyDeletion DisableKey DisableKeyRotation TagResource UntagResource " +
	"CreateAlias UpdateAlias DeleteAlias ImportKeyMaterial DeleteImportedKeyMaterial ReplicateKey UpdatePrimaryRegion"

const (
	storedObject = "arn:aws:s3:::acme-byokwatch/prod/kept/aws/a/snapshots/1.json"
	elsewhere    = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	unwatched    = "arn:aws:kms:us-west-2:111122223333:key/55555555-12ab-34cd-56ef-1234567890ab"
)

// aliased is a call on a key with aliases.
func aliased(action, key string, aliases ...string) call {
	return call{action, key, map[string][]string{"kms:ResourceAliases": aliases, "kms:BypassPolicyLockoutSafetyCheck": {"false"}}}
}

// denied are the calls that must be denied, by name; those in both are also
// denied by the boundary alone, which knows no single key.
func denied(d Deployment) (byRole, both map[string]call) {
	byRole, both = map[string]call{}, map[string]call{}
	signing := d.Scopes.SigningKey[0]
	for service, actions := range never {
		for _, a := range strings.Fields(actions) {
			resource := "arn:aws:" + service + ":us-west-2:111122223333:byokwatch"
			if service == "s3" {
				resource = storedObject
			}
			both[service+":"+a] = call{service + ":" + a, resource, nil}
		}
	}
	keys := append(slices.Clone(d.Scopes.Keys), signing, unwatched, elsewhere)
	for _, key := range keys {
		for _, a := range strings.Fields(neverOnKeys) {
			both[a+" on "+key] = aliased("kms:"+a, key)
			both[a+" by an alias on "+key] = aliased("kms:"+a, key, "alias/payments", "alias/aws-like")
		}
		if !slices.Contains(d.Scopes.Enforced, key) {
			byRole["PutKeyPolicy on "+key] = aliased("kms:PutKeyPolicy", key)
		}
		if !slices.Contains(d.Scopes.Enabling, key) {
			byRole["EnableKey on "+key] = aliased("kms:EnableKey", key)
		}
		if key != signing {
			both["Sign by "+key] = call{"kms:Sign", key, nil}
		}
		unsafe := aliased("kms:PutKeyPolicy", key)
		unsafe.context["kms:BypassPolicyLockoutSafetyCheck"] = []string{"true"}
		both["PutKeyPolicy past the check on "+key] = unsafe
	}
	for _, a := range []string{"GetKeyPolicy", "DescribeKey", "PutKeyPolicy", "EnableKey"} {
		both[a+" on the signing key"] = aliased("kms:"+a, signing)
		if a == "PutKeyPolicy" || a == "EnableKey" {
			both[a+" elsewhere"] = aliased("kms:"+a, elsewhere)
			if d.Mode == "observe" {
				both[a+" while observing"] = aliased("kms:"+a, d.Scopes.Keys[0])
			}
		}
	}
	maps.Copy(byRole, both)
	return byRole, both
}

// permitted are calls that the watchdog lives by, with what becomes of them.
func permitted(d Deployment) map[string]struct {
	call
	want string
} {
	type tried = struct {
		call
		want string
	}
	signing := d.Scopes.SigningKey[0]
	key, restores, enables := d.Scopes.Keys[0], "Deny", "Deny"
	if d.Mode == "enforce" {
		key, restores, enables = d.Scopes.Enabling[0], "Allow", "Allow"
	}
	signs := func(algorithm string) call {
		return call{"kms:Sign", signing, map[string][]string{"kms:SigningAlgorithm": {algorithm}, "kms:MessageType": {"RAW"}}}
	}
	return map[string]tried{
		"reads a key":                          {aliased("kms:GetKeyPolicy", key), "Allow"},
		"describes a key":                      {aliased("kms:DescribeKey", key), "Allow"},
		"restores a key":                       {aliased("kms:PutKeyPolicy", key), restores},
		"restores a key with an alias":         {aliased("kms:PutKeyPolicy", key, "alias/payments"), restores},
		"enables a key":                        {aliased("kms:EnableKey", key), enables},
		"signs":                                {signs("ECDSA_SHA_256"), "Allow"},
		"signs in another way":                 {signs("RSASSA_PSS_SHA_256"), ""},
		"reads a record":                       {call{"s3:GetObject", "arn:aws:s3:::acme-byokwatch/prod/records/a", nil}, "Allow"},
		"keeps a snapshot":                     {call{"s3:PutObject", storedObject, nil}, "Allow"},
		"leaves a request":                     {call{"s3:PutObject", "arn:aws:s3:::acme-byokwatch/prod/requests/a", nil}, ""},
		"writes beside the store":              {call{"s3:PutObject", "arn:aws:s3:::acme-byokwatch/production/records/a", nil}, ""},
		"reads a secret":                       {call{"secretsmanager:GetSecretValue", d.Scopes.Secrets[0], nil}, "Allow"},
		"reads another":                        {call{"secretsmanager:GetSecretValue", d.Scopes.Secrets[0] + "x", nil}, ""},
		"a key that is not watched":            {aliased("kms:GetKeyPolicy", unwatched), ""},
		"a secret is decrypted in its name":    {aliased("kms:Decrypt", unwatched, "alias/aws/secretsmanager"), ""},
		"writes its log":                       {call{"logs:PutLogEvents", "arn:aws:logs:us-west-2:111122223333:log-group:/byokwatch/function:log-stream:x", nil}, "Allow"},
		"writes the log of tampering":          {call{"logs:PutLogEvents", "arn:aws:logs:us-west-2:111122223333:log-group:/byokwatch/tampering:log-stream:x", nil}, ""},
		"keeps what failed":                    {call{"sqs:SendMessage", "arn:aws:sqs:us-west-2:111122223333:byokwatch-failed", nil}, "Allow"},
		"plants something as not handed over":  {call{"sqs:SendMessage", "arn:aws:sqs:us-west-2:111122223333:byokwatch-undelivered", nil}, ""},
		"a call that nobody has thought of":    {call{"dynamodb:Scan", "arn:aws:dynamodb:us-west-2:111122223333:table/x", nil}, ""},
		"a new call of KMS, on a watched key":  {aliased("kms:NewCall", key), "Deny"},
		"the same, with the letters otherwise": {aliased("KMS:decrypt", key), "Deny"},
	}
}

// held are the statements of the role's own policies, and those of its boundary,
// with an ARN in place of that of the signing key made here, as it is once it is
// there: others' patterns match it.
func held(t *testing.T, c cfn.Template, signing string) (role, boundary []map[string]any) {
	t.Helper()
	var made cfn.Template
	must(t, json.Unmarshal([]byte(strings.ReplaceAll(string(jsonOf(t, c)), `\u003cSnapshotKey.Arn\u003e`, signing)), &made))
	policy := func(ref string) []map[string]any { return statementsOf(t, made.Resources[strings.Trim(ref, "<>")]) }
	for _, ref := range texts(c.Resources["Role"].Properties["ManagedPolicyArns"]) {
		role = append(role, policy(ref)...)
	}
	return role, policy(c.Resources["Role"].Properties["PermissionsBoundary"].(string))
}

// neverFaults are the calls that should be denied and are not.
func neverFaults(t *testing.T, statements []map[string]any, calls map[string]call) []string {
	t.Helper()
	var out []string
	for name, c := range calls {
		if decides(t, statements, c) != "Deny" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// TestTheRoleNeverDoes evaluates the role's policies, and its boundary by itself,
// as if some other policy allowed everything: that of a key may, and whoever
// writes key policies could have it do so.
func TestTheRoleNeverDoes(t *testing.T) {
	for of, s := range subjects(t) {
		d := observing(t)
		if strings.HasSuffix(of, "everything") {
			d = fixture(t)
		}
		role, boundary := held(t, s.Template, d.Scopes.SigningKey[0])
		byRole, both := denied(d)
		for _, f := range neverFaults(t, role, byRole) {
			t.Errorf("%s: the role's policies do not deny: %s", of, f)
		}
		for _, f := range neverFaults(t, boundary, both) {
			t.Errorf("%s: the boundary does not deny: %s", of, f)
		}
		for name, c := range permitted(d) {
			got := decides(t, role, c.call)
			if limit := decides(t, boundary, c.call); got == "Allow" && limit != "Allow" {
				got = limit
			}
			if got != c.want {
				t.Errorf("%s: %s: %q, not %q", of, name, got, c.want)
			}
		}
	}
}

// TestEachDenialIsOfUse takes every denial away, and every action that one names,
// and looks whether a call is missed: none is there for nothing, and the calls
// above try them all.
func TestEachDenialIsOfUse(t *testing.T) {
	d := fixture(t)
	role, boundary := held(t, subjects(t)["template, everything"].Template, d.Scopes.SigningKey[0])
	byRole, both := denied(d)
	tried := 0
	for of, c := range map[string]struct {
		statements []map[string]any
		calls      map[string]call
	}{"the role": {role, byRole}, "the boundary": {boundary, both}} {
		for i, s := range c.statements {
			if s["Effect"] != "Deny" {
				continue
			}
			if without := slices.Delete(slices.Clone(c.statements), i, i+1); len(neverFaults(t, without, c.calls)) == 0 {
				t.Errorf("%s: nothing misses the denial %v", of, s)
			}
			for _, a := range texts(s["Action"]) {
				less := clone(s)
				less["Action"] = slices.DeleteFunc(slices.Clone(s["Action"].([]any)), func(v any) bool { return v == a })
				if len(neverFaults(t, slices.Replace(slices.Clone(c.statements), i, i+1, less), c.calls)) == 0 {
					t.Errorf("%s: nothing misses the denial of %s", of, a)
				}
				tried++
			}
		}
	}
	if tried < 70 {
		t.Errorf("only %d actions were taken away", tried)
	}
}
