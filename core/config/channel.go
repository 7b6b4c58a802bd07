package config

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// channelEntry is a channel with its place in the file.
type channelEntry struct {
	Channel
	url   *secretEntry
	line  int
	field string
}

// channel reads one entry of alerts: a single field that names the kind.
func (d *decoder) channel(n *node, field string) *channelEntry {
	kinds := map[string]func(*node, string){"slack": nil, "stdout": nil}
	if n.kind != object || len(n.members) != 1 {
		d.fault(n.line, field, "must be one channel: %s", nameFields(kinds))
		return nil
	}
	m := n.members[0]
	if _, known := kinds[m.name]; !known {
		d.fault(m.line, join(field, quoteName(m.name)), "unknown channel; known are %s", nameFields(kinds))
		return nil
	}
	e := &channelEntry{Channel: Channel{Kind: m.name, Min: string(alert.Info)}, line: m.line, field: join(field, m.name)}
	fields := map[string]func(*node, string){
		"min":  one(d, &e.Min, string(alert.Info), string(alert.Warning), string(alert.Critical)),
		"keys": texts(d, &e.Keys, parseGlob),
	}
	if m.name != "stdout" {
		e.url = &secretEntry{}
		fields["url"] = d.secret(e.url)
	} else if m.value.empty() {
		return e
	}
	lines := d.fields(m.value, e.field, fields)
	if m.name != "stdout" {
		d.need(lines, m.line, e.field, "url")
		e.URL = e.url.value
	}
	return e
}

func parseGlob(s string) (string, error) {
	if _, err := path.Match(s, ""); err != nil {
		return "", fmt.Errorf("%s is not a glob: * stands for any characters, ? for one, [a-z] for one of a range", quote(s))
	}
	return s, nil
}

// nameChannels gives each channel its name and finds globs that no key matches,
// which would be alerts that nobody gets.
func (d *decoder) nameChannels(entries []*channelEntry, c *Config) {
	seen := map[string]int{}
	for i, e := range entries {
		for j, glob := range e.Keys {
			if len(c.Keys) > 0 && !matchesAny(glob, c.Keys) {
				d.fault(e.line, fmt.Sprintf("%s.keys[%d]", e.field, j), "%s matches the label or ID of no key", quote(glob))
			}
		}
		name := e.Kind
		if ref := e.URL.Reference(); ref != "" {
			name += ":" + ref
		}
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s#%d", name, seen[name])
		}
		c.Alerts[i].Name = name
	}
}

func matchesAny(glob string, keys []core.Key) bool {
	for _, k := range keys {
		if (Channel{Keys: []string{glob}}).Covers(k) {
			return true
		}
	}
	return false
}

const kmsScheme = "awskms://"

func (d *decoder) signing(n *node, field string) *Signing {
	s := &Signing{}
	lines := d.fields(n, field, map[string]func(*node, string){
		"key": parsed(d, &s.Key, parseSigningKey),
		"public_key": parsed(d, &s.PublicKey, func(v string) (string, error) {
			if _, err := record.ParsePublicKey(v); err != nil {
				return "", errors.New("must be base64 of the DER SubjectPublicKeyInfo of an Ed25519 or P-256 key, as aws kms get-public-key --output text --query PublicKey prints it")
			}
			return v, nil
		}),
	})
	d.need(lines, n.line, field, "key", "public_key")
	return s
}

// parseSigningKey reads awskms:// and a key ARN (a third slash, as other tools
// write it, is dropped), or the path of a key file.
func parseSigningKey(s string) (string, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return s, nil
	case scheme == "file" && strings.HasPrefix(rest, "/"):
		return rest, nil
	case scheme == "file":
		return "", errors.New("must be file:/// and an absolute path, or just a path")
	case scheme != "awskms":
		return "", fmt.Errorf("%s has the scheme %s: write awskms:// and a key ARN, or the path of a key file", quote(s), quote(scheme))
	}
	arn, err := parseKMSKey(strings.TrimPrefix(rest, "/"))
	if err != nil {
		return "", err
	}
	return kmsScheme + arn, nil
}
