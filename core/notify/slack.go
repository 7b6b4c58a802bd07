package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/slack-go/slack"

	"byokwatch/core/alert"
)

// SlackConfig is what a Slack channel needs; all but Filter is required.
type SlackConfig struct {
	// Name identifies the channel in the record: the name of the secret, say,
	// never its value, and no position in a list, so that it survives edits of
	// the configuration.
	Name string
	// Resolve returns the incoming webhook's address, for each sending anew.
	Resolve func(context.Context) (string, error)
	Client  *Client
	Filter  Filter
}

// Slack posts to an incoming webhook
// (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
type Slack struct{ c SlackConfig }

// NewSlack returns a channel that posts to Slack, or to a chat that takes
// Slack's webhooks.
func NewSlack(c SlackConfig) (*Slack, error) {
	if c.Name == "" || c.Resolve == nil || c.Client == nil {
		return nil, errors.New("slack channel: needs a name, an address and a client")
	}
	return &Slack{c}, c.Filter.Check()
}

// Name identifies the channel in the record.
func (s *Slack) Name() string { return s.c.Name }

// Wants says whether the filter lets a pass.
func (s *Slack) Wants(a alert.Alert) bool { return s.c.Filter.Wants(a) }

// Send posts one alert. Accepted is status 200 with the body "ok"; anything
// else is an *alert.Undelivered. Slack answers a message whose layout it does
// not like with status 400
// (https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks);
// that one is sent again as plain text, because an ugly alert is still told.
func (s *Slack) Send(ctx context.Context, a alert.Alert) error {
	m := alert.Render(a)
	body, err := encode(envelope{Text: escape(m.Title), Blocks: &slack.Blocks{BlockSet: layout(m)}})
	if err != nil {
		return s.failed(&alert.Undelivered{Why: "the message can't be encoded", Permanent: true, Err: err})
	}
	got, u := send(ctx, s.c.Resolve, s.c.Client, body)
	if u == nil && got.status == http.StatusBadRequest {
		if body, err = encode(envelope{Text: plain(m)}); err == nil {
			got, u = send(ctx, s.c.Resolve, s.c.Client, body)
		}
	}
	if u != nil {
		return s.failed(u)
	}
	if got.status != http.StatusOK || strings.TrimSpace(got.body) != "ok" {
		return s.failed(refusal(got))
	}
	return nil
}

func (s *Slack) failed(u *alert.Undelivered) error {
	u.Channel = s.c.Name
	return u
}

// envelope is the webhook's JSON. Parse "none" and LinkNames false keep Slack
// from making links and mentions of plain text
// (https://docs.slack.dev/reference/methods/chat.postMessage).
type envelope struct {
	// Text is the notification, and the message where there are no blocks.
	Text        string        `json:"text"`
	Blocks      *slack.Blocks `json:"blocks,omitempty"`
	Parse       string        `json:"parse"`
	LinkNames   bool          `json:"link_names"`
	UnfurlLinks bool          `json:"unfurl_links"`
	UnfurlMedia bool          `json:"unfurl_media"`
}

func encode(e envelope) ([]byte, error) {
	e.Parse = "none"
	return json.Marshal(e)
}

// escape makes a text that Slack parses literal: with these three escaped it
// holds no mention and no link
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// maxPlain is where Slack splits a text into two messages.
const maxPlain = 3800

// plain is the whole message as one code block, the diff left out.
func plain(m alert.Message) string {
	m.Diff = nil
	text := []rune(strings.ReplaceAll(escape(m.Text()), "`", "'"))
	if len(text) > maxPlain {
		text = append(text[:maxPlain], '…')
	}
	return "```\n" + string(text) + "\n```"
}
