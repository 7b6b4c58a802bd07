package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"byokwatch/core/pattern"
)

// secretName is the grammar of ${NAME}. The configuration's reader holds to it
// as well; here a name becomes part of a path.
var secretName = pattern.New(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)

// maxSecret is the most that Secret Manager keeps in one version:
// https://docs.cloud.google.com/secret-manager/quotas
const maxSecret = 64 << 10

// secret looks up what a ${NAME} of the configuration refers to, when it is
// about to be used: the file NAME/value under BYOKWATCH_SECRETS, else the
// environment variable. "" means that it is not there.
//
// A variable is fixed when an instance starts. A secret that Cloud Run mounts is
// fetched anew at each read, so that one that was rotated counts at once:
// https://docs.cloud.google.com/run/docs/configuring/services/secrets
func (c *clients) secret(_ context.Context, name string) (string, error) {
	if !secretName.MatchString(name) {
		return "", fmt.Errorf("%q is no name of a secret on Google Cloud: write ${NAME} with letters, digits and underscores", name)
	}
	if c.env.secrets != "" {
		value, err := readSecret(filepath.Join(c.env.secrets, name, "value"))
		if !errors.Is(err, fs.ErrNotExist) {
			return value, err
		}
	}
	return secretVariable(name), nil
}

// readSecret reads a file with a secret, without the newline that many an editor
// and echo leave at its end. Its errors hold the path and never what was read.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the mounted secret: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read the mounted secret: %w", err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("the mounted secret %s is larger than the %d bytes that Secret Manager keeps", path, maxSecret)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("the mounted secret %s is empty", path)
	}
	return value, nil
}
