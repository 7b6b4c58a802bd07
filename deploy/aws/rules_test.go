package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rulesOf are the rules with a pattern, by name.
func rulesOf(tmpl template) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, p := range tmpl.of("AWS::Events::Rule") {
		out[p["Name"].(string)] = p
	}
	return out
}

// taking are the names of the rules that take an event to one of the functions,
// or to a log.
func taking(t *testing.T, tmpl template, event any) (function, log []string) {
	t.Helper()
	for name, r := range rulesOf(tmpl) {
		if r["EventPattern"] == nil || !matches(t, r["EventPattern"], event) {
			continue
		}
		if get(r, "Targets", 0, "Id") == "function" {
			function = append(function, name)
		} else {
			log = append(log, name)
		}
	}
	return function, log
}

// TestEachEventOfTheFunctionComesToIt is about the function's own list, which
// its decoder is held to.
func TestEachEventOfTheFunctionComesToIt(t *testing.T) {
	tmpl := synth(t, fixture(t), everything(t))
	from := sources(t)
	if len(from.Events) < 25 {
		t.Fatalf("events.json has only %d events", len(from.Events))
	}
	for _, e := range from.Events {
		event := map[string]any{"source": e.Source, "detail-type": e.DetailType, "account": "111122223333", "detail": map[string]any{}}
		if e.Name != "" {
			event["detail"] = map[string]any{"eventName": e.Name}
		}
		if e.Elsewhere {
			event["account"] = "999988887777"
		}
		function, log := taking(t, tmpl, event)
		switch {
		case e.DetailType == "Scheduled Event":
			if got := rulesOf(tmpl)["byokwatch-sweep"]["ScheduleExpression"]; got != "rate(1 minute)" {
				t.Errorf("the schedule is %v", got)
			}
		case len(function) != 1 || len(log) != 0:
			t.Errorf("%s %s: taken by %v and %v", e.DetailType, e.Name, function, log)
		}
		if e.Elsewhere { // forged by somebody else, or by a rule of the account's own
			event["account"] = "111122223333"
			if function, _ := taking(t, tmpl, event); len(function) != 0 {
				t.Errorf("%s of another account than the management's is taken by %v", e.Name, function)
			}
		}
	}
}

// TestNoOtherEventComesToTheFunction: patterns name nothing that is not on the
// list.
func TestNoOtherEventComesToTheFunction(t *testing.T) {
	known := map[string]bool{}
	for _, e := range sources(t).Events {
		for _, v := range []string{e.Source, e.DetailType, e.Name} {
			known[v] = true
		}
	}
	for name, r := range rulesOf(synth(t, fixture(t), everything(t))) {
		if get(r, "Targets", 0, "Id") != "function" || r["EventPattern"] == nil {
			continue
		}
		p := r["EventPattern"]
		for _, v := range slices.Concat(texts(get(p, "source")), texts(get(p, "detail-type")), texts(get(p, "detail", "eventName"))) {
			if !known[v] {
				t.Errorf("%s matches %q, which the function does not know", name, v)
			}
		}
		if len(texts(get(p, "source"))) == 0 || len(texts(get(p, "detail-type"))) == 0 {
			t.Errorf("%s matches any source or detail-type", name)
		}
	}
}

// TestRecordedEvents sends the samples of the function's own tests through the
// rules: failed calls come to the counter and never to the function.
func TestRecordedEvents(t *testing.T) {
	tmpl := synth(t, fixture(t), everything(t))
	files, err := filepath.Glob(functionDir + "/awstest/testdata/events/*.json")
	must(t, err)
	listed := map[string]bool{}
	for _, e := range sources(t).Events {
		listed[e.DetailType+"/"+e.Name] = true
	}
	taken, counted := 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		event := eventOf(t, string(data))
		name, _ := get(event, "detail", "eventName").(string)
		detailType := get(event, "detail-type").(string)
		if strings.HasPrefix(detailType, "KMS ") {
			name = ""
		}
		known, failed := listed[detailType+"/"+name] && detailType != "Scheduled Event", get(event, "detail", "errorCode") != nil
		function, log := taking(t, tmpl, event)
		if want := known && !failed; (len(function) == 1) != want || len(function) > 1 {
			t.Errorf("%s: taken to the function by %v", filepath.Base(file), function)
		}
		if want := known && failed; slices.Contains(log, "byokwatch-refused") != want {
			t.Errorf("%s: taken to a log by %v", filepath.Base(file), log)
		}
		taken, counted = taken+len(function), counted+len(log)
	}
	if taken < 20 || counted < 3 {
		t.Errorf("of %d samples only %d were taken and %d counted", len(files), taken, counted)
	}
}

