// Package blobstore keeps a store in a container of Azure Blob Storage. It is
// thin on purpose: the compare-and-set of a record rests on what Blob Storage
// promises for If-Match and If-None-Match, and on telling apart the many ways in
// which it says no.
//
// What is relied on, from
// https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations:
// a Put Blob with If-None-Match: * is done only where no blob is, and answers 409
// otherwise; one with If-Match is done only where the blob has that ETag, and
// answers 412 otherwise. A blob has another ETag after every write. Reads and
// lists see the last write
// (https://learn.microsoft.com/azure/storage/blobs/concurrency-manage).
//
// 404 has many reasons, and its code tells them apart: BlobNotFound is the one
// that says that the container was looked into. A caller who may not read gets
// 403, whether the blob is there or not.
//
// Whatever client is brought along, how often something is tried again is
// settled here: a condition makes that safe. Where a write was done but its
// answer was lost, the repetition is refused: a conflict of a writer with itself,
// which this package can't tell from any other. record.Store can, by the revision
// inside the object.
package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"byokwatch/core"
	"byokwatch/core/record"
)

// elapsed bounds one call with all its attempts.
const elapsed = 15 * time.Second

// retries is how a request is repeated: 5 times within some 8 seconds. What
// should wait for longer ends at once with what Azure said.
var retries = policy.RetryOptions{
	MaxRetries: 5, TryTimeout: 8 * time.Second,
	RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2500 * time.Millisecond,
	StatusCodes: []int{
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	},
}

type store struct {
	container *container.Client
	prefix    string // empty, or ends in a slash
}

// New is the store under a prefix of a container. The client's identity needs, on
// the container, Microsoft.Storage/storageAccounts/blobServices/containers/blobs/
// read, write and add/action, which are data actions
// (https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory).
func New(client *container.Client, prefix string) record.Objects {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return store{container: client, prefix: prefix}
}

// bounded is the context of one call.
func bounded(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(policy.WithRetryOptions(ctx, retries), elapsed)
	return ctx, cancel, nil
}

// Get implements record.Objects. Data, version and time are of one answer; a
// connection that breaks in its midst goes on at the same ETag.
func (s store) Get(ctx context.Context, name string) (record.Object, error) {
	if err := record.CheckName(name); err != nil {
		return record.Object{}, err
	}
	o, err := s.download(ctx, name)
	if err != nil {
		return record.Object{}, s.fail("get", name, err)
	}
	return o, nil
}

var errAnswer = errors.New("an answer that Blob Storage does not give")

func (s store) download(ctx context.Context, name string) (o record.Object, err error) {
	ctx, cancel, err := bounded(ctx)
	if err != nil {
		return o, err
	}
	defer cancel()
	out, err := s.container.NewBlobClient(s.prefix+name).DownloadStream(ctx, nil)
	if err != nil {
		return o, err
	}
	body := out.NewRetryReader(ctx, &blob.RetryReaderOptions{MaxRetries: retries.MaxRetries})
	defer body.Close()
	if o.Data, err = io.ReadAll(io.LimitReader(body, record.MaxObject+1)); err != nil {
		return o, fmt.Errorf("read the answer: %w", err)
	}
	switch {
	case len(o.Data) > record.MaxObject:
		return o, record.ErrTooLarge
	case out.ContentLength != nil && *out.ContentLength != int64(len(o.Data)):
		return o, fmt.Errorf("%w: %d of %d bytes", errAnswer, len(o.Data), *out.ContentLength)
	case out.ETag == nil || !isETag(string(*out.ETag)) || out.LastModified == nil:
		return o, fmt.Errorf("%w: it has no ETag or no Last-Modified", errAnswer)
	}
	o.Version, o.Modified = string(*out.ETag), *out.LastModified
	return o, nil
}

// isETag says whether a version can be sent as a condition: it is one quoted
// text, and never *, which every blob would meet.
func isETag(version string) bool {
	inner, ok := strings.CutPrefix(version, `"`)
	inner, end := strings.CutSuffix(inner, `"`)
	return ok && end && inner != "" && !strings.ContainsFunc(inner, func(r rune) bool { return r == '"' || r <= ' ' || r > '~' })
}

