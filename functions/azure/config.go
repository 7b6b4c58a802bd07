package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"byokwatch/core/endpoint"
	"byokwatch/core/pattern"
	"byokwatch/functions/wiring"
)

// environment is everything that the platform and the deployment tell the
// function. Only this file reads environment variables.
type environment struct {
	// Of the Functions host:
	// https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers
	port string

	// Where the services are, when not at Azure's own addresses; by service.
	endpoints map[string]string

	// Of byokwatch's deployment. Self is the object ID of the function app's
	// identity, in lower case.
	wiring.Deployment
	clientID string // AZURE_CLIENT_ID: that identity's client ID, where it is a user-assigned one
	level    slog.Level
}

const (
	serviceManagement = "MANAGEMENT"
	serviceKeyVault   = "KEYVAULT"
	serviceBlob       = "BLOB"
)

// portName is where the host says on which port it expects the handler.
const portName = "FUNCTIONS_CUSTOMHANDLER_PORT"

// readEnvironment fails only on what must stop the start: the server could not
// listen, or its calls would go where they must not.
func readEnvironment(environ []string) (environment, error) {
	vars := wiring.Variables(environ)
	e := environment{
		port:       vars[portName],
		endpoints:  map[string]string{},
		Deployment: wiring.ReadDeployment(vars),
		clientID:   vars["AZURE_CLIENT_ID"],
		level:      levels[strings.ToUpper(vars["BYOKWATCH_LOG_LEVEL"])],
	}
	e.Self = strings.ToLower(e.Self)
	if n, err := strconv.ParseUint(e.port, 10, 16); err != nil || n == 0 {
		return e, fmt.Errorf("%s %q is not a port: the Functions host sets it", portName, e.port)
	}
	if err := endpoint.CheckAzure(environ); err != nil {
		return e, err
	}
	for _, service := range []string{serviceManagement, serviceKeyVault, serviceBlob} {
		e.endpoints[service] = vars["BYOKWATCH_"+service+"_ENDPOINT"]
	}
	if e.endpoints[serviceKeyVault] != "" && !endpoint.Loopback(e.endpoints[serviceManagement]) {
		// One identity speaks to both, and must be worth nothing to be shown here.
		return e, errors.New("BYOKWATCH_KEYVAULT_ENDPOINT is refused: an emulator of vaults needs BYOKWATCH_MANAGEMENT_ENDPOINT on this machine as well")
	}
	return e, nil
}

// levels by the names that people use; without one it is INFO.
var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "WARNING": slog.LevelWarn, "ERROR": slog.LevelError,
}

var guid = pattern.New(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// checkSelf refuses to go without knowing who we are: our own writes would look
// like somebody else's, and nobody could say whether we may still write.
func (e environment) checkSelf() error {
	if !guid.MatchString(e.Self) {
		return fmt.Errorf("BYOKWATCH_SELF %q is not an object ID: set it to that of the function app's managed identity", e.Self)
	}
	if e.clientID != "" && !guid.MatchString(strings.ToLower(e.clientID)) {
		return fmt.Errorf("AZURE_CLIENT_ID %q is not a client ID: set it to that of the function app's user-assigned identity, or remove it", e.clientID)
	}
	return nil
}

// unresolved is how the value of a setting begins that refers to a secret which
// the platform could not get: it then hands over the reference itself.
// https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#troubleshoot-key-vault-references
const unresolved = "@microsoft.keyvault("

// secretVariable reads a ${NAME} of the configuration.
func secretVariable(name string) (string, error) {
	value := os.Getenv(name)
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), unresolved) {
		return "", errors.New("the function app could not resolve this setting's reference to Key Vault: see the setting's status in the portal")
	}
	return value, nil
}
