package main

import (
	"slices"
	"strings"
	"testing"
)

// made is what CloudFormation calls to make and to remove a resource, and the
// property by which it is called in ARNs. Nothing is called to remove what stays.
var made = map[string]struct {
	actions   []string
	arn, name string
}{
	"AWS::CloudWatch::Alarm":         {[]string{"cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"}, "arn:aws:cloudwatch:us-west-2:111122223333:alarm:", "AlarmName"},
	"AWS::Events::EventBusPolicy":    {[]string{"events:PutPermission", "events:RemovePermission"}, "arn:aws:events:us-west-2:111122223333:event-bus/default", ""},
	"AWS::Events::Rule":              {[]string{"events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule"}, "arn:aws:events:us-west-2:111122223333:rule/", "Name"},
	"AWS::IAM::ManagedPolicy":        {[]string{"iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy"}, "arn:aws:iam::111122223333:policy/", "ManagedPolicyName"},
	"AWS::IAM::Role":                 {[]string{"iam:CreateRole", "iam:PassRole", "iam:DeleteRole"}, "arn:aws:iam::111122223333:role/", "RoleName"},
	"AWS::KMS::Key":                  {[]string{"kms:CreateKey"}, "*", ""},
	"AWS::Lambda::EventInvokeConfig": {[]string{"lambda:PutFunctionEventInvokeConfig", "lambda:DeleteFunctionEventInvokeConfig"}, "arn:aws:lambda:us-west-2:111122223333:function:byokwatch", ""},
	"AWS::Lambda::Function":          {[]string{"lambda:CreateFunction", "lambda:PutFunctionConcurrency", "lambda:UpdateFunctionCode", "lambda:DeleteFunction"}, "arn:aws:lambda:us-west-2:111122223333:function:", "FunctionName"},
	"AWS::Lambda::Permission":        {[]string{"lambda:AddPermission", "lambda:RemovePermission"}, "arn:aws:lambda:us-west-2:111122223333:function:byokwatch", ""},
	"AWS::Logs::LogGroup":            {[]string{"logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup"}, "arn:aws:logs:us-west-2:111122223333:log-group:", "LogGroupName"},
	"AWS::Logs::MetricFilter":        {[]string{"logs:PutMetricFilter", "logs:DeleteMetricFilter"}, "arn:aws:logs:us-west-2:111122223333:log-group:/byokwatch/function", ""},
	"AWS::Logs::ResourcePolicy":      {[]string{"logs:PutResourcePolicy", "logs:DeleteResourcePolicy"}, "*", ""},
	"AWS::S3::Bucket":                {[]string{"s3:CreateBucket", "s3:PutEncryptionConfiguration", "s3:PutBucketVersioning", "s3:PutBucketPublicAccessBlock", "s3:PutBucketOwnershipControls", "s3:PutLifecycleConfiguration"}, "arn:aws:s3:::", "BucketName"},
	"AWS::S3::BucketPolicy":          {[]string{"s3:PutBucketPolicy"}, "arn:aws:s3:::acme-byokwatch", ""},
	"AWS::SQS::Queue":                {[]string{"sqs:CreateQueue", "sqs:DeleteQueue"}, "arn:aws:sqs:us-west-2:111122223333:", "QueueName"},
	"AWS::SQS::QueuePolicy":          {[]string{"sqs:SetQueueAttributes"}, "arn:aws:sqs:us-west-2:111122223333:byokwatch-failed", ""},
}

func deployerPolicy(t *testing.T) []any {
	t.Helper()
	var policy map[string]any
	must(t, readJSON("deployer.json", &policy))
	return policy["Statement"].([]any)
}

func TestTheDeployerMayMakeEverythingThatIsDeployed(t *testing.T) {
	statements := deployerPolicy(t)
	used := map[string]bool{"Package": true, "Bootstrap": true, "Roles": true}
	deployed := synth(t, fixture(t), everything(t)).Resources
	for name, context := range forwardings(t) {
		for id, r := range forwardedBy(t, context).Resources {
			deployed[name+" "+id] = r
		}
	}
	for id, r := range deployed {
		m, known := made[r.Type]
		if !known {
			t.Errorf("%s is a %s: add what makes it here and to deployer.json", id, r.Type)
			continue
		}
		arn := m.arn
		if m.name != "" {
			arn += r.Properties[m.name].(string)
		}
		actions := slices.Clone(m.actions)
		if r.Properties["Policies"] != nil {
			actions = append(actions, "iam:PutRolePolicy")
		}
		for _, action := range actions {
			may := false
			for _, s := range statements {
				if get(s, "Condition", "ArnLike", "iam:PermissionsBoundary") != nil && r.Properties["PermissionsBoundary"] == nil {
					continue
				}
				if slices.Contains(texts(get(s, "Action")), action) && slices.ContainsFunc(texts(get(s, "Resource")), func(p string) bool {
					p = strings.ReplaceAll(p, "BUCKET", "acme-byokwatch")
					return p == arn || strings.Contains(p, "*") && wild(p, arn)
				}) {
					may, used[get(s, "Sid").(string)] = true, true
				}
			}
			if !may {
				t.Errorf("%s: the deployer may not %s on %s", id, action, arn)
			}
		}
	}
	for _, s := range statements {
		if sid := get(s, "Sid").(string); !used[sid] {
			t.Errorf("%s is of no use", sid)
		}
	}
}

// TestTheDeployerMayDoNothingElse: no wildcard action, no other resources, and
// no function's role without a boundary. Who deploys writes the policies, the
// boundary's, too; so he has to be trusted with what they may hold.
func TestTheDeployerMayDoNothingElse(t *testing.T) {
	everywhere := map[string]string{
		"LogsOfNoGroup": "these calls know no resource",
		"SigningKeys":   "a key has no name before it is there; the condition leaves only keys that sign",
	}
	for _, s := range deployerPolicy(t) {
		sid := get(s, "Sid").(string)
		for _, a := range texts(get(s, "Action")) {
			if strings.Contains(a, "*") {
				t.Errorf("%s: %s", sid, a)
			}
			if boundary := get(s, "Condition", "ArnLike", "iam:PermissionsBoundary"); (a == "iam:CreateRole" || a == "iam:AttachRolePolicy") && boundary == nil && sid != "TellingRoles" {
				t.Errorf("%s: %s without the boundary", sid, a)
			}
		}
		for _, r := range texts(get(s, "Resource")) {
			if r == "*" && everywhere[sid] == "" {
				t.Errorf("%s is on everything", sid)
			}
			if r != "*" && !strings.Contains(r, "byokwatch") && !slices.Contains([]string{"Bus", "Store", "Package", "Bootstrap"}, sid) {
				t.Errorf("%s is on %s", sid, r)
			}
		}
	}
}
