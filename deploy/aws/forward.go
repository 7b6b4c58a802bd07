package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// Services that are the same in all Regions tell only one of them what happens:
// https://repost.aws/knowledge-center/eventbridge-rule-triggers-iam-single-region
// So a small stack there hands on what the watchdogs elsewhere must know.
// GovCloud and China have no way from Region to Region:
// https://aws.amazon.com/blogs/compute/expanding-cross-region-event-routing-with-amazon-eventbridge/
const globalRegion = "us-east-1"

// What -c stack takes; without it the stack is the watchdog.
const (
	forwardOrganizations = "forward-organizations" // in the management account
	forwardIAM           = "forward-iam"           // in an account that is watched
)

const forwardQueue = "byokwatch-forward-undelivered"

// usage is said whenever something about a forwarding stack is wrong.
const usage = "use -c stack=" + forwardOrganizations + " -c managementAccount=ACCOUNT -c buses=ARN,… with the credentials of the management account, " +
	"or -c stack=" + forwardIAM + " -c buses=ARN,… with those of a watched one; a bus is arn:aws:events:REGION:ACCOUNT:event-bus/default"

// defaultBus is what the watchdogs listen on.
var defaultBus = regexp.MustCompile(`^arn:aws:events:([a-z0-9-]+):(\d{12}):event-bus/default$`)

// bus is where a watchdog listens.
type bus struct{ arn, region, account string }

// forwarding is what one of the two stacks is made from.
type forwarding struct {
	stack   string // forwardOrganizations or forwardIAM
	account string // that it is deployed in
	buses   []bus
	topic   string // of the alarm; "" tells nobody
}

// readForwarding reads and checks the context of a forwarding stack.
func readForwarding(app awscdk.App, stack string) (forwarding, error) {
	f, c := forwarding{stack: stack}, &context{app: app}
	var buses []string
	c.list("buses", &buses)
	c.text("managementAccount", &f.account)
	c.text("alarmTopic", &f.topic)
	fault := func(format string, args ...any) (forwarding, error) {
		return f, fmt.Errorf(format+": "+usage, args...)
	}
	if stack != forwardOrganizations && stack != forwardIAM {
		return fault("-c stack=%s is neither", stack)
	}
	if len(buses) == 0 {
		return fault("-c buses is missing")
	}
	for _, arn := range sorted(buses) {
		p := defaultBus.FindStringSubmatch(arn)
		if p == nil {
			return fault("-c buses: %s is no default bus", arn)
		}
		f.buses = append(f.buses, bus{arn, p[1], p[2]})
	}
	if stack == forwardIAM {
		if f.account != "" && f.account != f.buses[0].account {
			return fault("-c managementAccount=%s: IAM's events are forwarded within account %s", f.account, f.buses[0].account)
		}
		f.account = f.buses[0].account
	}
	if !accountID.MatchString(f.account) {
		return fault("-c managementAccount=%s: give 12 digits", f.account)
	}
	for _, b := range f.buses {
		switch {
		case b.account == f.account && b.region == globalRegion:
			return fault("-c buses: %s has the events already", b.arn)
		case stack == forwardIAM && b.account != f.account:
			return fault("-c buses: %s is not in account %s, as the first is: deploy one stack in each account", b.arn, f.account)
		}
	}
	if f.topic != "" && (!topicARN.MatchString(f.topic) || !strings.Contains(f.topic, ":"+globalRegion+":")) {
		return fault("-c alarmTopic=%s: give the ARN of an SNS topic in %s, where the alarm is", f.topic, globalRegion)
	}
	return f, nil
}

