package deploy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/functions/aws/cloudtrail"
)

const (
	account    = "111122223333"
	management = "999988887777" // the organisation's, as the AWS goldens have it
)

// rule is one event rule of a synthesised template.
type rule struct {
	name       string
	pattern    map[string]any // nil for a schedule
	toFunction bool
	counts     bool // in the log group of calls that failed
}

// rules reads them from a template. The pattern of the parameterised one names
// one parameter, which is given here.
func rules(t *testing.T, template string) []rule {
	t.Helper()
	resources := object(t, string(read(t, template)))["Resources"].(map[string]any)
	var out []rule
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		r := resources[id].(map[string]any)
		if r["Type"] != "AWS::Events::Rule" {
			continue
		}
		p := r["Properties"].(map[string]any)
		if state := p["State"]; state != nil && state != "ENABLED" { // enabled unless it says otherwise
			t.Errorf("%s: %s is %v", template, id, state)
		}
		one := rule{name: p["Name"].(string)}
		one.pattern, _ = given(p["EventPattern"], "ManagementAccount", management).(map[string]any)
		for _, target := range p["Targets"].([]any) {
			arn := target.(map[string]any)["Arn"]
			reference, _ := arn.(map[string]any)
			if of, ok := reference["Fn::GetAtt"].([]any); ok {
				one.toFunction = one.toFunction || resources[of[0].(string)].(map[string]any)["Type"] == "AWS::Lambda::Function"
			}
			one.counts = one.counts || strings.Contains(fmt.Sprint(arn), "RefusedLog")
		}
		out = append(out, one)
	}
	return out
}

// given puts a value in the place of a parameter.
func given(v any, parameter, value string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = given(v[i], parameter, value)
		}
	case map[string]any:
		if v["Ref"] == parameter {
			return value
		}
		for name := range v {
			v[name] = given(v[name], parameter, value)
		}
	}
	return v
}

// taking names the rules that take an event and lead to where is wanted.
func taking(t *testing.T, rules []rule, event map[string]any, leads func(rule) bool) []string {
	t.Helper()
	var out []string
	for _, r := range rules {
		if r.pattern == nil || !leads(r) {
			continue
		}
		ok, err := matches(r.pattern, event)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		if ok {
			out = append(out, r.name)
		}
	}
	return out
}

func toFunction(r rule) bool { return r.toFunction }

// happens is an event in the shape that EventBridge hands over; errorCode is
// empty where a call succeeded. Shapes:
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-kms.html and
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func happens(e cloudtrail.Event, key, errorCode string) map[string]any {
	id := key[strings.LastIndexByte(key, '/')+1:]
	event := map[string]any{
		"version": "0", "id": "e", "source": e.Source, "detail-type": e.DetailType, "account": account,
		"time": "2026-03-02T10:15:04Z", "region": "us-west-2", "resources": []any{}, "detail": map[string]any{},
	}
	switch {
	case e.Kind == core.Tick:
		event["resources"] = []any{"arn:aws:events:us-west-2:" + account + ":rule/byokwatch-sweep"}
		return event
	case e.Name == "": // KMS itself, without CloudTrail
		event["resources"], event["detail"] = []any{key}, map[string]any{"key-id": id}
		return event
	}
	detail := map[string]any{
		"eventVersion": "1.11", "eventTime": "2026-03-02T10:15:04Z", "eventSource": strings.TrimPrefix(e.Source, "aws.") + ".amazonaws.com",
		"eventName": e.Name, "awsRegion": "us-west-2", "recipientAccountId": account, "eventType": "AwsApiCall", "readOnly": false,
		"userIdentity":      map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::" + account + ":user/Alice", "accountId": account},
		"requestParameters": map[string]any{"keyId": id}, "resources": []any{map[string]any{"ARN": key, "type": "AWS::KMS::Key"}},
	}
	if e.DetailType == "AWS Service Event via CloudTrail" {
		detail["eventType"], detail["serviceEventDetails"], detail["requestParameters"] = "AwsServiceEvent", map[string]any{"keyId": id}, nil
	}
	if e.Elsewhere { // the organisation's events occur in one Region of its management account
		event["account"], event["region"] = management, "us-east-1"
		detail["awsRegion"], detail["recipientAccountId"], detail["resources"] = "us-east-1", management, nil
		detail["requestParameters"] = map[string]any{"policyId": "p-1"}
	}
	if errorCode != "" {
		detail["errorCode"], detail["errorMessage"] = errorCode, "no"
	}
	event["detail"] = detail
	return event
}

