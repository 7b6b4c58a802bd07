package local

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/policy/awskms"
	"byokwatch/core/watchdog/chaostest"
	keeper "byokwatch/functions/aws/kms"
)

// The statements of a key policy. Confluent's are those that it asks its
// customers to add.
// Source: https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-aws.html
const (
	root = `{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`
	use  = `{"Sid":"Allow Confluent account(s) (152535741197) to use the key","Effect":"Allow","Principal":{"AWS":["` + kafka + `"]},` +
		`"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*"}`
	attach = `{"Sid":"Allow Confluent account(s) (152535741197) to attach persistent resources","Effect":"Allow","Principal":{"AWS":["` + kafka + `"]},` +
		`"Action":["kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*"}`
	admin      = `{"Sid":"Admin of before","Effect":"Allow","Principal":{"AWS":"` + retired + `"},"Action":"kms:*","Resource":"*"}`
	audit      = `{"Sid":"Audit","Effect":"Allow","Principal":{"AWS":"` + pipeline + `"},"Action":"kms:ListKeyPolicies","Resource":"*"}`
	outsiders  = `{"Sid":"DenyOutsideOrg","Effect":"Deny","Principal":{"AWS":"*"},"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:CreateGrant"],"Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`
	allBut     = `{"Sid":"OnlyUs","Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:root","` + pipeline + `","` + self + `","arn:aws:sts::111122223333:assumed-role/terraform-ci/gh-run-8812","arn:aws:sts::111122223333:assumed-role/byokwatch/byokwatch"]},"Action":"kms:*","Resource":"*"}`
	onlyThem   = `{"Sid":"NoConfluent","Effect":"Deny","Principal":{"AWS":"` + kafka + `"},"Action":"kms:*","Resource":"*"}`
	onlyAdmin  = `{"Sid":"Only the pipeline","Effect":"Allow","Principal":{"AWS":"` + pipeline + `"},"Action":"kms:*","Resource":"*"}`
	lookOnly   = `{"Sid":"Byokwatch may look","Effect":"Allow","Principal":{"AWS":"` + self + `"},"Action":["kms:GetKeyPolicy","kms:DescribeKey"],"Resource":"*"}`
	ownNetwork = `,"Condition":{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}`
)

func policy(statements ...string) string {
	return `{"Version":"2012-10-17","Id":"payments","Statement":[` + strings.Join(statements, ",") + `]}`
}

// puts is a pipeline that writes these statements.
func puts(statements ...string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error { return w.aws.put(ctx, policy(statements...)) }
}

func with(statement, old, now string) string {
	if !strings.Contains(statement, old) {
		panic("scenario: " + old + " is not in its statement")
	}
	return strings.Replace(statement, old, now, 1)
}

// conditioned is a statement with a condition slipped onto it.
func conditioned(statement, condition string) string {
	return strings.TrimSuffix(statement, "}") + condition
}

// awsScenarios are in the order in which people meet them.
func awsScenarios() []scenario {
	return []scenario{
		{name: "removed", does: "applies a policy without Confluent's two statements, and lets an auditor in",
			act: puts(root, audit), back: true, tells: alert.Restored, keeps: "Audit"},
		{name: "default-policy", does: "puts AWS's default key policy in place of this one",
			act: puts(root), back: true, tells: alert.Restored},
		{name: "narrowed", does: "writes kms:GenerateDataKey without the *",
			act: puts(root, with(use, "kms:GenerateDataKey*", "kms:GenerateDataKey"), attach), back: true, tells: alert.Restored},
		{name: "swapped", does: "puts another role in the place of Confluent's",
			act: puts(root, with(use, kafka, stranger), with(attach, kafka, stranger)), back: true, tells: alert.Restored, keeps: stranger},
		{name: "deny-org", does: "adds a Deny on using the key for everybody outside the organization",
			act: puts(root, use, attach, outsiders), back: true, tells: alert.Restored, keeps: "DenyOutsideOrg"},
		{name: "not-principal", does: "adds a Deny for everybody but a list of its own",
			act: puts(root, use, attach, allBut), back: true, tells: alert.Restored, keeps: "OnlyUs"},
		{name: "condition", does: "allows Confluent the key only within the organization",
			act:  puts(root, conditioned(use, `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`), attach),
			back: true, tells: alert.Restored},
		{name: "dead-principal", does: "removes Confluent, after the role of an administrator was deleted in IAM",
			from: policy(root, use, attach, admin), back: true, tells: alert.Restored,
			act: func(ctx context.Context, w *world) error {
				w.aws.cloud.Delete(retired)
				return w.aws.put(ctx, policy(root))
			}},
		{name: "missed-event", does: "removes Confluent, and the event of it is lost on its way",
			act: puts(root), missed: true, back: true, tells: alert.Restored},
		{name: "redelivered", does: "removes Confluent, and the event of it arrives twice",
			act: puts(root), twice: true, back: true, tells: alert.Restored},
		{name: "throttled", does: "removes Confluent, and KMS throttles whoever writes next",
			back: true, tells: alert.Restored,
			act: func(ctx context.Context, w *world) error {
				if err := w.aws.put(ctx, policy(root)); err != nil {
					return err
				}
				w.aws.cloud.Inject(chaostest.Fault{Op: "PutKeyPolicy", Kind: chaostest.Throttle, Times: 3})
				return nil
			}},
		{name: "source-ip", does: "allows Confluent the key only from an address range",
			act: puts(root, conditioned(use, ownNetwork), attach), tells: alert.Unclear},
		{name: "observe", does: "removes Confluent, while the key is only observed",
			act: puts(root), observe: true, tells: alert.Observed},
		{name: "deny-confluent", does: "adds a Deny that names nobody but Confluent",
			act: puts(root, use, attach, onlyThem), tells: alert.OnlyConfluent},
		{name: "revoked", does: "is told by the owner to revoke: byokwatch revoke payments",
			act: revokeAWS, tells: alert.Revoked},
		{name: "disabled", does: "disables the key",
			act: func(ctx context.Context, w *world) error {
				_, err := w.aws.cloud.KMS("pipeline", region).DisableKey(ctx, &kms.DisableKeyInput{KeyId: aws.String(keyARN)})
				return err
			}, tells: alert.KeyDisabled},
		{name: "locked-out", does: "leaves nobody but itself the right to write the policy",
			act: puts(onlyAdmin, lookOnly), tells: alert.LockedOut},
	}
}

// revokeAWS is what `byokwatch revoke` does.
func revokeAWS(ctx context.Context, w *world) error {
	to := keeper.New(w.aws.cloud.KMS("pipeline", region), keeper.Options{})
	live, err := to.Read(ctx, w.key)
	if err != nil {
		return err
	}
	c, err := awskms.Revoke(live, core.Question{Key: w.key, At: w.line.now(), Needs: awskms.Needs(w.key, live, nil)}, "SEC-812")
	if err != nil {
		return err
	}
	for _, s := range c.Steps {
		if err := to.Apply(ctx, w.key, s); err != nil {
			return err
		}
	}
	return nil
}
