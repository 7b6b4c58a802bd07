package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// want is what must be noticed, each by an alarm of its own.
var wanted = map[string]struct {
	metric, missing string
	over            []string
}{
	"byokwatch-errors":          {"AWS/Lambda Errors", "notBreaching", []string{"byokwatch"}},
	"byokwatch-sweep-errors":    {"AWS/Lambda Errors", "notBreaching", []string{"byokwatch-sweep"}},
	"byokwatch-throttled":       {"AWS/Lambda Throttles", "notBreaching", []string{"byokwatch"}},
	"byokwatch-sweep-throttled": {"AWS/Lambda Throttles", "notBreaching", []string{"byokwatch-sweep"}},
	"byokwatch-dropped":         {"AWS/Lambda AsyncEventsDropped", "notBreaching", []string{"byokwatch"}},
	"byokwatch-unkept":          {"AWS/Lambda DestinationDeliveryFailures", "notBreaching", []string{"byokwatch"}},
	"byokwatch-failed":          {"AWS/SQS NumberOfMessagesSent", "notBreaching", []string{"byokwatch-failed"}},
	"byokwatch-undelivered":     {"AWS/SQS NumberOfMessagesSent", "notBreaching", []string{"byokwatch-undelivered"}},
	"byokwatch-rules-failed":    {"AWS/Events FailedInvocations", "notBreaching", queued},
	"byokwatch-rules-lost":      {"AWS/Events InvocationsFailedToBeSentToDlq", "notBreaching", queued},
	"byokwatch-unrestored":      {"byokwatch unrestored", "notBreaching", nil},
	"byokwatch-tampering":       {"byokwatch tampering", "notBreaching", nil},
	"byokwatch-judgement-age":   {"byokwatch judgement_age", "breaching", nil},
}

var queued = []string{"byokwatch-calls", "byokwatch-services", "byokwatch-notices", "byokwatch-organization", "byokwatch-tampering-paths", "byokwatch-tampering-rights"}

func TestEverythingThatCanGoWrongHasItsAlarm(t *testing.T) {
	topic := everything(t).AlarmTopic
	tmpl := synth(t, fixture(t), everything(t))
	got := map[string]bool{}
	for _, p := range tmpl.of("AWS::CloudWatch::Alarm") {
		name := p["AlarmName"].(string)
		got[name] = true
		w, known := wanted[name]
		if !known {
			t.Errorf("%s: nobody wants this alarm", name)
			continue
		}
		metric, over := fmt.Sprint(p["Namespace"], " ", p["MetricName"]), names(p["Dimensions"])
		if queries, several := p["Metrics"].([]any); several {
			over = nil
			for _, q := range queries[1:] {
				m := get(q, "MetricStat", "Metric")
				metric, over = fmt.Sprint(get(m, "Namespace"), " ", get(m, "MetricName")), append(over, names(get(m, "Dimensions"))...)
			}
			if get(queries[0], "Expression") != "SUM(METRICS())" || get(queries[0], "ReturnData") != true {
				t.Errorf("%s: looks at %v", name, queries[0])
			}
		}
		if metric != w.metric || !slices.Equal(over, w.over) || p["TreatMissingData"] != w.missing {
			t.Errorf("%s: looks at %s of %v, missing data is %v", name, metric, over, p["TreatMissingData"])
		}
		for _, where := range []string{"AlarmActions", "OKActions"} {
			if !slices.Equal(texts(p[where]), []string{topic}) {
				t.Errorf("%s: %s goes to %v", name, where, p[where])
			}
		}
		if about, _ := p["AlarmDescription"].(string); len(about) < 80 || !strings.HasSuffix(about, "See docs/runbook.md.") {
			t.Errorf("%s does not say what to do: %q", name, about)
		}
	}
	for name := range wanted {
		if !got[name] {
			t.Errorf("the alarm %s is missing", name)
		}
	}
}

func names(dimensions any) []string {
	var out []string
	all, _ := dimensions.([]any)
	for _, d := range all {
		out = append(out, get(d, "Value").(string))
	}
	return out
}

func TestAgeAlarmsAfterSeveralSweeps(t *testing.T) {
	slow := fixture(t)
	slow.SweepMinutes = 5
	for minutes, d := range map[float64]Deployment{5: fixture(t), 15: slow} {
		a := synth(t, d, options(t)).Resources["JudgementAgeAlarm"].Properties
		if a["Threshold"] != minutes*60_000 || a["Period"] != minutes*60 || a["Statistic"] != "Maximum" {
			t.Errorf("a sweep each %d minutes: %v", d.SweepMinutes, a)
		}
	}
}

