package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/functions/functiontest"
)

var binary = functiontest.Builder{Name: "handler"}

func TestMain(m *testing.M) { binary.Main(m) }

type binding struct {
	Type      string `json:"type"`
	Name      string `json:"name"`
	Direction string `json:"direction"`
	Schedule  string `json:"schedule"`
}

// The host calls a function by the name of its folder, and hands over what
// triggered it by the name of its binding.
func TestEachFolderIsAFunction(t *testing.T) {
	want := map[string]binding{
		onChange: {Type: "eventGridTrigger", Name: eventBinding, Direction: "in"},
		onTick:   {Type: "timerTrigger", Name: timerBinding, Direction: "in", Schedule: "0 * * * * *"},
	}
	files, err := filepath.Glob("*/function.json")
	must(t, err)
	if len(files) != len(want) {
		t.Errorf("%q, want the functions of the handler", files)
	}
	f := newFunction(slog.New(slog.DiscardHandler), nil)
	for name, trigger := range want {
		var got struct {
			Bindings []binding `json:"bindings"`
		}
		functiontest.ReadJSON(t, filepath.Join(name, "function.json"), &got)
		if !slices.Equal(got.Bindings, []binding{trigger}) {
			t.Errorf("%s: %+v", name, got)
		}
		w := httptest.NewRecorder()
		if f.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+name, nil)); w.Code == http.StatusNotFound {
			t.Errorf("the handler does not know %s", name)
		}
	}
}

func TestHostFile(t *testing.T) {
	var host struct {
		Version         string `json:"version"`
		FunctionTimeout string `json:"functionTimeout"`
		CustomHandler   struct {
			Description struct {
				Path      string   `json:"defaultExecutablePath"`
				Directory string   `json:"workingDirectory"`
				Arguments []string `json:"arguments"`
			} `json:"description"`
			Forward bool `json:"enableForwardingHttpRequest"`
		} `json:"customHandler"`
		Bundle struct {
			ID      string `json:"id"`
			Version string `json:"version"`
		} `json:"extensionBundle"`
		Concurrency struct {
			Dynamic bool `json:"dynamicConcurrencyEnabled"`
			Persist bool `json:"snapshotPersistenceEnabled"`
		} `json:"concurrency"`
		Logging struct {
			Level    map[string]string `json:"logLevel"`
			Insights struct {
				Sampling struct {
					On       bool   `json:"isEnabled"`
					Excluded string `json:"excludedTypes"`
				} `json:"samplingSettings"`
			} `json:"applicationInsights"`
		} `json:"logging"`
	}
	functiontest.ReadJSON(t, "host.json", &host) // strict, so a retry would be an unknown member
	timeout, err := time.Parse(time.TimeOnly, host.FunctionTimeout)
	if err != nil || timeout.Sub(timeout.Truncate(24*time.Hour)) <= maxSweep {
		t.Errorf("functionTimeout %s is not longer than a sweep, %s; %v", host.FunctionTimeout, maxSweep, err)
	}
	for what, ok := range map[string]bool{
		"version":                            host.Version == "2.0",
		"the handler":                        host.CustomHandler.Description.Path == "handler" && host.CustomHandler.Description.Directory == "" && !host.CustomHandler.Forward,
		"the bundle":                         host.Bundle.ID == "Microsoft.Azure.Functions.ExtensionBundle" && host.Bundle.Version == "[4.*, 5.0.0)",
		"what metrics are made of":           host.Logging.Level["Host.Function.Console"] == "Information" && strings.Contains(host.Logging.Insights.Sampling.Excluded, "Trace"),
		"failures":                           strings.Contains(host.Logging.Insights.Sampling.Excluded, "Exception") && strings.Contains(host.Logging.Insights.Sampling.Excluded, "Request"),
		"concurrency that nobody has chosen": !host.Concurrency.Dynamic && !host.Concurrency.Persist,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, host)
		}
	}
}

// What the host reads is shipped beside the handler.
func TestHostFilesAreShipped(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	must(t, err)
	list := ""
	for line := range strings.Lines(string(makefile)) {
		if rest, ok := strings.CutPrefix(line, "HOST_AZURE := "); ok {
			list = strings.TrimSpace(rest)
		}
	}
	want, err := filepath.Glob("*/function.json")
	must(t, err)
	want = append(want, "host.json")
	got := strings.Fields(list)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q are shipped, want %q", got, want)
	}
}

// The size that the platform has to load at a cold start: about that of the other
// clouds' functions.
func TestTheHandlerIsSmall(t *testing.T) {
	if mb := functiontest.Megabytes(t, binary.Build(t, ".")); mb > 20 {
		t.Errorf("%.1f MB", mb)
	}
}
