package awstest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"byokwatch/core/watchdog/chaostest"
)

// Conflict is a fault of S3 alone: a conditional write is answered with 409
// ConditionalRequestConflict although nobody else wrote, and nothing is done.
const Conflict chaostest.Kind = "conflict"

// S3Options say what kind of S3 this is. The zero value is a healthy one with
// the limits of the real service.
type S3Options struct {
	// Conflict is the probability of that fault, drawn as the others are.
	Conflict float64
	// PageSize is how many names a list answers at most; 0 means 1000, as S3.
	PageSize int
	// OpaqueETags makes ETags that differ for equal content, as S3 does for
	// objects encrypted with KMS keys; otherwise they are the content's MD5.
	OpaqueETags bool
}

// S3 is the part of S3 that a store needs, over the identities, the clock and
// the faults of a Cloud: objects with versions, conditional requests, lists and
// the rights that they take. Faults are drawn and injected by the API's name of
// the operation (PutObject) and by the ARN of object or bucket; Stale is none of
// them, because S3 is strongly consistent
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
//
// Left out: everything else. What is not known answers 501 NotImplemented.
type S3 struct {
	cloud *Cloud
	opts  S3Options

	mu      sync.Mutex
	buckets map[string]*s3Bucket
	serial  int
}

// s3Bucket holds the versions of each key, the newest last. Every bucket is
// versioned.
type s3Bucket struct {
	objects map[string][]s3Version
	policy  *document // nil: none
}

type s3Version struct {
	id       string
	deleted  bool // a delete marker
	data     []byte
	etag     string // with its quotes
	checksum s3Checksum
	modified time.Time
}

// NewS3 adds S3, with empty buckets of these names, to a Cloud.
func NewS3(c *Cloud, o S3Options, buckets ...string) *S3 {
	if o.PageSize == 0 {
		o.PageSize = 1000
	}
	s := &S3{cloud: c, opts: o, buckets: map[string]*s3Bucket{}}
	for _, name := range buckets {
		s.buckets[name] = &s3Bucket{objects: map[string][]s3Version{}}
	}
	c.Mount("s3", s)
	return s
}

// S3 is the real client over Config, with the checksums that the SDK's own
// loading of a configuration turns on. It does not retry, unless told.
func (c *Cloud) S3(accessKey, region string, opts ...func(*s3.Options)) *s3.Client {
	cfg := c.Config(accessKey, region)
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	return s3.NewFromConfig(cfg, append([]func(*s3.Options){func(o *s3.Options) { o.Retryer = aws.NopRetryer{} }}, opts...)...)
}

