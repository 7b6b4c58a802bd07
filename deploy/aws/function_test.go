package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestBothFunctionsRunTheSamePackage(t *testing.T) {
	o := options(t)
	o.EventConcurrency, o.SweepConcurrency = 7, 3
	tmpl := synth(t, fixture(t), o)
	if got := slices.Sorted(maps.Keys(tmpl.of("AWS::Lambda::Function"))); !slices.Equal(got, []string{"Events", "Sweep"}) {
		t.Fatalf("functions %v", got)
	}
	for id, want := range map[string]struct {
		name        string
		concurrency float64
	}{"Events": {"byokwatch", 7}, "Sweep": {"byokwatch-sweep", 3}} {
		f := tmpl.Resources[id].Properties
		for what, ok := range map[string]bool{
			"its name":                   f["FunctionName"] == want.name,
			"arm64":                      slices.Equal(texts(f["Architectures"]), []string{"arm64"}),
			"the runtime":                f["Runtime"] == "provided.al2023" && f["Handler"] == "bootstrap",
			"at most 5 minutes":          f["Timeout"] == 300.0,
			"memory":                     f["MemorySize"] == 256.0,
			"concurrency of its own":     f["ReservedConcurrentExecutions"] == want.concurrency,
			"the package":                strings.HasSuffix(get(f, "Code", "S3Key").(string), ".zip") && get(f, "Code", "S3Key") == get(tmpl.Resources["Events"].Properties, "Code", "S3Key"),
			"the role":                   get(f, "Role", "Fn::GetAtt", 0) == "Role",
			"its configuration":          get(f, "Environment", "Variables", "BYOKWATCH_CONFIG") == "byokwatch.yaml",
			"who it is":                  get(f, "Environment", "Variables", "BYOKWATCH_SELF", "Fn::GetAtt", 0) == "Role",
			"the store's Region":         get(f, "Environment", "Variables", "BYOKWATCH_STORE_REGION") == "us-west-2",
			"nothing else in plain text": len(get(f, "Environment", "Variables").(map[string]any)) == 3,
			"JSON logs":                  get(f, "LoggingConfig", "LogFormat") == "JSON" && get(f, "LoggingConfig", "ApplicationLogLevel") == "INFO",
			"its log group, made before": get(f, "LoggingConfig", "LogGroup") == "/byokwatch/function" && slices.Contains(texts(tmpl.Resources[id].DependsOn), "FunctionLog"),
		} {
			if !ok {
				t.Errorf("%s lacks: %s", id, what)
			}
		}
	}
}

func TestWhatFailsIsTriedAgainAndKept(t *testing.T) {
	tmpl := synth(t, fixture(t), options(t))
	events, sweep := tmpl.Resources["EventsInvoke"].Properties, tmpl.Resources["SweepInvoke"].Properties
	if events["MaximumRetryAttempts"] != 2.0 || events["MaximumEventAgeInSeconds"] != 21600.0 || get(events, "FunctionName", "Ref") != "Events" ||
		get(events, "DestinationConfig", "OnFailure", "Destination", "Fn::GetAtt", 0) != "FailedQueue" {
		t.Errorf("events: %v", events)
	}
	if sweep["MaximumRetryAttempts"] != 0.0 || sweep["MaximumEventAgeInSeconds"] != 60.0 || get(sweep, "FunctionName", "Ref") != "Sweep" {
		t.Errorf("the sweep: %v", sweep)
	}
}

func TestQueuesAreEncryptedAndClosed(t *testing.T) {
	tmpl := synth(t, fixture(t), options(t))
	queues := tmpl.of("AWS::SQS::Queue")
	if len(queues) != 2 {
		t.Errorf("%d queues", len(queues))
	}
	for id, q := range queues {
		if q["SqsManagedSseEnabled"] != true || q["KmsMasterKeyId"] != nil || q["MessageRetentionPeriod"] != 1209600.0 {
			t.Errorf("%s: %v", id, q)
		}
		policy := tmpl.Resources[id+"Policy"].Properties
		statements := get(policy, "PolicyDocument", "Statement").([]any)
		last := statements[len(statements)-1]
		if get(policy, "Queues", 0, "Ref") != id || get(last, "Effect") != "Deny" || get(last, "Principal") != "*" || get(last, "Condition", "Bool", "aws:SecureTransport") != "false" {
			t.Errorf("%s is open without TLS: %v", id, policy)
		}
		for _, s := range statements[:len(statements)-1] {
			if get(s, "Principal", "Service") != "events.amazonaws.com" || get(s, "Condition", "ArnEquals", "aws:SourceArn") == nil || get(s, "Condition", "StringEquals", "aws:SourceAccount") != "111122223333" {
				t.Errorf("%s takes from others: %v", id, s)
			}
		}
	}
}
