// Bootstrap is byokwatch in AWS: a Lambda function on the runtime
// provided.al2023, invoked by EventBridge for each event of
// [byokwatch/functions/aws/cloudtrail.Events] and by its schedule. One function
// watches the keys of its own account and Region.
//
// This package decides nothing. It reads the environment (config.go), builds the
// clients, the store, the channels and the watchdog (wire.go), and hands each
// event's Changes to it (function.go).
//
// What would send calls to the wrong place stops the start. Whatever else is
// wrong with the deployment (no configuration, one with another sum, no right to
// read it) fails each invocation with one line that says what to do, so that it
// shows where people look: in the function's errors.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"byokwatch/core"
	"byokwatch/functions/wiring"
)

func main() {
	env, err := processEnvironment()
	log := newLogger(os.Stderr, env.level)
	slog.SetDefault(log)
	slog.SetLogLoggerLevel(slog.LevelError) // all that the runtime library logs are errors
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	f := &function{Loader: wiring.Loader{Load: newBuilder(env, log).load}, env: env}
	if src, err := env.Source(core.AWS); err == nil && src.Local() {
		// A file costs no call, so it is read while the first poll is on its
		// way; the first invocation waits for that. If it cannot be used, each
		// invocation says so.
		go f.Ready(context.Background())
	}
	lambda.Start(f)
}
