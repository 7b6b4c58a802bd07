package emulatortest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"byokwatch/functions/emulatortest"
)

func TestRequestsWithoutASocket(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/teapot":
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Who", r.Header.Get("Who"))
		_, _ = w.Write(append([]byte(r.RequestURI+" "), body...))
	})
	client := &http.Client{Transport: emulatortest.InProcess(h, func(r *http.Request) { r.Header.Set("Who", "me") })}
	for path, want := range map[string]struct {
		status int
		body   string
	}{"/a?b=c": {http.StatusOK, "/a?b=c posted"}, "/teapot": {http.StatusTeapot, "/teapot posted"}} {
		resp, err := client.Post("http://emulator"+path, "text/plain", strings.NewReader("posted"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want.status || string(body) != want.body || resp.Header.Get("Who") != "me" {
			t.Errorf("%s: %d %q of %q, %v", path, resp.StatusCode, body, resp.Header.Get("Who"), err)
		}
	}
	if _, err := client.Get("http://emulator/broken"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken connection: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://emulator/a", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that is gone: %v", err)
	}
	if r.Header.Get("Who") != "" {
		t.Error("the caller's own request was changed")
	}
}
