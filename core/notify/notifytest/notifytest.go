// Package notifytest is the contract of a channel as a test. Whoever adds a
// channel that posts to a webhook runs it, and has shown that the channel takes
// acceptance for nothing else, keeps its address to itself, stops when told,
// and lets no foreign text be interpreted.
package notifytest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"byokwatch/core/alert"
	"byokwatch/core/alert/alerttest"
	"byokwatch/core/notify"
)

// Notifier is a channel as the loop sees it.
type Notifier interface {
	Name() string
	Wants(a alert.Alert) bool
	Send(ctx context.Context, a alert.Alert) error
}

// Channel is the kind of channel under test.
type Channel struct {
	// New makes one that posts to what resolve returns.
	New func(t *testing.T, resolve func(context.Context) (string, error), c *notify.Client) Notifier
	// Accept answers as the chat does when it takes a message.
	Accept http.HandlerFunc
}

// secret is the part of the address that nobody may ever see.
const secret = "T0SECRET/B0SECRET/zXcVbNmSECRET"

// Run checks a kind of channel.
func Run(t *testing.T, c Channel) {
	t.Helper()
	t.Run("an accepted alert was posted once, as JSON", c.accepts)
	t.Run("whatever is no acceptance is an error that says when to try again", c.refusals)
	t.Run("a redirect is not followed", c.redirect)
	t.Run("an address that can't be reached stays secret", c.unreachable)
	t.Run("an address that can't be had is an error, and nothing is posted", c.unresolved)
	t.Run("cancelling stops a sending that hangs", c.cancelled)
	t.Run("foreign text arrives harmless", c.foreign)
}

// chat is the far end: it keeps what it was sent.
type chat struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func serve(t *testing.T, h http.HandlerFunc) *chat {
	t.Helper()
	s := &chat{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			http.Error(w, "bad request", http.StatusTeapot)
			return
		}
		s.mu.Lock()
		s.bodies = append(s.bodies, string(body))
		s.mu.Unlock()
		h(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // one channel is meant to fail its handshake
	t.Cleanup(s.Close)
	return s
}

func (s *chat) posts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

// connect makes a channel that posts to s.
func (c Channel) connect(t *testing.T, s *chat) Notifier {
	t.Helper()
	return c.to(t, s.URL+"/services/"+secret, notify.ClientOptions{Loopback: true, RootCAs: trusting(s)})
}

func trusting(s *chat) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

func (c Channel) to(t *testing.T, address string, o notify.ClientOptions) Notifier {
	t.Helper()
	n := c.New(t, func(context.Context) (string, error) { return address, nil }, notify.NewClient(o))
	name := n.Name()
	if name == "" || strings.Contains(name, "SECRET") || n.Name() != name {
		t.Fatalf("name %q: must be stable, not empty and hold no secret", name)
	}
	return n
}

func (c Channel) accepts(t *testing.T) {
	s := serve(t, c.Accept)
	n := c.connect(t, s)
	for _, e := range alert.Catalogue {
		if err := n.Send(t.Context(), alerttest.Full(e.Code)); err != nil {
			t.Fatalf("%s: %v", e.Code, err)
		}
	}
	if got := len(s.posts()); got != len(alert.Catalogue) {
		t.Errorf("%d posts for %d alerts", got, len(alert.Catalogue))
	}
}

func (c Channel) refusals(t *testing.T) {
	for name, k := range map[string]struct {
		status         int
		header         [2]string
		body           string
		permanent      bool
		after          time.Duration
		mayHaveArrived bool
	}{
		"invalid payload":         {status: 400, body: "invalid_payload", permanent: true},
		"forbidden":               {status: 403, body: "action_prohibited", permanent: true},
		"gone":                    {status: 404, body: "no_service", permanent: true},
		"archived":                {status: 410, body: "channel_is_archived", permanent: true},
		"an echo of the address":  {status: 404, body: "no such path /services/" + secret, permanent: true},
		"too many":                {status: 429, header: [2]string{"Retry-After", "30"}, after: 30 * time.Second},
		"too many for a day":      {status: 429, header: [2]string{"Retry-After", "86400"}, after: 15 * time.Minute},
		"broken":                  {status: 500, body: "rollup_error", mayHaveArrived: true},
		"overloaded":              {status: 503, header: [2]string{"Retry-After", "7"}, after: 7 * time.Second, mayHaveArrived: true},
		"somebody else's page":    {status: 200, body: "<html>log in</html>", permanent: true, mayHaveArrived: true},
		"accepted but not by us":  {status: 204, permanent: true, mayHaveArrived: true},
		"moved without direction": {status: 302, permanent: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if k.header[0] != "" {
					w.Header().Set(k.header[0], k.header[1])
				}
				w.WriteHeader(k.status)
				if k.body != "" && k.status != 204 {
					io.WriteString(w, k.body)
				}
			})
			u := undelivered(t, c.connect(t, s), t.Context())
			if u.Permanent != k.permanent || u.After != k.after || u.MayHaveArrived != k.mayHaveArrived {
				t.Errorf("got permanent=%t after=%s mayHaveArrived=%t: %v", u.Permanent, u.After, u.MayHaveArrived, u)
			}
		})
	}
}

