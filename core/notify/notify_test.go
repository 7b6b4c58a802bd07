package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/alert/alerttest"
	"byokwatch/core/notify"
	"byokwatch/core/notify/notifytest"
	"byokwatch/core/watchdog"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	_ watchdog.Notifier = (*notify.Slack)(nil)
	_ watchdog.Notifier = (*notify.Stdout)(nil)
)

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

func newSlack(t *testing.T, resolve func(context.Context) (string, error), c *notify.Client) notifytest.Notifier {
	t.Helper()
	s, err := notify.NewSlack(notify.SlackConfig{Name: "slack:SLACK_WEBHOOK_URL", Resolve: resolve, Client: c})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSlackIsAChannel(t *testing.T) {
	notifytest.Run(t, notifytest.Channel{New: newSlack, Accept: ok})
}

// posted returns what Slack gets for an alert.
func posted(t *testing.T, a alert.Alert, answers ...http.HandlerFunc) [][]byte {
	t.Helper()
	var got [][]byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, body)
		if n := len(got) - 1; n < len(answers) {
			answers[n](w, r)
			return
		}
		ok(w, r)
	}))
	defer srv.Close()
	s := newSlack(t, func(context.Context) (string, error) { return srv.URL, nil }, notify.NewClient(notify.ClientOptions{Loopback: true}))
	if err := s.Send(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSlackMessagesAreTheirGoldenFiles(t *testing.T) {
	for _, e := range alert.Catalogue {
		t.Run(string(e.Code), func(t *testing.T) {
			var b bytes.Buffer
			if err := json.Indent(&b, posted(t, alerttest.Full(e.Code))[0], "", " "); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join("testdata", "slack", string(e.Code)+".json")
			if *update {
				if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Errorf("message changed; if that is meant, run with -update (-want +got):\n%s", d)
			}
		})
	}
}

// message is Slack's side of the format, written from its documentation.
type message struct {
	Text        string `json:"text"`
	Parse       string `json:"parse"`
	LinkNames   *bool  `json:"link_names"`
	UnfurlLinks *bool  `json:"unfurl_links"`
	UnfurlMedia *bool  `json:"unfurl_media"`
	Blocks      []struct {
		Type string `json:"type"`
		Text *struct {
			Type  string `json:"type"`
			Text  string `json:"text"`
			Emoji *bool  `json:"emoji"`
		} `json:"text"`
		Elements []struct {
			Type     string `json:"type"`
			Border   int    `json:"border"`
			Elements []struct {
				Type  string          `json:"type"`
				Text  string          `json:"text"`
				Style map[string]bool `json:"style"`
			} `json:"elements"`
		} `json:"elements"`
	} `json:"blocks"`
}

func read(t *testing.T, body []byte) message {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var m message
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}

// checkSlack holds a message against Slack's limits, and every foreign text
// against the elements it may stand in.
func checkSlack(t *testing.T, body []byte, foreign string) {
	t.Helper()
	m := read(t, body)
	off := func(b *bool) bool { return b != nil && !*b }
	if m.Parse != "none" || !off(m.LinkNames) || !off(m.UnfurlLinks) || !off(m.UnfurlMedia) {
		t.Errorf("links, mentions or previews are not off: %s", body)
	}
	if m.Text == "" || len(m.Blocks) == 0 || len(m.Blocks) > 50 || utf8.RuneCount(body) > 12000 {
		t.Errorf("%d blocks, %d characters, text %q", len(m.Blocks), utf8.RuneCount(body), m.Text)
	}
	for _, b := range m.Blocks {
		switch b.Type {
		case "header":
			if b.Text == nil || b.Text.Type != "plain_text" || !off(b.Text.Emoji) || utf8.RuneCountInString(b.Text.Text) > 150 {
				t.Errorf("header: %+v", b.Text)
			}
		case "rich_text":
			length := 0
			for _, e := range b.Elements {
				if e.Type != "rich_text_section" && e.Type != "rich_text_preformatted" {
					t.Errorf("rich text element %q", e.Type)
				}
				for _, s := range e.Elements {
					length += utf8.RuneCountInString(s.Text)
					if s.Type != "text" || s.Text == "" {
						t.Errorf("element %+v", s)
					}
					if foreign != "" && strings.Contains(s.Text, foreign) && e.Type == "rich_text_section" && !s.Style["code"] {
						t.Errorf("foreign text outside a literal: %+v", s)
					}
				}
			}
			if length == 0 || length > 3000 {
				t.Errorf("a block of %d characters", length)
			}
		default:
			t.Errorf("block of type %q: only header and rich_text hold foreign text safely", b.Type)
		}
	}
}

func TestSlackLimitsHoldWhateverTheFacts(t *testing.T) {
	const marker = "Zq7Zq"
	for name, text := range map[string]string{
		"short": marker + " x", "long": marker + strings.Repeat(" long", 1000), "escaped": marker + " " + strings.Repeat("\u200b", 1000),
		"quotes": marker + strings.Repeat(`"\<&>`, 500), "wide": marker + " " + strings.Repeat("漢", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range alert.Catalogue {
				a := alerttest.Hostile(e.Code, text)
				a.Facts.Commands = []string{"echo 1", strings.Repeat("x", 2000), strings.Repeat("y", 2000), strings.Repeat("z", 40000)}
				a.Facts.Fragment = strings.Repeat("{}\n", 900)
				for i := range 150 {
					a.Facts.Done = append(a.Facts.Done, core.Difference{Change: core.Admits, Text: strings.Repeat("d", i)})
				}
				checkSlack(t, posted(t, a)[0], marker)
				a.Facts = alert.Facts{}
				checkSlack(t, posted(t, a)[0], "")
			}
		})
	}
}

