package cloudkms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/api/googleapi"

	"byokwatch/core"
	"byokwatch/functions/adapter"
)

// meaning maps the status of an answer, in HTTP's numbers, to what no repetition
// will change (https://docs.cloud.google.com/apis/design/errors#http_mapping).
// 409 is ABORTED: the etag is not that of the live policy.
var meaning = map[int]error{
	http.StatusBadRequest: core.ErrRejected,
	http.StatusForbidden:  core.ErrDenied,
	http.StatusNotFound:   core.ErrNotFound,
	http.StatusConflict:   core.ErrConflict,
}

// passing are those worth another try
// (https://docs.cloud.google.com/iam/docs/retry-strategy).
var passing = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// understand is the one place that knows Google's errors. FAILED_PRECONDITION is
// a conflict although it comes as 400: a step is made for the state that was
// read just before, so it is another one by now, and looking again helps.
func understand(err error) (f *adapter.Fault, again bool) {
	f = &adapter.Fault{Err: err}
	api, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return f, !errors.Is(err, context.Canceled)
	}
	f.Code, f.Kind = statusOf(api), meaning[api.Code]
	if f.Code == "FAILED_PRECONDITION" {
		f.Kind = core.ErrConflict
	}
	return f, slices.Contains(passing, api.Code)
}

// statusOf is the name of an error, which the client does not keep.
func statusOf(e *googleapi.Error) string {
	var body struct {
		Error struct {
			Status string `json:"status"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(e.Body), &body) != nil || body.Error.Status == "" {
		return fmt.Sprintf("HTTP status %d", e.Code)
	}
	return body.Error.Status
}

// plainly says why a document is missing, for people.
func plainly(err error, right, on string) string {
	f, answered := errors.AsType[*adapter.Fault](err)
	switch {
	case errors.Is(err, core.ErrDenied):
		return "Google Cloud refuses us: our service account may not " + right + " on " + on + ", or it does not exist"
	case errors.Is(err, core.ErrNotFound):
		return "Google Cloud says that " + on + " does not exist"
	case answered && f.Code != "":
		return "Google Cloud failed with " + f.Code
	}
	return "Google Cloud did not answer in time"
}
