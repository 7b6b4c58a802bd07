package main

import (
	"log/slog"
	"maps"
	"strings"
	"testing"
)

const self = "cccc3333-0000-4000-8000-000000000003"

// functionApp is what the Functions host and the deployment set.
func functionApp(sets ...map[string]string) []string {
	vars := map[string]string{portName: "41234", "BYOKWATCH_CONFIG": "byokwatch.yaml", "BYOKWATCH_SELF": self}
	for _, set := range sets {
		maps.Copy(vars, set)
	}
	var out []string
	for name, value := range vars {
		out = append(out, name+"="+value)
	}
	return out
}

func TestWhatStopsTheStart(t *testing.T) {
	type m = map[string]string
	const management, vaults, blobs = "BYOKWATCH_MANAGEMENT_ENDPOINT", "BYOKWATCH_KEYVAULT_ENDPOINT", "BYOKWATCH_BLOB_ENDPOINT"
	tests := map[string]struct {
		vars m
		want string // part of the error; empty: starts
	}{
		"a function app as it is": {m{"IDENTITY_ENDPOINT": "http://169.254.129.2:8081/msi/token", "IDENTITY_HEADER": "x"}, ""},
		"no port":                 {m{portName: ""}, portName},
		"a port that is none":     {m{portName: "http"}, portName},
		"port 0":                  {m{portName: "0"}, portName},
		"a port too high":         {m{portName: "70000"}, portName},
		"emulators on loopback":   {m{management: "http://127.0.0.1:1", vaults: "http://127.0.0.1:1", blobs: "http://127.0.0.1:2/acmebw"}, ""},
		"an emulator elsewhere":   {m{management: "http://10.0.0.7:1"}, management},
		"an emulator of vaults beside the real management":          {m{vaults: "http://127.0.0.1:1"}, vaults},
		"an emulator of vaults beside that of another cloud":        {m{vaults: "http://127.0.0.1:1", management: "https://management.chinacloudapi.cn"}, vaults},
		"an emulator beside a real identity":                        {m{management: "http://127.0.0.1:1", "IDENTITY_ENDPOINT": "http://127.0.0.1:2"}, management},
		"Azure of the US government":                                {m{management: "https://management.usgovcloudapi.net"}, ""},
		"somebody else's host":                                      {m{blobs: "https://acmebw.blob.core.windows.net.evil.example"}, blobs},
		"somebody else who makes tokens":                            {m{"AZURE_AUTHORITY_HOST": "https://login.evil.example"}, "AZURE_AUTHORITY_HOST"},
		"no configuration and no self, which each invocation tells": {m{"BYOKWATCH_CONFIG": "", "BYOKWATCH_SELF": ""}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := readEnvironment(functionApp(test.vars))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestSelfIsAnObjectID(t *testing.T) {
	for name, test := range map[string]struct {
		self, client, want string
	}{
		"an object ID":                     {self, "", ""},
		"an object ID in capitals":         {strings.ToUpper(self), "", ""},
		"with a client ID":                 {self, strings.ToUpper(self), ""},
		"nothing":                          {"", "", "BYOKWATCH_SELF"},
		"a name":                           {"byokwatch", "", "BYOKWATCH_SELF"},
		"a resource ID":                    {"/subscriptions/x", "", "BYOKWATCH_SELF"},
		"something after it":               {self + "\n", "", "BYOKWATCH_SELF"},
		"a client ID that is another name": {self, "byokwatch", "AZURE_CLIENT_ID"},
	} {
		e, err := readEnvironment(functionApp(map[string]string{"BYOKWATCH_SELF": test.self, "AZURE_CLIENT_ID": test.client}))
		if err != nil {
			t.Fatal(err)
		}
		err = e.checkSelf()
		if test.want == "" && (err != nil || e.Self != self) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q; self %q", name, err, test.want, e.Self)
		}
	}
}

func TestLogLevel(t *testing.T) {
	for text, want := range map[string]slog.Level{"": slog.LevelInfo, "debug": slog.LevelDebug, "ERROR": slog.LevelError, "WARNING": slog.LevelWarn, "x": slog.LevelInfo} {
		if e, err := readEnvironment(functionApp(map[string]string{"BYOKWATCH_LOG_LEVEL": text})); err != nil || e.level != want {
			t.Errorf("%q: %v, %v; want %v", text, e.level, err, want)
		}
	}
}

// The platform hands over a reference that it could not resolve as if it were the
// secret.
func TestSecretsAreWhatTheyReferTo(t *testing.T) {
	for value, want := range map[string]bool{
		"https://hooks.slack.com/x": true, "": true,
		"@Microsoft.KeyVault(SecretUri=https://acme.vault.azure.net/secrets/slack/)": false, " @microsoft.keyvault(VaultName=acme;SecretName=slack)": false,
	} {
		t.Setenv("SLACK_WEBHOOK_URL", value)
		got, err := secretVariable("SLACK_WEBHOOK_URL")
		if (err == nil) != want || want && got != value || !want && got != "" {
			t.Errorf("%q: %q, %v", value, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "acme") {
			t.Errorf("the error tells the value: %v", err)
		}
	}
}
