package azuretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// HostConfig says which function app runs, and how.
type HostConfig struct {
	// Dir is the app's folder, with host.json and a function.json for each
	// function, which are read and checked as the host does.
	Dir string
	// Binary stands in for the executable that host.json names.
	Binary string
	// Env is the whole environment as NAME=VALUE: nothing is inherited. What the
	// host itself sets is added.
	Env []string
	// Stdout and Stderr get what the process writes, which Lines keeps as well;
	// nil drops it.
	Stdout, Stderr io.Writer
	// Handler, if set, is the custom handler in this process: there is no other,
	// and no socket, so that it works inside a testing/synctest bubble.
	Handler http.Handler
	// Now is the host's clock; nil is the real one.
	Now func() time.Time
	// AsText hands an event to the function as a text that holds its JSON, as
	// bindings of type string get it.
	AsText bool
}

// Host is the Azure Functions host as a custom handler meets it
// (https://github.com/Azure/azure-functions-host, src/WebJobs.Script/Workers/Http):
// it starts the handler, polls it until it answers, and calls it for each event
// and each tick. A handler that ends, or that an invocation makes wait for longer
// than functionTimeout, is started again.
type Host struct {
	cfg    HostConfig
	app    app
	client *http.Client
	clock  sync.Mutex // a timer never overlaps itself

	mu      sync.Mutex
	base    string        // URL of the handler that runs now, with a slash at the end; "" while none does
	ready   chan struct{} // closed once base or failed is set
	failed  error         // why the host gave up
	stopped bool
	process *exec.Cmd
	starts  int
	crashes []time.Time
	lines   []Line
	serial  uint64
	over    chan struct{} // closed when the supervisor has ended
	last    time.Time     // of the timer
}

// Line is one line that the process wrote. The host makes a log entry of each.
type Line struct {
	Stderr bool
	Text   string
}

// StartHost reads the app and starts its handler. It returns an error only if
// the app's folder is wrong; whether the handler comes up is what Ready says.
func StartHost(cfg HostConfig) (*Host, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a, err := readApp(cfg.Dir, cfg.Binary, cfg.Handler != nil)
	if err != nil {
		return nil, fmt.Errorf("the function app: %w", err)
	}
	h := &Host{cfg: cfg, app: a, ready: make(chan struct{}), over: make(chan struct{}), last: cfg.Now()}
	if cfg.Handler != nil {
		h.client = &http.Client{Transport: InProcess(cfg.Handler)}
		h.base = "http://127.0.0.1/"
		h.starts = 1
		close(h.over)
		if err := h.probe(context.Background(), h.base); err != nil {
			return nil, fmt.Errorf("the custom handler does not answer: %w", err)
		}
		close(h.ready)
		return h, nil
	}
	h.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	go h.supervise()
	return h, nil
}

// Ready waits until the handler answers. The error says why it does not.
func (h *Host) Ready(ctx context.Context) error {
	_, err := h.address(ctx)
	return err
}

// address waits for the handler and tells where it listens.
func (h *Host) address(ctx context.Context) (string, error) {
	for {
		h.mu.Lock()
		base, ready, failed := h.base, h.ready, h.failed
		h.mu.Unlock()
		if base != "" || failed != nil {
			return base, failed
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the custom handler is not ready: %w", ctx.Err())
		case <-ready:
		}
	}
}

// Starts is how many times the handler was started so far.
func (h *Host) Starts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.starts
}

// Functions are the names of the app's functions.
func (h *Host) Functions() []string { return sortedKeys(h.app.functions) }

// Lines lists what the process has written so far.
func (h *Host) Lines() []Line {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

var errStopped = errors.New("the host was stopped")

// probe asks whether anything answers, as the host does before it calls.
func (h *Host) probe(ctx context.Context, base string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
	if err != nil {
		return err
	}
	resp, err := h.client.Do(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
