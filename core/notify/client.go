package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"byokwatch/core/alert"
)

const (
	dialTimeout = 4 * time.Second
	sendTimeout = 10 * time.Second
	// maxAnswer bounds what is read of an answer; channels say "ok".
	maxAnswer = 4 << 10
)

// ClientOptions says what a Client may reach beyond public https.
type ClientOptions struct {
	// Loopback also allows loopback addresses, by http too: for a local stack,
	// whose store is a directory.
	Loopback bool
	// RootCAs replaces the system's roots; nil is the system's.
	RootCAs *x509.CertPool
}

// Client sends to addresses that are secrets. It is safe for concurrent use.
type Client struct {
	http     *http.Client
	loopback bool
}

// NewClient returns a client that speaks https to public addresses only,
// follows no redirect and uses no proxy, whatever the environment says.
func NewClient(o ClientOptions) *Client {
	dialer := &net.Dialer{
		Timeout: dialTimeout,
		// Checked here, on the address that is really connected to, because a
		// name may resolve to one address when checked and another when used.
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || (network != "tcp4" && network != "tcp6") {
				return &AddressError{"not an IP address"}
			}
			return checkAddress(to.Addr(), o.Loopback)
		},
	}
	return &Client{
		loopback: o.Loopback,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                 nil,
				DialContext:           dialer.DialContext,
				TLSClientConfig:       &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:   dialTimeout,
				ResponseHeaderTimeout: sendTimeout,
				// A function sleeps between invocations; a kept connection
				// would be dead, and nobody would know how far a write got.
				DisableKeepAlives:      true,
				MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// answer is what a channel said.
type answer struct {
	status     int
	body       string
	retryAfter time.Duration
}

// post sends body as JSON to a secret address. Its error never holds the
// address, nor any text of a library that might.
func (c *Client) post(ctx context.Context, address string, body []byte) (answer, *alert.Undelivered) {
	if why := c.checkURL(address); why != "" {
		return answer{}, &alert.Undelivered{Why: why, Permanent: true}
	}
	bounded, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	var left atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(bounded, trace), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, &alert.Undelivered{Why: "the address is not a valid URL", Permanent: true}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "byokwatch")
	resp, err := c.http.Do(req)
	if err != nil {
		u := explain(ctx, err)
		u.MayHaveArrived = left.Load()
		return answer{}, u
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		u := explain(ctx, err)
		u.MayHaveArrived = true
		return answer{}, u
	}
	return answer{resp.StatusCode, string(text), retryAfter(resp.Header)}, nil
}

// checkURL says what is wrong with an address, "" if nothing is.
func (c *Client) checkURL(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "the address is not a valid URL"
	case u.User != nil:
		return "the address must not hold a user name"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && c.loopback && isLoopback(u.Hostname()):
		return ""
	}
	return "the address must begin with https://"
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// explain turns an error of the HTTP client into words of ours. The library's
// own text names the address, so it goes no further; the causes that somebody
// branches on stay.
func explain(ctx context.Context, err error) *alert.Undelivered {
	var (
		address  *AddressError
		lookup   *net.DNSError
		cert     *tls.CertificateVerificationError
		timeout  net.Error
		timedOut = errors.As(err, &timeout) && timeout.Timeout()
	)
	switch {
	case ctx.Err() != nil:
		return &alert.Undelivered{Why: "stopped before the channel answered", Err: ctx.Err()}
	case errors.As(err, &address):
		return &alert.Undelivered{Why: address.Error(), Permanent: true, Err: address}
	case errors.As(err, &lookup):
		return &alert.Undelivered{Why: "the address's host name does not resolve", Permanent: lookup.IsNotFound}
	case errors.As(err, &cert):
		return &alert.Undelivered{Why: "the channel's certificate is not trusted", Permanent: true}
	case timedOut:
		return &alert.Undelivered{Why: "the channel did not answer in time", Err: context.DeadlineExceeded}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &alert.Undelivered{Why: "the connection was refused"}
	}
	return &alert.Undelivered{Why: "the connection failed"}
}
