package azuretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// How the host goes about a handler's process
// (https://github.com/Azure/azure-functions-host, HttpWorkerChannel and
// WorkerProcess).
const (
	startTimeout = 30 * time.Second      // from the start to the first answer
	polls        = 10 * time.Millisecond // real hosts wait for longer in between
	mostCrashes  = 3
	crashWindow  = 5 * time.Minute
	farewell     = 5 * time.Second
)

// supervise starts the handler, and again whenever it ends, until it has ended
// too often or Stop is called. It keeps its thread, to whose life that of the
// process is tied, and lets it go with itself.
func (h *Host) supervise() {
	runtime.LockOSThread()
	defer close(h.over)
	for {
		cmd, port, err := h.start()
		if err != nil {
			h.giveUp(fmt.Errorf("start the custom handler: %w", err))
			return
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		base := "http://127.0.0.1:" + port + "/"
		came, cause := h.awaitAnswer(cmd, base, ended)
		if came {
			h.mu.Lock()
			h.base = base
			close(h.ready)
			h.mu.Unlock()
			cause = <-ended
			h.mu.Lock()
			h.unready()
			h.mu.Unlock()
		}
		if !h.again(cause) {
			return
		}
	}
}

// awaitAnswer polls a process until it answers. One that ends before, or takes
// too long, has failed.
func (h *Host) awaitAnswer(cmd *exec.Cmd, base string, ended chan error) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if h.probe(ctx, base) == nil {
			return true, nil
		}
		select {
		case err := <-ended:
			return false, err
		case <-ctx.Done():
			_ = cmd.Process.Kill() // it may have ended by itself
			return false, errors.Join(fmt.Errorf("it did not answer within %v", startTimeout), <-ended)
		case <-time.After(polls):
		}
	}
}

// again says whether to start the handler once more after it has ended.
func (h *Host) again(cause error) bool {
	h.mu.Lock()
	now := h.cfg.Now()
	recent := h.crashes[:0]
	for _, at := range h.crashes {
		if now.Sub(at) < crashWindow {
			recent = append(recent, at)
		}
	}
	h.crashes = append(recent, now)
	stopped, many := h.stopped, len(h.crashes) > mostCrashes
	h.mu.Unlock()
	switch {
	case stopped:
		h.giveUp(errStopped)
	case many:
		h.giveUp(fmt.Errorf("the custom handler ended %d times within %v, at last with: %w", mostCrashes+1, crashWindow, errors.Join(cause, errEnded)))
	default:
		return true
	}
	return false
}

var errEnded = errors.New("it ended")

func (h *Host) giveUp(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = err
	select {
	case <-h.ready:
	default:
		close(h.ready)
	}
}

// start starts a process on a port of its own, with what the host adds to the
// environment.
func (h *Host) start() (*exec.Cmd, string, error) {
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(h.app.handler, h.app.arguments...)
	cmd.Dir = h.app.dir
	cmd.Env = append(h.cfg.Env[:len(h.cfg.Env):len(h.cfg.Env)], "FUNCTIONS_CUSTOMHANDLER_PORT="+port, "FUNCTIONS_HTTPWORKER_PORT="+port,
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+h.invocation(), "FUNCTIONS_APP_ROOT_PATH="+h.app.dir)
	cmd.Stdout, cmd.Stderr = &liner{h: h, to: h.cfg.Stdout}, &liner{h: h, to: h.cfg.Stderr, stderr: true}
	cmd.WaitDelay = 2 * time.Second
	tie(cmd)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return nil, "", errStopped
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	h.process = cmd
	h.starts++
	return cmd, port, nil
}

// freePort picks a port that nobody listens on, below those that systems hand
// out by themselves: one of those, free now, may be anybody's a moment later.
// https://www.iana.org/assignments/service-names-port-numbers
func freePort() (string, error) {
	const lowest, highest = 15_000, 32_000
	var err error
	for range 20 {
		port := strconv.Itoa(lowest + rand.IntN(highest-lowest))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, l.Close()
		}
	}
	return "", err
}

// unready makes calls wait for the next handler. Call with the lock held.
func (h *Host) unready() {
	if h.base != "" {
		h.base, h.ready = "", make(chan struct{})
	}
}

// kill ends the handler at once, unless it is another by now than the one that
// listened there; the supervisor starts the next.
func (h *Host) kill(base string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process != nil && h.base == base {
		h.unready()
		_ = h.process.Process.Kill() // it may have ended by itself
	}
}

// Stop ends the handler, first politely, and waits for it.
func (h *Host) Stop() error {
	h.mu.Lock()
	h.stopped = true
	process := h.process
	h.mu.Unlock()
	if process != nil {
		_ = process.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	}
	var late error
	select {
	case <-h.over:
	case <-time.After(farewell):
		late = fmt.Errorf("the custom handler did not end within %v of being told to", farewell)
		_ = process.Process.Kill() // it may have ended by itself
		<-h.over
	}
	h.client.CloseIdleConnections()
	return late
}

// liner cuts what a process writes into lines.
type liner struct {
	h      *Host
	to     io.Writer
	stderr bool

	mu   sync.Mutex
	rest []byte
}

func (l *liner) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			break
		}
		l.h.mu.Lock()
		l.h.lines = append(l.h.lines, Line{Stderr: l.stderr, Text: string(line)})
		l.h.mu.Unlock()
		l.rest = rest
	}
	if l.to != nil {
		return l.to.Write(p)
	}
	return len(p), nil
}
