package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
)

const (
	busHere      = "arn:aws:events:us-west-2:111122223333:event-bus/default"
	busInEurope  = "arn:aws:events:eu-west-1:111122223333:event-bus/default"
	busElsewhere = "arn:aws:events:us-east-1:444455556666:event-bus/default"
	topicThere   = "arn:aws:sns:us-east-1:999988887777:oncall"
)

// forwardings are both stacks, as the context asks for them.
func forwardings(t *testing.T) map[string]map[string]any {
	t.Helper()
	return map[string]map[string]any{
		forwardOrganizations: {"stack": forwardOrganizations, "managementAccount": "999988887777", "buses": busHere + "," + busElsewhere, "alarmTopic": topicThere},
		forwardIAM:           {"stack": forwardIAM, "buses": busHere + ", " + busInEurope},
	}
}

// forwardedBy is the stack that a context asks for.
func forwardedBy(t *testing.T, context map[string]any) template {
	t.Helper()
	app := appWith(t, context)
	f, err := readForwarding(app, context["stack"].(string))
	must(t, err)
	return templateOf(t, newForwarding(app, f, sources(t)))
}

func TestGoldensOfForwarding(t *testing.T) {
	for name, context := range forwardings(t) {
		app := appWith(t, context)
		f, err := readForwarding(app, name)
		must(t, err)
		stack := newForwarding(app, f, sources(t))
		if got := findings(stack, "error"); len(got) > 0 {
			t.Errorf("%s: cdk-nag: %s", name, strings.Join(got, "\n"))
		}
		if got := findings(stack, "warning"); (len(got) == 0) != (f.topic != "") {
			t.Errorf("%s: warnings: %v", name, got)
		}
		golden(t, "testdata/"+name+".json", lines(t, whole(t, assertions.Template_FromStack(stack, nil).ToJSON())))
	}
}

// handedOn are the buses that an event is handed on to.
func handedOn(t *testing.T, tmpl template, event any) []string {
	t.Helper()
	var out []string
	for _, r := range rulesOf(tmpl) {
		if matches(t, r["EventPattern"], event) {
			out = append(out, get(r, "Targets", 0, "Arn").(string))
		}
	}
	slices.Sort(out)
	return out
}

func TestTheOrganizationsEventsAreHandedOn(t *testing.T) {
	tmpl, watchdog := forwardedBy(t, forwardings(t)[forwardOrganizations]), synth(t, fixture(t), everything(t))
	everywhere := []string{busElsewhere, busHere}
	handed := 0
	for _, e := range sources(t).Events {
		event := map[string]any{"source": e.Source, "detail-type": e.DetailType, "account": "999988887777", "detail": map[string]any{"eventName": e.Name}}
		got := handedOn(t, tmpl, event)
		if !e.Elsewhere {
			if len(got) > 0 {
				t.Errorf("%s %s is handed on", e.Source, e.Name)
			}
			continue
		}
		handed++
		if taken, _ := taking(t, watchdog, event); !slices.Equal(got, everywhere) || !slices.Equal(taken, []string{"byokwatch-organization"}) {
			t.Errorf("%s: handed on to %v, taken by %v", e.Name, got, taken)
		}
		event["detail"] = map[string]any{"eventName": e.Name, "errorCode": "AccessDenied"}
		if got := handedOn(t, tmpl, event); len(got) > 0 {
			t.Errorf("a failed %s is handed on", e.Name)
		}
		event["account"], event["detail"] = "444455556666", map[string]any{"eventName": e.Name}
		if got := handedOn(t, tmpl, event); len(got) > 0 {
			t.Errorf("%s of another account, which came here by somebody's rule, is handed on", e.Name)
		}
	}
	if handed < 5 {
		t.Errorf("only %d events", handed)
	}
}