func TestSlackSavesSpaceFromTheEnd(t *testing.T) {
	a := alerttest.Full(alert.LockedOut)
	for i := range 300 {
		a.Facts.Done = append(a.Facts.Done, core.Difference{Change: core.Other, Text: "difference " + strings.Repeat("d", i%40)})
	}
	body := string(posted(t, a)[0])
	for _, want := range []string{"aws kms get-key-policy", `\"Effect\": \"Allow\"`, "according to the event", "byokwatch revoke payments", "runbook", "… "} {
		if !strings.Contains(body, want) {
			t.Errorf("%q had to give way to the diff", want)
		}
	}
	a.Facts.Commands = []string{"aws kms put-key-policy --policy '" + strings.Repeat("p", 5000) + "'"}
	body = string(posted(t, a)[0])
	if strings.Contains(body, "aws kms put-key-policy") || !strings.Contains(body, "characters, too long for Slack") {
		t.Errorf("half a command, or none and no word of it: %s", body)
	}
}

func TestSlackThatDislikesTheLayoutGetsPlainText(t *testing.T) {
	a := alerttest.Full(alert.Restored)
	a.Facts.Detail, a.Facts.Who.Actor.Name = "x", "<!channel> ```*x*"
	got := posted(t, a, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "invalid_blocks", http.StatusBadRequest)
	})
	if len(got) != 2 {
		t.Fatalf("%d posts", len(got))
	}
	m := read(t, got[1])
	if len(m.Blocks) != 0 || !strings.Contains(m.Text, "RESTORED · payments") || !strings.Contains(m.Text, "byokwatch revoke payments") {
		t.Errorf("not the whole message: %s", got[1])
	}
	if strings.Count(m.Text, "```") != 2 || strings.ContainsAny(m.Text, "<>") {
		t.Errorf("not one code block: %s", m.Text)
	}
}

func TestSlackNeedsItsParts(t *testing.T) {
	resolve := func(context.Context) (string, error) { return "", nil }
	c := notify.NewClient(notify.ClientOptions{})
	for name, k := range map[string]notify.SlackConfig{
		"no name": {Resolve: resolve, Client: c}, "no address": {Name: "s", Client: c}, "no client": {Name: "s", Resolve: resolve},
		"a broken pattern": {Name: "s", Resolve: resolve, Client: c, Filter: notify.Filter{Keys: []string{"[a"}}},
	} {
		if _, err := notify.NewSlack(k); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestAFilterLetsThroughWhatItsChannelWants(t *testing.T) {
	keyless := alert.Alert{Code: alert.EventUnreadable}
	several := alert.Alert{Code: alert.FirstSnapshot, Facts: alert.Facts{Keys: []string{"clicks", "payments"}}}
	for name, c := range map[string]struct {
		filter notify.Filter
		alert  alert.Alert
		want   bool
	}{
		"everything but the log by default":  {notify.Filter{}, alerttest.Full(alert.FirstSnapshot), true},
		"the log is not for a chat":          {notify.Filter{}, alerttest.Full(alert.Promoted), false},
		"the log where it is asked for":      {notify.Filter{Logs: true}, alerttest.Full(alert.Promoted), true},
		"as severe as the minimum":           {notify.Filter{Min: alert.Warning}, alerttest.Full(alert.Restored), true},
		"less severe":                        {notify.Filter{Min: alert.Critical}, alerttest.Full(alert.Restored), false},
		"more severe":                        {notify.Filter{Min: alert.Warning}, alerttest.Full(alert.LockedOut), true},
		"an unknown code is critical":        {notify.Filter{Min: alert.Critical}, alert.Alert{Code: "new"}, true},
		"a label that matches":               {notify.Filter{Keys: []string{"ord*", "pay*"}}, alerttest.Full(alert.Restored), true},
		"an ID that matches across slashes":  {notify.Filter{Keys: []string{"arn:aws:kms:us-west-2:*"}}, alerttest.Full(alert.Restored), true},
		"another key's":                      {notify.Filter{Keys: []string{"ord*"}}, alerttest.Full(alert.Restored), false},
		"no key at all concerns everybody":   {notify.Filter{Keys: []string{"ord*"}}, keyless, true},
		"one of several keys":                {notify.Filter{Keys: []string{"pay*"}}, several, true},
		"none of several keys":               {notify.Filter{Keys: []string{"ord*"}}, several, false},
		"a minimum that nobody knows is low": {notify.Filter{Min: "loud"}, alerttest.Full(alert.FirstSnapshot), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.filter.Wants(c.alert); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestStdoutWritesOneBlockPerAlert(t *testing.T) {
	var b strings.Builder
	s, err := notify.NewStdout(&b, notify.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	a := alerttest.Full(alert.Restored)
	if err := s.Send(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if want := alert.Render(a).Text() + "\n"; b.String() != want || s.Name() != "stdout" {
		t.Errorf("got %s", b.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Send(ctx, a); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled, got %v", err)
	}
	broken, err := notify.NewStdout(brokenWriter{}, notify.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var u *alert.Undelivered
	if err := broken.Send(t.Context(), a); !errors.As(err, &u) || u.MayHaveArrived {
		t.Errorf("a failed write was accepted: %v", err)
	}
}
