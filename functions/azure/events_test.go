package main

import (
	"testing"

	"byokwatch/core"
	"byokwatch/functions/azure/eventgrid"
	"byokwatch/functions/functiontest"
)

// events.json is the decoder's table in the form that deployments read.
func TestEventsAreThoseOfTheDecoder(t *testing.T) {
	type event struct {
		Operation string          `json:"operation"` // the event's type where it has no operation
		Event     string          `json:"event"`
		Kind      core.ChangeKind `json:"kind"`
	}
	var all []event
	for _, o := range eventgrid.Operations {
		all = append(all, event{o.Name, o.Event, o.Kind})
	}
	functiontest.SameEvents(t, "events.json", all)
}
