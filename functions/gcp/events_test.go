package main

import (
	"testing"

	"byokwatch/core"
	"byokwatch/functions/functiontest"
	"byokwatch/functions/gcp/auditlog"
)

// events.json is the decoder's table in the form that deployments read.
func TestEventsAreThoseOfTheDecoder(t *testing.T) {
	type event struct {
		Service string          `json:"service"`
		Method  string          `json:"method"`
		Kind    core.ChangeKind `json:"kind"`
	}
	var all []event
	for _, e := range auditlog.Events {
		all = append(all, event{e.Service, e.Method, e.Kind})
	}
	functiontest.SameEvents(t, "events.json", all)
}
