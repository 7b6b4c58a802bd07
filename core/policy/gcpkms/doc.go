// Package gcpkms judges whether Confluent Cloud can use a Cloud KMS key and
// finds the way back to a policy that lets it. It is pure: documents in,
// findings and steps out.
//
// Judging is by effective permission, never by the name of a role. For each
// permission that Confluent's group needs, every IAM policy that reaches the key
// is read as IAM reads it: the key's own, its ring's, its project's and those of
// folders and organisation, each binding through the permissions that its role
// really carries (a custom role can be gutted, disabled or deleted without any
// binding changing), under its condition, minus the deny policies. What can't
// be read above the key gives nothing and is listed as assumed.
//
// The evaluation is three-valued. Of a request by Confluent we know the group,
// the key and the time, but not which tags the key has, from where the request
// comes, or who is a member of which group; what turns on those is left
// undetermined, and the evidence names it. docs/semantics-gcp.md tells the rules
// and where they knowingly differ from IAM's.
package gcpkms
