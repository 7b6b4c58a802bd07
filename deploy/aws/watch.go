package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// addLogs declares the log groups, and lets EventBridge write to those that its
// rules write to: it takes no role for that.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-cloudwatchlogs-permissions
func (w *watchdog) addLogs() {
	for _, g := range []struct{ id, name string }{{"FunctionLog", functionLog}, {"RefusedLog", refusedLog}, {"TamperingLog", tamperingLog}} {
		w.logGroups[g.name] = awslogs.NewCfnLogGroup(w.stack, jsii.String(g.id), &awslogs.CfnLogGroupProps{
			LogGroupName: jsii.String(g.name), RetentionInDays: w.in.LogRetention,
		})
	}
	awslogs.NewCfnResourcePolicy(w.stack, jsii.String("LogPolicy"), &awslogs.CfnResourcePolicyProps{
		PolicyName: jsii.String("byokwatch-events"),
		PolicyDocument: w.stack.ToJsonString(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Sid": "FromRules", "Effect": "Allow", "Principal": map[string]any{"Service": []string{"events.amazonaws.com", "delivery.logs.amazonaws.com"}},
			"Action":   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			"Resource": []string{w.arn("logs", "log-group:"+refusedLog+":*"), w.arn("logs", "log-group:"+tamperingLog+":*")},
		}}}, nil),
	})
}

// metric is made of log lines.
type metric struct {
	id, log, pattern string
	name, value      string
	unit             string
	dimension, field string // the metric's dimension and the line's field, if any
}

// The line of a handled Change. What it says is documented where it is written.
const handled = `$.message = "handled"`

// metrics are what the log tells in numbers. Filters of JSON:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
var metrics = []metric{
	{"Keys", functionLog, "{ " + handled + ` && $.kind = "tick" }`, "keys", "1", "Count", "verdict", "$.verdict"},
	{"EventLag", functionLog, "{ " + handled + ` && $.kind != "tick" && $.event_lag_ms >= 0 }`, "event_lag", "$.event_lag_ms", "Milliseconds", "", ""},
	{"RestoreDuration", functionLog, "{ " + handled + ` && $.restore_duration_ms >= 0 }`, "restore_duration", "$.restore_duration_ms", "Milliseconds", "", ""},
	{"JudgementAge", functionLog, "{ " + handled + ` && $.judgement_age_ms >= 0 }`, "judgement_age", "$.judgement_age_ms", "Milliseconds", "", ""},
	{"KeyJudgementAge", functionLog, "{ " + handled + ` && $.judgement_age_ms >= 0 }`, "judgement_age", "$.judgement_age_ms", "Milliseconds", "key", "$.key"},
	{"Unrestored", functionLog, "{ " + handled + ` && $.unrestored IS TRUE }`, "unrestored", "1", "Count", "", ""},
	{"RefusedCalls", refusedLog, "", "refused_calls", "1", "Count", "", ""},
	{"Tampering", tamperingLog, "", "tampering", "1", "Count", "", ""},
}

func (w *watchdog) addMetrics() {
	for _, m := range metrics {
		transformation := &awslogs.CfnMetricFilter_MetricTransformationProperty{
			MetricNamespace: jsii.String(namespace), MetricName: jsii.String(m.name), MetricValue: jsii.String(m.value), Unit: jsii.String(m.unit),
		}
		if m.dimension != "" {
			transformation.Dimensions = []any{&awslogs.CfnMetricFilter_DimensionProperty{Key: jsii.String(m.dimension), Value: jsii.String(m.field)}}
		}
		awslogs.NewCfnMetricFilter(w.stack, jsii.String(m.id+"Metric"), &awslogs.CfnMetricFilterProps{
			LogGroupName: w.logGroups[m.log].Ref(), FilterPattern: jsii.String(m.pattern), MetricTransformations: []any{transformation},
		})
	}
}
