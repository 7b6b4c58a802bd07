package gcsstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/gcp/gcptest"
	"byokwatch/functions/gcp/gcsstore"
)

const (
	bucket = "acme-byokwatch"
	member = "serviceAccount:byokwatch@acme-prod.iam.gserviceaccount.com"
)

// emulator is a Cloud Storage with one bucket and a caller with the given rights.
func emulator(t *testing.T, rights ...string) (*gcptest.Cloud, *fakestorage.Server, http.Handler) {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Writer: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	c := gcptest.New(gcptest.Options{})
	c.Login(gcptest.Caller{Token: "T", Member: member})
	c.AddRole("projects/acme-prod/roles/store", rights...)
	if err := c.SetPolicy(gcptest.BucketName(bucket), `{"bindings":[{"role":"projects/acme-prod/roles/store","members":["`+member+`"]}]}`); err != nil {
		t.Fatal(err)
	}
	return c, server, c.Guard(server.HTTPHandler())
}

var whole = []string{"storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete"}

func without(right string) []string {
	var out []string
	for _, r := range whole {
		if r != right {
			out = append(out, r)
		}
	}
	return out
}

func client(t *testing.T, transport http.RoundTripper, opts ...option.ClientOption) *storage.Service {
	t.Helper()
	s, err := storage.NewService(t.Context(), append([]option.ClientOption{option.WithHTTPClient(&http.Client{Transport: transport})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func inProcess(t *testing.T, h http.Handler) *storage.Service {
	return client(t, gcptest.InProcess(h, "T"))
}

func TestContract(t *testing.T) {
	t.Run("in process", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) record.Objects {
			_, _, h := emulator(t, whole...)
			return gcsstore.New(inProcess(t, h), bucket, "/prod/")
		})
	})
	t.Run("over loopback, at the root of the bucket", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) record.Objects {
			_, _, h := emulator(t, whole...)
			server := httptest.NewServer(h)
			t.Cleanup(server.Close)
			return gcsstore.New(client(t, bearer{server.Client().Transport}, option.WithEndpoint(server.URL+"/storage/v1/")), bucket, "")
		})
	})
}

type bearer struct{ next http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer T")
	return b.next.RoundTrip(r)
}

