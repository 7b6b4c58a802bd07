package alerttest

import (
	"byokwatch/core"
	"byokwatch/core/alert"
)

// Hostile is a case of a code in which one text stands in every field that is
// not ours.
func Hostile(c alert.Code, s string) alert.Alert {
	a := Full(c)
	f := &a.Facts
	f.Key.Label, f.Key.Owner, f.Key.Runbook, f.Key.Clusters = s, s, s, []string{s}
	f.Key.ID = s
	f.Incident, f.Detail, f.By, f.Subject, f.Candidate = s, s, s, s, s
	f.Who = &core.Change{Op: s, Actor: core.Actor{ID: s, Name: s + "2", Address: s, Agent: s, Via: s}}
	f.Others = []core.Change{*f.Who, *f.Who, *f.Who, *f.Who, *f.Who}
	for i := range f.Findings {
		f.Findings[i].Reason, f.Findings[i].Remedy = s, s
		f.Findings[i].Principal, f.Findings[i].Permission = s, s
	}
	f.Never = f.Lost
	for i := range f.Lost {
		f.Lost[i].Principal, f.Lost[i].Permission = s, s
	}
	d := []core.Difference{{Change: core.Admits, Text: s}, {Change: "odd", Text: s}, {Text: s}, {Text: s}, {Text: s}, {Text: s}}
	f.Done, f.Kept = d, d
	f.Left, f.Keys = []string{s, s, s, s, s, s}, []string{s, s}
	f.Commands = []string{s}
	f.From, f.To, f.State = core.Digest(s), core.Digest(s), core.State(s)
	return a
}
