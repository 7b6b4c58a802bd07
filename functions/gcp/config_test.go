package main

import (
	"io/fs"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"byokwatch/functions/wiring"
)

// cloudRun is what Cloud Run and the deployment set.
func cloudRun(sets ...map[string]string) []string {
	vars := map[string]string{"PORT": "8080", "K_SERVICE": "byokwatch", "BYOKWATCH_CONFIG": "byokwatch.yaml", "BYOKWATCH_SELF": self}
	for _, set := range sets {
		maps.Copy(vars, set)
	}
	var out []string
	for name, value := range vars {
		out = append(out, name+"="+value)
	}
	return out
}

func noFile(string) ([]byte, error) { return nil, fs.ErrNotExist }

func TestWhatStopsTheStart(t *testing.T) {
	type m = map[string]string
	tests := map[string]struct {
		vars m
		want string // part of the error; empty: starts
	}{
		"Cloud Run as it is":         {m{}, ""},
		"no port is the usual one":   {m{"PORT": ""}, ""},
		"a port that is none":        {m{"PORT": "http"}, "PORT"},
		"port 0":                     {m{"PORT": "0"}, "PORT"},
		"a port too high":            {m{"PORT": "70000"}, "PORT"},
		"an emulator on loopback":    {m{"BYOKWATCH_CLOUDKMS_ENDPOINT": "http://127.0.0.1:8085"}, ""},
		"an emulator elsewhere":      {m{"BYOKWATCH_CLOUDKMS_ENDPOINT": "http://10.0.0.7:8085"}, "BYOKWATCH_CLOUDKMS_ENDPOINT"},
		"storage elsewhere":          {m{"STORAGE_EMULATOR_HOST": "10.0.0.7:80"}, "STORAGE_EMULATOR_HOST"},
		"somebody else's host":       {m{"BYOKWATCH_IAM_ENDPOINT": "https://iam.googleapis.com.evil.example"}, "BYOKWATCH_IAM_ENDPOINT"},
		"another universe":           {m{"GOOGLE_CLOUD_UNIVERSE_DOMAIN": "evil.example"}, "GOOGLE_CLOUD_UNIVERSE_DOMAIN"},
		"secrets that are mounted":   {m{"BYOKWATCH_SECRETS": "/secrets"}, ""},
		"secrets nobody knows where": {m{"BYOKWATCH_SECRETS": "secrets"}, "BYOKWATCH_SECRETS"},
		"no configuration, no self, which each invocation says": {m{"BYOKWATCH_CONFIG": "", "BYOKWATCH_SELF": ""}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := readEnvironment(cloudRun(test.vars), noFile)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestWhoMayConnect(t *testing.T) {
	for name, test := range map[string]struct {
		vars map[string]string
		host string
	}{
		"on Cloud Run, which checks callers": {map[string]string{}, ""},
		"on Cloud Run's local stand-in":      {map[string]string{"LOCAL_ONLY": "true"}, "127.0.0.1"},
		"anywhere else":                      {map[string]string{"K_SERVICE": ""}, "127.0.0.1"},
	} {
		e, err := readEnvironment(cloudRun(test.vars), noFile)
		if err != nil || e.host != test.host {
			t.Errorf("%s: %q, %v; want %q", name, e.host, err, test.host)
		}
	}
}

func TestOwnSettingBeatsTheLibrarys(t *testing.T) {
	e, err := readEnvironment(cloudRun(map[string]string{"STORAGE_EMULATOR_HOST": "127.0.0.1:1"}), noFile)
	if err != nil || e.endpoints[serviceStorage] != "http://127.0.0.1:1" || e.endpoints[serviceKMS] != "" {
		t.Errorf("%v, %v", e.endpoints, err)
	}
	e, err = readEnvironment(cloudRun(map[string]string{"STORAGE_EMULATOR_HOST": "127.0.0.1:1", "BYOKWATCH_STORAGE_ENDPOINT": "http://127.0.0.1:2/storage/v1/"}), noFile)
	if err != nil || e.endpoints[serviceStorage] != "http://127.0.0.1:2/storage/v1/" {
		t.Errorf("%v, %v", e.endpoints, err)
	}
	for at, want := range map[string]string{
		"http://127.0.0.1:1": "http://127.0.0.1:1/storage/v1/", "https://storage.googleapis.com/": "https://storage.googleapis.com/storage/v1/",
		"http://127.0.0.1:1/storage/v1/": "http://127.0.0.1:1/storage/v1/",
	} {
		if got := base(serviceStorage, at); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
		if got := base(serviceKMS, at); got != at {
			t.Errorf("%s for Cloud KMS: %s", at, got)
		}
	}
}

func TestSelfIsAServiceAccount(t *testing.T) {
	for address, want := range map[string]bool{
		self: true, "123456789012-compute@developer.gserviceaccount.com": true, "acme-prod@appspot.gserviceaccount.com": true,
		"byokwatch@proj.acme.example.iam.gserviceaccount.com": true,
		"": false, "jane@acme.example": false, watcher: false, "x@evil.example/iam.gserviceaccount.com": false, self + "\n": false,
	} {
		if err := (environment{Deployment: wiring.Deployment{Self: address}}).checkSelf(); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestLogLevel(t *testing.T) {
	for text, want := range map[string]slog.Level{"": slog.LevelInfo, "debug": slog.LevelDebug, "ERROR": slog.LevelError, "WARNING": slog.LevelWarn, "x": slog.LevelInfo} {
		if e, err := readEnvironment(cloudRun(map[string]string{"BYOKWATCH_LOG_LEVEL": text}), noFile); err != nil || e.level != want {
			t.Errorf("%q: %v, %v; want %v", text, e.level, err, want)
		}
	}
}
