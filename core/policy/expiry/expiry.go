// Package expiry finds when something that is granted ends, for policies whose
// conditions name dates.
package expiry

import (
	"time"

	"byokwatch/core"
)

// Watched are the needs whose end is told: critical permissions, and rights of
// ours, that are Met.
func Watched(findings []core.Finding) []core.Requirement {
	var out []core.Requirement
	for _, f := range findings {
		if f.Result == core.Met && f.Severity == core.Critical && f.Aspect != core.Property {
			out = append(out, f.Requirement)
		}
	}
	return out
}

// First is the first moment after now at which ends says that one of the watched
// is not Met; zero if there is none. Between two dates that conditions name
// nothing changes, so each date, in their order, and the moment just after it are
// all there is to look at.
func First(now time.Time, dates []time.Time, watched []core.Requirement, ends func(watched []core.Requirement, at time.Time) bool) time.Time {
	if now.IsZero() {
		return time.Time{}
	}
	for _, date := range dates {
		for _, at := range []time.Time{date, date.Add(time.Nanosecond)} {
			if !at.After(now) || !ends(watched, at) {
				continue
			}
			if date.After(now) {
				return date
			}
			return at
		}
	}
	return time.Time{}
}
