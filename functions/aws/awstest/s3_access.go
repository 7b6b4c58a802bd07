package awstest

import (
	"fmt"
	"net/http"
	"time"
)

// authenticate finds who signed a request to S3.
func (s *S3) authenticate(r *http.Request, c *s3Call) *s3Failure {
	sig, err := scopeOf(r)
	if err != nil {
		return &s3Failure{status: 403, code: "AccessDenied", message: "Access Denied"}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return &s3Failure{status: 403, code: "AccessDenied", message: "AWS authentication requires a valid Date or x-amz-date header"}
	}
	if s.cloud.opts.Now().Sub(at).Abs() > 15*time.Minute {
		return &s3Failure{status: 403, code: "RequestTimeTooSkewed", message: "The difference between the request time and the current time is too large."}
	}
	who, ok := s.cloud.Who(sig.accessKey)
	if !ok {
		return &s3Failure{status: 403, code: "InvalidAccessKeyId", message: "The AWS Access Key Id you provided does not exist in our records."}
	}
	c.who = who
	return nil
}

// need checks one right and records that it was used. Rights of a bucket that
// is in the caller's account come from either side, and a Deny on either side
// ends it.
func (s *S3) need(b *s3Bucket, c *s3Call, action, resource string, context map[string]string) *s3Failure {
	allowed := s.permits(b, c.who, action, resource, context)
	s.cloud.Used(Action{Caller: c.who.Principal, Name: action, Resource: resource, Context: context, Allowed: allowed})
	if allowed {
		return nil
	}
	return &s3Failure{status: 403, code: "AccessDenied", message: fmt.Sprintf(
		"User: %s is not authorized to perform: %s on resource: %q because no identity-based policy allows the %s action",
		c.who.ARN(), action, resource, action)}
}

func (s *S3) permits(b *s3Bucket, who Caller, action, resource string, context map[string]string) bool {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	r := s.cloud.newRequest(who, action, resource, context)
	r.context["aws:resourceaccount"] = []string{s.cloud.opts.Account}
	var byBucket, byIdentity bool
	if b.policy != nil {
		byName, byAccount := s.cloud.weigh(b.policy, r)
		if byName == denies {
			return false
		}
		byBucket = byName == allows || (byAccount && rootARN.MatchString(who.Principal))
	}
	for _, doc := range s.cloud.iam.policies[who.Principal] {
		switch weighIdentity(doc, r) {
		case denies:
			return false
		case allows:
			byIdentity = true
		case none:
		}
	}
	if rootARN.MatchString(who.Principal) {
		byIdentity = true
	}
	if who.Account() == s.cloud.opts.Account {
		return byBucket || byIdentity
	}
	return byBucket && byIdentity
}

// absent is how S3 answers for an object that is not there: whoever may not list
// the bucket is not told so
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax).
func (s *S3) absent(w http.ResponseWriter, b *s3Bucket, c *s3Call) *s3Failure {
	if f := s.need(b, c, "s3:ListBucket", "arn:aws:s3:::"+c.bucket, nil); f != nil {
		return f
	}
	if len(b.objects[c.key]) > 0 {
		w.Header().Set("X-Amz-Delete-Marker", "true")
	}
	return &s3Failure{status: 404, code: "NoSuchKey", message: "The specified key does not exist.", key: c.key}
}
