package main

import (
	"cmp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

const (
	apiCall      = "AWS API Call via CloudTrail"
	serviceEvent = "AWS Service Event via CloudTrail"
	scheduled    = "Scheduled Event"

	sweepRule   = "byokwatch-sweep"
	refusedRule = "byokwatch-refused"
)

// kind is the events of one rule.
type kind struct {
	id, name, about string
	takes           func(Event) bool
	there           Choice
}

// kinds divides the events into rules: what a rule matches by is the same for
// all of its events.
func (w *watchdog) kinds() []kind {
	own := func(detailType string) func(Event) bool {
		return func(e Event) bool { return !e.Elsewhere && e.DetailType == detailType }
	}
	return []kind{
		{"Calls", "byokwatch-calls", "calls that may take a key from Confluent", own(apiCall), Known(true)},
		{"Services", "byokwatch-services", "what KMS does by itself, as CloudTrail records it", own(serviceEvent), Known(true)},
		{"Notices", "byokwatch-notices", "what KMS tells without CloudTrail", func(e Event) bool {
			return !e.Elsewhere && e.Name == "" && e.DetailType != scheduled
		}, Known(true)},
		{"Organization", "byokwatch-organization", "changes of the organisation's policies, forwarded by its management account", func(e Event) bool {
			return e.Elsewhere
		}, w.in.ManagementAccount.Given},
	}
}

// addRules declares what hands events to the function. Failed calls never do:
// somebody without rights could keep it busy with them.
func (w *watchdog) addRules() {
	for _, k := range w.kinds() {
		events := slices.DeleteFunc(slices.Clone(w.from.Events), func(e Event) bool { return !k.takes(e) })
		if k.there.Never() || len(events) == 0 {
			continue
		}
		pattern := match(events)
		if events[0].Elsewhere {
			pattern["account"] = []string{w.in.ManagementAccount.Value}
		}
		if events[0].Name != "" {
			pattern["detail"].(map[string]any)["errorCode"] = []any{map[string]any{"exists": false}}
		}
		rule := w.addRule(k.id, k.name, k.about, k.there, &awsevents.CfnRuleProps{EventPattern: pattern}, w.toEvents())
		w.mayInvoke(k.id, rule, eventsFunction, k.there)
	}
	w.addSchedule()
	w.addRefused()
	w.addForwarding()
}

// match is the pattern of some events.
func match(events []Event) map[string]any {
	var sources, types, names []string
	for _, e := range events {
		sources, types = append(sources, e.Source), append(types, e.DetailType)
		if e.Name != "" {
			names = append(names, e.Name)
		}
	}
	pattern := map[string]any{"source": sorted(sources), "detail-type": sorted(types)}
	if len(names) > 0 {
		pattern["detail"] = map[string]any{"eventName": sorted(names)}
	}
	return pattern
}

func sorted[T cmp.Ordered](values []T) []T {
	slices.Sort(values)
	return slices.Compact(values)
}

// addSchedule declares the sweep. Rules of EventBridge, and not its Scheduler,
// because the function knows their "Scheduled Event". A tick that can't be handed
// over is not tried again: the next one asks the same.
func (w *watchdog) addSchedule() {
	rule := w.addRule("Sweep", sweepRule, "looks at every key", Known(true), &awsevents.CfnRuleProps{
		ScheduleExpression: jsii.String(w.in.EachMinute.Text("rate(1 minute)", "rate(5 minutes)")),
	}, &awsevents.CfnRule_TargetProperty{
		Id: jsii.String("function"), Arn: w.functions[sweepFunction].AttrArn(),
		RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(60), MaximumRetryAttempts: jsii.Number(0)},
	})
	w.mayInvoke("Sweep", rule, sweepFunction, Known(true))
}

