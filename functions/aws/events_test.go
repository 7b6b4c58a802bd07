package main

import (
	"testing"

	"byokwatch/core"
	"byokwatch/functions/aws/cloudtrail"
	"byokwatch/functions/functiontest"
)

// events.json is the decoder's table in the form that deployments read.
func TestEventsAreThoseOfTheDecoder(t *testing.T) {
	type event struct {
		Source     string          `json:"source"`
		DetailType string          `json:"detail_type"`
		Name       string          `json:"name,omitempty"`
		Elsewhere  bool            `json:"elsewhere"`
		Kind       core.ChangeKind `json:"kind"`
	}
	var all []event
	for _, e := range cloudtrail.Events {
		all = append(all, event{e.Source, e.DetailType, e.Name, e.Elsewhere, e.Kind})
	}
	functiontest.SameEvents(t, "events.json", all)
}