func (c Channel) redirect(t *testing.T) {
	elsewhere := serve(t, c.Accept)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if u := undelivered(t, c.connect(t, s), t.Context()); !u.Permanent {
		t.Errorf("a redirect is for somebody to correct: %v", u)
	}
	if n := len(elsewhere.posts()); n != 0 {
		t.Errorf("the target of the redirect got %d posts", n)
	}
}

func (c Channel) unreachable(t *testing.T) {
	s := serve(t, c.Accept)
	closed := serve(t, c.Accept)
	closed.Close()
	for name, k := range map[string]struct {
		address string
		o       notify.ClientOptions
	}{
		"loopback without leave":     {s.URL + "/" + secret, notify.ClientOptions{RootCAs: trusting(s)}},
		"metadata service":           {"https://169.254.169.254/" + secret, notify.ClientOptions{Loopback: true}},
		"plain http":                 {"http://hooks.example.com/" + secret, notify.ClientOptions{Loopback: true}},
		"not a URL":                  {"https://" + secret + "\x7f", notify.ClientOptions{}},
		"another scheme":             {"file:///" + secret, notify.ClientOptions{Loopback: true}},
		"a user name":                {"https://user:" + secret + "@hooks.example.com/", notify.ClientOptions{}},
		"a name that does not exist": {"https://" + strings.ToLower("SECRET") + ".invalid/" + secret, notify.ClientOptions{}},
		"an unknown certificate":     {s.URL + "/" + secret, notify.ClientOptions{Loopback: true, RootCAs: x509.NewCertPool()}},
		"nobody listens":             {closed.URL + "/" + secret, notify.ClientOptions{Loopback: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if u := undelivered(t, c.to(t, k.address, k.o), t.Context()); u.MayHaveArrived {
				t.Errorf("nothing left us, yet it may have arrived: %v", u)
			}
		})
	}
	if n := len(s.posts()); n != 0 {
		t.Errorf("%d posts arrived where nothing may be posted", n)
	}
}

func (c Channel) unresolved(t *testing.T) {
	missing := errors.New("the secret is not set")
	n := c.New(t, func(context.Context) (string, error) { return "", missing }, notify.NewClient(notify.ClientOptions{}))
	if u := undelivered(t, n, t.Context()); !errors.Is(u, missing) || u.MayHaveArrived {
		t.Errorf("the cause is lost: %v", u)
	}
}

func (c Channel) cancelled(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	u := undelivered(t, c.connect(t, s), ctx)
	if !errors.Is(u, context.Canceled) || !u.MayHaveArrived {
		t.Errorf("want a cancelled sending that may have arrived, got %v (mayHaveArrived=%t)", u, u.MayHaveArrived)
	}
}

func (c Channel) foreign(t *testing.T) {
	s := serve(t, c.Accept)
	n := c.connect(t, s)
	const text = "<!channel> <@U123> @here http://evil.example www.evil.example [x](https://evil.example) \x1b[2J\u202e\u200b\u2028 ``` *b*"
	for _, e := range alert.Catalogue {
		if err := n.Send(t.Context(), alerttest.Hostile(e.Code, text)); err != nil {
			t.Fatalf("%s: %v", e.Code, err)
		}
	}
	// What Go's JSON writes in the place of markup.
	markup := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	for _, body := range s.posts() {
		body = markup.Replace(body)
		for _, bad := range []string{
			"<!channel", "<@U", "http://evil", "www.evil", "\x1b", `\u001b`, "\u202e", `\u202e`, "\u200b", `\u200b`, "\u2028", `\u2028`,
		} {
			if strings.Contains(body, bad) {
				t.Fatalf("%q arrived in %s", bad, body)
			}
		}
	}
}

// undelivered sends an alert that can't be accepted and checks what every such
// error must be.
func undelivered(t *testing.T, n Notifier, ctx context.Context) *alert.Undelivered {
	t.Helper()
	err := n.Send(ctx, alerttest.Full(alert.Restored))
	var u *alert.Undelivered
	if !errors.As(err, &u) {
		t.Fatalf("want an *alert.Undelivered, got %T: %v", err, err)
	}
	if u.Channel != n.Name() {
		t.Errorf("the error names channel %q, not %q", u.Channel, n.Name())
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if s := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(strings.ToUpper(s), "SECRET") && !strings.Contains(s, "the secret is not set") {
			t.Errorf("the address shows in %s", s)
		}
	}
	return u
}
