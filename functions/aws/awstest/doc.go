// Package awstest is an AWS small enough to break on purpose: emulators of the
// Key Management Service, of S3 and of what is needed of Secrets Manager, which
// speak their wire protocols to the real SDK clients; a driver for the Lambda
// Runtime API that runs the real bootstrap binary; and, in testdata/events, the
// documented shapes of the events that EventBridge delivers.
//
// It exists because the ways in which KMS surprises a careful program can't be
// had from a mock: policies come back reformatted, with principals in another
// order at each read and with the ID of a deleted role where its ARN was; a
// policy that names somebody unknown is refused as a whole; so is one that
// would lock its writer out; a write is not seen by the next read. The emulator
// is as strict as the documentation, and where that leaves a choice it takes
// the one that is harder for the caller. What it holds to be true is tested
// sentence by sentence, through the SDK, in kms_test.go.
//
// [Cloud] serves two ways: as an [http.Handler] over loopback, for built
// binaries, and as an [http.RoundTripper] in the same process, for tests inside
// a testing/synctest bubble, where sockets hang. Time comes from a function;
// faults are drawn from a hash of the seed, the operation, the key and the
// number of the call, so that a failure repeats by its seed.
//
// It evaluates policies by itself, without the product's judge, for callers of
// the owner's account as well as for Confluent's roles. So [Cloud.Can] is an
// independent answer to the question that everything here turns on.
//
// Known differences from the real service: signatures are not verified, only
// their form and date; policy variables are not expanded; grants count for the
// operations they list and ignore their constraints; organisations' policies
// (SCPs, RCPs) do not exist.
package awstest
