package azuretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"byokwatch/core/watchdog/chaostest"
)

// Failure is an error as Azure Resource Manager and Key Vault send it
// (https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md#handling-errors).
type Failure struct {
	Status        int
	Code, Message string
	Inner         string // Key Vault's innererror.code
	retryAfter    string
	challenge     string // WWW-Authenticate
}

func (f *Failure) Error() string { return fmt.Sprintf("%d %s: %s", f.Status, f.Code, f.Message) }

func fail(status int, code, format string, args ...any) *Failure {
	return &Failure{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(code, format string, args ...any) *Failure {
	return fail(http.StatusBadRequest, code, format, args...)
}

func absent(code, format string, args ...any) *Failure {
	return fail(http.StatusNotFound, code, format, args...)
}

// body is the failure on the wire.
func (f *Failure) body() any {
	e := map[string]any{"code": f.Code, "message": f.Message}
	if f.Inner != "" {
		e["innererror"] = map[string]any{"code": f.Inner}
	}
	return map[string]any{"error": e}
}

// failureOf is what a fate says instead of doing anything
// (https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling,
// https://learn.microsoft.com/azure/key-vault/general/rest-error-codes).
func failureOf(f chaostest.Fate, plane plane) *Failure {
	switch f.Kind {
	case chaostest.Throttle:
		out := fail(http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled as the limit has been reached for operation type. For more information, see https://aka.ms/srpthrottlinglimits")
		if plane == dataPlane {
			out = fail(http.StatusTooManyRequests, "Throttled", "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached")
		}
		out.retryAfter = "1"
		return out
	case chaostest.Unavailable:
		return fail(http.StatusServiceUnavailable, "ServiceUnavailable", "The service is temporarily unavailable. Please try again later.")
	case chaostest.Internal:
		return fail(http.StatusInternalServerError, "InternalServerError", "Encountered internal server error.")
	case chaostest.Other:
		return fail(f.Fault.Status, f.Fault.Code, "made to happen")
	case chaostest.Dropped, chaostest.Lost, chaostest.Stale, chaostest.Slow:
	}
	return nil
}

// answer writes a result or a failure.
func answer(w http.ResponseWriter, status int, out any, f *Failure) {
	if f != nil {
		status, out = f.Status, f.body()
		if f.retryAfter != "" {
			w.Header().Set("Retry-After", f.retryAfter)
		}
		if f.challenge != "" {
			w.Header().Set("WWW-Authenticate", f.challenge)
		}
	}
	if out == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text(out)) // the client may be gone, as on any server
}

// text is a value as JSON, without the escapes that only HTML needs.
func text(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // plain values of our own always marshal
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// decode reads a request's body, all of whose members must be known.
func (k *call) decode(v any) *Failure {
	if len(k.body) == 0 {
		return invalid("InvalidRequestContent", "The request content was empty, but one is required.")
	}
	d := json.NewDecoder(bytes.NewReader(k.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalid("InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	}
	return nil
}
