package gcptest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// failure is an error as Google's REST front ends send it
// (https://docs.cloud.google.com/apis/design/errors#http_mapping).
type failure struct {
	http    int
	status  string // such as PERMISSION_DENIED
	message string
}

// codes are the numbers of google.rpc.Code, which is what the audit log shows.
var codes = map[string]int{
	"INVALID_ARGUMENT": 3, "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "PERMISSION_DENIED": 7, "RESOURCE_EXHAUSTED": 8,
	"FAILED_PRECONDITION": 9, "ABORTED": 10, "INTERNAL": 13, "UNAVAILABLE": 14, "UNAUTHENTICATED": 16,
}

func invalid(format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, "INVALID_ARGUMENT", fmt.Sprintf(format, args...)}
}

func precondition(format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, "FAILED_PRECONDITION", fmt.Sprintf(format, args...)}
}

func denied(format string, args ...any) *failure {
	return &failure{http.StatusForbidden, "PERMISSION_DENIED", fmt.Sprintf(format, args...)}
}

func absent(format string, args ...any) *failure {
	return &failure{http.StatusNotFound, "NOT_FOUND", fmt.Sprintf(format, args...)}
}

func aborted() *failure {
	return &failure{http.StatusConflict, "ABORTED", "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."}
}

// answer writes a result or a failure.
func answer(w http.ResponseWriter, out any, f *failure) {
	status := http.StatusOK
	if f != nil {
		status = f.http
		out = map[string]any{"error": map[string]any{"code": f.http, "message": f.message, "status": f.status}}
	}
	if out == nil {
		out = map[string]any{}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // plain values of our own always marshal
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone, as on any server
}
