package awstest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/aws/awstest"
)

const (
	s3Bucket = "acme-byokwatch"
	s3Role   = "arn:aws:iam::111122223333:role/byokwatch"
	s3Access = "AKIAS3"
)

func newS3(t *testing.T, o awstest.Options, so awstest.S3Options, rights ...string) (*awstest.Cloud, *awstest.S3, *s3.Client) {
	t.Helper()
	c := awstest.New(o)
	c.Create(s3Role)
	if rights == nil {
		rights = []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`}
	}
	for _, r := range rights {
		if err := c.Attach(s3Role, r); err != nil {
			t.Fatal(err)
		}
	}
	c.Login(awstest.Caller{AccessKey: s3Access, Principal: s3Role})
	emu := awstest.NewS3(c, so, s3Bucket)
	return c, emu, c.S3(s3Access, "us-west-2")
}

func s3Code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func putS3(t *testing.T, client *s3.Client, key, data string) *s3.PutObjectOutput {
	t.Helper()
	out, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(s3Bucket), Key: &key, Body: strings.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestS3VersionsAndDeleteMarkers(t *testing.T) {
	_, emu, client := newS3(t, awstest.Options{}, awstest.S3Options{})
	first := putS3(t, client, "a b+c/é.json", "one")
	second := putS3(t, client, "a b+c/é.json", "two")
	if *first.ETag != `"f97c5d29941bfb1b2fdab0874906ab82"` { // md5sum of "one"
		t.Errorf("ETag %s is not the content's MD5", *first.ETag)
	}
	if *first.VersionId == *second.VersionId || *first.ETag == *second.ETag {
		t.Error("two writes share version or ETag")
	}
	key := aws.String("a b+c/é.json")
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(s3Bucket), Key: key})
	if err != nil || *head.ContentLength != 3 || *head.ETag != *second.ETag {
		t.Errorf("head: %+v, %v", head, err)
	}
	if _, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: key, IfNoneMatch: second.ETag}); !strings.Contains(fmt.Sprint(err), "304") {
		t.Errorf("get of what is known: %v", err)
	}
	if _, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: key, IfMatch: first.ETag}); s3Code(err) != "PreconditionFailed" {
		t.Errorf("get of another version: %v", err)
	}
	gone, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s3Bucket), Key: key})
	if err != nil || !aws.ToBool(gone.DeleteMarker) {
		t.Fatalf("delete: %+v, %v", gone, err)
	}
	_, err = client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: key})
	if _, ok := errors.AsType[*types.NoSuchKey](err); !ok {
		t.Errorf("get of a deleted object: %v", err)
	}
	if _, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(s3Bucket), Key: key}); s3Code(err) != "NotFound" {
		t.Errorf("head of a deleted object: %v", err)
	}
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s3Bucket), Key: key, VersionId: gone.VersionId}); err != nil {
		t.Fatal(err)
	}
	if data, ok := emu.Object(s3Bucket, *key); !ok || string(data) != "two" {
		t.Errorf("without its delete marker the object is %q, %t", data, ok)
	}
}

// The bucket policy that a deployment gives: kept/ only by creating, requests/
// by operators only.
func TestS3BucketPolicyBindsWrites(t *testing.T) {
	c, emu, client := newS3(t, awstest.Options{}, awstest.S3Options{})
	if err := emu.SetPolicy(s3Bucket, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::acme-byokwatch/kept/*","Condition":{"Null":{"s3:if-none-match":"true"}}},
		{"Effect":"Deny","Principal":{"AWS":"`+s3Role+`"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::acme-byokwatch/requests/*"}]}`); err != nil {
		t.Fatal(err)
	}
	put := func(key string, create bool) string {
		in := &s3.PutObjectInput{Bucket: aws.String(s3Bucket), Key: &key, Body: strings.NewReader("x")}
		if create {
			in.IfNoneMatch = aws.String("*")
		}
		_, err := client.PutObject(t.Context(), in)
		if err == nil {
			return ""
		}
		return s3Code(err)
	}
	for call, got := range map[string][2]string{
		"kept without a condition": {put("kept/a", false), "AccessDenied"}, "kept, created": {put("kept/a", true), ""},
		"kept, created again": {put("kept/a", true), "PreconditionFailed"}, "a request": {put("requests/a", true), "AccessDenied"}, "a record": {put("records/a", false), ""},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", call, got[0], got[1])
		}
	}
	denied := 0
	for _, a := range c.Actions() {
		if a.Name == "s3:PutObject" && !a.Allowed {
			denied++
		}
	}
	if denied != 2 {
		t.Errorf("%d refused uses on record, want 2", denied)
	}
}

