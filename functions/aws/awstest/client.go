package awstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
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

// Config is an SDK configuration whose requests reach this emulator in the
// same process, signed as the caller with that access key ID.
func (c *Cloud) Config(accessKey, region string) aws.Config {
	return aws.Config{
		Region:     region,
		HTTPClient: &http.Client{Transport: c.RoundTripper()},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: "secret", SessionToken: "token", Source: "awstest"}, nil
		}),
	}
}

// KMS is the real client of the Key Management Service over Config.
func (c *Cloud) KMS(accessKey, region string, opts ...func(*kms.Options)) *kms.Client {
	return kms.NewFromConfig(c.Config(accessKey, region), opts...)
}

// inProcess sends requests to the emulator without a socket. It is an
// http.RoundTripper and what the SDK calls an HTTPClient.
type inProcess struct{ c *Cloud }

// RoundTripper serves requests in the calling goroutine, with no socket in
// between, so that it works inside a testing/synctest bubble.
func (c *Cloud) RoundTripper() http.RoundTripper { return inProcess{c} }

func (t inProcess) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	defer r.Body.Close()
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
	t.c.ServeHTTP(rec, r)
	return rec.response(r), nil
}

// abortCause is what a client sees of a connection that breaks.
func abortCause(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