func TestWhatCloudStorageSaysNoTo(t *testing.T) {
	get := func(ctx context.Context, o record.Objects) error { _, err := o.Get(ctx, "a.json"); return err }
	list := func(ctx context.Context, o record.Objects) error { _, err := o.List(ctx, ""); return err }
	create := func(ctx context.Context, o record.Objects) error {
		_, err := o.Put(ctx, "a.json", nil, "")
		return err
	}
	replace := func(ctx context.Context, o record.Objects) error {
		_, err := o.Put(ctx, "there.json", nil, "1")
		return err
	}
	all := []error{core.ErrNotFound, core.ErrConflict, core.ErrDenied}
	for sentence, c := range map[string]struct {
		rights []string
		bucket string
		fault  chaostest.Kind
		call   func(context.Context, record.Objects) error
		want   error // nil: an error that is none of the sentinels
	}{
		"an absent object is not found":                                      {whole, bucket, "", get, core.ErrNotFound},
		"an absent object without the right to list is denied, not absent":   {without("storage.objects.list"), bucket, "", get, core.ErrDenied},
		"an object without the right to read is denied":                      {without("storage.objects.get"), bucket, "", get, core.ErrDenied},
		"a bucket that does not exist is trouble, not an absent object":      {whole, "nobodys-bucket", "", get, nil},
		"a list of a bucket that does not exist is trouble":                  {whole, "nobodys-bucket", "", list, nil},
		"a write to a bucket that does not exist is trouble, not a conflict": {whole, "nobodys-bucket", "", create, nil},
		"a list without the right to is denied":                              {without("storage.objects.list"), bucket, "", list, core.ErrDenied},
		"a write without the right to is denied":                             {without("storage.objects.create"), bucket, "", create, core.ErrDenied},
		"a replacement without the right to delete is denied":                {without("storage.objects.delete"), bucket, "", replace, core.ErrDenied},
		"a replacement of another generation is a conflict":                  {whole, bucket, "", replace, core.ErrConflict},
		"an overload without end is trouble":                                 {whole, bucket, chaostest.Throttle, get, nil},
		"an internal error without end is trouble":                           {whole, bucket, chaostest.Internal, create, nil},
		"a connection that keeps breaking is trouble":                        {whole, bucket, chaostest.Dropped, list, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, server, h := emulator(t, c.rights...)
				if err := cloud.SetPolicy(gcptest.BucketName("nobodys-bucket"), `{"bindings":[{"role":"projects/acme-prod/roles/store","members":["`+member+`"]}]}`); err != nil {
					t.Fatal(err)
				}
				server.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: "prod/there.json"}, Content: []byte("1")})
				if c.fault != "" {
					cloud.Inject(chaostest.Fault{Kind: c.fault, Times: 1 << 20})
				}
				begun := time.Now()
				err := c.call(t.Context(), gcsstore.New(inProcess(t, h), c.bucket, "prod"))
				if err == nil {
					t.Fatal("no error")
				}
				for _, kind := range all {
					if errors.Is(err, kind) != (kind == c.want) {
						t.Errorf("is it %q: %t; %v", kind, errors.Is(err, kind), err)
					}
				}
				if !strings.Contains(err.Error(), "gs://"+c.bucket+"/prod/") {
					t.Errorf("error does not say where: %v", err)
				}
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	for _, kind := range []chaostest.Kind{chaostest.Throttle, chaostest.Unavailable, chaostest.Internal, chaostest.Dropped} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, _, h := emulator(t, whole...)
				o := gcsstore.New(inProcess(t, h), bucket, "prod")
				cloud.Inject(chaostest.Fault{Kind: kind, Times: 3})
				version, err := o.Put(t.Context(), "a.json", []byte("whole"), "")
				if err != nil {
					t.Fatal(err)
				}
				cloud.Inject(chaostest.Fault{Kind: kind, Times: 3})
				if got, err := o.Get(t.Context(), "a.json"); err != nil || string(got.Data) != "whole" || got.Version != version {
					t.Errorf("get: %q in %s, %v", got.Data, got.Version, err)
				}
				cloud.Inject(chaostest.Fault{Kind: kind, Times: 3})
				if names, err := o.List(t.Context(), ""); err != nil || len(names) != 1 {
					t.Errorf("list: %q, %v", names, err)
				}
			})
		})
	}
}

// The upload is sent again, and meets what it did before. The record's store
// recognises its own revision.
func TestALostAnswerEndsAsASaveOfOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, _, h := emulator(t, whole...)
		o := gcsstore.New(inProcess(t, h), bucket, "prod")
		cloud.Inject(chaostest.Fault{Op: "objects.insert", Kind: chaostest.Lost})
		if _, err := o.Put(t.Context(), "a.json", []byte("1"), ""); !errors.Is(err, core.ErrConflict) {
			t.Errorf("put: %v, want a conflict with itself", err)
		}
		st := record.NewStore(o, nil)
		k := core.Key{ID: "projects/acme-prod/locations/us-west1/keyRings/kafka/cryptoKeys/payments", Cloud: core.GCP}
		rec, version, err := st.Load(t.Context(), k)
		if err != nil || version != "" {
			t.Fatalf("%q, %v", version, err)
		}
		rec.Revision = "mine"
		cloud.Inject(chaostest.Fault{Op: "objects.insert", Kind: chaostest.Lost})
		version, err = st.Save(t.Context(), k, rec, version)
		if err != nil || version == "" {
			t.Errorf("save: %q, %v", version, err)
		}
		if got, now, err := st.Load(t.Context(), k); err != nil || got.Revision != "mine" || now != version {
			t.Errorf("load: %q in %q, %v", got.Revision, now, err)
		}
	})
}

