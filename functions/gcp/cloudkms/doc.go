// Package cloudkms reads and writes what decides about a Cloud KMS key for the
// watchdog. It is the adapter and nothing else: it turns the answers of four
// APIs into the documents that gcloud would print, runs the steps that somebody
// else decided on, and says what Google's errors mean.
//
// Access to a key comes from its own policy and from every level above it,
// through roles whose content may change while no policy does. So a read asks
// for the key, its versions and its policy; for the policies of the key ring,
// the project and, where that is allowed, the folders and the organisation; for
// deny policies, where that is allowed; and for the roles that are bound there
// to whoever matters. Refusals above the key are told and change nothing else.
// Any other failure there ends the read: a level that could not be read for a
// moment must not look like one that gives nothing.
//
// Policies are always read and written in version 3, since the conditions of a
// policy are lost otherwise, and always written with the etag of the policy they
// were made from
// (https://docs.cloud.google.com/iam/docs/reference/rest/v1/Policy).
//
// Google's clients for these APIs repeat nothing by themselves. What may pass,
// overload, internal errors, broken connections, is tried again for as long as
// the context lasts, less the time that its caller needs to save what happened.
package cloudkms