// newForwarding is the stack. It needs no bootstrap, because it has no package:
// the management account is better left as it is.
func newForwarding(app awscdk.App, f forwarding, from Sources) awscdk.Stack {
	stack := awscdk.NewStack(app, jsii.String(stackName+logical(f.stack)), &awscdk.StackProps{
		Env:         &awscdk.Environment{Account: jsii.String(f.account), Region: jsii.String(globalRegion)},
		Synthesizer: awscdk.NewBootstraplessSynthesizer(&awscdk.BootstraplessSynthesizerProps{}),
		Description: jsii.String("byokwatch: hands events that only " + globalRegion + " has on to the watchdogs"),
	})
	if f.topic == "" {
		awscdk.Annotations_Of(stack).AddWarning(jsii.String("nobody hears when events can't be handed on: give the ARN of an SNS topic with -c alarmTopic=ARN"))
	}
	w := newParts(stack, Inputs{Partition: "aws", Account: f.account, Region: globalRegion, AlarmTopic: Say(f.topic)}, from)
	var rules []string
	for _, b := range f.buses {
		rules = append(rules, w.arn("events", "rule/"+f.rule(b)))
	}
	w.addQueue(forwardQueue, w.fromRules(forwardQueue, rules))
	role := w.addTeller("ForwardRole", "byokwatch-"+f.stack, "lets rules hand events on to the watchdogs", f.arns())
	for _, b := range f.buses {
		// One rule for each bus: a rule takes few targets, and one that was taken
		// away leaves the others.
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
		name := f.rule(b)
		w.addRule(logical(name[len("byokwatch-"):]), name, "hands events on to "+b.account+" in "+b.region, Known(true),
			&awsevents.CfnRuleProps{EventPattern: f.pattern(b, from)},
			&awsevents.CfnRule_TargetProperty{
				Id: jsii.String("bus"), Arn: jsii.String(b.arn), RoleArn: role.AttrArn(), RetryPolicy: persistent(),
				DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: w.queues[forwardQueue].AttrArn()},
			})
	}
	w.addAlarm(alarm{
		name:  forwardQueue,
		about: "An event could not be handed on to a watchdog and is kept in " + forwardQueue + ". Its attribute ERROR_CODE says why: check the bus, its policy and the role byokwatch-" + f.stack + ".",
		space: "AWS/SQS", metric: "NumberOfMessagesSent", over: []dimension{{"QueueName", forwardQueue}}, statistic: "Sum", missing: fine,
	}, jsii.Number(300), jsii.Number(1))
	hold(stack, []exception{{[]string{"ForwardUndeliveredQueue"}, "AwsSolutions-SQS3", nil,
		"It is a dead-letter queue, for which cdk-nag knows only those of other queues."}})
	return stack
}

// rule is the name of the rule for a bus.
func (f forwarding) rule(b bus) string {
	return "byokwatch-" + f.stack + "-" + b.account + "-" + b.region
}

func (f forwarding) arns() []string {
	var out []string
	for _, b := range f.buses {
		out = append(out, b.arn)
	}
	return out
}

// pattern is what a watchdog's own rules take of these events, no more.
func (f forwarding) pattern(b bus, from Sources) map[string]any {
	if f.stack == forwardIAM {
		// Each rule also tells that another of them was changed.
		there := &watchdog{in: Inputs{Region: b.region}}
		ways := slices.DeleteFunc(there.onRights(), func(t tampering) bool { return t.service != "iam" })
		for _, t := range onRules {
			t.of = []any{prefix("byokwatch-forward-")}
			ways = append(ways, t)
		}
		pattern := anyOf(ways)
		pattern["account"] = []any{f.account}
		return pattern
	}
	pattern := match(slices.DeleteFunc(slices.Clone(from.Events), func(e Event) bool { return !e.Elsewhere }))
	pattern["account"] = []any{f.account}
	pattern["detail"].(map[string]any)["errorCode"] = []any{map[string]any{"exists": false}}
	return pattern
}

// addTeller declares a role by which rules of this account put events on buses.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
func (w *watchdog) addTeller(id, name, about string, buses any) awsiam.CfnRole {
	return awsiam.NewCfnRole(w.stack, jsii.String(id), &awsiam.CfnRoleProps{
		RoleName: jsii.String(name), Description: jsii.String(about),
		AssumeRolePolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "events.amazonaws.com"},
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": w.in.Account}},
		}}},
		Policies: []any{&awsiam.CfnRole_PolicyProperty{PolicyName: jsii.String("tell"), PolicyDocument: map[string]any{
			"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "events:PutEvents", "Resource": buses}},
		}}},
	})
}