func TestListOfMoreThanAThousand(t *testing.T) {
	const n = 2345
	_, server, h := emulator(t, whole...)
	for i := range n {
		server.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: fmt.Sprintf("prod/kept/%05d.json", i)}})
	}
	for _, name := range []string{"prod/kept/", "prod/kept/A b+c.json", "production/kept/x.json"} {
		server.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: name}})
	}
	names, err := gcsstore.New(inProcess(t, h), bucket, "prod").List(t.Context(), "kept/")
	if err != nil || len(names) != n || names[0] != "kept/00000.json" || names[n-1] != fmt.Sprintf("kept/%05d.json", n-1) {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestTooLargeAnObjectIsNotRead(t *testing.T) {
	_, server, h := emulator(t, whole...)
	server.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: "prod/a.json"}, Content: make([]byte, record.MaxObject+1)})
	if _, err := gcsstore.New(inProcess(t, h), bucket, "prod").Get(t.Context(), "a.json"); !errors.Is(err, record.ErrTooLarge) {
		t.Errorf("get: %v", err)
	}
}

// editing changes answers on their way back.
type editing struct {
	next http.RoundTripper
	edit func(*http.Request, *http.Response)
}

func (e editing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := e.next.RoundTrip(r)
	if err == nil {
		e.edit(r, resp)
	}
	return resp, err
}

// answering puts other bodies in place of answers to a method.
func answering(method, body string) func(*http.Request, *http.Response) {
	return func(r *http.Request, resp *http.Response) {
		if r.Method == method {
			resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
	}
}

// small makes every list come in pages of seven.
type small struct{ next http.RoundTripper }

func (s small) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	q := r.URL.Query()
	q.Set("maxResults", "7")
	r.URL.RawQuery = q.Encode()
	return s.next.RoundTrip(r)
}

func TestAListInPagesIsWhole(t *testing.T) {
	_, server, h := emulator(t, whole...)
	for i := range 30 {
		server.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: fmt.Sprintf("prod/kept/%05d.json", i)}})
	}
	names, err := gcsstore.New(client(t, small{gcptest.InProcess(h, "T")}), bucket, "prod").List(t.Context(), "kept/")
	if err != nil || len(names) != 30 {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestAListThatDoesNotGoOnEnds(t *testing.T) {
	_, _, h := emulator(t, whole...)
	transport := editing{gcptest.InProcess(h, "T"), answering(http.MethodGet, `{"items":[{"name":"prod/a"}],"nextPageToken":"again"}`)}
	if names, err := gcsstore.New(client(t, transport), bucket, "prod").List(t.Context(), ""); err == nil || names != nil {
		t.Errorf("%q, %v", names, err)
	}
}

func TestAWriteWithoutGenerationIsNotOne(t *testing.T) {
	_, _, h := emulator(t, whole...)
	transport := editing{gcptest.InProcess(h, "T"), answering(http.MethodPost, `{"name":"prod/a"}`)}
	if version, err := gcsstore.New(client(t, transport), bucket, "prod").Put(t.Context(), "a", nil, ""); err == nil || version != "" {
		t.Errorf("%q, %v", version, err)
	}
}

func TestTheTimeOfAnObjectIsKnownWithoutLastModified(t *testing.T) {
	_, _, h := emulator(t, whole...)
	plain := gcsstore.New(inProcess(t, h), bucket, "prod")
	if _, err := plain.Put(t.Context(), "a.json", []byte("1"), ""); err != nil {
		t.Fatal(err)
	}
	want, err := plain.Get(t.Context(), "a.json")
	if err != nil {
		t.Fatal(err)
	}
	bare := gcsstore.New(client(t, editing{gcptest.InProcess(h, "T"), func(_ *http.Request, r *http.Response) { r.Header.Del("Last-Modified") }}), bucket, "prod")
	got, err := bare.Get(t.Context(), "a.json")
	if err != nil || !got.Modified.Truncate(time.Second).Equal(want.Modified) || got.Version != want.Version || string(got.Data) != "1" {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestAnAnswerWithoutGenerationIsNoObject(t *testing.T) {
	_, _, h := emulator(t, whole...)
	if _, err := gcsstore.New(inProcess(t, h), bucket, "prod").Put(t.Context(), "a.json", []byte("1"), ""); err != nil {
		t.Fatal(err)
	}
	calls := 0
	bare := gcsstore.New(client(t, editing{gcptest.InProcess(h, "T"), func(_ *http.Request, r *http.Response) { calls++; r.Header.Del("X-Goog-Generation") }}), bucket, "prod")
	if o, err := bare.Get(t.Context(), "a.json"); err == nil || o.Version != "" || calls != 1 {
		t.Errorf("got %+v, %v after %d calls", o, err, calls)
	}
}
