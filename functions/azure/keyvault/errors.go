package keyvault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"byokwatch/core"
	"byokwatch/functions/adapter"
)

// absences are the codes of 404 that say that something is not there. Azure
// Resource Manager asks first whether we may look. Every other 404 is a mistake
// of ours or of the way there, such as SubscriptionNotFound.
// https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
var absences = []string{"ResourceNotFound", "ResourceGroupNotFound", "KeyNotFound", roleGone, "RoleAssignmentNotFound"}

// The codes that somebody branches on.
const (
	roleGone         = "RoleDefinitionDoesNotExist"
	assignmentExists = "RoleAssignmentExists"
)

// refusals are the codes that no repetition and no other caller will change,
// whatever status they come with: too many assignments, a lock.
// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
// https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources
var refusals = []string{"RoleAssignmentLimitExceeded", "RoleAssignmentUpdateNotPermitted", "PrincipalNotFound", "ScopeLocked"}

// meaning maps the status of all other answers.
var meaning = map[int]error{
	http.StatusBadRequest:         core.ErrRejected,
	http.StatusForbidden:          core.ErrDenied,
	http.StatusConflict:           core.ErrConflict,
	http.StatusPreconditionFailed: core.ErrConflict,
}

// passing are those worth another try, as in Microsoft's own pipeline.
var passing = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// understand is the one place that knows Azure's errors.
func understand(err error) (f *adapter.Fault, again bool) {
	f = &adapter.Fault{Err: err}
	answer, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return f, !errors.Is(err, context.Canceled)
	}
	f.Err, f.Code, f.After = refusal{answer}, codeOf(answer), after(answer)
	switch {
	case slices.Contains(refusals, f.Code):
		f.Kind = core.ErrRejected
	case answer.StatusCode == http.StatusNotFound && slices.Contains(absences, f.Code):
		f.Kind = core.ErrNotFound
	default:
		f.Kind = meaning[answer.StatusCode]
	}
	return f, slices.Contains(passing, answer.StatusCode)
}

// codeOf is the name of an error, which may be missing.
func codeOf(e *azcore.ResponseError) string {
	if e.ErrorCode == "" {
		return fmt.Sprintf("HTTP status %d", e.StatusCode)
	}
	return e.ErrorCode
}

// hasCode says that an error is one answer of Azure with that code.
func hasCode(err error, code string) bool {
	f, ok := errors.AsType[*adapter.Fault](err)
	return ok && f.Code == code
}

// after is for how long Azure asks to be left alone
// (https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling#error-code).
func after(e *azcore.ResponseError) time.Duration {
	if e.RawResponse == nil {
		return 0
	}
	text := e.RawResponse.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// refusal says in one line what Microsoft's error says in twenty.
type refusal struct{ *azcore.ResponseError }

const longest = 400 // bytes of what Azure says for people

func (r refusal) Error() string {
	out := fmt.Sprintf("Azure answered %d %s", r.StatusCode, r.ErrorCode)
	if said := strings.Join(strings.Fields(r.message()), " "); said != "" {
		out += ": " + strings.ToValidUTF8(said[:min(len(said), longest)], "")
	}
	return out
}

func (r refusal) Unwrap() error { return r.ResponseError }

// message is what Azure says for people.
func (r refusal) message() string {
	if r.RawResponse == nil {
		return ""
	}
	data, err := runtime.Payload(r.RawResponse)
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err != nil || json.Unmarshal(data, &body) != nil {
		return ""
	}
	return body.Error.Message
}

// plainly says why a document is missing, for people.
func plainly(err error, right, on string) string {
	switch {
	case errors.Is(err, core.ErrDenied):
		return "Azure refuses us: our identity may not " + right + " on " + on
	case errors.Is(err, core.ErrNotFound):
		return "Azure says that " + on + " does not exist"
	}
	return "Azure's answer about " + on + " can't be used"
}