func TestS3RightsOfStrangers(t *testing.T) {
	c, emu, _ := newS3(t, awstest.Options{}, awstest.S3Options{})
	emu.SetObject(s3Bucket, "a", nil)
	const stranger = "arn:aws:iam::999988887777:role/x"
	c.Create(stranger)
	if err := c.Attach(stranger, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	c.Login(awstest.Caller{AccessKey: "AKIASTRANGER", Principal: stranger})
	for access, want := range map[string]string{"AKIASTRANGER": "AccessDenied", "AKIANOBODY": "InvalidAccessKeyId"} {
		if _, err := c.S3(access, "us-west-2").GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: aws.String("a")}); s3Code(err) != want {
			t.Errorf("%s: %v, want %s", access, err, want)
		}
	}
}

// Whatever body is damaged, or said to be another, is refused.
func TestS3ChecksBodies(t *testing.T) {
	chunked := func(sum string) (map[string]string, string) {
		return map[string]string{"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length": "9", "X-Amz-Trailer": "x-amz-checksum-crc32"},
			"5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:" + sum + "\r\n\r\n"
	}
	good, goodBody := chunked("y/Q5Jg==") // CRC-32 of 123456789, the check value of the standard: cbf43926
	bad, badBody := chunked("AAAAAA==")
	_, noTrailer := chunked("")
	for sentence, c := range map[string]struct {
		header map[string]string
		body   string
		want   string
	}{
		"chunks with a right trailer":    {good, goodBody, ""},
		"chunks with a wrong checksum":   {bad, badBody, "BadDigest"},
		"chunks without their trailer":   {good, strings.Replace(noTrailer, "x-amz-checksum-crc32:", "x-other: 1", 1), "MalformedTrailerError"},
		"chunks that end early":          {good, goodBody[:20], "IncompleteBody"},
		"chunks of another length":       {good, strings.Replace(goodBody, "4\r\n6789\r\n", "", 1), "IncompleteBody"},
		"no chunks at all":               {good, "123456789", "IncompleteBody"},
		"a right SHA-256":                {map[string]string{"X-Amz-Content-Sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"}, "123456789", ""},
		"a wrong SHA-256":                {map[string]string{"X-Amz-Content-Sha256": strings.Repeat("0", 64)}, "123456789", "XAmzContentSHA256Mismatch"},
		"a right CRC-64/NVME":            {map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Checksum-Crc64nvme": "rosUhgp5mIg="}, "123456789", ""}, // ae8b14860a799888
		"a right CRC-32C":                {map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Checksum-Crc32c": "4waSgw=="}, "123456789", ""},        // e3069283
		"a wrong CRC-32C":                {map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Checksum-Crc32c": "4waSgx=="}, "123456789", "BadDigest"},
		"an operation that is not there": {map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Copy-Source": "/b/k"}, "", "NotImplemented"},
	} {
		t.Run(sentence, func(t *testing.T) {
			cloud, emu, _ := newS3(t, awstest.Options{}, awstest.S3Options{})
			status, body := rawS3(t, cloud, c.header, c.body)
			if c.want == "" {
				if data, _ := emu.Object(s3Bucket, "a"); status != 200 || string(data) != "123456789" {
					t.Errorf("status %d, stored %q\n%s", status, data, body)
				}
				return
			}
			if _, stored := emu.Object(s3Bucket, "a"); stored || status < 400 || !strings.Contains(body, "<Code>"+c.want+"</Code>") {
				t.Errorf("status %d, stored %t, want %s\n%s", status, stored, c.want, body)
			}
		})
	}
}

// rawS3 sends a PUT as no SDK would.
func rawS3(t *testing.T, c *awstest.Cloud, header map[string]string, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+s3Bucket+".s3.us-west-2.amazonaws.com/a", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s3Access+"/20260801/us-west-2/s3/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := c.RoundTripper().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// The same seed, the same faults.
func TestS3FaultsRepeatBySeed(t *testing.T) {
	play := func(seed uint64) (out []string) {
		_, _, client := newS3(t, awstest.Options{Seed: seed, Odds: chaostest.Odds{Throttle: .1, Internal: .1, Dropped: .1, Lost: .1}}, awstest.S3Options{Conflict: .2})
		for i := range 60 {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(s3Bucket), Key: aws.String(fmt.Sprint("k", i%5)), IfNoneMatch: aws.String("*")})
			code := "ok"
			if api, ok := errors.AsType[smithy.APIError](err); ok {
				code = api.ErrorCode()
			} else if err != nil {
				code = "no answer"
			}
			out = append(out, code)
		}
		return out
	}
	one := strings.Join(play(1), " ")
	if again := strings.Join(play(1), " "); one != again {
		t.Errorf("the same seed gave\n%s\nand\n%s", one, again)
	}
	if other := strings.Join(play(2), " "); one == other {
		t.Error("another seed gave the same faults")
	}
	for _, kind := range []string{"SlowDown", "InternalError", "no answer", "ConditionalRequestConflict", "ok", "PreconditionFailed"} {
		if !strings.Contains(one, kind) {
			t.Errorf("60 calls had no %q: %s", kind, one)
		}
	}
}
