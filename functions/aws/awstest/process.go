package awstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// LambdaConfig says which binary runs, and how.
type LambdaConfig struct {
	Binary string // path of the bootstrap
	Dir    string // working directory, the package's own
	// Env is the whole environment as NAME=VALUE: nothing is inherited. What
	// Lambda itself sets is added where it is absent
	// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
	Env         []string
	FunctionARN string
	Timeout     time.Duration // of one invocation; 0 means 1 minute
	// Retries is how often a failed event is delivered again; 0 means twice, as
	// Lambda does, and -1 never. RetryAfter is the pause before the n-th; nil
	// means at once (Lambda waits a minute, then two).
	Retries        int
	RetryAfter     func(n int) time.Duration
	Stdout, Stderr io.Writer // nil drops it
}

// Lambda runs one instance of a function: the real binary as a process, spoken
// to by the Runtime API, one event at a time. A process that ends, or that is
// killed because it took too long, is started again.
type Lambda struct {
	cfg    LambdaConfig
	addr   string
	server *http.Server

	mu         sync.Mutex
	queue      []*delivery
	current    *delivery
	more       chan struct{} // closed and replaced at every change
	ready      chan struct{} // closed at the first poll or the first failed start
	polled     bool          // by the process that runs now
	down       bool          // the process has ended, or is about to be killed
	initFailed *InvokeError
	stopped    bool
	process    *exec.Cmd
	starts     int
	serial     uint64
	over       chan struct{} // closed when the supervisor has ended
}

// StartLambda starts the function's process. It returns an error only if the
// binary can't be started; whether it comes up is what Ready says.
func StartLambda(cfg LambdaConfig) (*Lambda, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Retries == 0 {
		cfg.Retries = 2
	}
	if cfg.RetryAfter == nil {
		cfg.RetryAfter = func(int) time.Duration { return 0 }
	}
	if cfg.FunctionARN == "" {
		cfg.FunctionARN = "arn:aws:lambda:us-west-2:" + DefaultAccount + ":function:byokwatch"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the runtime: %w", err)
	}
	l := &Lambda{cfg: cfg, addr: listener.Addr().String(), more: make(chan struct{}), ready: make(chan struct{}), over: make(chan struct{})}
	l.server = &http.Server{Handler: l, ReadHeaderTimeout: time.Minute}
	first, err := l.start()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go func() { _ = l.server.Serve(listener) }() // ends with Stop
	go l.supervise(first)
	return l, nil
}

// environment is Env and what Lambda sets beside it.
func (l *Lambda) environment() []string {
	arn := strings.Split(l.cfg.FunctionARN, ":")
	set := map[string]string{
		"AWS_LAMBDA_RUNTIME_API": l.addr, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "_HANDLER": "bootstrap", "LAMBDA_TASK_ROOT": l.cfg.Dir, "TZ": ":UTC", "LANG": "en_US.UTF-8",
	}
	if len(arn) == 7 {
		set["AWS_REGION"], set["AWS_DEFAULT_REGION"], set["AWS_LAMBDA_FUNCTION_NAME"] = arn[3], arn[3], arn[6]
	}
	env := l.cfg.Env
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if name != "AWS_LAMBDA_RUNTIME_API" {
			delete(set, name)
		}
	}
	for _, name := range sortedKeys(set) {
		env = append(env[:len(env):len(env)], name+"="+set[name])
	}
	return env
}

func (l *Lambda) start() (*exec.Cmd, error) {
	cmd := exec.Command(l.cfg.Binary)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = l.cfg.Dir, l.environment(), l.cfg.Stdout, l.cfg.Stderr
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the function: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.process, l.polled, l.down, l.initFailed = cmd, false, false, nil
	l.starts++
	return cmd, nil
}

// supervise waits for the process to end, blames the event that it was on, and
// starts another.
func (l *Lambda) supervise(cmd *exec.Cmd) {
	defer close(l.over)
	for {
		ended := cmd.Wait()
		l.mu.Lock()
		if l.stopped {
			l.mu.Unlock()
			return
		}
		l.down = true
		d, polled := l.current, l.polled
		l.mu.Unlock()
		if d != nil {
			l.fail(d, "Runtime.ExitError", fmt.Sprintf("process ended before the invocation did: %v", ended))
		}
		if !polled && !l.awaitWork(ended) {
			return
		}
		var err error
		if cmd, err = l.start(); err != nil {
			l.giveUp(err)
			return
		}
	}
}

// awaitWork follows a failed start: it fails what is queued, since Lambda starts
// anew for each try, and then waits until there is something to start for.
func (l *Lambda) awaitWork(ended error) bool {
	l.mu.Lock()
	if l.initFailed == nil {
		l.initFailed = &InvokeError{Type: "Runtime.ExitError", Message: fmt.Sprintf("process ended before its first poll: %v", ended)}
	}
	l.signal(l.ready)
	queued := l.queue
	l.queue = nil
	for _, d := range queued {
		l.conclude(d, Try{Err: l.initFailed})
	}
	for len(l.queue) == 0 && !l.stopped {
		more := l.more
		l.mu.Unlock()
		<-more
		l.mu.Lock()
	}
	defer l.mu.Unlock()
	return !l.stopped
}

func (l *Lambda) giveUp(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for _, d := range l.queue {
		d.out.Tries = append(d.out.Tries, Try{Err: &InvokeError{Type: "Runtime.InvalidEntrypoint", Message: err.Error()}})
		close(d.done)
	}
	l.queue = nil
}

func (l *Lambda) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.process.Process.Kill() // it may have ended by itself
}

// Ready waits for the process's first poll. The error says why there is none.
func (l *Lambda) Ready(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("function is not ready: %w", ctx.Err())
	case <-l.ready:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.initFailed != nil {
		return fmt.Errorf("function did not start: %w", l.initFailed)
	}
	return nil
}

// Starts is how many processes were started so far.
func (l *Lambda) Starts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.starts
}

// Send queues an event, as asynchronous invocation does, and returns a function
// that waits for what became of it after all tries.
func (l *Lambda) Send(event []byte) (wait func(context.Context) (Outcome, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	a, b := chaostest.Hash(0, l.addr, "a", l.serial), chaostest.Hash(0, l.addr, "b", l.serial)
	d := &delivery{done: make(chan struct{}), out: Outcome{Event: event,
		RequestID: fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)}}
	if l.stopped {
		close(d.done)
	} else {
		l.queue = append(l.queue, d)
		l.wake()
	}
	return func(ctx context.Context) (Outcome, error) {
		select {
		case <-d.done:
			return d.out, nil
		case <-ctx.Done():
			return Outcome{}, fmt.Errorf("event %s is still on its way: %w", d.out.RequestID, ctx.Err())
		}
	}
}

// Invoke sends an event and waits for its outcome.
func (l *Lambda) Invoke(ctx context.Context, event []byte) (Outcome, error) {
	return l.Send(event)(ctx)
}

// Stop ends the process, first politely, and waits for it. Events still queued
// end without success.
func (l *Lambda) Stop() error {
	l.mu.Lock()
	already := l.stopped
	l.stopped = true
	queued := l.queue
	l.queue = nil
	for _, d := range queued {
		close(d.done)
	}
	process := l.process
	l.wake()
	l.mu.Unlock()
	if !already {
		_ = process.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	}
	select {
	case <-l.over:
	case <-time.After(5 * time.Second):
		l.kill()
		<-l.over
	}
	if d := l.abandoned(); d != nil {
		l.fail(d, "Runtime.ExitError", "the function was stopped")
	}
	return l.server.Close()
}

func (l *Lambda) abandoned() *delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}
