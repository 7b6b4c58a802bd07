package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"byokwatch/core/endpoint"
	"byokwatch/functions/wiring"
)

// environment is everything that the platform and the deployment tell the
// function. Only this file reads environment variables.
type environment struct {
	// Of the platform:
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
	region      string
	credentials aws.Credentials
	level       slog.Level

	// Of the SDKs: where the services are, when not at AWS's own addresses, and
	// which of those addresses to use.
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
	endpoints map[string]string // by service
	fips      bool
	dualStack bool

	// Of byokwatch's deployment. Self is the function's role ARN.
	wiring.Deployment
	storeRegion string // BYOKWATCH_STORE_REGION: the bucket's, when it is not the function's own
}

const (
	serviceKMS     = "KMS"
	serviceS3      = "S3"
	serviceSecrets = "SECRETS_MANAGER"
)

// processEnvironment is the environment of this process.
func processEnvironment() (environment, error) { return readEnvironment(os.Environ()) }

// readEnvironment fails only on what must stop the start: it is no Lambda
// function, or its calls would go where they must not.
func readEnvironment(environ []string) (environment, error) {
	vars := wiring.Variables(environ)
	getenv := func(name string) string { return vars[name] }
	e := environment{
		region: getenv("AWS_REGION"),
		credentials: aws.Credentials{
			AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
			SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
			SessionToken:    getenv("AWS_SESSION_TOKEN"),
			Source:          "environment",
		},
		endpoints:   map[string]string{},
		fips:        isTrue(getenv("AWS_USE_FIPS_ENDPOINT")),
		dualStack:   isTrue(getenv("AWS_USE_DUALSTACK_ENDPOINT")),
		Deployment:  wiring.ReadDeployment(vars),
		storeRegion: getenv("BYOKWATCH_STORE_REGION"),
	}
	e.level = levels[getenv("AWS_LAMBDA_LOG_LEVEL")]
	if e.region == "" {
		return e, errors.New("AWS_REGION is not set: this program is run by AWS Lambda, or by `byokwatch` as Lambda would")
	}
	if e.credentials.AccessKeyID == "" || e.credentials.SecretAccessKey == "" {
		return e, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: Lambda sets them from the function's role")
	}
	if e.storeRegion == "" {
		e.storeRegion = e.region
	}
	// The SDK's shared configuration files are never read here (newClients).
	noFiles := func(string) ([]byte, error) { return nil, fs.ErrNotExist }
	if err := endpoint.CheckAWS(environ, noFiles); err != nil {
		return e, err
	}
	e.readEndpoints(getenv)
	return e, nil
}

// readEndpoints takes the service's own setting before the general one, as the
// SDKs do.
func (e environment) readEndpoints(getenv func(string) string) {
	if isTrue(getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) {
		return
	}
	for _, service := range []string{serviceKMS, serviceS3, serviceSecrets} {
		e.endpoints[service] = cmp.Or(getenv("AWS_ENDPOINT_URL_"+service), getenv("AWS_ENDPOINT_URL"))
	}
}

// levels are Lambda's names for them; without one it is INFO.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
var levels = map[string]slog.Level{
	"TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
	"WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": slog.LevelError,
}

// account is the account of the function's own role, which is always that of
// the function.
func (e environment) account() (string, error) {
	// arn:aws:iam::111122223333:role/path/name
	parts := strings.SplitN(e.Self, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || len(parts[4]) != 12 || !strings.HasPrefix(parts[5], "role/") {
		return "", fmt.Errorf("BYOKWATCH_SELF %q is not the ARN of an IAM role: set it to that of the function's own role", e.Self)
	}
	return parts[4], nil
}

// secretVariable reads a ${NAME} of the configuration.
func secretVariable(name string) string { return os.Getenv(name) }

func isTrue(s string) bool { return strings.EqualFold(s, "true") }
