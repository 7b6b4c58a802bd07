package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"byokwatch/core"
	"byokwatch/core/endpoint"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/blobstore"
)

var containers atomic.Int64

// opened is an empty container of Azurite and a client of ours, through a
// transport.
func opened(t *testing.T, transport http.RoundTripper) *container.Client {
	t.Helper()
	a := azuretest.NeedAzurite(t)
	made, err := a.Container(t.Context(), fmt.Sprintf("acme-%d", containers.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	account, err := endpoint.AzureBlobs(a.Endpoint, endpoint.AzureCloudAt(""), azuretest.AzuriteAccount)
	if err != nil {
		t.Fatal(err)
	}
	name := made.URL()[strings.LastIndexByte(made.URL(), '/')+1:]
	opts := azcore.ClientOptions{}
	if transport != nil {
		opts.Transport = &http.Client{Transport: transport}
	}
	c, err := blobstore.Client(account, name, nil, opts)
	if err != nil || c.URL() != made.URL() {
		t.Fatalf("a client of %s, not of %s; %v", c.URL(), made.URL(), err)
	}
	return c
}

func TestContract(t *testing.T) {
	t.Run("below a prefix", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) record.Objects { return blobstore.New(opened(t, nil), "/prod/") })
	})
	t.Run("at the root of the container", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) record.Objects { return blobstore.New(opened(t, nil), "") })
	})
}

// real is where answers that no emulator gives are made up.
const real = "https://acmebw.blob.core.windows.net/"

// answers is a Blob Storage that says one thing.
type answers func(n int, r *http.Request) (*http.Response, error)

type scripted struct {
	calls atomic.Int64
	say   answers
}

func (s *scripted) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return s.say(int(s.calls.Add(1)), r)
}