// Put implements record.Objects. The version is the blob's ETag with its quotes.
func (s store) Put(ctx context.Context, name string, data []byte, version string) (string, error) {
	if err := record.CheckName(name); err != nil {
		return "", err
	}
	op, condition := "replace", &blob.ModifiedAccessConditions{}
	switch etag, any := azcore.ETag(version), azcore.ETagAny; {
	case version == "":
		op, condition.IfNoneMatch = "create", &any
	case isETag(version):
		condition.IfMatch = &etag
	default:
		return "", s.fail(op, name, fmt.Errorf("%w: %q is no ETag", core.ErrConflict, version))
	}
	next, err := s.upload(ctx, name, data, condition)
	if err != nil {
		return "", s.fail(op, name, err)
	}
	return next, nil
}

func (s store) upload(ctx context.Context, name string, data []byte, condition *blob.ModifiedAccessConditions) (string, error) {
	ctx, cancel, err := bounded(ctx)
	if err != nil {
		return "", err
	}
	defer cancel()
	kind := "application/json"
	out, err := s.container.NewBlockBlobClient(s.prefix+name).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &kind},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: condition},
	})
	if err != nil {
		return "", err
	}
	if out.ETag == nil || !isETag(string(*out.ETag)) {
		return "", fmt.Errorf("%w: it has no ETag", errAnswer)
	}
	return string(*out.ETag), nil
}

// List implements record.Objects. What is no name of ours is left out, and so are
// the folders that an account with a hierarchical namespace lists as if they were
// blobs
// (https://learn.microsoft.com/rest/api/storageservices/list-blobs#response-body).
func (s store) List(ctx context.Context, prefix string) ([]string, error) {
	if err := record.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	names, err := s.names(ctx, s.prefix+prefix)
	if err != nil {
		return nil, s.fail("list", prefix, err)
	}
	return names, nil
}

func (s store) names(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	pages := s.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for last := ""; pages.More(); {
		page, err := next(ctx, pages.NextPage)
		if err != nil {
			return nil, err
		}
		if page.Segment == nil {
			return nil, fmt.Errorf("%w: a list without blobs in it", errAnswer)
		}
		for _, item := range page.Segment.BlobItems {
			if item.Name == nil || item.Properties != nil && item.Properties.ResourceType != nil && *item.Properties.ResourceType == "directory" {
				continue
			}
			name, ok := strings.CutPrefix(*item.Name, s.prefix)
			if ok && record.CheckName(name) == nil {
				names = append(names, name)
			}
		}
		if marker := page.NextMarker; marker != nil && *marker != "" {
			if *marker == last {
				return nil, fmt.Errorf("%w: a list that does not go on", errAnswer)
			}
			last = *marker
		}
	}
	slices.Sort(names)
	return names, nil
}

// next reads one page in the time of one call.
func next[T any](ctx context.Context, page func(context.Context) (T, error)) (T, error) {
	ctx, cancel, err := bounded(ctx)
	if err != nil {
		var none T
		return none, err
	}
	defer cancel()
	return page(ctx)
}

// fail maps Blob Storage's error codes
// (https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes)
// to the sentinels that callers branch on. Everything else stays what it is: a
// container that is not there, above all, is no absent object.
func (s store) fail(op, name string, err error) error {
	var kind error
	answer, _ := errors.AsType[*azcore.ResponseError](err)
	switch {
	case answer == nil:
	case op == "get" && bloberror.HasCode(err, bloberror.BlobNotFound):
		kind = core.ErrNotFound
	case op == "replace" && bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.TargetConditionNotMet, bloberror.BlobNotFound),
		op == "create" && bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet),
		op == "create" && bloberror.HasCode(err, bloberror.BlobImmutableDueToPolicy): // only what exists is immutable
		kind = core.ErrConflict
	case answer.StatusCode == http.StatusForbidden:
		kind = core.ErrDenied
	}
	where := fmt.Sprintf("%s %s/%s%s", op, strings.TrimSuffix(s.container.URL(), "/"), s.prefix, name)
	if answer != nil {
		err = refusal{answer}
	}
	if kind != nil {
		return fmt.Errorf("%s: %w: %w", where, kind, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// refusal says in one line what the SDK says in twenty.
type refusal struct{ *azcore.ResponseError }

func (r refusal) Error() string {
	id := ""
	if r.RawResponse != nil {
		id = r.RawResponse.Header.Get("x-ms-request-id")
	}
	return fmt.Sprintf("Blob Storage answered %d %s, request %q", r.StatusCode, r.ErrorCode, id)
}

func (r refusal) Unwrap() error { return r.ResponseError }
