package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"byokwatch/core/endpoint"
	"byokwatch/core/pattern"
	"byokwatch/functions/wiring"
)

// environment is everything that the platform and the deployment tell the
// function. Only this file reads environment variables.
type environment struct {
	// Of the platform:
	// https://docs.cloud.google.com/run/docs/container-contract
	host, port string

	// Where the services are, when not at Google's own addresses; by service.
	endpoints map[string]string

	// Of byokwatch's deployment. Self is the address of the service's own service
	// account.
	wiring.Deployment
	level   slog.Level
	secrets string // BYOKWATCH_SECRETS: the directory in which secrets are mounted, or none
}

const (
	serviceKMS      = "CLOUDKMS"
	serviceIAM      = "IAM"
	serviceProjects = "CLOUDRESOURCEMANAGER"
	serviceStorage  = "STORAGE"
)

// processEnvironment is the environment of this process.
func processEnvironment() (environment, error) {
	e, err := readEnvironment(os.Environ(), os.ReadFile)
	if err == nil && os.Getenv(target) == "" {
		// Without a target the framework prints which functions it serves, in the
		// middle of the log. Any name means the only one there is.
		err = os.Setenv(target, "byokwatch")
	}
	return e, err
}

const target = "FUNCTION_TARGET"

// readEnvironment fails only on what must stop the start: the server could not
// listen, or its calls would go where they must not.
func readEnvironment(environ []string, read func(string) ([]byte, error)) (environment, error) {
	vars := wiring.Variables(environ)
	e := environment{
		port:       cmp.Or(vars["PORT"], "8080"),
		endpoints:  map[string]string{},
		Deployment: wiring.ReadDeployment(vars),
		level:      levels[strings.ToUpper(vars["BYOKWATCH_LOG_LEVEL"])],
		secrets:    vars["BYOKWATCH_SECRETS"],
	}
	if vars["K_SERVICE"] == "" || strings.EqualFold(vars["LOCAL_ONLY"], "true") {
		// Not on Cloud Run, which checks who may call, so nobody else's business.
		e.host = "127.0.0.1"
	}
	if n, err := strconv.ParseUint(e.port, 10, 16); err != nil || n == 0 {
		return e, fmt.Errorf("PORT %q is not a port: Cloud Run sets it", e.port)
	}
	if e.secrets != "" && !filepath.IsAbs(e.secrets) {
		return e, fmt.Errorf("BYOKWATCH_SECRETS %q is not an absolute path: set it to where the secrets are mounted", e.secrets)
	}
	if err := endpoint.CheckGCP(environ, read); err != nil {
		return e, err
	}
	e.readEndpoints(vars)
	return e, nil
}

// readEndpoints takes byokwatch's own setting before that of Google's libraries.
func (e environment) readEndpoints(vars map[string]string) {
	for _, service := range []string{serviceKMS, serviceIAM, serviceProjects, serviceStorage} {
		e.endpoints[service] = vars["BYOKWATCH_"+service+"_ENDPOINT"]
	}
	if host := vars["STORAGE_EMULATOR_HOST"]; host != "" && e.endpoints[serviceStorage] == "" {
		e.endpoints[serviceStorage] = endpoint.Emulator(host)
	}
}

// levels are the names that Cloud Logging has for them; without one it is INFO.
var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "WARNING": slog.LevelWarn, "ERROR": slog.LevelError,
}

// account is the form of a service account's address: one that somebody made,
// or one of Google's defaults
// (https://docs.cloud.google.com/iam/docs/service-account-types).
var account = pattern.New(`^(?:[a-z0-9-]{1,63}@(?:[a-z0-9-]+\.)+iam\.gserviceaccount\.com|[0-9]+-compute@developer\.gserviceaccount\.com|[a-z0-9.-]+@appspot\.gserviceaccount\.com)$`)

// checkSelf refuses to go without knowing who we are: our own writes would look
// like somebody else's, and nobody could say whether we may still write.
func (e environment) checkSelf() error {
	if !account.MatchString(e.Self) {
		return fmt.Errorf("BYOKWATCH_SELF %q is not the address of a service account: set it to that of the service's own one", e.Self)
	}
	return nil
}

// secretVariable reads a ${NAME} of the configuration that is not mounted.
func secretVariable(name string) string { return os.Getenv(name) }