// TestIAMsEventsAreHandedOn asks the rules of a watchdog what it takes of IAM:
// just that is handed on to it.
func TestIAMsEventsAreHandedOn(t *testing.T) {
	tmpl, watchdog := forwardedBy(t, forwardings(t)[forwardIAM]), synth(t, fixture(t), everything(t))
	for call, want := range map[string][]string{
		`iam DetachRolePolicy {"roleName":"byokwatch-us-west-2"}`:                                        {busHere},
		`iam PutRolePermissionsBoundary {"roleName":"byokwatch-us-west-2"}`:                              {busHere},
		`iam DeleteRolePermissionsBoundary {"roleName":"byokwatch-us-west-2"}`:                           {busHere},
		`iam UpdateAssumeRolePolicy {"roleName":"byokwatch-us-west-2"}`:                                  {busHere},
		`iam DeleteRole {"roleName":"byokwatch-us-west-2"}`:                                              {busHere},
		`iam DetachRolePolicy {"roleName":"byokwatch-eu-west-1"}`:                                        {busInEurope},
		`iam CreatePolicyVersion {"policyArn":"arn:aws:iam::111122223333:policy/byokwatch-us-west-2"}`:   nil,
		`iam DeletePolicy {"policyArn":"arn:aws:iam::111122223333:policy/byokwatch-deny-us-west-2"}`:     {busHere},
		`iam SetDefaultPolicyVersion {"policyArn":"arn:aws:iam::1:policy/byokwatch-boundary-eu-west-1"}`: {busInEurope},
		`iam DetachRolePolicy {"roleName":"orders"}`:                                                     nil,
		`iam CreateUser {"userName":"byokwatch-us-west-2"}`:                                              nil,
		`events DisableRule {"name":"byokwatch-forward-iam-111122223333-us-west-2"}`:                     {busInEurope, busHere},
		`events RemoveTargets {"rule":"byokwatch-forward-iam-111122223333-eu-west-1"}`:                   {busInEurope, busHere},
		`events DisableRule {"name":"byokwatch-calls"}`:                                                  nil, // of a watchdog in the same Region, which sees it itself
		`logs DeleteLogGroup {"logGroupName":"/byokwatch/function"}`:                                     nil,
	} {
		p := strings.SplitN(call, " ", 3)
		event := eventOf(t, fmt.Sprintf(`{"source":"aws.%s","detail-type":"AWS API Call via CloudTrail","region":"us-east-1","account":"111122223333",
			"detail":{"eventSource":"%s.amazonaws.com","eventName":%q,"requestParameters":%s}}`, p[0], p[0], p[1], p[2]))
		if got := handedOn(t, tmpl, event); !slices.Equal(got, want) {
			t.Errorf("%s is handed on to %v, not %v", call, got, want)
		}
		if _, taken := taking(t, watchdog, event); slices.Contains(want, busHere) && len(taken) == 0 {
			t.Errorf("%s is handed on, and nobody takes it", call)
		}
	}
	// What the watchdog takes of IAM is all that there is to hand on.
	rights := rulesOf(watchdog)["byokwatch-tampering-rights"]["EventPattern"]
	handing := string(jsonOf(t, rulesOf(tmpl)["byokwatch-forward-iam-111122223333-us-west-2"]["EventPattern"]))
	ways := 0
	for _, way := range get(rights, "detail", "$or").([]any) {
		if get(way, "eventSource", 0) != "iam.amazonaws.com" {
			continue
		}
		if ways++; !strings.Contains(handing, string(jsonOf(t, way))) {
			t.Errorf("not handed on: %s", jsonOf(t, way))
		}
	}
	if ways != 2 {
		t.Errorf("the watchdog takes %d kinds of IAM's events", ways)
	}
}

func TestForwardingMayDoNothingElse(t *testing.T) {
	for name, context := range forwardings(t) {
		tmpl := forwardedBy(t, context)
		var buses []string
		for rule, r := range rulesOf(tmpl) {
			target := get(r, "Targets", 0)
			buses = append(buses, get(target, "Arn").(string))
			if len(get(r, "Targets").([]any)) != 1 || get(target, "RoleArn", "Fn::GetAtt", 0) != "ForwardRole" || get(target, "DeadLetterConfig", "Arn", "Fn::GetAtt", 0) != "ForwardUndeliveredQueue" ||
				get(target, "RetryPolicy", "MaximumRetryAttempts") != 185.0 || len(rule) > 64 {
				t.Errorf("%s: %v", rule, r)
			}
			// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
			if n := len(jsonOf(t, r["EventPattern"])); n > 2048 {
				t.Errorf("%s: the pattern has %d characters", rule, n)
			}
			allow := get(tmpl.Resources["ForwardUndeliveredQueuePolicy"].Properties, "PolicyDocument", "Statement", 0)
			if !slices.ContainsFunc(texts(get(allow, "Condition", "ArnEquals", "aws:SourceArn")), func(arn string) bool {
				return strings.HasSuffix(arn, ":rule/"+rule) && strings.Contains(arn, ":us-east-1:")
			}) {
				t.Errorf("%s may not send to the queue", rule)
			}
		}
		slices.Sort(buses)
		if len(tmpl.of("AWS::IAM::Role")) != 1 || len(tmpl.of("AWS::IAM::Policy"))+len(tmpl.of("AWS::IAM::ManagedPolicy")) > 0 {
			t.Errorf("%s: more than one role", name)
		}
		role := tmpl.Resources["ForwardRole"].Properties
		may := get(role, "Policies", 0, "PolicyDocument", "Statement").([]any)
		if len(may) != 1 || get(may, 0, "Action") != "events:PutEvents" || !slices.Equal(texts(get(may, 0, "Resource")), buses) {
			t.Errorf("%s: the role may %v", name, may)
		}
		who := get(role, "AssumeRolePolicyDocument", "Statement", 0)
		if get(who, "Principal", "Service") != "events.amazonaws.com" || get(who, "Condition", "StringEquals", "aws:SourceAccount") == nil {
			t.Errorf("%s: the role is taken by %v", name, who)
		}
		if len(tmpl.Parameters) > 0 {
			t.Errorf("%s needs a bootstrap: %v", name, tmpl.Parameters)
		}
	}
}

func TestWrongForwardingSaysWhatToDo(t *testing.T) {
	for says, change := range map[string]map[string]any{
		"is neither":                 {"stack": "forward"},
		"buses is missing":           {"buses": " "},
		"is no default bus":          {"buses": "arn:aws:events:us-west-2:111122223333:event-bus/security"},
		"security is no default bus": {"buses": busHere + ",security"},
		"give 12 digits":             {"managementAccount": "o-a1b2c3d4e5"},
		"has the events already":     {"managementAccount": "444455556666"},
		"within account":             {"stack": forwardIAM},
		"one stack in each account":  {"stack": forwardIAM, "managementAccount": "", "buses": busHere + ",arn:aws:events:eu-west-1:444455556666:event-bus/default"},
		"where the alarm is":         {"alarmTopic": "arn:aws:sns:us-west-2:999988887777:oncall"},
	} {
		context := forwardings(t)[forwardOrganizations]
		for name, value := range change {
			context[name] = value
		}
		if err := build(appWith(t, context)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), usage) {
			t.Errorf("%q: %v", says, err)
		}
	}
	must(t, build(appWith(t, forwardings(t)[forwardIAM])))
}
