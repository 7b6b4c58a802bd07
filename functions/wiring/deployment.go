// Package wiring is what the main of every cloud does alike: reading what the
// deployment says, the pinned configuration, making the store, the channels and
// the watchdog of it, and handing each event's Changes on. A main adds what is
// its cloud's own: the platform's environment, the SDK's clients, the door.
//
// The package knows no SDK, no judge and no environment variable of a platform:
// what it links, every function pays for at its cold start.
package wiring

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"byokwatch/core"
	"byokwatch/core/config"
)

// Variables takes an environment apart, as os.Environ gives it.
func Variables(environ []string) map[string]string {
	vars := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// Deployment is what the deployment of a function says, in every cloud in the
// same variables.
type Deployment struct {
	Self   string // BYOKWATCH_SELF: the function's own identity, in its cloud's form
	Config string // BYOKWATCH_CONFIG: where the configuration is
	Sum    string // BYOKWATCH_CONFIG_SHA256
}

// ReadDeployment reads [Variables].
func ReadDeployment(vars map[string]string) Deployment {
	return Deployment{Self: vars["BYOKWATCH_SELF"], Config: vars["BYOKWATCH_CONFIG"], Sum: vars["BYOKWATCH_CONFIG_SHA256"]}
}

// Source is where a configuration is: an object of the cloud's store, or a file.
type Source struct {
	Account string // of Azure alone: the storage account
	Bucket  string // bucket or container; empty for a file
	Path    string // the object's name, or the file's
	Sum     string // hex SHA-256 that the bytes must have; empty for a file beside the program
}

// Local says that the configuration is a file, which costs no call to read.
func (s Source) Local() bool { return s.Bucket == "" }

// stores are the forms that the cloud's own stores have: the scheme and what
// stands before an object's name.
var stores = map[core.Cloud]struct{ name, scheme, bucket string }{
	core.AWS:   {"AWS", "s3", "s3://bucket"},
	core.Azure: {"Azure", "azblob", "azblob://account/container"},
	core.GCP:   {"Google Cloud", "gs", "gs://bucket"},
}

// Source says where the configuration of a cloud's function is. What was not
// deployed with the program can be replaced without a deployment, so its sum is
// pinned.
func (d Deployment) Source(cloud core.Cloud) (Source, error) {
	form := stores[cloud].bucket + "/name"
	s := Source{Path: d.Config, Sum: d.Sum}
	switch {
	case d.Config == "":
		return Source{}, fmt.Errorf("BYOKWATCH_CONFIG is not set: name the configuration file beside the program, or %s or file:///path with BYOKWATCH_CONFIG_SHA256", form)
	case strings.Contains(d.Config, "://"):
		var ok bool
		if s, ok = d.parse(stores[cloud].scheme); !ok {
			return Source{}, fmt.Errorf("BYOKWATCH_CONFIG %q is not a URL of the form %s or file:///path", d.Config, form)
		}
	case filepath.IsLocal(d.Config):
		return s, nil
	}
	if s.Sum == "" {
		return Source{}, fmt.Errorf("BYOKWATCH_CONFIG %q is outside the program's directory: set BYOKWATCH_CONFIG_SHA256 to the SHA-256 of the file", d.Config)
	}
	return s, nil
}

func (d Deployment) parse(scheme string) (s Source, ok bool) {
	u, err := url.Parse(d.Config)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return Source{}, false
	}
	s.Sum = d.Sum
	if u.Scheme == "file" {
		s.Path = u.Path
		return s, u.Host == "" && filepath.IsAbs(u.Path)
	}
	s.Bucket, s.Path = u.Host, strings.TrimPrefix(u.Path, "/")
	if scheme == stores[core.Azure].scheme {
		s.Account = u.Host
		s.Bucket, s.Path, _ = strings.Cut(s.Path, "/")
	}
	return s, u.Scheme == scheme && u.Host != "" && s.Bucket != "" && s.Path != ""
}

// maxConfig is more than the configuration's reader accepts.
const maxConfig = 16 << 20

// Configuration reads, verifies and parses, in that order: of a file with
// another sum nothing is looked at. object opens an object of the cloud's store.
func (d Deployment) Configuration(ctx context.Context, cloud core.Cloud, object func(context.Context, Source) (io.ReadCloser, error)) (*config.Config, error) {
	src, err := d.Source(cloud)
	if err != nil {
		return nil, err
	}
	data, err := read(ctx, src, object)
	if err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", d.Config, err)
	}
	if src.Sum != "" {
		if err := config.Verify(data, src.Sum); err != nil {
			return nil, err
		}
	}
	cfg, err := config.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", d.Config, err)
	}
	return cfg, nil
}

func read(ctx context.Context, src Source, object func(context.Context, Source) (io.ReadCloser, error)) ([]byte, error) {
	if src.Local() {
		object = func(context.Context, Source) (io.ReadCloser, error) { return os.Open(src.Path) }
	}
	body, err := object(ctx, src)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxConfig))
}