// Both forms of the stack: what the CDK deploys, and the template with
// parameters.
func TestEventsOfAWS(t *testing.T) {
	for _, template := range []string{"aws/testdata/enforce.json", "aws/byokwatch.template.json"} {
		rules := rules(t, template)
		_, keys := deployment(t, core.AWS)
		var rows []row
		for _, e := range cloudtrail.Events {
			name := strings.TrimSuffix(fmt.Sprintf("`%s`, %s, `%s`", e.Source, e.DetailType, e.Name), ", ``")
			event := happens(e, keys[0].ID, "")
			by := taking(t, rules, event, toFunction)
			if e.Kind == core.Tick {
				if len(by) > 0 {
					t.Errorf("%s: what the schedule sends is taken by %v", template, by)
				}
				by = schedules(rules)
			}
			if len(by) != 1 {
				t.Errorf("%s: %s is taken by %d rules: %v", template, name, len(by), by)
				continue
			}
			changes, err := cloudtrail.Decode(encoded(t, event), account, "us-west-2", keys)
			of := decoded(t, name, e.Kind, changes, err)
			if wide := len(changes) == len(keys); wide != e.AllKeys {
				t.Errorf("%s: %d of %d keys", name, len(changes), len(keys))
			}
			filter := "`" + by[0] + "`"
			if e.Elsewhere {
				filter += ", where the management account is given"
			}
			rows = append(rows, row{name, filter, of + map[bool]string{true: ", every key", false: ", the key named"}[e.AllKeys]})

			if e.Name == "" {
				continue // no call, so that none failed
			}
			failed := happens(e, keys[0].ID, "AccessDenied")
			if by := taking(t, rules, failed, toFunction); len(by) > 0 {
				t.Errorf("%s: a failed %s reaches the function by %v", template, e.Name, by)
			}
			counted := taking(t, rules, failed, func(r rule) bool { return r.counts })
			if call := e.DetailType == "AWS API Call via CloudTrail" && !e.Elsewhere; call != slices.Equal(counted, []string{"byokwatch-refused"}) {
				t.Errorf("%s: a failed %s is counted by %v", template, e.Name, counted)
			}
		}
		admitted(t, template, rules)
		strangersOfAWS(t, template, rules, keys[0].ID)
		documented(t, "AWS KMS", "rule", rows)
	}
}

func schedules(rules []rule) []string {
	var out []string
	for _, r := range rules {
		if r.pattern == nil && r.toFunction {
			out = append(out, r.name)
		}
	}
	return out
}

// admitted wants everything that a pattern admits in the decoder's table. A
// pattern that is no plain list of sources, types and names can't be read so,
// and fails.
func admitted(t *testing.T, template string, rules []rule) {
	t.Helper()
	for _, r := range rules {
		if r.pattern == nil || !r.toFunction {
			continue
		}
		names := []string{""}
		if detail, ok := r.pattern["detail"].(map[string]any); ok {
			names = texts(t, r.name, detail["eventName"])
		}
		for _, source := range texts(t, r.name, r.pattern["source"]) {
			for _, kind := range texts(t, r.name, r.pattern["detail-type"]) {
				for _, name := range names {
					if !slices.ContainsFunc(cloudtrail.Events, func(e cloudtrail.Event) bool {
						return e.Source == source && e.DetailType == kind && e.Name == name
					}) {
						t.Errorf("%s: %s takes %s, %s, %q, of which the function makes nothing", template, r.name, source, kind, name)
					}
				}
			}
		}
	}
}

func texts(t *testing.T, name string, list any) []string {
	t.Helper()
	all, _ := list.([]any)
	if len(all) == 0 {
		t.Errorf("%s has a pattern of any source, type or name", name)
	}
	var out []string
	for _, v := range all {
		text, ok := v.(string)
		if !ok {
			t.Errorf("%s has %v in its pattern, which is no plain text", name, v)
		}
		out = append(out, text)
	}
	return out
}

// strangersOfAWS are neighbours of what counts.
func strangersOfAWS(t *testing.T, template string, rules []rule, key string) {
	t.Helper()
	const call = "AWS API Call via CloudTrail"
	for _, e := range []cloudtrail.Event{
		{Source: "aws.kms", DetailType: call, Name: "GetKeyPolicy"},
		{Source: "aws.kms", DetailType: call, Name: "Decrypt"},
		{Source: "aws.kms", DetailType: call, Name: "EnableKeyRotation"},
		{Source: "aws.kms", DetailType: call, Name: "CreateGrant"},
		{Source: "aws.kms", DetailType: "AWS Service Event via CloudTrail", Name: "RotateKey"},
		{Source: "aws.kms", DetailType: "KMS CMK Rotation"},
		{Source: "aws.s3", DetailType: call, Name: "PutKeyPolicy"},
		{Source: "acme.kms", DetailType: call, Name: "PutKeyPolicy"},
		{Source: "aws.organizations", DetailType: call, Name: "AttachPolicy"}, // of this account, which manages nothing
		{Source: "aws.organizations", DetailType: call, Name: "DescribePolicy", Elsewhere: true},
	} {
		if by := taking(t, rules, happens(e, key, ""), toFunction); len(by) > 0 {
			t.Errorf("%s: %+v reaches the function by %v", template, e, by)
		}
	}
}

// TestOrganizationEventsAreForwarded runs what only the management account hears
// through the rules there: each such event once to each watchdog's bus, neither
// what failed nor anything else.
func TestOrganizationEventsAreForwarded(t *testing.T) {
	const template = "aws/testdata/forward-organizations.json"
	forwarding := rules(t, template)
	_, keys := deployment(t, core.AWS)
	every := func(rule) bool { return true }
	forwarded := 0
	for _, e := range cloudtrail.Events {
		want := 0
		if e.Elsewhere {
			want = len(forwarding)
		}
		if e.Kind == core.Tick {
			continue
		}
		if got := taking(t, forwarding, happens(e, keys[0].ID, ""), every); len(got) != want {
			t.Errorf("%s: %s is forwarded by %q, not by %d rules", template, e.Name, got, want)
		}
		if got := taking(t, forwarding, happens(e, keys[0].ID, "AccessDenied"), every); e.Name != "" && len(got) != 0 {
			t.Errorf("%s: %s, which failed, is forwarded by %q", template, e.Name, got)
		}
		forwarded += want
	}
	if len(forwarding) < 2 || forwarded == 0 {
		t.Errorf("%s: %d rules forward %d events", template, len(forwarding), forwarded)
	}
}
