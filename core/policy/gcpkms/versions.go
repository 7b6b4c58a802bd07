package gcpkms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/rawjson"
)

// The states of a key version that restores turn on.
// Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions#cryptokeyversionstate
const (
	stateEnabled   = "ENABLED"
	stateDisabled  = "DISABLED"
	stateScheduled = "DESTROY_SCHEDULED"
	stateDestroyed = "DESTROYED"
)

// row is one version of a key as its document lists it.
type row struct{ number, state string }

// rowsOf lists the versions of the key in the order of the document. Versions
// of another key are an error: nothing of them may reach a command.
func rowsOf(p core.Policy, key string) ([]row, rawjson.List, error) {
	doc, err := documentOf(p, core.CryptoKeyVersions, key)
	if err != nil {
		return nil, rawjson.List{}, err
	}
	l, err := rawjson.ReadList(doc.Text)
	if err != nil {
		return nil, l, fmt.Errorf("key versions: %w", err)
	}
	var out []row
	for i, e := range l.Elements {
		o, err := rawjson.CutObject(e.Value)
		if err != nil {
			return nil, l, fmt.Errorf("key version %d of the list: %w", i, err)
		}
		number, ok := strings.CutPrefix(rawjson.Unquote(o.Get("name")), key+"/cryptoKeyVersions/")
		if !ok || !versionGrammar.MatchString(number) {
			return nil, l, fmt.Errorf("key version %d of the list is not one of this key", i)
		}
		if slices.ContainsFunc(out, func(r row) bool { return r.number == number }) {
			return nil, l, fmt.Errorf("key version %s is listed twice", number)
		}
		out = append(out, row{number, rawjson.Unquote(o.Get("state"))})
	}
	return out, l, nil
}

var errNoDocument = errors.New("it is missing")

// documentOf finds a document that could be read. One that is not there at all
// is errNoDocument.
func documentOf(p core.Policy, kind core.Kind, id string) (core.Document, error) {
	for _, d := range p {
		if d.Kind != kind || d.ID != id {
			continue
		}
		if d.Unreadable != "" {
			return d, errors.New(d.Unreadable)
		}
		return d, nil
	}
	return core.Document{}, fmt.Errorf("%s of %q: %w", kind, id, errNoDocument)
}

// repairable lists the versions that are disabled and were enabled in the
// snapshot. One that is scheduled for destruction is somebody's decision, and
// restoring it an administrator's.
func repairable(live, good core.Policy, key string) []string {
	now, _, err := rowsOf(live, key)
	if err != nil {
		return nil
	}
	before, _, err := rowsOf(good, key)
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range now {
		if r.state == stateDisabled && slices.Contains(before, row{r.number, stateEnabled}) {
			out = append(out, r.number)
		}
	}
	return out
}

// enabled is the policy as it reads once these versions are enabled: the list
// of versions, and the key itself, which repeats its primary one.
func enabled(p core.Policy, key string, numbers []string) (core.Policy, error) {
	if len(numbers) == 0 {
		return p, nil
	}
	rows, l, err := rowsOf(p, key)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if !slices.Contains(numbers, r.number) {
			continue
		}
		o, err := rawjson.CutObject(l.Elements[i].Value)
		if err != nil {
			return nil, err
		}
		l.Elements[i].Value = o.With("state", rawjson.Quote(stateEnabled)).String()
	}
	out := withText(p, core.CryptoKeyVersions, key, l.String())
	doc, err := documentOf(p, core.CryptoKey, key)
	if err != nil {
		return out, nil // offline, versions come without their key
	}
	o, err := rawjson.ReadObject(doc.Text)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	primary, err := rawjson.ReadObject(o.Get("primary"))
	if err != nil {
		return out, nil // a key without a primary version
	}
	number, ok := strings.CutPrefix(rawjson.Unquote(primary.Get("name")), key+"/cryptoKeyVersions/")
	if ok && slices.Contains(numbers, number) {
		out = withText(out, core.CryptoKey, key, o.With("primary", primary.With("state", rawjson.Quote(stateEnabled)).String()).String())
	}
	return out, nil
}
