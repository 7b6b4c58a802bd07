package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// asHost is the level that the Functions host gives a line of a handler's
// standard error (its WorkerProcess.cs).
func asHost(line string) string {
	folded := strings.ToLower(line)
	switch {
	case strings.Contains(folded, "warn"):
		return "Warning"
	case strings.Contains(folded, "error"), strings.Contains(folded, "fail"), strings.Contains(folded, "severe"):
		return "Error"
	}
	return "Information"
}

func TestTheHostUnderstandsEachLevel(t *testing.T) {
	var out, failures bytes.Buffer
	log := newLogger(&out, &failures, slog.LevelDebug).With("key", "payments")
	ctx := withInvocation(t.Context(), "i/n")
	for level, words := range map[slog.Level]string{
		slog.LevelDebug: "Verbose", slog.LevelInfo: "Information", slog.LevelWarn: "Warning", slog.LevelError: "Error", slog.LevelError + 4: "Error",
	} {
		for _, message := range []string{"done", "a warning, a Warning and WARNINGs", `ä "quoted" \warn`} {
			out.Reset()
			failures.Reset()
			log.WithGroup("g").Log(ctx, level, message, "warnings", "i Warn you")
			line, host := out.String(), "Information"
			if line == "" {
				line = failures.String()
				host = asHost(line)
			}
			if want := strings.Replace(words, "Verbose", "Information", 1); host != want {
				t.Errorf("%s, %q: the host says %s", level, message, host)
			}
			var fields struct {
				Time                        time.Time
				SeverityLevel, Message, Key string
				G                           struct{ Warnings, Invocation string }
			}
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if fields.SeverityLevel != words || fields.Message != message || fields.Key != "payments" || fields.G.Warnings != "i Warn you" || fields.G.Invocation != "i/n" || fields.Time.IsZero() {
				t.Errorf("%s", line)
			}
			if strings.Count(line, "\n") != 1 || (out.Len() > 0) == (failures.Len() > 0) {
				t.Errorf("out %q, failures %q", out.String(), failures.String())
			}
		}
	}
}

func TestLevelsAreKept(t *testing.T) {
	var out, failures bytes.Buffer
	log := newLogger(&out, &failures, slog.LevelError)
	log.Info("x")
	log.Warn("x")
	if out.Len()+failures.Len() != 0 || log.Enabled(t.Context(), slog.LevelWarn) || !log.Enabled(t.Context(), slog.LevelError) {
		t.Errorf("out %q, failures %q", out.String(), failures.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestABrokenPipeIsNoSuccess(t *testing.T) {
	if n, err := (unwarned{broken{}}).Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}
