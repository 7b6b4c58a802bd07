package azuretest

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

func TestAzuriteListensAndEnds(t *testing.T) {
	a := need(t, func() (*Azurite, error) { return StartAzurite(context.Background()) })
	c, err := a.Container(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(c.URL(), a.Endpoint+"/"+AzuriteAccount+"/one") {
		t.Errorf("the container is at %s", c.URL())
	}
	if _, err := a.Container(t.Context(), "one"); err == nil {
		t.Error("a container was made twice")
	}
	ctx, cancel := context.WithCancel(t.Context())
	other, err := StartAzurite(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if other.Endpoint == a.Endpoint {
		t.Error("two of them share a port")
	}
	cancel()
	<-other.ended
	a.Stop()
	for _, end := range []*Azurite{a, other} {
		if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(end.Endpoint, "http://"), time.Second); err == nil {
			conn.Close()
			t.Errorf("%s still listens", end.Endpoint)
		}
	}
}

func TestWithoutAzuriteATestIsSkippedAndBrokenItFails(t *testing.T) {
	t.Chdir(t.TempDir())
	for want, start := range map[string]func() (*Azurite, error){
		"skipped: SKIPPED: Azurite is not installed": func() (*Azurite, error) { return StartAzurite(t.Context()) },
		"failed: it fell over; see make test":        func() (*Azurite, error) { return nil, errors.New("it fell over; see make test") },
	} {
		r := &refused{T: t}
		func() {
			defer func() { _ = recover() }()
			need(r, start)
		}()
		if !strings.HasPrefix(r.said, want) || !strings.Contains(r.said, "make test") {
			t.Errorf("%q, want %q", r.said, want)
		}
	}
	if _, err := StartAzurite(t.Context()); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("%v", err)
	}
}

// refused notes how a test would end.
type refused struct {
	*testing.T
	said string
}

func (r *refused) Skipf(format string, args ...any) { r.end("skipped: "+format, args...) }

func (r *refused) Fatalf(format string, args ...any) { r.end("failed: "+format, args...) }

func (r *refused) end(format string, args ...any) {
	r.said = strings.TrimSpace(strings.ReplaceAll(format, "%v", args[0].(error).Error()))
	panic("the test ends here")
}