// addRefused declares the counter of failed calls. One that is not counted is
// no loss, so it has no queue.
func (w *watchdog) addRefused() {
	calls := slices.DeleteFunc(slices.Clone(w.from.Events), func(e Event) bool { return e.Elsewhere || e.DetailType != apiCall })
	pattern := match(calls)
	pattern["detail"].(map[string]any)["errorCode"] = []any{map[string]any{"exists": true}}
	w.addRule("Refused", refusedRule, "counts the calls on keys that failed", Known(true), &awsevents.CfnRuleProps{EventPattern: pattern}, w.toLog(refusedLog, nil))
}

// addForwarding lets the management account put its organisation's events on
// this account's bus, and nothing else. That the source is given at all is asked
// for because a condition about all values holds for none. See
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-example-policy-cross-account-custom-bus-source.html
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (w *watchdog) addForwarding() {
	from := w.in.ManagementAccount
	if from.Given.Never() {
		return
	}
	from.Given.Put(awsevents.NewCfnEventBusPolicy(w.stack, jsii.String("OrganizationForwards"), &awsevents.CfnEventBusPolicyProps{
		StatementId: jsii.String("byokwatch-organization"),
		Statement: map[string]any{
			"Effect": "Allow", "Action": "events:PutEvents", "Resource": w.arn("events", "event-bus/default"),
			"Principal": map[string]any{"AWS": "arn:" + w.in.Partition + ":iam::" + from.Value + ":root"},
			"Condition": map[string]any{
				"ForAllValues:StringEquals": map[string]any{"events:source": "aws.organizations"},
				"Null":                      map[string]any{"events:source": "false"},
			},
		},
	}))
}

// persistent is for as long as EventBridge tries at all.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
func persistent() any {
	return &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(24 * 3600), MaximumRetryAttempts: jsii.Number(185)}
}

// toEvents hands over to the function of events and, what it does not take, to a
// queue, because what is lost here is not noticed before the next sweep.
func (w *watchdog) toEvents() any {
	return &awsevents.CfnRule_TargetProperty{
		Id: jsii.String("function"), Arn: w.functions[eventsFunction].AttrArn(),
		RetryPolicy: persistent(), DeadLetterConfig: w.undelivered(),
	}
}

// toLog hands over to a log group, whose metric filter counts. EventBridge takes
// no role for it, but a policy of the log service (addLogs).
func (w *watchdog) toLog(group string, deadLetters any) any {
	return &awsevents.CfnRule_TargetProperty{
		Id: jsii.String("log"), Arn: jsii.String(w.arn("logs", "log-group:"+*w.logGroups[group].Ref())), DeadLetterConfig: deadLetters,
	}
}

func (w *watchdog) undelivered() any {
	return &awsevents.CfnRule_DeadLetterConfigProperty{Arn: w.queues[undeliveredQueue].AttrArn()}
}

// addRule declares a rule of the default bus, to which AWS's own events come. It
// is enabled in the plain way, by default: CloudTrail's read-only events are left
// out.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
func (w *watchdog) addRule(id, name, about string, there Choice, props *awsevents.CfnRuleProps, targets ...any) awsevents.CfnRule {
	props.Name, props.Description = jsii.String(name), jsii.String(about)
	props.Targets = list(targets...)
	rule := awsevents.NewCfnRule(w.stack, jsii.String(id+"Rule"), props)
	there.Put(rule)
	return rule
}

// mayInvoke lets one rule of this account invoke a function.
func (w *watchdog) mayInvoke(id string, rule awsevents.CfnRule, function string, there Choice) {
	p := awslambda.NewCfnPermission(w.stack, jsii.String(id+"Permission"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), Principal: jsii.String("events.amazonaws.com"), FunctionName: w.functions[function].Ref(),
		SourceArn: rule.AttrArn(), SourceAccount: jsii.String(w.in.Account),
	})
	there.Put(p)
}

// handing are the rules that hand events over and must not lose one.
var handing = []string{"byokwatch-calls", "byokwatch-services", "byokwatch-notices", "byokwatch-organization", tamperRules[0], tamperRules[1]}

func (w *watchdog) ruleARNs() []string {
	var out []string
	for _, name := range handing {
		out = append(out, w.arn("events", "rule/"+name))
	}
	return out
}
