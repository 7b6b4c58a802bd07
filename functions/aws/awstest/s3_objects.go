package awstest

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"strconv"

	"byokwatch/core/watchdog/chaostest"
)

// perform runs an operation under the lock.
func (s *S3) perform(w http.ResponseWriter, r *http.Request, c *s3Call, doom chaostest.Kind, body s3Content) *s3Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[c.bucket]
	if b == nil {
		return &s3Failure{status: 404, code: "NoSuchBucket", message: "The specified bucket does not exist", bucket: c.bucket}
	}
	switch c.op {
	case "GetObject", "HeadObject":
		return s.get(w, r, b, c)
	case "PutObject":
		return s.put(w, r, b, c, doom, body)
	case "DeleteObject":
		return s.delete(w, r, b, c)
	default:
		return s.list(w, r, b, c)
	}
}

func (s *S3) get(w http.ResponseWriter, r *http.Request, b *s3Bucket, c *s3Call) *s3Failure {
	if f := s.need(b, c, "s3:GetObject", c.arn, nil); f != nil {
		return f
	}
	v := b.current(c.key)
	if v.deleted {
		return s.absent(w, b, c)
	}
	if want := r.Header.Get("If-Match"); want != "" && want != "*" && want != v.etag {
		return s3Precondition("If-Match")
	}
	h := w.Header()
	h.Set("Etag", v.etag)
	h.Set("Last-Modified", v.modified.Format(http.TimeFormat))
	h.Set("X-Amz-Version-Id", v.id)
	if not := r.Header.Get("If-None-Match"); not == v.etag || not == "*" {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if v.checksum.value != "" && r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		h.Set(v.checksum.name, v.checksum.value)
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.Itoa(len(v.data)))
	if c.op == "GetObject" {
		_, _ = w.Write(v.data) // a client that is gone misses its answer, as everywhere
	}
	return nil
}

// put writes an object. The order and the codes of its refusals are those of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html,
// which also says that If-Match takes s3:GetObject beside s3:PutObject, and that
// it answers 404 where the object is not there or is deleted.
func (s *S3) put(w http.ResponseWriter, r *http.Request, b *s3Bucket, c *s3Call, doom chaostest.Kind, body s3Content) *s3Failure {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	context := map[string]string{}
	if match != "" {
		context["s3:if-match"] = match
	}
	if none != "" {
		context["s3:if-none-match"] = none
	}
	if f := s.need(b, c, "s3:PutObject", c.arn, context); f != nil {
		return f
	}
	if match != "" {
		if f := s.need(b, c, "s3:GetObject", c.arn, nil); f != nil {
			return f
		}
	}
	if none != "" && none != "*" || none != "" && match != "" {
		return &s3Failure{status: 501, code: "NotImplemented", message: "A header you provided implies functionality that is not implemented."}
	}
	conditional := match != "" || none != ""
	if conditional && (doom == Conflict || s.cloud.Chance(c.op, c.arn, string(Conflict), c.n) < s.opts.Conflict) {
		return &s3Failure{status: 409, code: "ConditionalRequestConflict", message: "The conditional request cannot succeed due to a conflicting operation against this resource.", key: c.key}
	}
	old := b.current(c.key)
	switch {
	case none == "*" && !old.deleted:
		return s3Precondition("If-None-Match")
	case match != "" && old.deleted:
		return s.absent(w, b, c)
	case match != "" && match != "*" && match != old.etag:
		return s3Precondition("If-Match")
	}
	v := s.add(b, c.key, s3Version{data: body.data, checksum: body.checksum})
	h := w.Header()
	h.Set("Etag", v.etag)
	h.Set("X-Amz-Version-Id", v.id)
	h.Set("X-Amz-Server-Side-Encryption", "AES256")
	if v.checksum.value != "" {
		h.Set(v.checksum.name, v.checksum.value)
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// delete puts a delete marker on an object, or takes one version away for good.
func (s *S3) delete(w http.ResponseWriter, r *http.Request, b *s3Bucket, c *s3Call) *s3Failure {
	id := r.URL.Query().Get("versionId")
	action := "s3:DeleteObject"
	if id != "" {
		action = "s3:DeleteObjectVersion"
	}
	if f := s.need(b, c, action, c.arn, nil); f != nil {
		return f
	}
	if id == "" {
		v := s.add(b, c.key, s3Version{deleted: true})
		w.Header().Set("X-Amz-Delete-Marker", "true")
		w.Header().Set("X-Amz-Version-Id", v.id)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	for i, v := range b.objects[c.key] {
		if v.id == id {
			b.objects[c.key] = append(b.objects[c.key][:i:i], b.objects[c.key][i+1:]...)
			w.Header().Set("X-Amz-Version-Id", id)
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	return &s3Failure{status: 404, code: "NoSuchVersion", message: "The specified version does not exist.", key: c.key}
}

func s3Precondition(header string) *s3Failure {
	return &s3Failure{status: 412, code: "PreconditionFailed", message: "At least one of the pre-conditions you specified did not hold", condition: header}
}

// s3ETag is the MD5 of the content, or something else that is as opaque
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
func s3ETag(v s3Version, opaque bool) string {
	h := md5.New()
	h.Write(v.data)
	if opaque {
		h.Write([]byte(v.id))
	}
	return `"` + hex.EncodeToString(h.Sum(nil)) + `"`
}
