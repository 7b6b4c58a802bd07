// Package gcptest is a Google Cloud small enough to break on purpose: Cloud KMS
// with the policies, labels and versions of its keys, Resource Manager, custom
// roles and deny policies, in the REST protocol that Google's own Go clients
// speak; a guard that stands before somebody else's Cloud Storage emulator and
// checks rights; the audit log, in every form in which it reaches a function;
// and, in testdata/events, samples of its entries.
//
// It exists because of how policies behave there. A policy read without asking
// for version 3 comes back with its conditions cut off, and writing that back
// loses them; a stale etag is refused, none at all overwrites whatever is there;
// a group that was deleted turns up under another name, which must not stand
// beside the old one; a role may be emptied, disabled or deleted while every
// binding stays as it was; whoever lacks a right is told that the key may not
// exist. The emulator is as strict as the documentation, and where that leaves
// a choice it takes the one that is harder for the caller: bindings come back
// merged and in another order than they were sent.
//
// [Cloud] serves two ways: as an [http.Handler] over loopback, for built
// binaries, and as an [http.RoundTripper] in the same process, for tests inside
// a testing/synctest bubble, where sockets hang. Time comes from a function;
// faults are drawn from a hash of the seed, the operation, the resource and the
// number of the call, so that a failure repeats by its seed.
//
// It evaluates policies by itself, without the product's judge, for callers as
// well as for Confluent's group. So [Cloud.Can] is an independent answer to the
// question that everything here turns on.
//
// Known differences from the real service: of conditions it knows request.time
// and resource.name, .type and .service with comparisons, startsWith, endsWith,
// and, or, not; anything else counts as false. Deny policies have no conditions.
// Groups have the members that a test gives them. VPC Service Controls,
// organisation policies and principal access boundaries do not exist.
package gcptest
