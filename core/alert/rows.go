package alert

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
)

// How much of a list stands in a row; the rest is counted.
const (
	maxSuspects   = 4
	maxPrincipals = 4
	maxNamed      = 4 // permissions of one principal
	maxReasons    = 3
	maxChanges    = 4
	maxKeys       = 20
	maxLeft       = 4
	maxDiff       = 100
)

// rows builds the rows of one fact: none if the facts do not say it.
func (v view) rows(fact Fact) []Row {
	f := v.Facts
	one := func(label string, lines ...Line) []Row {
		if len(lines) == 0 {
			return nil
		}
		return []Row{{label, lines}}
	}
	sentence := func(label string, alternatives []string) []Row {
		if s, ok := v.first(alternatives); ok {
			return one(label, ours(s))
		}
		return nil
	}
	foreign := func(label, text string, limit int) []Row {
		if text == "" {
			return nil
		}
		return one(label, Line{{Clean(text, limit), Foreign}})
	}
	switch fact {
	case Cluster:
		return v.clusterRows()
	case Who:
		return one("Who", v.suspects()...)
	case Lost:
		return one("Lost", v.withReasons(f.Lost, core.Missing)...)
	case Ends:
		return one("Ends", v.withReasons(f.Lost, core.Missing)...)
	case NeverHas:
		return one("Never had", v.withReasons(f.Never, core.Missing)...)
	case OurRights:
		return one("Our rights", v.withReasons(ownMissing(f.Findings), core.Missing)...)
	case Doubts:
		return one("In doubt", v.withReasons(requirements(f.Findings, core.Undetermined), core.Undetermined)...)
	case Effects:
		return one("Changed", differences(append(slices.Clone(f.Kept), f.Done...))...)
	case Returned:
		if f.Candidate != "snapshot" {
			return nil // a patch changes nothing but what was lost
		}
		return one("Changed", differences(f.Done)...)
	case Done:
		return sentence("Done", v.entry.Done)
	case Kept:
		return one("Kept", differences(f.Kept)...)
	case Left:
		return one("Left out", list(f.Left, maxLeft, maxReason)...)
	case Detail:
		return foreign("Detail", f.Detail, maxDetail)
	case By:
		return foreign("By", f.By, maxName)
	case Version:
		return one("Snapshot", v.version()...)
	case Timeline:
		return one("Times", v.timeline()...)
	case Keys:
		return one("Keys", list(f.Keys, maxKeys, maxName)...)
	case Subject:
		return foreign("About", f.Subject, maxName)
	case Unknown:
		return sentence("Unknown", v.entry.Unknown)
	case Do:
		return one("Do", v.every(v.entry.Do)...)
	case Meant:
		return one("Meant it?", v.every(v.entry.Meant)...)
	}
	return nil
}

func (v view) clusterRows() []Row {
	k := v.Facts.Key
	var rows []Row
	if k.ID != "" {
		rows = append(rows, Row{"Key", []Line{{{Clean(k.ID, 2*maxName), Foreign}}}})
	}
	var l Line
	if len(k.Clusters) > 0 {
		l = append(l, Span{Clean(strings.Join(k.Clusters, ", "), 2*maxName), Foreign})
	}
	if k.Owner != "" {
		owner := Span{ownText(k.Owner, handle), Foreign}
		if len(l) == 0 {
			return append(rows, Row{"Owner", []Line{{owner}}})
		}
		l = append(l, Span{"   Owner ", Ours}, owner)
	}
	if len(l) > 0 {
		rows = append(rows, Row{"Cluster", []Line{l}})
	}
	return rows
}

// suspects lists who the events name. Without one the row stays and says so:
// an empty place would read as "nobody".
func (v view) suspects() []Line {
	if v.Facts.Who == nil {
		return []Line{ours("not yet known")}
	}
	all := append([]core.Change{*v.Facts.Who}, v.Facts.Others...)
	var out []Line
	for i, c := range all {
		if i == maxSuspects {
			return append(out, more(len(all)-i, "change"))
		}
		out = append(out, v.suspect(c, i == 0))
	}
	return out
}

