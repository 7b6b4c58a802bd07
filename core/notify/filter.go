package notify

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"byokwatch/core/alert"
)

// Filter says which alerts a channel wants. The zero value wants everything
// that is not only for the log.
type Filter struct {
	// Min is the least severity.
	Min alert.Severity
	// Keys are patterns of path.Match over a key's label or ID, in which * also
	// stands for slashes. Empty means every key. An alert that concerns no key
	// passes whatever they are: it concerns everybody.
	Keys []string
	// Logs also takes alerts of class log.
	Logs bool
}

// Check reports a pattern that is none.
func (f Filter) Check() error {
	for _, p := range f.Keys {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("keys: %q is not a pattern: write a label or an ID, with * for any text", p)
		}
	}
	return nil
}

// Wants says whether a passes.
func (f Filter) Wants(a alert.Alert) bool {
	e := alert.Lookup(a.Code)
	if e.Class == alert.Log && !f.Logs || !e.Severity.AtLeast(f.Min) {
		return false
	}
	names := slices.Clone(a.Facts.Keys)
	for _, n := range []string{a.Facts.Key.Label, a.Facts.Key.ID} {
		if n != "" {
			names = append(names, n)
		}
	}
	return len(f.Keys) == 0 || len(names) == 0 || slices.ContainsFunc(names, f.matches)
}

func (f Filter) matches(name string) bool {
	return slices.ContainsFunc(f.Keys, func(p string) bool {
		ok, err := path.Match(flat(p), flat(name))
		return ok && err == nil
	})
}

// flat takes the meaning from slashes, which path.Match would stop at.
func flat(s string) string { return strings.ReplaceAll(s, "/", "\x1f") }