// TestMetricsAreMadeOfWhatTheFunctionLogs reads the filters' patterns against a
// line as the watchdog writes it.
func TestMetricsAreMadeOfWhatTheFunctionLogs(t *testing.T) {
	want := map[string]string{ // metric by dimension: field
		"keys by verdict": "1", "event_lag by ": "$.event_lag_ms", "restore_duration by ": "$.restore_duration_ms",
		"judgement_age by ": "$.judgement_age_ms", "judgement_age by key": "$.judgement_age_ms", "unrestored by ": "1",
		"refused_calls by ": "1", "tampering by ": "1",
	}
	got := map[string]string{}
	fields := regexp.MustCompile(`\$\.\w+`)
	logged := []string{"$.message", "$.key", "$.kind", "$.verdict", "$.event_lag_ms", "$.restore_duration_ms", "$.judgement_age_ms", "$.unrestored"}
	for id, f := range synth(t, fixture(t), options(t)).of("AWS::Logs::MetricFilter") {
		m := get(f, "MetricTransformations", 0)
		dimension, _ := get(m, "Dimensions", 0, "Key").(string)
		got[fmt.Sprint(get(m, "MetricName"), " by ", dimension)] = get(m, "MetricValue").(string)
		if get(m, "MetricNamespace") != "byokwatch" {
			t.Errorf("%s: namespace %v", id, get(m, "MetricNamespace"))
		}
		pattern := f["FilterPattern"].(string)
		if of := get(f, "LogGroupName", "Ref"); of == "FunctionLog" != strings.Contains(pattern, `$.message = "handled"`) {
			t.Errorf("%s of %v: %s", id, of, pattern)
		}
		for _, field := range fields.FindAllString(string(jsonOf(t, f)), -1) {
			if !slices.Contains(logged, field) {
				t.Errorf("%s: the function logs no %s", id, field)
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("metrics %v", got)
	}
}

func TestLogsAreKeptForATime(t *testing.T) {
	o := options(t)
	o.LogRetention = 400
	tmpl := synth(t, fixture(t), o)
	groups := map[string]bool{}
	for id, g := range tmpl.of("AWS::Logs::LogGroup") {
		groups[g["LogGroupName"].(string)] = true
		if g["RetentionInDays"] != 400.0 {
			t.Errorf("%s is kept for %v days", id, g["RetentionInDays"])
		}
	}
	if got := slices.Sorted(maps.Keys(groups)); !slices.Equal(got, []string{"/byokwatch/function", "/byokwatch/refused", "/byokwatch/tampering"}) {
		t.Errorf("log groups %v", got)
	}
	if p := fmt.Sprint(get(tmpl.Resources["LogPolicy"].Properties, "PolicyDocument")); !strings.Contains(p, "refused:*") || !strings.Contains(p, "tampering:*") || strings.Contains(p, "function") {
		t.Errorf("EventBridge may write to %s", p)
	}
}

// TestTampering plays each way of silencing the watchdog, and what only looks
// like it.
func TestTampering(t *testing.T) {
	tmpl := synth(t, fixture(t), everything(t))
	paths, rights := "byokwatch-tampering-paths", "byokwatch-tampering-rights"
	for call, want := range map[string][]string{
		`events DisableRule {"name":"byokwatch-calls"}`:                    {paths, rights},
		`events DisableRule {"name":"byokwatch-sweep"}`:                    {paths, rights},
		`events DeleteRule {"name":"byokwatch-tampering-paths"}`:           {paths, rights},
		`events DisableRule {"name":"byokwatch-tampering-rights"}`:         {paths, rights},
		`events PutRule {"name":"byokwatch-calls"}`:                        {paths, rights},
		`events RemoveTargets {"rule":"byokwatch-calls","ids":["f"]}`:      {paths, rights},
		`events PutTargets {"rule":"byokwatch-tampering-paths"}`:           {paths, rights},
		`events DisableRule {"name":"nightly-report"}`:                     nil,
		`events RemovePermission {"statementId":"byokwatch-organization"}`: {paths},
		`cloudtrail StopLogging {"name":"main"}`:                           {paths},
		`cloudtrail DeleteTrail {"name":"main"}`:                           {paths},
		`cloudtrail UpdateTrail {"name":"main"}`:                           {paths},
		`cloudtrail PutEventSelectors {"trailName":"main"}`:                {paths},
		`cloudtrail StartLogging {"name":"main"}`:                          nil,
		`lambda DeleteFunction20150331 {"functionName":"byokwatch"}`:       {paths},
		`lambda UpdateFunctionCode20150331v2 {"functionName":"byokwatch"}`: {paths},
		`lambda UpdateFunctionConfiguration20150331v2 {"functionName":"arn:aws:lambda:us-west-2:111122223333:function:byokwatch-sweep"}`: {paths},
		`lambda PutFunctionConcurrency20171031 {"functionName":"byokwatch-sweep","reservedConcurrentExecutions":0}`:                      {paths},
		`lambda DeleteFunctionConcurrency20171031 {"functionName":"byokwatch"}`:                                                          {paths},
		`lambda PutFunctionEventInvokeConfig {"functionName":"byokwatch"}`:                                                               {paths},
		`lambda RemovePermission20150331v2 {"functionName":"byokwatch"}`:                                                                 {paths},
		`lambda UpdateFunctionCode20150331v2 {"functionName":"orders"}`:                                                                  nil,
		`sqs DeleteQueue {"queueUrl":"https://sqs.us-west-2.amazonaws.com/111122223333/byokwatch-failed"}`:                               {paths},
		`sqs PurgeQueue {"queueUrl":"https://sqs.us-west-2.amazonaws.com/111122223333/orders"}`:                                          nil,
		`iam DetachRolePolicy {"roleName":"byokwatch-us-west-2"}`:                                                                        {rights},
		`iam AttachRolePolicy {"roleName":"byokwatch-us-west-2"}`:                                                                        {rights},
		`iam PutRolePolicy {"roleName":"byokwatch-us-west-2"}`:                                                                           {rights},
		`iam PutRolePermissionsBoundary {"roleName":"byokwatch-us-west-2"}`:                                                              {rights},
		`iam DeleteRolePermissionsBoundary {"roleName":"byokwatch-us-west-2"}`:                                                           {rights},
		`iam UpdateAssumeRolePolicy {"roleName":"byokwatch-us-west-2"}`:                                                                  {rights},
		`iam DeleteRole {"roleName":"byokwatch-us-west-2"}`:                                                                              {rights},
		`iam DetachRolePolicy {"roleName":"byokwatch-eu-west-1"}`:                                                                        nil, // of another stack
		`iam CreatePolicyVersion {"policyArn":"arn:aws:iam::111122223333:policy/byokwatch-deny-us-west-2"}`:                              {rights},
		`iam DeletePolicy {"policyArn":"arn:aws:iam::111122223333:policy/byokwatch-boundary-us-west-2"}`:                                 {rights},
		`logs DeleteMetricFilter {"logGroupName":"/byokwatch/function"}`:                                                                 {rights},
		`logs DeleteLogGroup {"logGroupName":"/byokwatch/tampering"}`:                                                                    {rights},
		`logs DeleteResourcePolicy {"policyName":"byokwatch-events"}`:                                                                    {rights},
		`monitoring DeleteAlarms {"alarmNames":["x","byokwatch-errors"]}`:                                                                {rights},
		`monitoring DisableAlarmActions {"alarmNames":["byokwatch-failed"]}`:                                                             {rights},
		`monitoring PutMetricAlarm {"alarmName":"byokwatch-judgement-age"}`:                                                              {rights},
		`monitoring SetAlarmState {"alarmName":"byokwatch-tampering"}`:                                                                   {rights},
		`s3 DeleteBucketPolicy {"bucketName":"acme-byokwatch"}`:                                                                          {rights},
		`s3 PutBucketVersioning {"bucketName":"acme-byokwatch"}`:                                                                         {rights},
		`s3 PutBucketPolicy {"bucketName":"web"}`:                                                                                        nil,
	} {
		p := strings.SplitN(call, " ", 3)
		// IAM's events come from us-east-1, as they were there.
		event := eventOf(t, fmt.Sprintf(`{"source":"aws.%s","detail-type":"AWS API Call via CloudTrail","region":"us-east-1","account":"111122223333",
			"detail":{"eventSource":"%s.amazonaws.com","eventName":%q,"requestParameters":%s}}`, p[0], p[0], p[1], p[2]))
		function, log := taking(t, tmpl, event)
		slices.Sort(log)
		if len(function) > 0 || !slices.Equal(log, want) {
			t.Errorf("%s is noticed by %v %v, not %v", call, function, log, want)
		}
	}
}

func TestTamperingIsToldTwice(t *testing.T) {
	for name, r := range rulesOf(synth(t, fixture(t), everything(t))) {
		if !strings.HasPrefix(name, "byokwatch-tampering") {
			continue
		}
		if log := string(jsonOf(t, get(r, "Targets", 0))); get(r, "Targets", 0, "Id") != "log" || !strings.Contains(log, `{"Ref":"TamperingLog"}`) {
			t.Errorf("%s writes to %s", name, log)
		}
		if got := get(r, "Targets", 1, "Arn"); got != everything(t).SecurityBus || get(r, "Targets", 1, "RoleArn", "Fn::GetAtt", 0) != "SecurityRole" || get(r, "Targets", 1, "DeadLetterConfig") == nil {
			t.Errorf("%s tells %v", name, get(r, "Targets"))
		}
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
		if n := len(jsonOf(t, r["EventPattern"])); n > 2048 {
			t.Errorf("%s: the pattern has %d characters", name, n)
		}
	}
	without := synth(t, fixture(t), options(t))
	if _, there := without.Resources["SecurityRole"]; there || get(rulesOf(without)["byokwatch-tampering-paths"], "Targets", 1) != nil {
		t.Error("a second target without a bus")
	}
}
