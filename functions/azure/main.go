// Handler is byokwatch in Azure: the custom handler of a function app, which the
// Functions host starts and calls over HTTP on this machine
// (https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers).
// The function OnChange gets the events of Event Grid that
// [byokwatch/functions/azure/eventgrid.Operations] lists, Sweep is called by the
// timer. One function app watches all Azure keys of its configuration.
//
// This package decides nothing. It reads the environment (config.go), builds the
// clients (clients.go), the store, the channels and the watchdog (wire.go), and
// hands each event's Changes to it (function.go, sweep.go).
//
// What would send calls to the wrong place stops the start. Whatever else is
// wrong with the deployment (no configuration, one with another sum, no right to
// read it) fails each invocation with one line that says what to do, so that it
// shows where people look: a handler that exits is given up by the host, and
// nothing tells why.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"byokwatch/core"
)

func main() {
	env, err := readEnvironment(os.Environ())
	log := newLogger(os.Stdout, os.Stderr, env.level)
	slog.SetDefault(log)
	slog.SetLogLoggerLevel(slog.LevelError) // all that libraries log are errors
	if err == nil {
		err = run(env, log)
	}
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
}

// run serves until the platform ends the process, and then until what was begun
// is done. The host looks for the server before it has anything to do, so
// nothing comes before it listens.
func run(env environment, log *slog.Logger) error {
	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", env.port))
	if err != nil {
		return err
	}
	f := newFunction(log, newBuilder(env, log).load)
	if src, err := env.Source(core.Azure); err == nil && src.Local() {
		// A file costs no call, so it is read while the host looks for the
		// server; the first invocation waits for that. If it cannot be used, each
		// invocation says so.
		go f.Ready(context.Background())
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ending.Done():
	}
	log.Info("ending: what was begun is brought to an end")
	patience, cancel := context.WithTimeout(context.Background(), maxSweep)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
