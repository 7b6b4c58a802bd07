package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

// Secret is the value of a secret field: a reference, ${NAME} or
// ${secret:ARN}, or, where somebody wrote the secret itself into the file, that
// secret. However it is printed or encoded, only the reference shows.
type Secret struct {
	ref     string // NAME or secret:ARN
	literal string
}

// hidden stands for a literal wherever a Secret is printed.
const hidden = "[secret]"

// Reference is what the file refers to: NAME, or secret: and an ARN. It is
// empty if the secret stands in the file itself, or there is none.
func (s Secret) Reference() string { return s.ref }

// String never shows a value.
func (s Secret) String() string {
	switch {
	case s.ref != "":
		return "${" + s.ref + "}"
	case s.literal != "":
		return hidden
	}
	return ""
}

// Format keeps every verb of fmt from showing the value.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalJSON keeps JSON from showing the value.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText keeps text encoders and slog from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Resolve returns the secret. lookup is asked for the reference: NAME, an
// environment variable, or secret:ARN, a secret of AWS Secrets Manager; it
// returns "" for what is not there. The error names the reference, never a
// value.
func (s Secret) Resolve(ctx context.Context, lookup func(ctx context.Context, name string) (string, error)) (string, error) {
	if s.ref == "" {
		return s.literal, nil
	}
	v, err := lookup(ctx, s.ref)
	if err != nil {
		return "", fmt.Errorf("resolve the secret %s: %w", s, err)
	}
	if v == "" {
		return "", fmt.Errorf("the secret %s is empty or not set", s)
	}
	return v, nil
}

var secretName = pattern.New(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)

// platformNames are prefixes of what the platforms put into a function's
// environment: credentials and addresses of token endpoints among them. A
// secret field must not be able to send those anywhere.
var platformNames = []string{"AWS_", "AZURE_", "IDENTITY_", "MSI_", "GOOGLE_", "LAMBDA_", "FUNCTIONS_", "WEBSITE_"}

// parseSecret reads a secret field. Its errors never hold what was written,
// unless that is a reference.
func parseSecret(s string) (Secret, error) {
	ref, isRef := strings.CutPrefix(s, "${")
	if isRef {
		ref, isRef = strings.CutSuffix(ref, "}")
	}
	if !isRef || strings.ContainsAny(ref, "{}$") {
		if strings.Contains(s, "${") {
			return Secret{}, errors.New("${…} must be the whole value: nothing may stand before or after it")
		}
		return Secret{literal: s}, nil
	}
	if arn, ok := strings.CutPrefix(ref, "secret:"); ok {
		if !secretARN.MatchString(arn) {
			return Secret{}, fmt.Errorf("%s does not hold the ARN of a secret: ${secret:arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME}", quote(s))
		}
		return Secret{ref: ref}, nil
	}
	if !secretName.MatchString(ref) {
		return Secret{}, fmt.Errorf("%s is not ${NAME} with letters, digits and underscores", quote(s))
	}
	for _, prefix := range platformNames {
		if strings.HasPrefix(strings.ToUpper(ref), prefix) {
			return Secret{}, fmt.Errorf("%s: names that begin with %s belong to the platform, and what they hold must not leave it: use another name", quote(s), prefix)
		}
	}
	return Secret{ref: ref}, nil
}

// secretEntry is a secret field with its place, for the checks that need to
// know the stores and keys.
type secretEntry struct {
	value Secret
	line  int
	field string
}

func (d *decoder) secret(into *secretEntry) func(*node, string) {
	return func(n *node, field string) {
		if n.kind != text || n.text == "" {
			d.fault(n.line, field, "must be ${NAME} or an https URL, as text")
			return
		}
		v, err := parseSecret(n.text)
		if err != nil {
			d.fault(n.line, field, "%v", err)
			return
		}
		*into = secretEntry{v, n.line, field}
	}
}

// checkSecret checks a URL that stands in the file, and that a secret of AWS is
// not needed by another cloud's function. The channel says which keys it covers.
func (d *decoder) checkSecret(f *file, c *Config, e *secretEntry, ch Channel) {
	if e == nil || e.line == 0 {
		return
	}
	if e.value.literal != "" && !webURL(e.value.literal, local(c.Store)) {
		d.fault(e.line, e.field, "must be ${NAME} or an https URL (with a file:// store also http on loopback); what is written is not shown, for it may be a secret")
	}
	if !strings.HasPrefix(e.value.ref, "secret:") {
		return
	}
	for i, k := range c.Keys {
		if k.Cloud != core.AWS && ch.Covers(k) {
			d.fault(e.line, e.field, "${secret:…} can be read by the function on AWS alone, but %s is a key of %s: use ${NAME}", f.keys[i].field, cloudName(k.Cloud))
			return
		}
	}
}

// webURL says whether s may be called: https, or with loopback also http to
// this machine.
func webURL(s string, loopback bool) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && loopback && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}
