// Package kms reads and writes the policy of AWS KMS keys for the watchdog. It
// is the adapter and nothing else: it turns two answers of the API into the
// documents that the AWS command line would print, runs the steps that somebody
// else decided on, and says what KMS's errors mean. What a policy says is not
// its business, and it never asks KMS to skip the lockout safety check.
//
// KMS throttles writes at 15 a second for a whole account
// (https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html),
// and a restore comes at a moment when somebody is writing. So what may pass,
// throttling, internal errors, broken connections, is tried again for as long
// as the context lasts, less the time that its caller needs to save what
// happened. Everything else is returned at once.
//
// A client belongs to one Region, and so does a [Keeper]: keys elsewhere are
// refused with an error that says where they live, rather than asked for at an
// endpoint that would answer that they do not exist.
package kms
