package gcptest

import (
	"context"
	"net/http"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"
	"google.golang.org/api/option"

	"byokwatch/functions/emulatortest"
)

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
func InProcess(h http.Handler, token string) http.RoundTripper {
	return emulatortest.InProcess(h, func(r *http.Request) {
		if r.Header.Get("Authorization") == "" && token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}
