// Package endpoint decides whether the clouds' SDKs may be pointed where the
// environment points them. Every request to a cloud is signed with, or carries,
// what gives access to keys; whoever can move an endpoint could collect that,
// or play the cloud to the watchdog. So there are two places only: this
// machine, with credentials that are worth nothing, and the cloud's own hosts
// over https. Anything else stops the start.
//
// The functions take the environment as a value and read no file themselves.
package endpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"byokwatch/core/pattern"
)

// CheckAWS returns an error that names the first setting, in the order of its
// name, that points the AWS SDK anywhere else. environ has the form of
// os.Environ, read that of os.ReadFile.
//
// It looks at AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>, BYOKWATCH_…_ENDPOINT
// and, in the shared configuration files, at endpoint_url of the profile in use
// and of its services section
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS excuses nothing: a setting that would be
// wrong is better removed than ignored.
func CheckAWS(environ []string, read func(name string) ([]byte, error)) error {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	settings := fromEnvironment(env)
	for _, name := range sharedFiles(env) {
		data, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s, which may move endpoints: %w", name, err)
		}
		settings = append(settings, fromFile(name, data, profile(env))...)
	}
	slices.SortStableFunc(settings, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	for _, s := range settings {
		if err := AWS(s.url, DummyAWS(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])); err != nil {
			return fmt.Errorf("%s is refused: %w", s.name, err)
		}
	}
	return nil
}

// setting is one place where somebody moved an endpoint.
type setting struct{ name, url string }

func fromEnvironment(env map[string]string) []setting {
	var out []setting
	for name, value := range env {
		aws := name == "AWS_ENDPOINT_URL" || strings.HasPrefix(name, "AWS_ENDPOINT_URL_")
		ours := strings.HasPrefix(name, "BYOKWATCH_") && strings.HasSuffix(name, "_ENDPOINT")
		if value != "" && (aws || ours) {
			out = append(out, setting{name, value})
		}
	}
	return out
}

// sharedFiles are the SDK's configuration files, by its own rules
// (https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html).
func sharedFiles(env map[string]string) []string {
	var out []string
	for variable, base := range map[string]string{"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"} {
		switch {
		case env[variable] != "":
			out = append(out, env[variable])
		case env["HOME"] != "":
			out = append(out, filepath.Join(env["HOME"], ".aws", base))
		}
	}
	slices.Sort(out)
	return out
}

func profile(env map[string]string) string {
	for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		if env[name] != "" {
			return env[name]
		}
	}
	return "default"
}

var (
	section = pattern.New(`^\[\s*(?:(profile|services)\s+)?([^\]]*?)\s*\]`)
	assign  = pattern.New(`^\s*(endpoint_url|services)\s*[=:]\s*(.*?)\s*$`)
)

// fromFile finds each endpoint_url of one profile: its own, nested ones, and
// those of any services section that the profile names.
func fromFile(name string, data []byte, profile string) []setting {
	type found struct{ section, url string }
	var all []found
	named := map[string]bool{}
	current := ""
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		line := lines.Text()
		if m := section.FindStringSubmatch(line); m != nil {
			current = "profile " + m[2]
			if m[1] == "services" {
				current = "services " + m[2]
			}
			continue
		}
		m := assign.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[1] == "endpoint_url":
			all = append(all, found{current, m[2]})
		case current == "profile "+profile:
			named["services "+m[2]] = true
		}
	}
	var out []setting
	for _, f := range all {
		if f.url != "" && (f.section == "profile "+profile || named[f.section]) {
			out = append(out, setting{fmt.Sprintf("endpoint_url in [%s] of %s", strings.TrimPrefix(f.section, "profile "), name), f.url})
		}
	}
	return out
}

// awsHost is a regional or global host of a service that byokwatch calls, or an
// interface endpoint for one. amazonaws.com as such would not do: anybody can
// have an API, a load balancer or a bucket with a name below it.
// https://docs.aws.amazon.com/general/latest/gr/rande.html
var awsHost = pattern.New(`^(?:` +
	`(?:kms|s3|secretsmanager|sts|oidc|portal\.sso|signin)(?:-fips)?(?:\.dualstack)?\.[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\.(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws|api\.amazonwebservices\.com\.cn)` +
	`|(?:bucket\.)?vpce-[0-9a-z-]+\.(?:kms|kms-fips|s3|secretsmanager|sts)\.[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\.vpce\.amazonaws\.com(?:\.cn)?` +
	`|sts\.amazonaws\.com|s3\.amazonaws\.com)$`)

// AWS returns an error unless raw is on this machine, with credentials that are
// worth nothing (dummy), or an https host of AWS itself.
func AWS(raw string, dummy bool) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("it is not the URL of a host")
	}
	switch {
	case loopback(u) && (u.Scheme == "http" || u.Scheme == "https"):
		if !dummy {
			return fmt.Errorf("it points to this machine (%s), which is for tests and needs dummy credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: for example %s", u.Host, exampleKeyID)
		}
		return nil
	case u.Scheme == "https" && awsHost.MatchString(strings.ToLower(u.Hostname())) && (u.Port() == "" || u.Port() == "443") && strings.Trim(u.Path, "/") == "":
		return nil
	}
	return fmt.Errorf("%s is neither this machine nor an https host of AWS; remove the setting", u.Host)
}

func loopback(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// exampleKeyID is the access key ID of AWS's own documentation.
const exampleKeyID = "AKIAIOSFODNN7EXAMPLE"

// realKeyID is the form of access key IDs that AWS hands out
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes).
var realKeyID = pattern.New(`^A(?:KIA|SIA)[A-Z2-7]{16}$`)

// DummyAWS says whether credentials are worth nothing: both halves are there, so
// that the SDK looks no further, and the ID is not one that AWS could have
// handed out, or is an example of its documentation (it ends in EXAMPLE).
func DummyAWS(keyID, secret string) bool {
	return keyID != "" && secret != "" && (!realKeyID.MatchString(keyID) || strings.HasSuffix(keyID, "EXAMPLE"))
}
