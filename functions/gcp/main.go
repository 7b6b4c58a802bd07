// Byokwatch-gcp is byokwatch in Google Cloud: a service on Cloud Run, or a
// second generation function, to which Pub/Sub or Eventarc push each entry of
// the audit log that matches [byokwatch/functions/gcp/auditlog.Events], and to
// which Cloud Scheduler's message comes the same way. One service watches all
// Google Cloud keys of its configuration.
//
// This package decides nothing. It reads the environment (config.go), builds the
// clients, the store, the channels and the watchdog (wire.go), and hands each
// event's Changes to it (function.go).
//
// What would send calls to the wrong place stops the start. Whatever else is
// wrong with the deployment (no configuration, one with another sum, no right to
// read it) fails each invocation with one line that says what to do, so that it
// shows where people look: in the service's errors.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	"byokwatch/core"
)

func main() {
	env, err := processEnvironment()
	log := newLogger(os.Stderr, env.level)
	slog.SetDefault(log)
	slog.SetLogLoggerLevel(slog.LevelError) // all that libraries log are errors
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	f := newFunction(log, newBuilder(env, log).load)
	if src, err := env.Source(core.GCP); err == nil && src.Local() {
		// A file costs no call, so it is read while the server starts; the first
		// invocation waits for that. If it cannot be used, each invocation says
		// so.
		go f.Ready(context.Background())
	}
	// As an HTTP function, because the framework's own door for CloudEvents
	// answers what it can't read with 400 before anybody could tell of it, and
	// writes errors as formats.
	if err := funcframework.RegisterHTTPFunctionContext(context.Background(), "/", f.ServeHTTP); err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	err = funcframework.StartHostPort(env.host, env.port)
	log.Error("the server ended", "error", err.Error())
	os.Exit(1)
}
