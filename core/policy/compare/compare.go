// Package compare sets two policies against each other, document by document,
// for judges whose policies have several. What a document means is the judge's
// business.
package compare

import (
	"fmt"
	"slices"

	"byokwatch/core"
)

// Pair is one document as it was and as it is. Where one side has no such
// document, that is the zero Document, and Both is false.
type Pair struct {
	core.Ref
	Was, Is core.Document
	Both    bool
}

// Policies compares what can be read on both sides and puts what goes before what
// is new. name tells a document, diff what changes in it; where diff fails, that
// is the difference that is told.
func Policies(from, to core.Policy, name func(core.Ref) string, diff func(Pair) ([]core.Difference, error)) []core.Difference {
	var out []core.Difference
	for _, ref := range refs(from, to) {
		was, okFrom := Find(from, ref)
		is, okTo := Find(to, ref)
		if was.Unreadable != "" || is.Unreadable != "" {
			if was.Unreadable != is.Unreadable {
				out = append(out, Other("%s: it was %s and is %s", name(ref), legible(was), legible(is)))
			}
			continue
		}
		found, err := diff(Pair{Ref: ref, Was: was, Is: is, Both: okFrom && okTo})
		if err != nil {
			found = []core.Difference{Other("%s can't be compared: %v", name(ref), err)}
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(a, b core.Difference) int {
		return slices.Index(order, a.Change) - slices.Index(order, b.Change)
	})
	return out
}

var order = []core.DifferenceKind{core.Withdraws, core.Admits, core.LosesDeny, core.Forbids, core.Other}

// Other is a difference that gives and takes nothing, or of which nobody can say
// whether it does.
func Other(format string, args ...any) core.Difference {
	return core.Difference{Change: core.Other, Text: fmt.Sprintf(format, args...)}
}

// Find is a document of a policy.
func Find(p core.Policy, ref core.Ref) (core.Document, bool) {
	for _, d := range p {
		if d.Ref() == ref {
			return d, true
		}
	}
	return core.Document{}, false
}

func legible(d core.Document) string {
	if d.Unreadable != "" {
		return "unreadable (" + d.Unreadable + ")"
	}
	return "readable"
}

// refs lists the documents of both, each once.
func refs(from, to core.Policy) []core.Ref {
	var out []core.Ref
	for _, d := range slices.Concat(from, to) {
		if !slices.Contains(out, d.Ref()) {
			out = append(out, d.Ref())
		}
	}
	return out
}
