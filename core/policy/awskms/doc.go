// Package awskms judges KMS key policies and finds the way back to one that
// lets Confluent Cloud use the key. It is pure: documents in, findings and
// steps out.
//
// Judging is by effective permission, never by the shape of a statement. For
// every configured Confluent principal and every concrete action that Confluent
// needs, the whole key policy is evaluated as IAM evaluates it: an explicit
// Deny wins, else an Allow in the key policy is needed, conditions and all. The
// key policy is half of a cross-account decision; the other half, Confluent's
// own IAM policies, is assumed, as is everything that no document shows.
//
// The evaluation is three-valued. Of a request by Confluent we know who makes
// it, on what and when, but not from where, through which service or with which
// encryption context; a statement that turns on those leaves undetermined what
// it decides, and the evidence names it. docs/semantics-aws.md tells the rules
// and where they knowingly differ from IAM's.
package awskms