// SetPolicy gives a bucket its bucket policy. Principals must exist, and become
// the unique IDs of whom they name today, as in a key policy.
func (s *S3) SetPolicy(bucket, policy string) error {
	doc, err := parse([]byte(policy))
	if err != nil {
		return fmt.Errorf("policy of bucket %s: %w", bucket, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	for i, statement := range doc.Statement {
		for _, p := range []*principals{statement.Principal, statement.NotPrincipal} {
			if p == nil {
				continue
			}
			if f := s.cloud.admitPrincipals(p); f != nil {
				return fmt.Errorf("policy of bucket %s, statement %d: %s", bucket, i, f.message)
			}
		}
	}
	s.buckets[bucket].policy = doc
	return nil
}

// Object returns the current content of an object; false if there is none.
func (s *S3) Object(bucket, key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.buckets[bucket].current(key)
	return slices.Clone(v.data), !v.deleted
}

// SetObject writes an object past all rights and conditions, as an intruder or
// another tool would.
func (s *S3) SetObject(bucket, key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(s.buckets[bucket], key, s3Version{data: slices.Clone(data)})
}

// RemoveObject puts a delete marker on an object.
func (s *S3) RemoveObject(bucket, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(s.buckets[bucket], key, s3Version{deleted: true})
}

// current is the newest version; a key never written is as one deleted.
func (b *s3Bucket) current(key string) s3Version {
	if all := b.objects[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return s3Version{deleted: true}
}

func (s *S3) add(b *s3Bucket, key string, v s3Version) s3Version {
	s.serial++
	v.id = fmt.Sprintf("v%031d", s.serial)
	v.modified = s.cloud.opts.Now().UTC()
	v.etag = s3ETag(v, s.opts.OpaqueETags)
	b.objects[key] = append(b.objects[key], v)
	return v
}

// s3Call is one request, as far as its address tells.
type s3Call struct {
	op          string // API name
	bucket, key string
	arn         string // of the object, or of the bucket where there is no key
	who         Caller
	id          string // request ID
	n           uint64 // how often the operation met the resource before
}

// ServeHTTP implements http.Handler.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, f := s.open(r)
	w.Header().Set("X-Amz-Request-Id", c.id)
	w.Header().Set("X-Amz-Id-2", "host-"+c.id)
	if f != nil {
		f.write(w, r, c)
		return
	}
	doom := s.cloud.Fate(c.op, c.arn)
	c.n = doom.N
	if err := s.cloud.opts.Sleep(r.Context(), doom.Slow); err != nil || doom.Kind == chaostest.Dropped {
		panic(http.ErrAbortHandler)
	}
	body, f := s3Body(r)
	if f == nil {
		f = s3Doom(doom.Kind)
	}
	if f == nil {
		f = s.perform(w, r, c, doom.Kind, body)
	}
	if doom.Kind == chaostest.Lost {
		panic(http.ErrAbortHandler)
	}
	if f != nil {
		f.write(w, r, c)
	}
}

func s3Doom(kind chaostest.Kind) *s3Failure {
	switch kind {
	case chaostest.Throttle:
		return &s3Failure{status: 503, code: "SlowDown", message: "Please reduce your request rate."}
	case chaostest.Internal:
		return &s3Failure{status: 500, code: "InternalError", message: "We encountered an internal error. Please try again."}
	case chaostest.Unavailable:
		return &s3Failure{status: 503, code: "ServiceUnavailable", message: "Service is unable to handle request."}
	case chaostest.Dropped, chaostest.Lost, chaostest.Stale, chaostest.Slow, chaostest.Other, Conflict:
	}
	return nil
}

// open finds out which operation on what a request asks for, and who asks.
func (s *S3) open(r *http.Request) (*s3Call, *s3Failure) {
	bucket, key := s.address(r)
	c := &s3Call{bucket: bucket, key: key, id: s.cloud.nextID("request"), arn: "arn:aws:s3:::" + bucket}
	if key != "" {
		c.arn += "/" + key
	}
	q := r.URL.Query()
	q.Del("x-id") // the SDK's name of the operation, for logs
	versioned := q.Has("versionId")
	q.Del("versionId")
	switch {
	case key != "" && len(q) == 0 && !versioned && r.Method == http.MethodGet:
		c.op = "GetObject"
	case key != "" && len(q) == 0 && !versioned && r.Method == http.MethodHead:
		c.op = "HeadObject"
	case key != "" && len(q) == 0 && !versioned && r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") == "":
		c.op = "PutObject"
	case key != "" && len(q) == 0 && r.Method == http.MethodDelete:
		c.op = "DeleteObject"
	case bucket != "" && key == "" && r.Method == http.MethodGet && q.Get("list-type") == "2" && !q.Has("delimiter"):
		c.op = "ListObjectsV2"
	default:
		return c, &s3Failure{status: 501, code: "NotImplemented", message: "A header you provided implies functionality that is not implemented."}
	}
	return c, s.authenticate(r, c)
}

// address takes bucket and key from a path-style or virtual-hosted address
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
func (s *S3) address(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if bucket, rest, ok := strings.Cut(host, ".s3."); ok && strings.HasSuffix(rest, "amazonaws.com") {
		return bucket, path
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.buckets {
		if strings.HasPrefix(host, name+".") {
			return name, path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}