// token is a credential, which Blob Storage is only shown over TLS.
type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "T", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func scriptedStore(t *testing.T, say answers) (record.Objects, *scripted) {
	t.Helper()
	s := &scripted{say: say}
	c, err := blobstore.Client(real, "kept", token{}, azcore.ClientOptions{Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return blobstore.New(c, "prod"), s
}

func answer(r *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{"X-Ms-Request-Id": {"0f1e"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

func refuse(status int, code string) answers {
	return func(_ int, r *http.Request) (*http.Response, error) {
		return answer(r, status, `<?xml version="1.0" encoding="utf-8"?><Error><Code>`+code+`</Code><Message>No.</Message></Error>`, "x-ms-error-code", code, "Content-Type", "application/xml"), nil
	}
}

func TestWhatBlobStorageSaysNoTo(t *testing.T) {
	get := func(ctx context.Context, o record.Objects) error { _, err := o.Get(ctx, "a.json"); return err }
	list := func(ctx context.Context, o record.Objects) error { _, err := o.List(ctx, ""); return err }
	create := func(ctx context.Context, o record.Objects) error {
		_, err := o.Put(ctx, "a.json", nil, "")
		return err
	}
	replace := func(ctx context.Context, o record.Objects) error {
		_, err := o.Put(ctx, "a.json", nil, `"0x8DD"`)
		return err
	}
	for sentence, c := range map[string]struct {
		say  answers
		call func(context.Context, record.Objects) error
		want error // nil: an error that is none of the sentinels
	}{
		"an absent blob is not found":                                    {refuse(404, "BlobNotFound"), get, core.ErrNotFound},
		"a container that does not exist is trouble, not an absent blob": {refuse(404, "ContainerNotFound"), get, nil},
		"a container that is being deleted is trouble":                   {refuse(409, "ContainerBeingDeleted"), create, nil},
		"a resource that is hidden is trouble, not an absent blob":       {refuse(404, "ResourceNotFound"), get, nil},
		"a 404 without a code is trouble, not an absent blob":            {refuse(404, ""), get, nil},
		"a list of a container that does not exist is trouble":           {refuse(404, "ContainerNotFound"), list, nil},
		"a write to one is trouble, not a conflict":                      {refuse(404, "ContainerNotFound"), replace, nil},
		"a blob that may not be read is denied":                          {refuse(403, "AuthorizationPermissionMismatch"), get, core.ErrDenied},
		"the account's firewall denies":                                  {refuse(403, "AuthorizationFailure"), list, core.ErrDenied},
		"a write without the right to is denied":                         {refuse(403, "AuthorizationPermissionMismatch"), create, core.ErrDenied},
		"a caller who is not known is trouble":                           {refuse(401, "InvalidAuthenticationInfo"), get, nil},
		"creating where a blob is, is a conflict":                        {refuse(409, "BlobAlreadyExists"), create, core.ErrConflict},
		"creating where a blob is kept for good is a conflict":           {refuse(409, "BlobImmutableDueToPolicy"), create, core.ErrConflict},
		"replacing what is kept for good is trouble":                     {refuse(409, "BlobImmutableDueToPolicy"), replace, nil},
		"replacing another version is a conflict":                        {refuse(412, "ConditionNotMet"), replace, core.ErrConflict},
		"replacing what is not there is a conflict":                      {refuse(404, "BlobNotFound"), replace, core.ErrConflict},
		"a blob that somebody leases is trouble":                         {refuse(412, "LeaseIdMissing"), replace, nil},
		"an overload without end is trouble":                             {refuse(503, "ServerBusy"), get, nil},
		"an overload that asks for too much time is trouble":             {later("3600"), create, nil},
		"an internal error without end is trouble":                       {refuse(500, "InternalError"), create, nil},
		"a connection that keeps breaking is trouble":                    {broken, list, nil},
		"a connection on which nothing is said is trouble":               {silent, get, nil},
		"an answer without ETag is no blob":                              {whole("Last-Modified", "Mon, 02 Nov 2026 15:04:05 GMT"), get, nil},
		"an answer without its time is no blob":                          {whole("ETag", `"0x8DD"`), get, nil},
		"an answer that ends early is no blob":                           {short, get, nil},
		"a write without ETag is none":                                   {func(_ int, r *http.Request) (*http.Response, error) { return answer(r, 201, ""), nil }, create, nil},
		"a list that does not go on ends":                                {looping, list, nil},
		"a blob with a version that can't be one is a conflict": {nobody, func(ctx context.Context, o record.Objects) error {
			_, err := o.Put(ctx, "a.json", nil, "*")
			return err
		}, core.ErrConflict},
		"and so is one that would end the header it is sent in": {nobody, func(ctx context.Context, o record.Objects) error {
			_, err := o.Put(ctx, "a.json", nil, "\"a\"\r\nx: \"b\"")
			return err
		}, core.ErrConflict},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := scriptedStore(t, c.say)
				begun := time.Now()
				err := c.call(t.Context(), o)
				if err == nil {
					t.Fatal("no error")
				}
				for _, kind := range []error{core.ErrNotFound, core.ErrConflict, core.ErrDenied} {
					if errors.Is(err, kind) != (kind == c.want) {
						t.Errorf("is it %q: %t; %v", kind, errors.Is(err, kind), err)
					}
				}
				if !strings.Contains(err.Error(), real+"kept/prod/") || strings.Contains(err.Error(), "\n") {
					t.Errorf("the error does not say where, in one line: %v", err)
				}
				if took := time.Since(begun); took > 16*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func later(seconds string) answers {
	return func(n int, r *http.Request) (*http.Response, error) {
		resp, err := refuse(503, "ServerBusy")(n, r)
		resp.Header.Set("Retry-After", seconds)
		return resp, err
	}
}

func broken(int, *http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func silent(_ int, r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func nobody(int, *http.Request) (*http.Response, error) { panic("something was sent") }

func whole(header ...string) answers {
	return func(_ int, r *http.Request) (*http.Response, error) { return answer(r, 200, "{}", header...), nil }
}

func short(_ int, r *http.Request) (*http.Response, error) {
	return answer(r, 200, "{}", "ETag", `"0x8DD"`, "Last-Modified", "Mon, 02 Nov 2026 15:04:05 GMT", "Content-Length", "3"), nil
}

func looping(_ int, r *http.Request) (*http.Response, error) {
	return answer(r, 200, `<?xml version="1.0"?><EnumerationResults><Blobs><Blob><Name>prod/a</Name></Blob></Blobs><NextMarker>again</NextMarker></EnumerationResults>`, "Content-Type", "application/xml"), nil
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	for name, fail := range map[string]answers{
		"busy": refuse(503, "ServerBusy"), "throttled": later("1"), "an internal error": refuse(500, "InternalError"),
		"a timeout of theirs": refuse(408, ""), "a broken connection": broken,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, s := scriptedStore(t, func(n int, r *http.Request) (*http.Response, error) {
					switch {
					case n%4 != 0:
						return fail(n, r)
					case r.Method == http.MethodPut:
						if body, err := io.ReadAll(r.Body); err != nil || string(body) != "whole" || r.Header.Get("If-None-Match") != "*" {
							t.Errorf("%q was sent, %v", body, err)
						}
						return answer(r, 201, "", "ETag", `"0x8DD"`), nil
					case r.URL.Query().Get("comp") == "list":
						return answer(r, 200, `<?xml version="1.0"?><EnumerationResults><Blobs><Blob><Name>prod/a</Name></Blob></Blobs></EnumerationResults>`, "Content-Type", "application/xml"), nil
					}
					return answer(r, 200, "whole", "ETag", `"0x8DD"`, "Last-Modified", "Mon, 02 Nov 2026 15:04:05 GMT"), nil
				})
				version, err := o.Put(t.Context(), "a", []byte("whole"), "")
				if err != nil {
					t.Fatal(err)
				}
				if got, err := o.Get(t.Context(), "a"); err != nil || string(got.Data) != "whole" || got.Version != version {
					t.Errorf("get: %q in %s, %v", got.Data, got.Version, err)
				}
				if names, err := o.List(t.Context(), ""); err != nil || len(names) != 1 || s.calls.Load() != 12 {
					t.Errorf("list: %q, %v; %d calls", names, err, s.calls.Load())
				}
			})
		})
	}
}

// losing does the first write and breaks the connection before its answer.
type losing struct {
	next http.RoundTripper
	lose atomic.Bool
}

func (l *losing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err == nil && r.Method == http.MethodPut && l.lose.CompareAndSwap(true, false) {
		resp.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return resp, err
}

// The write is sent again, and meets what it did before. The record's store
// recognises its own revision.
func TestALostAnswerEndsAsASaveOfOnesOwn(t *testing.T) {
	l := &losing{next: http.DefaultTransport}
	o := blobstore.New(opened(t, l), "prod")
	l.lose.Store(true)
	if _, err := o.Put(t.Context(), "a.json", []byte("1"), ""); !errors.Is(err, core.ErrConflict) {
		t.Errorf("put: %v, want a conflict with itself", err)
	}
	st := record.NewStore(o, nil)
	k := core.Key{ID: "/subscriptions/11111111-2222-3333-4444-555555555555/resourcegroups/kafka/providers/microsoft.keyvault/vaults/acme-vault/keys/kafka", Cloud: core.Azure}
	rec, version, err := st.Load(t.Context(), k)
	if err != nil || version != "" {
		t.Fatalf("%q, %v", version, err)
	}
	rec.Revision = "mine"
	l.lose.Store(true)
	version, err = st.Save(t.Context(), k, rec, version)
	if err != nil || version == "" {
		t.Errorf("save: %q, %v", version, err)
	}
	if got, now, err := st.Load(t.Context(), k); err != nil || got.Revision != "mine" || now != version {
		t.Errorf("load: %q in %q, %v", got.Revision, now, err)
	}
}

func TestAListIsWholeAndOnlyOfTheStore(t *testing.T) {
	const n = 60
	c := opened(t, nil)
	for _, name := range []string{"prod/kept/", "prod/kept/A b+c.json", "production/kept/x.json", "prod/kept/\u00fc.json"} {
		if _, err := c.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte("1"), &blockblob.UploadBufferOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	o := blobstore.New(c, "prod")
	for i := range n {
		if _, err := o.Put(t.Context(), fmt.Sprintf("kept/%05d.json", i), []byte("1"), ""); err != nil {
			t.Fatal(err)
		}
	}
	names, err := o.List(t.Context(), "kept/")
	if err != nil || len(names) != n || names[0] != "kept/00000.json" || names[n-1] != fmt.Sprintf("kept/%05d.json", n-1) {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestAListInPagesIsWholeAndHasNoFolders(t *testing.T) {
	blobs := func(from, to int) string {
		out := `<Blob><Name>prod/kept</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob>`
		for i := from; i < to; i++ {
			out += fmt.Sprintf(`<Blob><Name>prod/kept/%02d.json</Name><Properties><ResourceType>file</ResourceType></Properties></Blob>`, i)
		}
		return out
	}
	o, s := scriptedStore(t, func(_ int, r *http.Request) (*http.Response, error) {
		q := r.URL.Query()
		if r.URL.Path != "/kept" || q.Get("prefix") != "prod/kept" || q.Get("restype") != "container" {
			t.Errorf("asked for %s", r.URL)
		}
		from, end := 0, "<NextMarker>m1</NextMarker>"
		if q.Get("marker") == "m1" {
			from, end = 7, "<NextMarker/>"
		}
		return answer(r, 200, `<?xml version="1.0"?><EnumerationResults><Blobs>`+blobs(from, from+7)+`</Blobs>`+end+`</EnumerationResults>`, "Content-Type", "application/xml"), nil
	})
	names, err := o.List(t.Context(), "kept")
	if err != nil || len(names) != 14 || names[0] != "kept/00.json" || names[13] != "kept/13.json" || s.calls.Load() != 2 {
		t.Errorf("%q, %v, %d calls", names, err, s.calls.Load())
	}
}

func TestTooLargeAnObjectIsNotRead(t *testing.T) {
	c := opened(t, nil)
	if _, err := c.NewBlockBlobClient("prod/a.json").UploadBuffer(t.Context(), make([]byte, record.MaxObject+1), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := blobstore.New(c, "prod").Get(t.Context(), "a.json"); !errors.Is(err, record.ErrTooLarge) {
		t.Errorf("get: %v", err)
	}
}

// cut breaks the first answer in its midst.
type cut struct {
	next http.RoundTripper
	done atomic.Bool
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err == nil && r.Method == http.MethodGet && c.done.CompareAndSwap(false, true) {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(resp.Body, 1000), breaking{}), resp.Body}
	}
	return resp, err
}

type breaking struct{}

func (breaking) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// What comes after the break must be of the same blob: somebody replaces it in
// between.
func TestAnAnswerThatBreaksOffGoesOnOrFails(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	c := &cut{next: http.DefaultTransport}
	o := blobstore.New(opened(t, c), "prod")
	version, err := o.Put(t.Context(), "a.json", data, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := o.Get(t.Context(), "a.json"); err != nil || !bytes.Equal(got.Data, data) || !c.done.Load() {
		t.Errorf("%d bytes, %v", len(got.Data), err)
	}
	c.done.Store(false)
	c.next = replacing{http.DefaultTransport, func() {
		if version, err = o.Put(t.Context(), "a.json", bytes.Repeat([]byte("x"), len(data)), version); err != nil {
			t.Error(err)
		}
	}, &c.done}
	if got, err := o.Get(t.Context(), "a.json"); err == nil {
		t.Errorf("two blobs were read as one: %d bytes", len(got.Data))
	}
}

// replacing lets somebody write before the rest of a broken answer is asked for.
type replacing struct {
	next   http.RoundTripper
	write  func()
	broken *atomic.Bool
}

func (p replacing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && p.broken.Load() {
		p.write()
	}
	return p.next.RoundTrip(r)
}

func TestOnThisMachineNoCredentialIsShown(t *testing.T) {
	for account, want := range map[string]string{
		"http://127.0.0.1:10000/devstoreaccount1/": "SharedKey devstoreaccount1:",
		"http://127.0.0.1:10000/acmebw/":           "Bearer T",
		real:                                       "Bearer T",
	} {
		s := &scripted{say: func(_ int, r *http.Request) (*http.Response, error) {
			if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, want) {
				t.Errorf("%s is shown %q, want %q", account, got, want)
			}
			return answer(r, 404, "", "x-ms-error-code", "BlobNotFound"), nil
		}}
		c, err := blobstore.Client(account, "kept", token{}, azcore.ClientOptions{Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := blobstore.New(c, "").Get(t.Context(), "a.json"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v", account, err)
		}
	}
	if _, err := blobstore.Client("::", "kept", token{}, azcore.ClientOptions{}); err == nil {
		t.Error("no URL is an account")
	}
}
