package config_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"byokwatch/core/config"
)

func TestASecretIsNeverPrinted(t *testing.T) {
	const secret = "T0123SECRET"
	text := strings.Replace(base, "${SLACK_WEBHOOK_URL}", "https://hooks.slack.com/services/"+secret, 1)
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Alerts[0].URL
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "channel", c.Alerts[0], "url", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "channel", c.Alerts[0], "url", s)
	enc, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, c.Alerts) + fmt.Sprintf("%+v %#v %s", *c, c.Alerts, c.Alerts[0]) + log.String() + string(enc)
	if strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
		t.Errorf("printed: %s", printed)
	}
	if !strings.Contains(printed, "[secret]") || c.Alerts[0].Name != "slack" {
		t.Errorf("name %q, printed %s", c.Alerts[0].Name, printed)
	}
	v, err := s.Resolve(t.Context(), nil)
	if err != nil || v != "https://hooks.slack.com/services/"+secret {
		t.Errorf("resolved to %q, %v", v, err)
	}
}

func TestAFaultNeverHoldsASecret(t *testing.T) {
	const secret = "T0123SECRET"
	for _, url := range []string{
		"http://hooks.slack.com/" + secret, "https://x/" + secret + "${A}", "'" + secret, "[" + secret + "]", "{" + secret + ": 1}",
		"https://u:" + secret + "@h", secret, "!!str " + secret, "&a " + secret, `"` + secret, `"\q` + secret + `"`, "|\n" + secret, "- " + secret, secret + ": " + secret,
	} {
		text := strings.Replace(base, `{url: "${SLACK_WEBHOOK_URL}"}`, "\n      url: "+url, 1)
		if _, err := config.Parse([]byte(text)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("url: %s: %v", url, err)
		}
	}
}

func TestASecretIsLookedUpByItsReference(t *testing.T) {
	c, err := config.Parse([]byte(base))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Alerts[0].URL
	v, err := s.Resolve(t.Context(), func(_ context.Context, name string) (string, error) { return "value of " + name, nil })
	if err != nil || v != "value of SLACK_WEBHOOK_URL" {
		t.Errorf("%q, %v", v, err)
	}
	_, err = s.Resolve(t.Context(), func(context.Context, string) (string, error) { return "", nil })
	if err == nil || err.Error() != "the secret ${SLACK_WEBHOOK_URL} is empty or not set" {
		t.Errorf("a missing one: %v", err)
	}
	down := errors.New("down")
	if _, err = s.Resolve(t.Context(), func(context.Context, string) (string, error) { return "", down }); !errors.Is(err, down) {
		t.Errorf("a broken lookup: %v", err)
	}
}
