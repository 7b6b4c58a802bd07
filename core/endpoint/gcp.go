package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"byokwatch/core/pattern"
)

// CheckGCP returns an error that names the first setting, in the order of its
// name, that points a Google Cloud client anywhere else. environ has the form of
// os.Environ, read that of os.ReadFile.
//
// It looks at BYOKWATCH_<SERVICE>_ENDPOINT, where the service is the first part
// of Google's own host, at STORAGE_EMULATOR_HOST, and at two settings that
// Google's libraries read by themselves: the universe, in whose domain all hosts
// are, and the metadata server, which says who we are
// (https://pkg.go.dev/cloud.google.com/go/compute/metadata).
func CheckGCP(environ []string, read func(name string) ([]byte, error)) error {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && value != "" {
			env[name] = value
		}
	}
	var names []string
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := checkGCP(env, name, read); err != nil {
			return fmt.Errorf("%s is refused: %w", name, err)
		}
	}
	return nil
}

func checkGCP(env map[string]string, name string, read func(name string) ([]byte, error)) error {
	value := env[name]
	service, ours := strings.CutPrefix(name, "BYOKWATCH_")
	service, endpoint := strings.CutSuffix(service, "_ENDPOINT")
	switch {
	case name == "GOOGLE_CLOUD_UNIVERSE_DOMAIN" && value != "googleapis.com":
		return errors.New("only Google Cloud's own universe, googleapis.com, is supported; remove the setting")
	case name == "GCE_METADATA_HOST" && !metadataHost.MatchString(value) && !Loopback("http://"+value):
		return fmt.Errorf("%s is neither this machine nor Google Cloud's metadata server; remove the setting", value)
	case name == "STORAGE_EMULATOR_HOST" && !Loopback(Emulator(value)):
		return fmt.Errorf("%s is not on this machine, where an emulator would be", value)
	case name == "STORAGE_EMULATOR_HOST":
		value, service = Emulator(value), "STORAGE"
	case !ours || !endpoint:
		return nil
	}
	dummy, err := dummyGCP(env["GOOGLE_APPLICATION_CREDENTIALS"], read)
	if err != nil {
		return err
	}
	return GCP(service, value, dummy)
}

var metadataHost = pattern.New(`^(?:metadata|metadata\.google\.internal|169\.254\.169\.254)(?::80)?$`)

// Emulator is the URL that a STORAGE_EMULATOR_HOST means, which may lack its
// scheme (https://pkg.go.dev/cloud.google.com/go/storage).
func Emulator(value string) string {
	if strings.Contains(value, "://") {
		return value
	}
	return "http://" + value
}

// googleHosts are the hosts of each service that byokwatch calls: the global
// one, the one for client certificates, those of a region and those of Private
// Service Connect. googleapis.com as such would not do: anybody can have a
// bucket with a name below storage.googleapis.com.
// https://docs.cloud.google.com/vpc/docs/about-accessing-google-apis-endpoints
var googleHosts = map[string]pattern.Regexp{
	"CLOUDKMS":             googleHost("cloudkms"),
	"IAM":                  googleHost("iam"),
	"CLOUDRESOURCEMANAGER": googleHost("cloudresourcemanager"),
	"STORAGE":              googleHost("storage"),
}

func googleHost(service string) pattern.Regexp {
	return pattern.New(`^` + service + `(?:(?:\.mtls)?\.googleapis\.com|\.[a-z]{1,20}(?:-[a-z0-9]{1,20}){0,3}\.rep\.googleapis\.com|-[a-z0-9]{1,20}\.p\.googleapis\.com)$`)
}

// GCP returns an error unless raw is on this machine, with credentials that are
// worth nothing (dummy), or an https host of the service of Google Cloud, which
// is named as in BYOKWATCH_<SERVICE>_ENDPOINT.
func GCP(service, raw string, dummy bool) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("it is not the URL of a host")
	}
	host, known := googleHosts[service]
	switch {
	case loopback(u) && (u.Scheme == "http" || u.Scheme == "https"):
		if !dummy {
			return fmt.Errorf("it points to this machine (%s), which is for tests and needs dummy credentials: remove GOOGLE_APPLICATION_CREDENTIALS", u.Host)
		}
		return nil
	case !known:
		return errors.New("byokwatch calls no such service of Google Cloud")
	case u.Scheme == "https" && host.MatchString(strings.ToLower(u.Hostname())) && (u.Port() == "" || u.Port() == "443") && strings.Trim(u.Path, "/") == "":
		return nil
	}
	return fmt.Errorf("%s is neither this machine nor an https host of this service of Google Cloud; remove the setting", u.Host)
}

// Loopback says whether a URL is on this machine. Clients send no credentials
// there.
func Loopback(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && loopback(u)
}

// dummyGCP says whether the named credentials, if any, are worth nothing: they
// could only be exchanged for a token on this machine.
func dummyGCP(file string, read func(name string) ([]byte, error)) (bool, error) {
	if file == "" {
		return true, nil
	}
	data, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read GOOGLE_APPLICATION_CREDENTIALS, to see what they are worth: %w", err)
	}
	var key struct {
		TokenURI string `json:"token_uri"`
	}
	return json.Unmarshal(data, &key) == nil && Loopback(key.TokenURI), nil
}
