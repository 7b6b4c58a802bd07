package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// recordDays is for how long a record that was replaced can still be looked at.
// What must stay is under kept/, of which nothing is ever replaced or removed.
const recordDays = 90

// addStore declares the bucket of records and snapshots. It outlives the stack.
// S3 encrypts it with keys of its own: a key of this account could be taken away
// together with the watched ones, and with it the snapshots that undo that.
func (w *watchdog) addStore() {
	create := w.in.CreateStore
	if create.Never() {
		return
	}
	bucket := awss3.NewCfnBucket(w.stack, jsii.String("Store"), &awss3.CfnBucketProps{
		BucketName: jsii.String(w.in.Bucket),
		BucketEncryption: &awss3.CfnBucket_BucketEncryptionProperty{ServerSideEncryptionConfiguration: []any{
			&awss3.CfnBucket_ServerSideEncryptionRuleProperty{ServerSideEncryptionByDefault: &awss3.CfnBucket_ServerSideEncryptionByDefaultProperty{SseAlgorithm: jsii.String("AES256")}},
		}},
		VersioningConfiguration: &awss3.CfnBucket_VersioningConfigurationProperty{Status: jsii.String("Enabled")},
		PublicAccessBlockConfiguration: &awss3.CfnBucket_PublicAccessBlockConfigurationProperty{
			BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true,
		},
		OwnershipControls: &awss3.CfnBucket_OwnershipControlsProperty{Rules: []any{
			&awss3.CfnBucket_OwnershipControlsRuleProperty{ObjectOwnership: jsii.String("BucketOwnerEnforced")},
		}},
		LifecycleConfiguration: &awss3.CfnBucket_LifecycleConfigurationProperty{Rules: []any{
			&awss3.CfnBucket_RuleProperty{
				Id: jsii.String("replaced-records"), Status: jsii.String("Enabled"), Prefix: jsii.String(w.in.Prefix + "records/"),
				NoncurrentVersionExpiration: &awss3.CfnBucket_NoncurrentVersionExpirationProperty{NoncurrentDays: jsii.Number(recordDays)},
			},
		}},
	})
	retain(bucket)
	create.Put(bucket)
	policy := awss3.NewCfnBucketPolicy(w.stack, jsii.String("StorePolicy"), &awss3.CfnBucketPolicyProps{
		Bucket: bucket.Ref(), PolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": w.storePolicy(*bucket.AttrArn())},
	})
	retain(policy)
	create.Put(policy)
}

// retain keeps a resource when the stack is deleted, or the resource is taken
// out of it or replaced.
func retain(r awscdk.CfnResource) {
	r.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
}

// storePolicy says who writes where, whatever anybody's own rights are: the
// watchdogs write records and snapshots, operators write requests.
func (w *watchdog) storePolicy(bucket string) []any {
	at := func(name string) string { return bucket + "/" + w.in.Prefix + name + "/*" }
	records, kept, requests := at("records"), at("kept"), at("requests")
	own := "arn:" + w.in.Partition + ":iam::" + w.in.Account + ":role/" + w.roleName()
	deny := func(sid string, resources any, condition any, actions ...string) map[string]any {
		s := map[string]any{"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resources}
		if condition != nil {
			s["Condition"] = condition
		}
		return s
	}
	allow := func(sid string, who Set, resources any, actions ...string) any {
		return who.Any.Maybe(map[string]any{"Sid": sid, "Effect": "Allow", "Principal": map[string]any{"AWS": who.List()}, "Action": actions, "Resource": resources})
	}
	not := func(principals any) any { // the role's own ARN, also of a session
		return map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": principals}}
	}
	missing := func(headers ...string) any {
		null := map[string]any{}
		for _, h := range headers {
			null[h] = "true"
		}
		return map[string]any{"Null": null}
	}
	watchdogs := w.in.OtherRoles.Any.If(plus(w.in.OtherRoles, own), []string{own})
	operators := w.in.OperatorRoles
	write := []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}
	return list(
		deny("OnlyTLS", []string{bucket, bucket + "/*"}, map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}, "s3:*"),
		deny("OnlyWatchdogsRecord", []string{records, kept}, not(watchdogs), "s3:PutObject"),
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
		deny("RecordsAreCompared", records, missing("s3:if-match", "s3:if-none-match"), "s3:PutObject"),
		deny("KeptIsCreateOnly", kept, missing("s3:if-none-match"), "s3:PutObject"),
		deny("NothingIsDeleted", []string{records, kept}, nil, write[1:]...),
		operators.Any.If(
			deny("OnlyOperatorsAsk", requests, not(operators.List()), write...),
			deny("NobodyAsks", requests, nil, write...)),
		allow("OperatorsAsk", operators, requests, write[0]),
		allow("OperatorsRead", operators, []string{records, kept, requests}, "s3:GetObject"),
		allow("OperatorsList", operators, bucket, "s3:ListBucket"),
		allow("WatchdogsRecord", w.in.OtherRoles, []string{records, kept}, write[0]),
		allow("WatchdogsRead", w.in.OtherRoles, []string{records, kept, requests}, "s3:GetObject"),
		allow("WatchdogsList", w.in.OtherRoles, bucket, "s3:ListBucket"),
	)
}

// plus is a list and one element more.
func plus(s Set, one string) any {
	if s.list == nil {
		return append([]string{one}, s.Values...)
	}
	// Split of a joined text, because CloudFormation can't append to a list.
	return map[string]any{"Fn::Split": []any{",", map[string]any{"Fn::Join": []any{",", []any{one, map[string]any{"Fn::Join": []any{",", s.list}}}}}}}
}

// addSigningKey declares the key that signs snapshots. It outlives the stack, so
// that what it signed can always be verified.
func (w *watchdog) addSigningKey() {
	w.signingKey = w.in.SigningKey
	create := w.in.CreateSigningKey
	if create.Never() {
		return
	}
	others := w.in.OtherRoles
	key := awskms.NewCfnKey(w.stack, jsii.String("SnapshotKey"), &awskms.CfnKeyProps{
		Description: jsii.String("byokwatch: signs the snapshots of watched keys"),
		KeySpec:     jsii.String("ECC_NIST_P256"), KeyUsage: jsii.String("SIGN_VERIFY"),
		PendingWindowInDays: jsii.Number(30),
		KeyPolicy: map[string]any{"Version": "2012-10-17", "Statement": list(
			// As KMS itself proposes: the account's IAM decides, and a role of the
			// account signs by its own rights.
			// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
			map[string]any{"Sid": "Administration", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
				"Principal": map[string]any{"AWS": "arn:" + w.in.Partition + ":iam::" + w.in.Account + ":root"}},
			others.Any.Maybe(map[string]any{"Sid": "OtherWatchdogs", "Effect": "Allow", "Action": "kms:Sign", "Resource": "*",
				"Principal": map[string]any{"AWS": others.List()}}),
		)},
	})
	retain(key)
	create.Put(key)
	configured := append(slices.Clone(w.in.SigningKey.Values), "")[0]
	w.signingKey.Values = []string{create.Text(*key.AttrArn(), configured)}
	out := awscdk.NewCfnOutput(w.stack, jsii.String("SigningKeyArn"), &awscdk.CfnOutputProps{
		Value: key.AttrArn(), Description: jsii.String("for signing.key of the configuration, as awskms://ARN"),
	})
	if create.condition != nil {
		out.SetCondition(create.condition)
	}
}

// roleName is fixed, so that key policies and the bucket's policy can name the
// role before it is there.
func (w *watchdog) roleName() string { return "byokwatch-" + w.in.Region }
