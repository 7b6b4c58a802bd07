// Package emulatortest is what the emulators of all clouds have in common beside
// their faults (chaostest): how they are served without a socket, and how time
// passes for them.
package emulatortest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Recorder collects a handler's answer.
type Recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// NewRecorder makes an empty one.
func NewRecorder() *Recorder { return &Recorder{header: http.Header{}} }

// Header implements http.ResponseWriter.
func (w *Recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *Recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *Recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Status is what was answered.
func (w *Recorder) Status() int {
	w.WriteHeader(http.StatusOK)
	return w.status
}

// Body is what was written.
func (w *Recorder) Body() []byte { return w.body.Bytes() }

func (w *Recorder) response(r *http.Request) *http.Response {
	status := w.Status()
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(bytes.NewReader(w.Body())), ContentLength: int64(w.body.Len()), Request: r,
	}
}

// InProcess serves requests in the calling goroutine, with no socket in between,
// so that it works inside a testing/synctest bubble. prepare, if not nil, may
// change the copy of a request that the handler sees. A handler that panics with
// http.ErrAbortHandler breaks the connection.
func InProcess(h http.Handler, prepare func(*http.Request)) http.RoundTripper {
	return inProcess{h, prepare}
}

type inProcess struct {
	handler http.Handler
	prepare func(*http.Request)
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
	r.RequestURI = r.URL.RequestURI()
	if t.prepare != nil {
		t.prepare(r)
	}
	rec := NewRecorder()
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

// Sleep waits, and ends with the context.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
