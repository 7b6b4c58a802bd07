package notify_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"byokwatch/core/alert"
	"byokwatch/core/notify"
)

func beat(t *testing.T, address string, o notify.ClientOptions) error {
	t.Helper()
	h, err := notify.NewHeartbeat(func(context.Context) (string, error) { return address, nil }, notify.NewClient(o))
	if err != nil {
		t.Fatal(err)
	}
	return h.Beat(t.Context(), notify.Beat{Keys: 12})
}

func TestAHeartbeatSaysHowManyKeys(t *testing.T) {
	status, got := http.StatusNoContent, ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = r.Method + " " + string(b)
		w.WriteHeader(status)
	}))
	defer srv.Close()
	if err := beat(t, srv.URL, notify.ClientOptions{Loopback: true}); err != nil || got != `POST {"keys":12}` {
		t.Errorf("got %q, %v", got, err)
	}
	status = http.StatusNotFound
	var u *alert.Undelivered
	if err := beat(t, srv.URL+"/SECRET", notify.ClientOptions{Loopback: true}); !errors.As(err, &u) || !u.Permanent ||
		strings.Contains(err.Error(), "SECRET") || u.Channel != "heartbeat" {
		t.Errorf("404 is %v", err)
	}
}

// No connection is made to any of these, in whatever notation: the check sits
// below name resolution, where the connection is made.
func TestNoConnectionInward(t *testing.T) {
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.100.1",
		"100.64.0.1", "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1", "203.0.113.1",
		"[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]",
		"[64:ff9b:1::a9fe:a9fe]", "[fd00:ec2::254]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[2002:7f00:1::]", "[2001:0:7f00:1::1]", "[2001:db8::1]",
	} {
		t.Run(host, func(t *testing.T) {
			var refused *notify.AddressError
			if err := beat(t, "https://"+host+":9/x", notify.ClientOptions{}); !errors.As(err, &refused) {
				t.Errorf("not refused as an address: %v", err)
			}
		})
	}
	// With leave, loopback and nothing else.
	var refused *notify.AddressError
	if err := beat(t, "https://[64:ff9b::7f00:1]:9/x", notify.ClientOptions{Loopback: true}); !errors.As(err, &refused) {
		t.Errorf("translated loopback is not loopback: %v", err)
	}
	if err := beat(t, "https://10.0.0.1:9/x", notify.ClientOptions{Loopback: true}); !errors.As(err, &refused) {
		t.Errorf("a private address with leave for loopback: %v", err)
	}
	if err := beat(t, "http://127.0.0.1:9/x", notify.ClientOptions{Loopback: true}); err == nil || errors.As(err, &refused) && refused == nil {
		t.Errorf("nobody listens on port 9, and loopback is allowed: %v", err)
	}
}

func TestTheEnvironmentsProxyIsNotAsked(t *testing.T) {
	asked := false
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = true }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	var refused *notify.AddressError
	if err := beat(t, "https://169.254.169.254/x", notify.ClientOptions{Loopback: true}); !errors.As(err, &refused) || asked {
		t.Errorf("proxy asked: %t, %v", asked, err)
	}
}
