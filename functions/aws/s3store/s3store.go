// Package s3store keeps a store in an S3 bucket. It is thin on purpose: the
// compare-and-set of a record rests on what S3 promises for If-Match and
// If-None-Match, and on telling apart the many ways in which S3 says no.
//
// What is relied on, from
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html:
// a PUT with If-None-Match: * is done only where no current version of the
// object is, one with If-Match only where that has the given ETag; otherwise it
// answers 412. 409 says that another request on the object got in between, and
// 404, to If-Match, that the object is gone or covered by a delete marker. Both
// kinds take s3:PutObject, If-Match s3:GetObject as well. Reads see the last
// write (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
//
// The SDK repeats a request whose answer it did not get. Where the first one was
// done, the repetition is refused with 412: a conflict of a writer with itself,
// which this package can't tell from any other. record.Store can, by the
// revision inside the object.
package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"byokwatch/core"
	"byokwatch/core/record"
)

type store struct {
	client *s3.Client
	bucket string
	prefix string // empty, or ends in a slash
}

// New is the store under a prefix of a bucket. The client's identity needs
// s3:GetObject and s3:PutObject on arn:aws:s3:::<bucket>/<prefix>/*, and
// s3:ListBucket on the bucket: without that S3 answers 403 for an absent object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html), which is
// never taken for absence here.
func New(client *s3.Client, bucket, prefix string) record.Objects {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return store{client: client, bucket: bucket, prefix: prefix}
}

// Get implements record.Objects.
func (s store) Get(ctx context.Context, name string) (record.Object, error) {
	if err := record.CheckName(name); err != nil {
		return record.Object{}, err
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + name)}, quiet)
	if err != nil {
		return record.Object{}, s.fail("get", name, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, record.MaxObject+1))
	if err != nil {
		return record.Object{}, s.fail("get", name, err)
	}
	if len(data) > record.MaxObject {
		return record.Object{}, s.fail("get", name, record.ErrTooLarge)
	}
	if aws.ToString(out.ETag) == "" || out.LastModified == nil {
		return record.Object{}, s.fail("get", name, errors.New("answer without ETag or Last-Modified"))
	}
	return record.Object{Data: data, Version: *out.ETag, Modified: *out.LastModified}, nil
}

// quiet keeps the SDK from logging that an object which other tools wrote has no
// checksum to verify.
func quiet(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true }

// Put implements record.Objects. The version is the ETag with its quotes, as S3
// wants it back.
func (s store) Put(ctx context.Context, name string, data []byte, version string) (string, error) {
	if err := record.CheckName(name); err != nil {
		return "", err
	}
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.prefix + name), Body: bytes.NewReader(data),
		ContentType: aws.String("application/json"),
	}
	if version == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &version
	}
	out, err := s.client.PutObject(ctx, in)
	if err != nil {
		return "", s.fail("put", name, err)
	}
	if aws.ToString(out.ETag) == "" {
		return "", s.fail("put", name, errors.New("answer without ETag"))
	}
	return *out.ETag, nil
}

// List implements record.Objects. What is no name of ours, such as the folders
// that the console makes, is left out.
func (s store) List(ctx context.Context, prefix string) ([]string, error) {
	if err := record.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var names []string
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.prefix + prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.fail("list", prefix, err)
		}
		for _, object := range page.Contents {
			name, ok := strings.CutPrefix(aws.ToString(object.Key), s.prefix)
			if ok && record.CheckName(name) == nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// fail maps S3's error codes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList)
// to the sentinels that callers branch on. Everything else stays what it is.
func (s store) fail(op, name string, err error) error {
	var kind error
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "NoSuchKey":
			kind = core.ErrNotFound
			if op == "put" { // of If-Match: there is nothing with that version
				kind = core.ErrConflict
			}
		case "PreconditionFailed", "ConditionalRequestConflict", "OperationAborted":
			kind = core.ErrConflict
		case "AccessDenied":
			kind = core.ErrDenied
		}
	}
	where := fmt.Sprintf("%s s3://%s/%s%s", op, s.bucket, s.prefix, name)
	if kind != nil {
		return fmt.Errorf("%s: %w: %w", where, kind, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}
