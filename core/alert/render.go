package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

// Render makes the message of an alert. It is pure: every duration comes from
// the times within the facts.
func Render(a Alert) Message {
	v := view{Alert: a, entry: Lookup(a.Code)}
	m := Message{
		ID: a.ID, Code: a.Code, Severity: v.entry.Severity, Class: v.entry.Class,
		Title:    v.title(),
		Fragment: visibleLines(a.Facts.Fragment),
		Diff:     v.diff(),
		Footer:   v.footer(),
	}
	for _, f := range v.entry.Rows {
		m.Rows = append(m.Rows, v.rows(f)...)
	}
	if v.entry.Support {
		m.Support = v.support()
	}
	for _, c := range a.Facts.Commands {
		// What would have to be spelled out could not be pasted anyway.
		if visibleLines(c) != c {
			m.Rows = append(m.Rows, Row{"Left out", []Line{{{"a command that holds characters not safe to paste", Ours}}}})
			continue
		}
		m.Commands = append(m.Commands, c)
	}
	return m
}

// view is one alert on its way to a message.
type view struct {
	Alert
	entry Entry
}

func (v view) title() string {
	parts := []string{v.entry.Mark}
	if v.Repeat > 0 {
		parts[0] += fmt.Sprintf(" (reminder %d)", v.Repeat)
	}
	k := v.Facts.Key
	if k.ID != "" {
		parts = append(parts, Clean(label(k), 40))
		if w := where(k); w != "" {
			parts = append(parts, Clean(w, 32))
		}
	}
	if h, ok := v.first(v.entry.Headlines); ok {
		parts = append(parts, h)
	}
	t := strings.Join(parts, " · ")
	if v.Again {
		const repeat = " · may be a repeat"
		return cut(t, MaxTitle-len(repeat)) + repeat
	}
	return cut(t, MaxTitle)
}

// label is the key's label, else the end of its ID, which is what tells keys
// apart.
func label(k core.Key) string {
	if k.Label != "" {
		return k.Label
	}
	return k.ID[strings.LastIndexAny(k.ID, "/:")+1:]
}

// where says in which cloud, and where in it, a key is.
func where(k core.Key) string {
	arn := strings.Split(k.ID, ":")
	path := strings.Split(k.ID, "/")
	after := func(name string) string {
		if i := slices.Index(path, name); i >= 0 && i+1 < len(path) {
			return path[i+1]
		}
		return ""
	}
	switch {
	case k.Cloud == core.AWS && len(arn) > 3:
		return "AWS " + arn[3]
	case k.Cloud == core.Azure:
		return strings.TrimSpace("Azure " + after("vaults"))
	case k.Cloud == core.GCP:
		return strings.TrimRight("Google Cloud "+after("projects")+"/"+after("locations"), "/ ")
	}
	return ""
}

// footer is what finds the case again.
func (v view) footer() Line {
	var l Line
	if v.Facts.Incident != "" {
		l = append(l, Span{Clean(v.Facts.Incident, maxName), Foreign}, Span{" · ", Ours})
	}
	l = append(l, Span{"runbook docs/runbook.md#" + v.entry.Runbook, Ours})
	if r := v.Facts.Key.Runbook; r != "" {
		l = append(l, Span{" · yours ", Ours}, Span{ownText(r, pageURL), Foreign})
	}
	return l
}

func (v view) diff() []string {
	var out []string
	add := func(whose string, ds []core.Difference) {
		for i, d := range ds {
			if i == maxDiff {
				out = append(out, more(len(ds)-i, "change").Text())
				return
			}
			out = append(out, fmt.Sprintf("%-9s %-10s %s", whose, word(d.Change), Clean(d.Text, maxDetail)))
		}
	}
	if v.Code == Observed {
		add("would", v.Facts.Done)
	} else {
		add("byokwatch", v.Facts.Done)
	}
	add("others", v.Facts.Kept)
	return out
}

var (
	handle  = pattern.New(`^@?[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`)
	pageURL = pattern.New(`^https://[A-Za-z0-9][A-Za-z0-9./_~#?=&%:-]{0,199}$`)
)

// ownText shows what the owner configured as it stands if it is of the plain
// form that such texts have, so that a link can be copied; else like any other
// foreign text. In a literal neither links nor mentions anybody.
func ownText(s string, plain pattern.Regexp) string {
	if plain.MatchString(s) {
		return s
	}
	return Clean(s, 2*maxName)
}

// support is the summary that Confluent Support asks for first.
func (v view) support() string {
	f := v.Facts
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	at := func(name string, t time.Time) {
		if !t.IsZero() {
			line(name, t.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
	}
	b.WriteString("A cluster that uses a self-managed encryption key (BYOK) lost access to its key.\n")
	line("Clusters", Clean(strings.Join(f.Key.Clusters, ", "), maxDetail))
	line("Key", Clean(f.Key.ID, maxDetail))
	for _, l := range v.permissions(f.Lost) {
		line("Missing", l.Text())
	}
	for _, p := range principals(f.Lost) {
		line("Principal", Clean(p, 2*maxName))
	}
	at("Access lost", f.LostAt)
	at("Access given back", f.Restored)
	at("Read back as intact", f.Confirmed)
	at("Still not well", v.At)
	line("Incident", Clean(f.Incident, maxName))
	b.WriteString("Please check whether the cluster can use its key, and what it needs to recover.\n")
	return b.String()
}
