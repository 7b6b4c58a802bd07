package azuretest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

func (c *Cloud) AddStorage(account, group string) string { panic("soon") }

func (c *Cloud) Guard(upstream http.Handler, account, key string) http.Handler { panic("soon") }

type HostConfig struct {
	Dir            string       // of the app: host.json, <function>/function.json
	Binary         string       // "" is what host.json names
	Env            []string     // whole environment of the process but what the host adds
	Stdout, Stderr io.Writer    // nil drops it
	Handler        http.Handler // the handler in this process, instead of a process
}

type Host struct{}

func StartHost(cfg HostConfig) (*Host, error)                                   { panic("soon") }
func (h *Host) Ready(ctx context.Context) error                                 { panic("soon") }
func (h *Host) Starts() int                                                     { panic("soon") }
func (h *Host) Stop() error                                                     { panic("soon") }
func (h *Host) Tick(ctx context.Context) (Answer, error)                        { panic("soon") }
func (h *Host) Invoke(ctx context.Context, fn string, data any) (Answer, error) { panic("soon") }

type Answer struct {
	Invocation string
	Outputs    map[string]json.RawMessage
	Logs       []string
	Return     json.RawMessage
	Took       time.Duration
}

type Delivery struct {
	Copies     int
	Reverse    bool
	Attempts   int
	RetryAfter func(n int) time.Duration
}

type Outcome struct {
	Event    []byte
	Attempts []Attempt
}

func (o Outcome) OK() bool { panic("soon") }

type Attempt struct {
	Answer Answer
	Err    error
}

func (h *Host) Deliver(ctx context.Context, d Delivery, events ...[]byte) ([]Outcome, error) {
	panic("soon")
}