func (v view) suspect(c core.Change, first bool) Line {
	a := c.Actor
	lead := "and: "
	if first {
		lead = "according to the event: "
	}
	l := Line{{lead, Ours}}
	add := func(word, text string, limit int) {
		if text != "" {
			l = append(l, Span{word, Ours}, Span{Clean(text, limit), Foreign})
		}
	}
	switch {
	case a.Name == "" && a.ID == "":
		l = append(l, Span{"nobody is named", Ours})
	case a.Name == "":
		add("", a.ID, 2*maxName)
	case a.ID == "" || a.ID == a.Name:
		add("", a.Name, maxName)
	default:
		add("", a.Name, maxName)
		add(" as ", a.ID, 2*maxName)
	}
	add(" through ", a.Via, maxName)
	add(" from ", a.Address, maxName)
	add(" with ", a.Agent, maxName)
	add(", ", c.Op, maxName)
	if t := v.clock(c.At); t != "" {
		l = append(l, Span{", " + t, Ours})
	}
	return slices.DeleteFunc(l, func(s Span) bool { return s.Text == "" })
}

// withReasons lists permissions and below them why.
func (v view) withReasons(reqs []core.Requirement, result core.Result) []Line {
	out := v.permissions(reqs)
	if len(out) == 0 {
		return nil
	}
	var reasons []string
	for _, f := range v.Facts.Findings {
		if f.Result != result || f.Reason == "" || !slices.Contains(reqs, f.Requirement) {
			continue
		}
		text := Clean(f.Reason, maxReason)
		if f.Remedy != "" {
			text += " → " + Clean(f.Remedy, maxReason)
		}
		if !slices.Contains(reasons, text) {
			reasons = append(reasons, text)
		}
	}
	for i, r := range reasons {
		if i == maxReasons {
			return append(out, more(len(reasons)-i, "reason"))
		}
		out = append(out, Line{{r, Foreign}})
	}
	return out
}

// ownMissing lists the rights of byokwatch itself that are gone.
func ownMissing(fs []core.Finding) []core.Requirement {
	return slices.DeleteFunc(requirements(fs, core.Missing), func(r core.Requirement) bool { return r.Aspect != core.Own })
}

func requirements(fs []core.Finding, result core.Result) []core.Requirement {
	var out []core.Requirement
	for _, f := range fs {
		if f.Result == result {
			out = append(out, f.Requirement)
		}
	}
	return out
}

// differences lists changes, those that admit somebody or lose a Deny first.
func differences(ds []core.Difference) []Line {
	weight := func(d core.Difference) int {
		if d.Change == core.Admits || d.Change == core.LosesDeny {
			return 0
		}
		return 1
	}
	ds = slices.Clone(ds)
	slices.SortStableFunc(ds, func(a, b core.Difference) int { return weight(a) - weight(b) })
	var out []Line
	for i, d := range ds {
		if i == maxChanges {
			return append(out, more(len(ds)-i, "change"))
		}
		out = append(out, Line{{word(d.Change) + ": ", Ours}, {Clean(d.Text, maxReason), Foreign}})
	}
	return out
}

// word is how people read a kind of difference.
func word(k core.DifferenceKind) string {
	switch k {
	case core.Admits:
		return "admits"
	case core.Withdraws:
		return "withdraws"
	case core.Forbids:
		return "forbids"
	case core.LosesDeny:
		return "loses deny"
	case core.Other:
		return "changes"
	}
	return "changes"
}

func list(texts []string, most, limit int) []Line {
	var out []Line
	for i, t := range texts {
		if i == most {
			return append(out, more(len(texts)-i, ""))
		}
		out = append(out, Line{{Clean(t, limit), Foreign}})
	}
	return out
}

// more counts what a list leaves out.
func more(n int, noun string) Line {
	if noun != "" {
		noun = " " + noun
		if n > 1 {
			noun += "s"
		}
	}
	return Line{{fmt.Sprintf("and %d more%s", n, noun), Ours}}
}

func (v view) version() []Line {
	f := v.Facts
	var parts []string
	if f.Generation > 0 {
		parts = append(parts, fmt.Sprintf("generation %d", f.Generation))
	}
	digest := func(name string, d core.Digest) {
		if fullDigest.MatchString(string(d)) {
			parts = append(parts, name+" "+d.Short())
		}
	}
	digest("policy now", f.To)
	digest("snapshot before", f.From)
	if len(parts) == 0 {
		return nil
	}
	return []Line{ours(strings.Join(parts, ", "))}
}

func (v view) timeline() []Line {
	f := v.Facts
	var parts []string
	add := func(name, at string) {
		if at != "" {
			parts = append(parts, name+" "+at)
		}
	}
	add("lost", v.clock(f.LostAt))
	add("seen", v.clock(f.SeenAt))
	add("restored", v.clock(f.Restored))
	add("confirmed", v.clock(f.Confirmed))
	add("watched until", v.minute(f.Watch))
	if len(parts) == 0 {
		return nil
	}
	return []Line{ours(strings.Join(parts, ", "))}
}
