package awstest

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// s3List is the answer of
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
type s3List struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              int
	MaxKeys               int
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []s3Entry
}

type s3Entry struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
	StorageClass string
}

func (s *S3) list(w http.ResponseWriter, r *http.Request, b *s3Bucket, c *s3Call) *s3Failure {
	q := r.URL.Query()
	prefix := q.Get("prefix")
	if f := s.need(b, c, "s3:ListBucket", c.arn, map[string]string{"s3:prefix": prefix}); f != nil {
		return f
	}
	after := q.Get("start-after")
	if token := q.Get("continuation-token"); token != "" {
		raw, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			return &s3Failure{status: 400, code: "InvalidArgument", message: "The continuation token provided is incorrect"}
		}
		after = string(raw)
	}
	limit := s.opts.PageSize
	if given := q.Get("max-keys"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 0 {
			return &s3Failure{status: 400, code: "InvalidArgument", message: "Provided max-keys not an integer or within integer range"}
		}
		limit = min(n, limit)
	}
	out := s3List{Name: c.bucket, Prefix: prefix, MaxKeys: limit, StartAfter: q.Get("start-after"),
		ContinuationToken: q.Get("continuation-token"), EncodingType: q.Get("encoding-type")}
	for _, key := range b.keys(prefix, after) {
		if len(out.Contents) == limit {
			out.IsTruncated = true
			if limit > 0 {
				last := out.Contents[limit-1].Key
				out.NextContinuationToken = base64.StdEncoding.EncodeToString([]byte(last))
			}
			break
		}
		v := b.current(key)
		out.Contents = append(out.Contents, s3Entry{Key: key, LastModified: v.modified.Format("2006-01-02T15:04:05.000Z"),
			ETag: v.etag, Size: len(v.data), StorageClass: "STANDARD"})
	}
	out.KeyCount = len(out.Contents)
	if out.EncodingType == "url" {
		out.Prefix = s3Escape(out.Prefix)
		for i := range out.Contents {
			out.Contents[i].Key = s3Escape(out.Contents[i].Key)
		}
	}
	writeXML(w, http.StatusOK, out)
	return nil
}

// keys are those with a current version, in the order of their UTF-8 bytes.
func (b *s3Bucket) keys(prefix, after string) []string {
	var keys []string
	for key := range b.objects {
		if strings.HasPrefix(key, prefix) && key > after && !b.current(key).deleted {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func s3Escape(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }

// s3Failure is a refusal, in the form of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type s3Failure struct {
	status                 int
	code, message          string
	key, bucket, condition string
}

func (f *s3Failure) write(w http.ResponseWriter, r *http.Request, c *s3Call) {
	if r.Method == http.MethodHead { // an answer to HEAD has no body
		w.WriteHeader(f.status)
		return
	}
	writeXML(w, f.status, struct {
		XMLName    xml.Name `xml:"Error"`
		Code       string
		Message    string
		Key        string `xml:",omitempty"`
		BucketName string `xml:",omitempty"`
		Condition  string `xml:",omitempty"`
		RequestID  string `xml:"RequestId"`
		HostID     string `xml:"HostId"`
	}{Code: f.code, Message: f.message, Key: f.key, BucketName: f.bucket, Condition: f.condition, RequestID: c.id, HostID: "host-" + c.id})
}

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil {
		panic("awstest: S3 answer does not marshal: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(append([]byte(xml.Header), body...))
}
