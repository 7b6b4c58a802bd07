package alert

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

var placeholder = pattern.New(`\{([a-zA-Z]+)\}`)

// first returns the first sentence all of whose placeholders have a value.
func (v view) first(sentences []string) (string, bool) {
	for _, s := range sentences {
		if out, ok := v.fill(s); ok {
			return out, true
		}
	}
	return "", false
}

// every returns all sentences whose placeholders have values, as lines.
func (v view) every(sentences []string) []Line {
	var out []Line
	for _, s := range sentences {
		if filled, ok := v.fill(s); ok {
			out = append(out, ours(filled))
		}
	}
	return out
}

func (v view) fill(sentence string) (string, bool) {
	ok := true
	out := placeholder.ReplaceAllStringFunc(sentence, func(p string) string {
		s := v.value(p[1 : len(p)-1])
		ok = ok && s != ""
		return s
	})
	return out, ok
}

// ours splits a filled sentence at its backticks into words and commands.
func ours(s string) Line {
	var l Line
	for i, part := range strings.Split(s, "`") {
		switch {
		case part == "":
		case i%2 == 1:
			l = append(l, Span{part, Shell})
		default:
			l = append(l, Span{part, Ours})
		}
	}
	return l
}

// value is what stands for a placeholder, or "" if the facts do not say it. No
// foreign text comes out of here: every value is a time, a number, words of
// ours or a name that passed its grammar.
func (v view) value(name string) string {
	f := v.Facts
	switch name {
	case "key":
		return shellName(f.Key)
	case "held":
		if f.By != "" {
			return "a hold stands"
		}
	case "below":
		return v.below()
	case "digest":
		if fullDigest.MatchString(string(f.To)) {
			return string(f.To)
		}
	case "loss":
		return v.loss()
	case "missing":
		return v.count()
	case "candidate":
		return candidates[f.Candidate]
	case "generation":
		if f.Generation > 0 {
			return strconv.Itoa(f.Generation)
		}
	case "keys":
		if len(f.Keys) > 1 {
			return strconv.Itoa(len(f.Keys))
		}
	case "since":
		if d := span(f.LostAt, v.At); d != "" {
			return fmt.Sprintf("since %s (%s)", v.minute(f.LostAt), d)
		}
	case "outage":
		return span(f.LostAt, f.Restored)
	case "restoredAgo":
		if d := span(f.Restored, v.At); d != "" {
			return d + " ago"
		}
	case "left":
		return span(v.At, f.Until)
	case "lostAt":
		return v.minute(f.LostAt)
	case "restored":
		return v.clock(f.Restored)
	case "confirmed":
		return v.clock(f.Confirmed)
	case "watch":
		return v.minute(f.Watch)
	case "until":
		return v.minute(f.Until)
	}
	return ""
}

// candidates are the names that a restore's candidates have in the record.
var candidates = map[string]string{
	"patch":            "only what was lost",
	"snapshot":         "the whole last-known-good policy",
	"predefined roles": "predefined roles in its place",
	"network rules":    "the vault's network rules",
	"key versions":     "key versions",
}

var (
	fullDigest = pattern.New(`^sha256:[0-9a-f]{64}$`)
	safeLabel  = pattern.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	safeID     = pattern.New(`^[A-Za-z0-9/][A-Za-z0-9:/._-]{0,511}$`)
)

// shellName is how a key is named in a command: by its label, else its ID, if
// these are plain words to a shell; else the placeholder that the reader fills
// in, as in the command line's own usage.
func shellName(k core.Key) string {
	switch {
	case safeLabel.MatchString(k.Label):
		return k.Label
	case safeID.MatchString(k.ID):
		return k.ID
	}
	return "KEY"
}

// below points at what the message has to paste.
func (v view) below() string {
	switch commands, fragment := len(v.Facts.Commands) > 0, v.Facts.Fragment != ""; {
	case commands && fragment:
		return "with the commands or the policy text below"
	case commands:
		return "with the commands below"
	case fragment:
		return "with the policy text below"
	}
	return "as the runbook says"
}

// loss is the headline's word for how bad it is, "" if nothing is lost.
func (v view) loss() string {
	f := v.Facts
	switch {
	case len(f.Lost) == 0 && f.State != core.Broken:
		return ""
	case len(f.Lost) > 0 && len(f.Lost) < f.Total:
		return "Confluent lost " + v.count() + " on this key"
	}
	return "Confluent CANNOT use this key"
}

// count is how many permissions are lost, "" if none.
func (v view) count() string {
	n, total := len(v.Facts.Lost), v.Facts.Total
	switch {
	case n == 0:
		return ""
	case n == total:
		return fmt.Sprintf("all %d permissions", n)
	case n < total:
		return fmt.Sprintf("%d of %d permissions", n, total)
	case n == 1:
		return "1 permission"
	}
	return fmt.Sprintf("%d permissions", n)
}

// clock is the time of day to the second, with the date where it is another
// than the alert's own; minute likewise to the minute.
func (v view) clock(t time.Time) string  { return v.moment(t, "15:04:05") }
func (v view) minute(t time.Time) string { return v.moment(t, "15:04") }

func (v view) moment(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	at := v.At.UTC()
	switch {
	case t.Year() != at.Year():
		layout = "2 Jan 2006 " + layout
	case t.YearDay() != at.YearDay():
		layout = "2 Jan " + layout
	}
	return t.Format(layout + " UTC")
}

// span says how long it is from one time to another in at most two units, ""
// if one is missing or clocks disagree.
func span(from, to time.Time) string {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return ""
	}
	d := to.Sub(from).Round(time.Second)
	switch {
	case d < 2*time.Second: // events tell whole seconds only
		return "about a second"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 5*time.Minute && d%time.Minute != 0:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