func TestHandOversLoseNothing(t *testing.T) {
	tmpl := synth(t, fixture(t), everything(t))
	arn := func(id string) any { return []any{id, "Arn"} }
	handed := 0
	for name, r := range rulesOf(tmpl) {
		target := get(r, "Targets", 0)
		queue, retry := get(target, "DeadLetterConfig", "Arn", "Fn::GetAtt"), get(target, "RetryPolicy")
		switch {
		case name == "byokwatch-sweep": // the next tick asks the same
			if get(target, "Arn", "Fn::GetAtt", 0) != "Sweep" || get(retry, "MaximumRetryAttempts") != 0.0 || queue != nil {
				t.Errorf("%s: %v", name, target)
			}
		case name == "byokwatch-refused":
			if get(target, "Id") != "log" || get(target, "Arn", "Fn::Join", 1, 1, "Ref") != "RefusedLog" {
				t.Errorf("%s: failed calls go to %v", name, target)
			}
		case get(target, "Id") == "function":
			handed++
			if get(target, "Arn", "Fn::GetAtt", 0) != "Events" || get(retry, "MaximumRetryAttempts") != 185.0 || get(retry, "MaximumEventAgeInSeconds") != 86400.0 {
				t.Errorf("%s: %v", name, target)
			}
			fallthrough
		default:
			if string(jsonOf(t, queue)) != string(jsonOf(t, arn("UndeliveredQueue"))) {
				t.Errorf("%s has no queue for what can't be handed over: %v", name, target)
			}
		}
	}
	if handed != 4 {
		t.Errorf("%d rules hand events to the function", handed)
	}
	// A rule that may not send to the queue loses what it meant to keep.
	allow := get(tmpl.Resources["UndeliveredQueuePolicy"].Properties, "PolicyDocument", "Statement", 0)
	for name, r := range rulesOf(tmpl) {
		if get(r, "Targets", 0, "DeadLetterConfig") == nil {
			continue
		}
		if !slices.Contains(texts(get(allow, "Condition", "ArnEquals", "aws:SourceArn")), "arn:aws:events:us-west-2:111122223333:rule/"+name) {
			t.Errorf("%s may not send to the queue", name)
		}
	}
}

func TestOnlyTheRulesInvokeTheFunctions(t *testing.T) {
	tmpl := synth(t, fixture(t), everything(t))
	permitted := map[string]string{}
	for id, p := range tmpl.of("AWS::Lambda::Permission") {
		if p["Principal"] != "events.amazonaws.com" || p["SourceAccount"] != "111122223333" || p["Action"] != "lambda:InvokeFunction" || p["SourceArn"] == nil {
			t.Errorf("%s: %v", id, p)
		}
		permitted[get(p, "SourceArn", "Fn::GetAtt", 0).(string)] = get(p, "FunctionName", "Ref").(string)
	}
	for id, r := range tmpl.of("AWS::Events::Rule") {
		function, _ := get(r, "Targets", 0, "Arn", "Fn::GetAtt", 0).(string)
		if permitted[id] != function {
			t.Errorf("%s invokes %q and may invoke %q", id, function, permitted[id])
		}
	}
}

func TestOnlyTheManagementAccountForwards(t *testing.T) {
	with, without := synth(t, fixture(t), everything(t)), synth(t, fixture(t), options(t))
	s := get(with.Resources["OrganizationForwards"].Properties, "Statement")
	if get(s, "Principal", "AWS") != "arn:aws:iam::999988887777:root" || get(s, "Action") != "events:PutEvents" ||
		get(s, "Condition", "ForAllValues:StringEquals", "events:source") != "aws.organizations" || get(s, "Condition", "Null", "events:source") != "false" {
		t.Errorf("the bus takes events by %v", s)
	}
	for _, id := range []string{"OrganizationForwards", "OrganizationRule", "OrganizationPermission"} {
		if _, there := without.Resources[id]; there {
			t.Errorf("%s is there without a management account", id)
		}
	}
}
