// Package gcsstore keeps a store in a Cloud Storage bucket. It is thin on
// purpose: the compare-and-set of a record rests on what Cloud Storage promises
// for a generation as precondition, and on telling apart the ways in which it
// says no.
//
// What is relied on, from
// https://docs.cloud.google.com/storage/docs/request-preconditions: an upload
// with ifGenerationMatch=0 is done only where no live version of the object is,
// one with a generation only where that is the live one; otherwise the answer is
// 412. Generations are never used again. Reads and lists see the last write
// (https://docs.cloud.google.com/storage/docs/consistency).
//
// 404 means that the object or its bucket is not there, and only the words
// differ. So an object counts as absent only once its bucket could be listed.
//
// One object takes about one write a second
// (https://docs.cloud.google.com/storage/quotas#objects), and a restore writes
// its record several times. So 429 and what else may pass is tried again, which
// a precondition makes safe. Where an upload was done but its answer was lost,
// the repetition is refused with 412: a conflict of a writer with itself, which
// this package can't tell from any other. record.Store can, by the revision
// inside the object.
package gcsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"byokwatch/core"
	"byokwatch/core/record"
)

type store struct {
	objects *storage.ObjectsService
	bucket  string
	prefix  string // empty, or ends in a slash
}

// New is the store under a prefix of a bucket. The client's identity needs
// storage.objects.list on the bucket, and on the objects under the prefix
// storage.objects.get, .create and, where records are replaced, .delete
// (https://docs.cloud.google.com/storage/docs/access-control/iam-json).
func New(client *storage.Service, bucket, prefix string) record.Objects {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return store{objects: client.Objects, bucket: bucket, prefix: prefix}
}

// Get implements record.Objects.
func (s store) Get(ctx context.Context, name string) (record.Object, error) {
	if err := record.CheckName(name); err != nil {
		return record.Object{}, err
	}
	o, err := try(ctx, func(ctx context.Context) (record.Object, error) { return s.download(ctx, name) })
	if httpCode(err) == http.StatusNotFound {
		if _, ofBucket := s.page(ctx, name, "", 1); ofBucket != nil {
			return record.Object{}, s.fail("get", name, ofBucket)
		}
		err = fmt.Errorf("%w: %w", core.ErrNotFound, err)
	}
	if err != nil {
		return record.Object{}, s.fail("get", name, err)
	}
	return o, nil
}

// download reads data, generation and time in one answer
// (https://docs.cloud.google.com/storage/docs/json_api/v1/objects/get).
func (s store) download(ctx context.Context, name string) (o record.Object, err error) {
	res, err := s.objects.Get(s.bucket, s.prefix+name).Context(ctx).Download()
	if err != nil {
		return o, err
	}
	defer res.Body.Close()
	if o.Data, err = io.ReadAll(io.LimitReader(res.Body, record.MaxObject+1)); err != nil {
		return o, fmt.Errorf("read the answer: %w", err)
	}
	if len(o.Data) > record.MaxObject {
		return o, record.ErrTooLarge
	}
	o.Version = res.Header.Get("X-Goog-Generation")
	if !isGeneration(o.Version) {
		return o, errNoGeneration
	}
	if o.Modified, err = http.ParseTime(res.Header.Get("Last-Modified")); err != nil {
		o.Modified, err = s.updated(ctx, name, o.Version)
	}
	return o, err
}

// updated asks when a generation was written. The JSON API promises no
// Last-Modified beside the data.
func (s store) updated(ctx context.Context, name, version string) (time.Time, error) {
	n, _ := strconv.ParseInt(version, 10, 64) // isGeneration said so
	out, err := s.objects.Get(s.bucket, s.prefix+name).Generation(n).Fields("updated").Context(ctx).Do()
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, out.Updated)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: updated: %w", errAnswer, err)
	}
	return at, nil
}

var (
	errAnswer       = errors.New("an answer that Cloud Storage does not give")
	errNoGeneration = fmt.Errorf("%w: it has no generation", errAnswer)
)

func isGeneration(version string) bool {
	n, err := strconv.ParseInt(version, 10, 64)
	return err == nil && n > 0
}

// Put implements record.Objects. The version is the object's generation.
func (s store) Put(ctx context.Context, name string, data []byte, version string) (string, error) {
	if err := record.CheckName(name); err != nil {
		return "", err
	}
	var generation int64 // 0: must not exist
	if version != "" {
		if !isGeneration(version) {
			return "", s.fail("put", name, fmt.Errorf("%w: %q is no generation", core.ErrConflict, version))
		}
		generation, _ = strconv.ParseInt(version, 10, 64) // isGeneration said so
	}
	out, err := try(ctx, func(ctx context.Context) (*storage.Object, error) {
		return s.objects.Insert(s.bucket, &storage.Object{Name: s.prefix + name, ContentType: "application/json"}).
			IfGenerationMatch(generation).Context(ctx).
			Media(bytes.NewReader(data), googleapi.ContentType("application/json"), googleapi.ChunkSize(0)).Do()
	})
	if err != nil {
		return "", s.fail("put", name, err)
	}
	if out.Generation <= 0 {
		return "", s.fail("put", name, errNoGeneration)
	}
	return strconv.FormatInt(out.Generation, 10), nil
}

// List implements record.Objects. What is no name of ours, such as the folders
// that the console makes, is left out.
func (s store) List(ctx context.Context, prefix string) ([]string, error) {
	if err := record.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var names []string
	for token := ""; ; {
		page, err := s.page(ctx, prefix, token, 0)
		if err != nil {
			return nil, s.fail("list", prefix, err)
		}
		for _, object := range page.Items {
			name, ok := strings.CutPrefix(object.Name, s.prefix)
			if ok && record.CheckName(name) == nil {
				names = append(names, name)
			}
		}
		if page.NextPageToken == "" {
			slices.Sort(names)
			return names, nil
		}
		if page.NextPageToken == token {
			return nil, s.fail("list", prefix, fmt.Errorf("%w: a list that does not go on", errAnswer))
		}
		token = page.NextPageToken
	}
}

// page reads one page of a list; most 0 leaves its size to the service.
func (s store) page(ctx context.Context, prefix, token string, most int64) (*storage.Objects, error) {
	return try(ctx, func(ctx context.Context) (*storage.Objects, error) {
		call := s.objects.List(s.bucket).Prefix(s.prefix+prefix).PageToken(token).Fields("items/name", "nextPageToken")
		if most > 0 {
			call.MaxResults(most)
		}
		return call.Context(ctx).Do()
	})
}

func httpCode(err error) int {
	if api, ok := errors.AsType[*googleapi.Error](err); ok {
		return api.Code
	}
	return 0
}

// fail maps statuses
// (https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes) to the
// sentinels that callers branch on. A 404 is left as it is: it is that of the
// bucket.
func (s store) fail(op, name string, err error) error {
	where := fmt.Sprintf("%s gs://%s/%s%s", op, s.bucket, s.prefix, name)
	switch httpCode(err) {
	case http.StatusPreconditionFailed, http.StatusConflict:
		return fmt.Errorf("%s: %w: %w", where, core.ErrConflict, err)
	case http.StatusForbidden:
		return fmt.Errorf("%s: %w: %w", where, core.ErrDenied, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}
