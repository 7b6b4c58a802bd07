package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// alarm is one of the watchdog's own: it does not need the function to work. The
// name is the heading under which docs/runbook.md says more.
type alarm struct {
	name  string
	about string // what happened, and what to do

	space, metric string
	over          []dimension // of one metric each; their sum counts
	statistic     string
	least         float64
	minutes       float64 // how long is looked at

	missing string // how missing data counts
}

type dimension struct{ name, value string }

const (
	fine = "notBreaching"
	bad  = "breaching"
)

// alarms are all but the one on judgement_age, whose numbers depend on the
// configuration. Where missing data is fine, the metric is only there when
// something happens: a counter of errors, of messages, of log lines. That the
// watchdog is silent altogether is judgement_age's business.
func alarms() []alarm {
	lambda := func(function string) []dimension { return []dimension{{"FunctionName", function}} }
	queue := func(name string) []dimension { return []dimension{{"QueueName", name}} }
	var rules []dimension
	for _, name := range handing {
		rules = append(rules, dimension{"RuleName", name})
	}
	return []alarm{
		// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
		{"byokwatch-errors", "An event about a key could not be handled; Lambda tries it twice more. Read the errors in " + functionLog + ".",
			"AWS/Lambda", "Errors", lambda(eventsFunction), "Sum", 1, 5, fine},
		{"byokwatch-sweep-errors", "Sweeps fail again and again: some keys are not looked at. Read the errors in " + functionLog + ".",
			"AWS/Lambda", "Errors", lambda(sweepFunction), "Sum", 3, 15, fine},
		{"byokwatch-throttled", "Events about keys wait, because too many came at once. See who makes them in " + functionLog + "; raise eventConcurrency if they are genuine.",
			"AWS/Lambda", "Throttles", lambda(eventsFunction), "Sum", 1, 5, fine},
		{"byokwatch-sweep-throttled", "Sweeps take longer than the time between them. Read handled_ms in " + functionLog + "; raise sweepConcurrency.",
			"AWS/Lambda", "Throttles", lambda(sweepFunction), "Sum", 3, 15, fine},
		{"byokwatch-dropped", "Lambda gave events up unhandled. The sweep looks at the keys all the same; see " + failedQueue + " and raise eventConcurrency.",
			"AWS/Lambda", "AsyncEventsDropped", lambda(eventsFunction), "Sum", 1, 5, fine},
		{"byokwatch-unkept", "Lambda could not keep a failed event in " + failedQueue + ". Check that the queue is there and that the role may send to it.",
			"AWS/Lambda", "DestinationDeliveryFailures", lambda(eventsFunction), "Sum", 1, 5, fine},
		// What comes in, and not how much is there: a message that nobody removes
		// would keep the alarm on and hide the next one.
		// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
		{"byokwatch-failed", "An event failed three times and is kept in " + failedQueue + ". Read why in its responsePayload; then handle it again or remove it.",
			"AWS/SQS", "NumberOfMessagesSent", queue(failedQueue), "Sum", 1, 5, fine},
		{"byokwatch-undelivered", "EventBridge could not hand an event over and kept it in " + undeliveredQueue + ". Its attribute ERROR_CODE says why: check the function and its permissions.",
			"AWS/SQS", "NumberOfMessagesSent", queue(undeliveredQueue), "Sum", 1, 5, fine},
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
		{"byokwatch-rules-failed", "A rule could not reach its target. Check that the function, the log groups and their permissions are as deployed.",
			"AWS/Events", "FailedInvocations", rules, "Sum", 1, 5, fine},
		{"byokwatch-rules-lost", "An event is lost: neither its target nor " + undeliveredQueue + " took it. Check the queue and its policy; the sweep looks at the keys meanwhile.",
			"AWS/Events", "InvocationsFailedToBeSentToDlq", rules, "Sum", 1, 5, fine},
		{"byokwatch-unrestored", "Confluent has lost a key and nobody said that this was meant. See the incident in chat or by `byokwatch history KEY`, and give the access back.",
			namespace, "unrestored", nil, "Sum", 1, 5, fine},
		{"byokwatch-tampering", "Somebody changed what the watchdog rests on; your own deployments show here, too. Read who and what in " + tamperingLog + ", and undo what was not yours.",
			namespace, "tampering", nil, "Sum", 1, 5, fine},
	}
}

const judgementAlarm = "byokwatch-judgement-age"

// addAlarms declares them, with the topic as where they go.
func (w *watchdog) addAlarms() {
	for _, a := range alarms() {
		w.addAlarm(a, jsii.Number(a.minutes*60), jsii.Number(a.least))
	}
	// Three sweeps, or five where there is one a minute. No data is as bad as old
	// data: the function, its log, its schedule or the filter is gone.
	seconds := w.in.EachMinute.Number(300, 900)
	w.addAlarm(alarm{
		name:  judgementAlarm,
		about: "Some key, or every key, has not been judged for several sweeps. The watchdog is blind: read the errors in " + functionLog + ", check the rule " + sweepRule + " and the function " + sweepFunction + ".",
		space: namespace, metric: "judgement_age", statistic: "Maximum", missing: bad,
	}, seconds, w.in.EachMinute.Number(300_000, 900_000))
}

func (w *watchdog) addAlarm(a alarm, seconds, threshold *float64) {
	topic := w.in.AlarmTopic
	actions := list(topic.Given.MaybeText(topic.Value))
	props := &awscloudwatch.CfnAlarmProps{
		AlarmName: jsii.String(a.name), AlarmDescription: jsii.String(a.about + " See docs/runbook.md."),
		ComparisonOperator: jsii.String("GreaterThanOrEqualToThreshold"), Threshold: threshold,
		EvaluationPeriods: jsii.Number(1), TreatMissingData: jsii.String(a.missing),
		AlarmActions: &actions, OkActions: &actions,
	}
	if len(a.over) < 2 {
		props.Namespace, props.MetricName, props.Statistic, props.Period = jsii.String(a.space), jsii.String(a.metric), jsii.String(a.statistic), seconds
		props.Dimensions = dimensions(a.over)
	} else {
		props.Metrics = sum(a, seconds)
	}
	awscloudwatch.NewCfnAlarm(w.stack, jsii.String(logical(a.name[len("byokwatch-"):])+"Alarm"), props)
}

func dimensions(all []dimension) []any {
	out := []any{}
	for _, d := range all {
		out = append(out, &awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(d.name), Value: jsii.String(d.value)})
	}
	return out
}

// sum is the metrics of several things as one.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
func sum(a alarm, seconds *float64) []any {
	out := []any{&awscloudwatch.CfnAlarm_MetricDataQueryProperty{Id: jsii.String("all"), Expression: jsii.String("SUM(METRICS())"), ReturnData: true}}
	for i, d := range a.over {
		out = append(out, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
			Id: jsii.String(fmt.Sprintf("m%d", i)), ReturnData: false,
			MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
				Stat: jsii.String(a.statistic), Period: seconds,
				Metric: &awscloudwatch.CfnAlarm_MetricProperty{Namespace: jsii.String(a.space), MetricName: jsii.String(a.metric), Dimensions: dimensions([]dimension{d})},
			},
		})
	}
	return out
}
