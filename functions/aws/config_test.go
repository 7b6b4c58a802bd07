package main

import (
	"log/slog"
	"maps"
	"strings"
	"testing"

	"byokwatch/functions/wiring"
)

const role = "arn:aws:iam::111122223333:role/byokwatch"

// lambdaEnvironment is what Lambda and the deployment set.
func lambdaEnvironment() map[string]string {
	return map[string]string{
		"AWS_REGION":            "us-west-2",
		"AWS_ACCESS_KEY_ID":     "ASIAQWERTYUIOPASDFGH",
		"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS_SESSION_TOKEN":     "token",
		"BYOKWATCH_CONFIG":      "byokwatch.yaml",
		"BYOKWATCH_SELF":        role,
	}
}

func list(vars map[string]string) []string {
	var out []string
	for name, value := range vars {
		out = append(out, name+"="+value)
	}
	return out
}

func TestWhatStopsTheStart(t *testing.T) {
	dummy := map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": ""}
	with := func(sets ...map[string]string) map[string]string {
		out := maps.Clone(lambdaEnvironment())
		for _, set := range sets {
			maps.Copy(out, set)
		}
		return out
	}
	tests := map[string]struct {
		vars map[string]string
		want string // part of the error; empty: starts
	}{
		"Lambda as it is":      {with(), ""},
		"no Region":            {with(map[string]string{"AWS_REGION": ""}), "AWS_REGION"},
		"no credentials":       {with(map[string]string{"AWS_ACCESS_KEY_ID": ""}), "AWS_ACCESS_KEY_ID"},
		"half the credentials": {with(map[string]string{"AWS_SECRET_ACCESS_KEY": ""}), "AWS_SECRET_ACCESS_KEY"},
		"an emulator on loopback, dummy credentials": {with(dummy, map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}), ""},
		"loopback with the role's credentials":       {with(map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}), "AWS_ENDPOINT_URL"},
		"the Runtime API's neighbourhood":            {with(dummy, map[string]string{"AWS_ENDPOINT_URL_KMS": "http://169.254.169.254"}), "AWS_ENDPOINT_URL_KMS"},
		"a private address":                          {with(dummy, map[string]string{"AWS_ENDPOINT_URL_S3": "http://10.0.0.7"}), "AWS_ENDPOINT_URL_S3"},
		"somebody else's host":                       {with(map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://amazonaws.com.evil.example"}), "AWS_ENDPOINT_URL_SECRETS_MANAGER"},
		"AWS in the clear":                           {with(map[string]string{"AWS_ENDPOINT_URL_KMS": "http://kms.us-west-2.amazonaws.com"}), "AWS_ENDPOINT_URL_KMS"},
		"an interface endpoint of AWS":               {with(map[string]string{"AWS_ENDPOINT_URL_KMS": "https://vpce-0295a3caf8414c94a-dfm9tr04.kms.us-west-2.vpce.amazonaws.com"}), ""},
		"endpoints that are to be ignored":           {with(map[string]string{"AWS_ENDPOINT_URL": "https://evil.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}), "AWS_ENDPOINT_URL"},
		"a profile file that nobody reads":           {with(map[string]string{"AWS_CONFIG_FILE": "/dev/null/config", "HOME": "/dev/null"}), ""},
		// What the deployment got wrong is said at each invocation instead.
		"no configuration": {with(map[string]string{"BYOKWATCH_CONFIG": "", "BYOKWATCH_SELF": ""}), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := readEnvironment(list(test.vars))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("does not start: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one about %s", err, test.want)
			}
		})
	}
}

func TestServiceEndpointBeatsTheGeneralOne(t *testing.T) {
	vars := lambdaEnvironment()
	vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"] = "test", "test"
	vars["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
	vars["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:2"
	e, err := readEnvironment(list(vars))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{serviceKMS: "http://127.0.0.1:1", serviceS3: "http://127.0.0.1:2", serviceSecrets: "http://127.0.0.1:1"}
	if !maps.Equal(e.endpoints, want) {
		t.Errorf("endpoints %v, want %v", e.endpoints, want)
	}
}

func TestAccountIsThatOfTheRole(t *testing.T) {
	for self, want := range map[string]string{
		role: "111122223333",
		"arn:aws-us-gov:iam::111122223333:role/service-role/byokwatch": "111122223333",
		"": "",
		"arn:aws:sts::111122223333:assumed-role/byokwatch/x": "",
		"arn:aws:iam::111122223333:user/byokwatch":           "",
		"arn:aws:iam::1111:role/byokwatch":                   "",
		"byokwatch":                                          "",
	} {
		got, err := environment{Deployment: wiring.Deployment{Self: self}}.account()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", self, got, err, want)
		}
	}
}

func TestLogLevel(t *testing.T) {
	for text, want := range map[string]slog.Level{"": slog.LevelInfo, "DEBUG": slog.LevelDebug, "ERROR": slog.LevelError, "TRACE": slog.LevelDebug, "WARN": slog.LevelWarn, "FATAL": slog.LevelError} {
		vars := lambdaEnvironment()
		vars["AWS_LAMBDA_LOG_LEVEL"] = text
		if e, err := readEnvironment(list(vars)); err != nil || e.level != want {
			t.Errorf("%q: %v, %v; want %v", text, e.level, err, want)
		}
	}
}
