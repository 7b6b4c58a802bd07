package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"byokwatch/core"
	"byokwatch/functions/adapter"
)

// meaning maps the codes of errors that no repetition will change; the codes
// are those of
// https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html,
// API_GetKeyPolicy, API_DescribeKey, API_EnableKey, API_Sign, and
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html.
//
// KMSInvalidStateException is a conflict: a step is made for the state that was
// read just before, so KMS saying that the state forbids it means that it is
// another one by now, and looking again is what helps. LimitExceededException
// is a policy over 32 KB here, although the SDK takes the code for throttling.
var meaning = map[string]error{
	"AccessDeniedException":            core.ErrDenied,
	"NotFoundException":                core.ErrNotFound,
	"KMSInvalidStateException":         core.ErrConflict,
	"DisabledException":                core.ErrConflict,
	"ConflictException":                core.ErrConflict,
	"MalformedPolicyDocumentException": core.ErrRejected,
	"LimitExceededException":           core.ErrRejected,
	"InvalidArnException":              core.ErrRejected,
	"UnsupportedOperationException":    core.ErrRejected,
	"InvalidKeyUsageException":         core.ErrRejected,
	"ValidationException":              core.ErrRejected,
	"SerializationException":           core.ErrRejected,
}

// passing are codes that the SDK does not know to be worth another try.
var passing = map[string]bool{
	"DependencyTimeoutException": true,
	"KMSInternalException":       true,
	"KeyUnavailableException":    true,
	"ServiceUnavailable":         true,
	"InternalFailure":            true,
}

// understand is the one place that knows the errors of KMS.
func understand(err error) (f *adapter.Fault, again bool) {
	f = &adapter.Fault{Err: err}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Code = api.ErrorCode()
		f.Kind = meaning[f.Code]
		if f.Kind != nil {
			return f, false
		}
	}
	known := retry.IsErrorRetryables(retry.DefaultRetryables)
	return f, passing[f.Code] || known.IsErrorRetryable(err).Bool() || errors.Is(err, context.DeadlineExceeded)
}

// plainly says why a document is missing, for people.
func plainly(err error, right string) string {
	var f *adapter.Fault
	switch {
	case errors.Is(err, core.ErrDenied):
		return "AWS KMS refuses us: our role may not " + right + " on this key"
	case errors.Is(err, core.ErrNotFound):
		return "AWS KMS says that there is no such key"
	case errors.As(err, &f) && f.Code != "":
		return fmt.Sprintf("AWS KMS failed with %s", f.Code)
	}
	return "AWS KMS did not answer in time"
}
