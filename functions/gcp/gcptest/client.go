package gcptest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"
	"google.golang.org/api/option"
)

// recorder collects a handler's answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()), Request: r,
	}
}

// Clients are Google's own clients, as one caller has them.
type Clients struct {
	KMS      *cloudkms.Service
	Projects *cloudresourcemanager.Service
	Roles    *iam.Service
	Deny     *iamv2.Service
}

// Clients makes the real clients, whose requests reach this emulator in the
// same process with the given token.
func (c *Cloud) Clients(token string) Clients {
	hc := option.WithHTTPClient(&http.Client{Transport: c.RoundTripper(token)})
	return Clients{
		KMS:      must(cloudkms.NewService(context.Background(), hc)),
		Projects: must(cloudresourcemanager.NewService(context.Background(), hc)),
		Roles:    must(iam.NewService(context.Background(), hc)),
		Deny:     must(iamv2.NewService(context.Background(), hc)),
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // nothing about a client of our own transport can fail
	}
	return v
}

// RoundTripper serves requests in the calling goroutine, with no socket in
// between, so that it works inside a testing/synctest bubble. Requests without a
// token get the given one.
func (c *Cloud) RoundTripper(token string) http.RoundTripper { return InProcess(c, token) }

// InProcess is RoundTripper for any handler.
func InProcess(h http.Handler, token string) http.RoundTripper { return inProcess{h, token} }

type inProcess struct {
	handler http.Handler
	token   string
}

func (t inProcess) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	if r.Header.Get("Authorization") == "" && t.token != "" {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	r.RequestURI = r.URL.RequestURI()
	rec := &recorder{header: http.Header{}}
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler:
			resp, err = nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Host, abortCause(r.Context()))
		default:
			panic(p)
		}
	}()
	t.handler.ServeHTTP(rec, r)
	return rec.response(r), nil
}

// abortCause is what a client sees of a connection that breaks.
func abortCause(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
