package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/jsii-runtime-go"
)

// tamperRules watch everything that the watchdog rests on, and each other: who
// disables one is seen by the other.
var tamperRules = [2]string{"byokwatch-tampering-paths", "byokwatch-tampering-rights"}

// tampering is a way of silencing the watchdog: calls of a service, on what is
// ours by the request's parameter that says so. Failed attempts count, too.
type tampering struct {
	service   string
	calls     []any // names of calls, or what they begin with
	parameter string
	of        []any
}

func prefix(s string) any   { return map[string]any{"prefix": s} }
func wildcard(s string) any { return map[string]any{"wildcard": s} }

// onRules is in both rules. Parameters as in
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-logging-cloudtrail.html
var onRules = []tampering{
	{"events", []any{"PutRule", "DeleteRule", "DisableRule"}, "name", []any{prefix("byokwatch-")}},
	{"events", []any{"PutTargets", "RemoveTargets"}, "rule", []any{prefix("byokwatch-")}},
}

// onPaths is what events come by. Any trail counts: without one that logs
// management events, KMS's among them, nothing reaches EventBridge.
// https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
// The names of Lambda's calls carry the version of its API, and the function is
// named or its ARN given.
// https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
var onPaths = []tampering{
	{"events", []any{"RemovePermission"}, "statementId", []any{prefix("byokwatch-")}},
	{"cloudtrail", []any{"StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"}, "", nil},
	{"lambda", []any{prefix("DeleteFunction"), prefix("UpdateFunction"), prefix("PutFunction"), prefix("RemovePermission"), prefix("AddPermission")},
		"functionName", []any{prefix("byokwatch"), wildcard("*:function:byokwatch*")}},
	{"sqs", []any{"DeleteQueue", "PurgeQueue", "SetQueueAttributes", "RemovePermission"}, "queueUrl", []any{wildcard("*/byokwatch-*")}},
}

// onRights is what the watchdog may do and what it tells by. IAM's events are in
// us-east-1 only; elsewhere they arrive because they are forwarded, as they were.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html
func (w *watchdog) onRights() []tampering {
	role := []any{w.roleName()}
	return []tampering{
		{"iam", []any{prefix("PutRole"), prefix("DeleteRole"), prefix("UpdateRole"), "AttachRolePolicy", "DetachRolePolicy", "UpdateAssumeRolePolicy"}, "roleName", role},
		{"iam", []any{"CreatePolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy"}, "policyArn", []any{wildcard("*:policy/byokwatch-*-" + w.in.Region)}},
		{"logs", []any{"DeleteLogGroup", "DeleteLogStream", "PutMetricFilter", "DeleteMetricFilter", "PutRetentionPolicy"}, "logGroupName", []any{prefix("/byokwatch/")}},
		{"logs", []any{"PutResourcePolicy", "DeleteResourcePolicy"}, "policyName", []any{prefix("byokwatch")}},
		{"monitoring", []any{"PutMetricAlarm", "SetAlarmState"}, "alarmName", []any{prefix("byokwatch-")}},
		{"monitoring", []any{"DeleteAlarms", "DisableAlarmActions"}, "alarmNames", []any{prefix("byokwatch-")}},
		{"s3", []any{prefix("PutBucket"), prefix("DeleteBucket")}, "bucketName", []any{w.in.Bucket}},
	}
}

// anyOf is the pattern of any of these. Only AWS's own services have a source that
// begins so: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
func anyOf(ways []tampering) map[string]any {
	var either []any
	for _, t := range ways {
		one := map[string]any{"eventSource": []any{t.service + ".amazonaws.com"}, "eventName": t.calls}
		if t.parameter != "" {
			one["requestParameters"] = map[string]any{t.parameter: t.of}
		}
		either = append(either, one)
	}
	return map[string]any{"source": []any{prefix("aws.")}, "detail-type": []any{apiCall}, "detail": map[string]any{"$or": either}}
}

// addTampering declares the two rules. What they see goes to a log group, whose
// alarm does not need the function, and to the bus of a security team if there
// is one: what happens in this account can be hidden by who rules this account.
func (w *watchdog) addTampering() {
	security := w.toSecurity()
	add := func(id, name, about string, ways []tampering) {
		rule := w.addRule(id, name, about, Known(true), &awsevents.CfnRuleProps{EventPattern: anyOf(slices.Concat(onRules, ways))}, w.toLog(tamperingLog, w.undelivered()))
		if security != nil {
			rule.AddPropertyOverride(jsii.String("Targets.1"), security)
		}
	}
	add("TamperingPaths", tamperRules[0], "notices changes of what events come by", onPaths)
	add("TamperingRights", tamperRules[1], "notices changes of what the watchdog may do and tells by", w.onRights())
}

// toSecurity is the other bus as a target, in CloudFormation's own words, nil where there is none.
func (w *watchdog) toSecurity() any {
	bus := w.in.SecurityBus
	if bus.Given.Never() {
		return nil
	}
	role := w.addTeller("SecurityRole", "byokwatch-security-"+w.in.Region, "lets tampering rules tell another event bus", bus.Value)
	bus.Given.Put(role)
	return bus.Given.Maybe(map[string]any{
		"Id": "security", "Arn": bus.Value, "RoleArn": role.AttrArn(),
		"DeadLetterConfig": map[string]any{"Arn": w.queues[undeliveredQueue].AttrArn()},
	})
}
