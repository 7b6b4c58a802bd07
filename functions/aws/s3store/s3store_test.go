package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/aws/awstest"
	"byokwatch/functions/aws/s3store"
)

const (
	bucket = "acme-byokwatch"
	role   = "arn:aws:iam::111122223333:role/byokwatch"
	user   = "AKIAEXAMPLE"
	region = "us-west-2"
)

// rights is what the function's role has on the store.
const rights = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::acme-byokwatch/prod/*"},
	{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::acme-byokwatch"}]}`

// emulator is an S3 with one bucket and a role that has the given rights.
func emulator(t *testing.T, o awstest.Options, s awstest.S3Options, rights string) (*awstest.Cloud, *awstest.S3) {
	t.Helper()
	c := awstest.New(o)
	c.Create(role)
	if rights != "" {
		if err := c.Attach(role, rights); err != nil {
			t.Fatal(err)
		}
	}
	c.Login(awstest.Caller{AccessKey: user, Principal: role})
	return c, awstest.NewS3(c, s, bucket)
}

func retrying(o *s3.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond; o.RateLimiter = noLimit{} })
}

type noLimit struct{}

func (noLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noLimit) AddTokens(uint) error { return nil }

func TestContract(t *testing.T) {
	for what, o := range map[string]awstest.S3Options{
		"ETags that are the content's MD5":    {},
		"ETags that differ for equal content": {OpaqueETags: true},
		"lists in pages of seven":             {PageSize: 7},
	} {
		t.Run("in process, "+what, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) record.Objects {
				c, _ := emulator(t, awstest.Options{}, o, rights)
				return s3store.New(c.S3(user, region), bucket, "/prod/")
			})
		})
	}
	for what, o := range map[string]s3.Options{
		"path-style":       {BaseEndpoint: aws.String("http://s3.localhost"), UsePathStyle: true},
		"virtual-hosted":   {BaseEndpoint: aws.String("http://s3.localhost")},
		"at an IP address": {BaseEndpoint: aws.String("http://127.0.0.1:9")}, // the SDK then takes the path
	} {
		t.Run("over loopback, "+what, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) record.Objects { return overLoopback(t, o) })
		})
	}
}

// overLoopback is a store whose client speaks HTTP/1.1 through a socket.
func overLoopback(t *testing.T, to s3.Options) record.Objects {
	c, _ := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return s3store.New(c.S3(user, region, func(o *s3.Options) {
		o.HTTPClient, o.BaseEndpoint, o.UsePathStyle = toServer{server}, to.BaseEndpoint, to.UsePathStyle
	}), bucket, "prod")
}

// toServer sends each request to one server and leaves its Host as it is.
type toServer struct{ server *httptest.Server }

func (s toServer) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = r.URL.Host
	r.URL.Scheme, r.URL.Host = "http", s.server.Listener.Addr().String()
	return s.server.Client().Do(r)
}

func TestInASynctestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
		o := s3store.New(c.S3(user, region), bucket, "prod")
		if _, err := o.Put(t.Context(), "a.json", []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
		put := time.Now()
		time.Sleep(time.Hour)
		obj, err := o.Get(t.Context(), "a.json")
		if err != nil || !obj.Modified.Equal(put) {
			t.Errorf("modified at %v (%v), want the bubble's time %v", obj.Modified, err, put)
		}
	})
}

func TestWhatS3SaysNoTo(t *testing.T) {
	const onlyObjects = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"*"}]}`
	const onlyPut = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}`
	get := func(ctx context.Context, o record.Objects) error { _, err := o.Get(ctx, "a.json"); return err }
	list := func(ctx context.Context, o record.Objects) error { _, err := o.List(ctx, ""); return err }
	create := func(ctx context.Context, o record.Objects) error {
		_, err := o.Put(ctx, "a.json", nil, "")
		return err
	}
	replace := func(ctx context.Context, o record.Objects) error {
		_, err := o.Put(ctx, "a.json", nil, `"0123456789abcdef0123456789abcdef"`)
		return err
	}
	all := []error{core.ErrNotFound, core.ErrConflict, core.ErrDenied}
	for sentence, c := range map[string]struct {
		rights, bucket string
		fault          chaostest.Kind
		call           func(context.Context, record.Objects) error
		want           error // nil: an error that is none of the sentinels
	}{
		"an absent object is not found":                                      {rights, bucket, "", get, core.ErrNotFound},
		"an absent object without the right to list is denied, not absent":   {onlyObjects, bucket, "", get, core.ErrDenied},
		"an object without the right to read is denied":                      {onlyPut, bucket, "", get, core.ErrDenied},
		"a bucket that does not exist is trouble, not an absent object":      {rights, "nobodys-bucket", "", get, nil},
		"a list of a bucket that does not exist is trouble":                  {rights, "nobodys-bucket", "", list, nil},
		"a write to a bucket that does not exist is trouble, not a conflict": {rights, "nobodys-bucket", "", replace, nil},
		"a list without the right to is denied":                              {onlyObjects, bucket, "", list, core.ErrDenied},
		"a write without any right is denied":                                {"", bucket, "", create, core.ErrDenied},
		"a replacement without the right to read is denied":                  {onlyPut, bucket, "", replace, core.ErrDenied},
		"a replacement of what is absent is a conflict":                      {rights, bucket, "", replace, core.ErrConflict},
		"a request that got in between is a conflict":                        {rights, bucket, awstest.Conflict, create, core.ErrConflict},
		"throttling is trouble":                                              {rights, bucket, chaostest.Throttle, get, nil},
		"an internal error is trouble":                                       {rights, bucket, chaostest.Internal, create, nil},
		"a broken connection is trouble":                                     {rights, bucket, chaostest.Dropped, get, nil},
		"an answer lost is trouble":                                          {rights, bucket, chaostest.Lost, create, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			cloud, _ := emulator(t, awstest.Options{}, awstest.S3Options{}, c.rights)
			if c.fault != "" {
				cloud.Inject(chaostest.Fault{Kind: c.fault})
			}
			err := c.call(t.Context(), s3store.New(cloud.S3(user, region), c.bucket, "prod"))
			if err == nil {
				t.Fatal("no error")
			}
			for _, kind := range all {
				if errors.Is(err, kind) != (kind == c.want) {
					t.Errorf("is it %q: %t; %v", kind, errors.Is(err, kind), err)
				}
			}
			if !strings.Contains(err.Error(), "s3://"+c.bucket+"/prod/") {
				t.Errorf("error does not say where: %v", err)
			}
		})
	}
}

func TestDeleteMarkerIsAbsence(t *testing.T) {
	c, emu := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
	o := s3store.New(c.S3(user, region), bucket, "prod")
	version, err := o.Put(t.Context(), "a.json", []byte("1"), "")
	if err != nil {
		t.Fatal(err)
	}
	emu.RemoveObject(bucket, "prod/a.json")
	if _, err := o.Get(t.Context(), "a.json"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if names, err := o.List(t.Context(), ""); err != nil || len(names) != 0 {
		t.Errorf("list: %q, %v", names, err)
	}
	if _, err := o.Put(t.Context(), "a.json", []byte("2"), version); !errors.Is(err, core.ErrConflict) {
		t.Errorf("replace: %v, want a conflict", err)
	}
	if _, err := o.Put(t.Context(), "a.json", []byte("2"), ""); err != nil {
		t.Errorf("create: %v", err)
	}
}

func TestListOfMoreThanAThousand(t *testing.T) {
	const n = 2345
	c, emu := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
	for i := range n {
		emu.SetObject(bucket, fmt.Sprintf("prod/kept/%05d.json", i), nil)
	}
	emu.SetObject(bucket, "prod/kept/", nil)           // the console's idea of a folder
	emu.SetObject(bucket, "prod/kept/A b+c.json", nil) // somebody else's
	emu.SetObject(bucket, "production/kept/x.json", nil)
	names, err := s3store.New(c.S3(user, region), bucket, "prod").List(t.Context(), "kept/")
	if err != nil || len(names) != n || names[0] != "kept/00000.json" || names[n-1] != fmt.Sprintf("kept/%05d.json", n-1) {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestTooLargeAnObjectIsNotRead(t *testing.T) {
	c, emu := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
	emu.SetObject(bucket, "prod/a.json", make([]byte, record.MaxObject+1))
	if _, err := s3store.New(c.S3(user, region), bucket, "prod").Get(t.Context(), "a.json"); !errors.Is(err, record.ErrTooLarge) {
		t.Errorf("get: %v", err)
	}
}

// The SDK sends again what got no answer. The second write meets the first.
func TestRetryAfterALostAnswer(t *testing.T) {
	c, _ := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
	o := s3store.New(c.S3(user, region, retrying), bucket, "prod")
	c.Inject(chaostest.Fault{Op: "PutObject", Kind: chaostest.Lost})
	if _, err := o.Put(t.Context(), "a.json", []byte("1"), ""); !errors.Is(err, core.ErrConflict) {
		t.Errorf("create, done and sent again: %v; want the conflict that record.Store looks into", err)
	}
	key := core.Key{Cloud: core.AWS, ID: "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
	s := record.NewStore(o, nil)
	version := ""
	for i := range 3 {
		c.Inject(chaostest.Fault{Op: "PutObject", Kind: chaostest.Lost})
		next, err := s.Save(t.Context(), key, record.Record{Revision: fmt.Sprint("r", i)}, version)
		if err != nil {
			t.Fatalf("save %d: %v", i, err)
		}
		version = next
	}
	c.Inject(chaostest.Fault{Op: "PutObject", Kind: chaostest.Throttle, Times: 2})
	if _, err := s.Save(t.Context(), key, record.Record{Revision: "r3"}, version); err != nil {
		t.Errorf("save through throttling: %v", err)
	}
}

// What the store does must need no other rights than New's comment says.
func TestRightsUsed(t *testing.T) {
	c, _ := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
	o := s3store.New(c.S3(user, region), bucket, "prod")
	_, absent := o.Get(t.Context(), "a.json")
	v, err1 := o.Put(t.Context(), "a.json", []byte("1"), "")
	_, err2 := o.Put(t.Context(), "a.json", []byte("2"), v)
	_, err3 := o.List(t.Context(), "")
	if !errors.Is(absent, core.ErrNotFound) || errors.Join(err1, err2, err3) != nil {
		t.Fatal(absent, err1, err2, err3)
	}
	got := map[string]bool{}
	for _, a := range c.Actions() {
		got[a.Name+" "+a.Resource] = a.Allowed
	}
	want := map[string]bool{
		"s3:GetObject arn:aws:s3:::acme-byokwatch/prod/a.json": true,
		"s3:PutObject arn:aws:s3:::acme-byokwatch/prod/a.json": true,
		"s3:ListBucket arn:aws:s3:::acme-byokwatch":            true,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("used %v, want %v", got, want)
	}
}

func TestDamagedOnTheWay(t *testing.T) {
	c, _ := emulator(t, awstest.Options{}, awstest.S3Options{}, rights)
	o := s3store.New(c.S3(user, region, func(o *s3.Options) { o.HTTPClient = damage{c.RoundTripper()} }), bucket, "prod")
	if _, err := o.Put(t.Context(), "a.json", []byte(`{"good":1}`), ""); err == nil || !strings.Contains(err.Error(), "BadDigest") {
		t.Errorf("put of a body that was damaged on the way: %v, want S3's BadDigest", err)
	}
	good := s3store.New(c.S3(user, region), bucket, "prod")
	if _, err := good.Put(t.Context(), "b.json", []byte(`{"good":1}`), ""); err != nil {
		t.Fatal(err)
	}
	if obj, err := o.Get(t.Context(), "b.json"); err == nil {
		t.Errorf("a damaged body was read: %s", obj.Data)
	}
}

// damage turns good into evil in both directions.
type damage struct{ next http.RoundTripper }

func (d damage) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte("good"), []byte("evil"))))
	}
	resp, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte("good"), []byte("evil"))))
	return resp, err
}

// Many writers over a store that throttles, breaks connections before and after
// the work, and sees conflicts where there are none. Whatever happens, a save
// that was answered with success is in every later record, and none is in it
// twice.
func TestNoSaveIsLostInAnySeed(t *testing.T) {
	conflicts := 0
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			faults := chaostest.Odds{Throttle: .05, Internal: .05, Dropped: .1, Lost: .15, Slow: .3, SlowFor: 200 * time.Millisecond}
			c, _ := emulator(t, awstest.Options{Seed: seed, Odds: faults}, awstest.S3Options{Conflict: .1, OpaqueETags: seed%2 == 0}, rights)
			key := core.Key{Cloud: core.AWS, ID: "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
			var mu sync.Mutex
			saved := map[string]bool{}
			var writers sync.WaitGroup
			for w := range 4 {
				writers.Go(func() {
					s := record.NewStore(s3store.New(c.S3(user, region, retrying), bucket, "prod"), nil)
					for i := range 12 {
						rec, version, err := s.Load(t.Context(), key)
						if err != nil {
							continue
						}
						rec.Revision = fmt.Sprintf("%d-%d", w, i)
						rec.Protects = append(rec.Protects, rec.Revision)
						_, err = s.Save(t.Context(), key, rec, version)
						mu.Lock()
						saved[rec.Revision] = err == nil
						if errors.Is(err, core.ErrConflict) {
							conflicts++
						}
						mu.Unlock()
					}
				})
			}
			writers.Wait()
			c.SetOdds(chaostest.Odds{})
			rec, _, err := record.NewStore(s3store.New(c.S3(user, region), bucket, "prod"), nil).Load(t.Context(), key)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			in := map[string]int{}
			for _, revision := range rec.Protects {
				in[revision]++
			}
			wins := 0
			for revision := range saved {
				if saved[revision] {
					wins++
				}
				if n := in[revision]; n > 1 || (saved[revision] && n == 0) {
					t.Errorf("seed %d: save %s: answered with success %t, is in the record %d times", seed, revision, saved[revision], n)
				}
			}
			if wins == 0 {
				t.Errorf("seed %d: nobody ever saved", seed)
			}
		})
	}
	if conflicts == 0 {
		t.Error("no two writers ever met")
	}
}
