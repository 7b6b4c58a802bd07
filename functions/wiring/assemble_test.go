package wiring_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
	"byokwatch/core/watchdog"
	"byokwatch/functions/wiring"
)

// A key that signs nothing anywhere, and its public half.
const (
	keyFile = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
`
	publicKey = "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
	heldByKMS = "awskms:///arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// nowhere is a cloud that has no key.
type nowhere struct{}

func (nowhere) Read(context.Context, core.Key) (core.Policy, error) { return nil, core.ErrNotFound }
func (nowhere) Apply(context.Context, core.Key, core.Step) error    { return core.ErrDenied }
func unsigned(string) func(context.Context, []byte) ([]byte, error) { return nil }

// never are rules that no test here gets to.
var never = watchdog.Rules{
	Needs: func(core.Key, core.Policy, core.Policy) []core.Requirement { return nil },
	Judge: func(core.Policy, core.Question) core.Judgement { return core.Judgement{} },
	Candidates: func(core.Policy, core.Policy, core.Question, []core.Requirement) ([]core.Candidate, error) {
		return nil, nil
	},
	Guard:    func(core.Policy, core.Policy, core.Candidate, core.Question, bool) error { return core.ErrRejected },
	Trim:     func(p core.Policy, _ core.Question) core.Policy { return p },
	Diff:     func(core.Policy, core.Policy) []core.Difference { return nil },
	Fragment: func(core.Question, []core.Requirement) string { return "" },
	Unlock:   func(core.Policy, core.Question, []core.Requirement) []string { return nil },
}

// parts are those of a function on Google Cloud that knows the secret HOOK.
func parts(log io.Writer, hook string) wiring.Parts {
	return wiring.Parts{
		Cloud:   core.GCP,
		Objects: func(config.Location) (record.Objects, error) { return storetest.NewMemory(time.Now), nil },
		Lookup: func(_ context.Context, name string) (string, error) {
			if name == "HOOK" {
				return hook, nil
			}
			return "", nil
		},
		Dog: watchdog.Config{Cloud: nowhere{}, Rules: never, Log: slog.New(slog.NewTextHandler(log, nil)), Reads: 1},
	}
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestSnapshotsAreSignedWhereTheyCanBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte(keyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key    string
		inKMS  func(string) func(context.Context, []byte) ([]byte, error)
		signed bool
		warn   bool
		want   string // part of the error
	}{
		"no key":                              {},
		"a key file":                          {key: file, signed: true},
		"a key file that is not there":        {key: file + "x", want: "signing.key: "},
		"a key of AWS KMS":                    {key: heldByKMS, inKMS: unsigned, signed: true},
		"a key of AWS KMS, seen from outside": {key: heldByKMS, warn: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := parse(t, plain)
			if test.key != "" {
				cfg.Signing = &config.Signing{Key: strings.Replace(test.key, ":///", "://", 1), PublicKey: publicKey}
			}
			var log bytes.Buffer
			p := parts(&log, "")
			p.InKMS = test.inKMS
			w, err := wiring.Assemble(cfg, p)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
				return
			}
			if err != nil || w.Dog.Store.Signed() != test.signed || strings.Contains(log.String(), "not signed") != test.warn {
				t.Errorf("%v, signed %v, logged %s", err, err == nil && w.Dog.Store.Signed(), log.String())
			}
		})
	}
}

func TestStoreIsOneThatTheFunctionReaches(t *testing.T) {
	cfg := parse(t, plain)
	for store, want := range map[string]string{
		"gs://acme/prod":            "",
		"file://" + t.TempDir():     "",
		"s3://acme/prod":            "can't be reached from Google Cloud: use gs://bucket/prefix",
		"azblob://acmebw/byok/prod": "can't be reached from Google Cloud",
		"gs://":                     "is not the name of a bucket",
	} {
		cfg.Store[core.GCP] = store
		_, err := wiring.Assemble(cfg, parts(io.Discard, ""))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", store, err, want)
		}
	}
}

// The beat follows a sweep that is done, and nothing else; that it can't be sent
// is no reason to sweep again.
func TestHeartbeatFollowsASweep(t *testing.T) {
	var beats int
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { beats++; w.WriteHeader(status) }))
	defer s.Close()
	cfg := parse(t, strings.Replace(plain, "gs://acme-byokwatch/prod", "file://"+t.TempDir(), 1)+"heartbeat: {url: \"${HOOK}\"}\n")
	var log bytes.Buffer
	w, err := wiring.Assemble(cfg, parts(&log, s.URL))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status, beats int
		changes       []core.Change
	}{
		{http.StatusOK, 0, nil},
		{http.StatusOK, 0, []core.Change{{Kind: core.PolicyChange, Key: "another"}}},
		{http.StatusOK, 1, []core.Change{{Kind: core.Tick, Key: "another"}}},
		{http.StatusTeapot, 2, []core.Change{{Kind: core.Tick, Key: "another"}, {Kind: core.Tick, Key: "one more"}}},
	} {
		status = c.status
		if err := w.Handle(t.Context(), "run", "event", c.changes); err != nil || beats != c.beats {
			t.Errorf("%v: %v, %d beats, want %d", c.changes, err, beats, c.beats)
		}
	}
	if n := strings.Count(log.String(), "heartbeat not sent"); n != 1 {
		t.Errorf("told %d times of a heartbeat that was not sent:\n%s", n, log.String())
	}
}

func TestAChannelThatNobodyKnows(t *testing.T) {
	cfg := parse(t, plain)
	cfg.Alerts[0].Kind = "pigeon"
	if _, err := wiring.Assemble(cfg, parts(io.Discard, "")); err == nil || !strings.Contains(err.Error(), "alerts: stdout: ") {
		t.Errorf("%v", err)
	}
}
