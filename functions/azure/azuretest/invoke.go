package azuretest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"byokwatch/functions/emulatortest"
)

// Answer is how a function ended that did not fail.
type Answer struct {
	Invocation string // its GUID
	Outputs    map[string]json.RawMessage
	Logs       []string
	Return     json.RawMessage
	Took       time.Duration // by the host's clock
}

// InvocationError is how an invocation failed.
type InvocationError struct {
	Function, Invocation string
	// Status is what the handler answered with; 0 if it did not answer.
	Status int
	// Hung says that the real host would wait until functionTimeout.
	Hung   bool
	Reason string
	Cause  error
}

func (e *InvocationError) Error() string {
	return fmt.Sprintf("%s (invocation %s): %s", e.Function, e.Invocation, e.Reason)
}

func (e *InvocationError) Unwrap() error { return e.Cause }

// hostVersion is what the host says that it is.
const hostVersion = "4.1037.1.1"

// maxAnswer bounds what the host reads.
const maxAnswer = 4 << 20

// invocation draws a GUID that this host has not used.
func (h *Host) invocation() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serial++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", h.serial, h.cfg.Now().UnixMicro()&0xffffffffffff)
}

// Invoke calls a function once with the value of its trigger, as the host does
// for one event.
func (h *Host) Invoke(ctx context.Context, function string, trigger any) (Answer, error) {
	f, ok := h.app.functions[function]
	if !ok {
		return Answer{}, fmt.Errorf("the app has no function %q, only %s", function, strings.Join(h.Functions(), ", "))
	}
	return h.invoke(ctx, f, text(trigger), nil)
}

// envelope is the request that a custom handler gets
// (https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#request-payload).
func (h *Host) envelope(f functionOf, trigger json.RawMessage, retry any) []byte {
	metadata := map[string]any{"sys": map[string]any{"MethodName": f.name, "UtcNow": h.cfg.Now().UTC().Format(time.RFC3339Nano), "RandGuid": h.invocation()}}
	if retry != nil {
		metadata["RetryContext"] = retry
	}
	if f.trigger == "eventGridTrigger" {
		var event struct{ Data json.RawMessage }
		if json.Unmarshal(trigger, &event) == nil && len(event.Data) > 0 {
			metadata["data"] = event.Data
		}
		if h.cfg.AsText {
			trigger = text(string(trigger))
		}
	}
	return text(map[string]any{"Data": map[string]any{f.binding: trigger}, "Metadata": metadata})
}

func (h *Host) invoke(ctx context.Context, f functionOf, trigger json.RawMessage, retry any) (Answer, error) {
	begun := h.cfg.Now()
	a := Answer{Invocation: h.invocation()}
	failed := func(cause error, status int, format string, args ...any) (Answer, error) {
		a.Took = h.cfg.Now().Sub(begun)
		return a, &InvocationError{Function: f.name, Invocation: a.Invocation, Status: status, Reason: fmt.Sprintf(format, args...), Cause: cause}
	}
	base, err := h.address(ctx)
	if err != nil {
		return failed(err, 0, "%v", err)
	}
	limited, cancel := context.WithTimeout(ctx, h.app.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(limited, http.MethodPost, base+f.name, bytes.NewReader(h.envelope(f, trigger, retry)))
	if err != nil {
		return failed(err, 0, "%v", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Azure-Functions-Host/"+hostVersion)
	r.Header.Set("X-Azure-Functions-HostVersion", hostVersion)
	r.Header.Set("X-Azure-Functions-InvocationId", a.Invocation)
	resp, err := h.client.Do(r)
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			h.kill(base) // as the host does after functionTimeout
			return failed(err, 0, "timed out after %v", h.app.timeout)
		}
		if ctx.Err() == nil && h.probe(ctx, base) != nil {
			h.kill(base) // it has ended, or is about to
		}
		return failed(err, 0, "no answer: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a.Took = h.cfg.Now().Sub(begun)
	if err != nil {
		return failed(err, resp.StatusCode, "the answer broke off: %v", err)
	}
	if err := a.read(resp, body); err != nil {
		hung := errors.Is(err, errHung)
		return a, &InvocationError{Function: f.name, Invocation: a.Invocation, Status: resp.StatusCode, Hung: hung, Reason: err.Error(), Cause: err}
	}
	return a, nil
}

var errHung = errors.New("the body is empty or null, so that nothing ends the invocation before functionTimeout")

// read takes the answer apart. The real host fails an invocation whose answer is
// no success or no JSON, and forgets one whose answer is null
// (DefaultHttpWorkerService.ProcessDefaultInvocationRequest).
func (a *Answer) read(resp *http.Response, body []byte) error {
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d: %.300s", resp.StatusCode, bytes.TrimSpace(body))
	}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return fmt.Errorf("Content-Type %q is not application/json", resp.Header.Get("Content-Type"))
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || string(trimmed) == "null" {
		return errHung
	}
	var out struct {
		Outputs     map[string]json.RawMessage
		Logs        []string
		ReturnValue json.RawMessage
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return fmt.Errorf("the answer is not of the form of a custom handler's: %w", err)
	}
	if d.More() {
		return errors.New("the answer goes on after its object")
	}
	a.Outputs, a.Logs, a.Return = out.Outputs, out.Logs, out.ReturnValue
	return nil
}

// Tick calls the function with the timer trigger, as if its time had come, and
// again as its retry policy says if it fails. A timer's calls never overlap.
func (h *Host) Tick(ctx context.Context) (Answer, error) {
	f, err := h.app.only("timerTrigger")
	if err != nil {
		return Answer{}, err
	}
	h.clock.Lock()
	defer h.clock.Unlock()
	now := h.cfg.Now().UTC()
	form := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z07:00") }
	status := map[string]string{"Last": form(h.last), "Next": form(now), "LastUpdated": form(h.last)}
	trigger := text(map[string]any{"Schedule": map[string]bool{"AdjustForDST": true}, "ScheduleStatus": status, "IsPastDue": false})
	h.last = now
	a, err := h.invoke(ctx, f, trigger, nil)
	for n := 1; err != nil && n <= f.retries; n++ {
		if !pause(ctx, f.pause) {
			break
		}
		a, err = h.invoke(ctx, f, trigger, map[string]int{"RetryCount": n, "MaxRetryCount": f.retries})
	}
	return a, err
}

// pause waits, and says whether there was time to.
func pause(ctx context.Context, d time.Duration) bool {
	return emulatortest.Sleep(ctx, d) == nil
}
