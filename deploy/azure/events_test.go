package azure_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/deploy/deploytest"
	"byokwatch/functions/azure/eventgrid"
)

// event is one event as Event Grid delivers it to a subscription with the schema
// EventGridSchema, with what filters look at.
type event struct {
	ID        string         `json:"id"`
	Topic     string         `json:"topic"`
	Subject   string         `json:"subject"`
	EventType string         `json:"eventType"`
	EventTime string         `json:"eventTime"`
	Data      map[string]any `json:"data"`
}

// occurs is the event of an operation on a vault: of Key Vault itself, from the
// vault's topic, or of Azure Resource Manager, from the subscription's.
func occurs(operation, eventType, vault string) event {
	e := event{ID: "i", Topic: here, Subject: vault, EventType: eventType, EventTime: "2026-03-02T10:04:05Z",
		Data: map[string]any{"operationName": operation, "resourceUri": vault}}
	if operation == eventType {
		e.Topic, e.Data = vault, map[string]any{"VaultName": vault[strings.LastIndex(vault, "/")+1:]}
	}
	return e
}

// passes is Event Grid's filter. Texts are compared in any case. What this does
// not know fails the test: https://learn.microsoft.com/azure/event-grid/event-filtering
func passes(t *testing.T, s deploytest.Resource, e event) bool {
	t.Helper()
	types := s.Strings("included_event_types")
	if len(types) == 0 {
		t.Fatalf("%s takes every type", s.Address)
	}
	if s.At("subject_filter") != nil && len(s.At("subject_filter").([]any)) > 0 {
		t.Fatalf("%s filters by subject", s.Address)
	}
	fold := func(text string) func(string) bool { return func(s string) bool { return strings.EqualFold(s, text) } }
	if !slices.ContainsFunc(types, fold(e.EventType)) {
		return false
	}
	filters, _ := s.At("advanced_filter", 0).(map[string]any)
	for operator, conditions := range filters {
		list, _ := conditions.([]any)
		for i := range list {
			if operator != "string_in" {
				t.Fatalf("%s has a filter %s", s.Address, operator)
			}
			key, ok := strings.CutPrefix(s.String("advanced_filter", 0, operator, i, "key"), "data.")
			if !ok {
				t.Fatalf("%s filters by something outside data", s.Address)
			}
			value, _ := e.Data[key].(string)
			if !slices.ContainsFunc(s.Strings("advanced_filter", 0, operator, i, "values"), fold(value)) {
				return false
			}
		}
	}
	return true
}

const subscriptionType = "azurerm_eventgrid_system_topic_event_subscription"

// delivered are the event subscriptions that send an event to the function: those
// of the topic of its source that take it.
func delivered(t *testing.T, p *deploytest.Planned, e event) []string {
	t.Helper()
	var out []string
	for _, s := range p.All(subscriptionType) {
		i := slices.IndexFunc(p.All("azurerm_eventgrid_system_topic"), func(topic deploytest.Resource) bool { return topic.String("name") == s.String("system_topic") })
		if i < 0 {
			t.Fatalf("%s is of a topic that nobody makes", s.Address)
		}
		topic := p.All("azurerm_eventgrid_system_topic")[i]
		// A vault's topic is found by the vault's name, which is unique in Azure.
		vault := strings.HasSuffix(topic.String("source_resource_id"), "azurerm_key_vault."+e.Topic[strings.LastIndex(e.Topic, "/")+1:]+".id")
		if (topic.String("source_resource_id") == e.Topic || vault) && passes(t, s, e) {
			out = append(out, s.Address)
		}
	}
	return out
}

// keys are those of the deployment, as the decoder is given them.
func keys(d deployment) []core.Key {
	var out []core.Key
	for _, id := range slices.Sorted(maps.Keys(d.Labels)) {
		out = append(out, core.Key{ID: id, Vault: strings.Split(id, "/keys/")[0], Cloud: core.Azure})
	}
	return out
}

// Each operation that the decoder knows reaches the function through exactly one
// event subscription, from every vault, and becomes a Change.
func TestEachOperationArrives(t *testing.T) {
	p, d := planned(t, nil), fixture(t)
	for _, o := range eventgrid.Operations {
		for _, vault := range d.Vaults {
			// Azure writes operations in any case.
			for _, name := range []string{o.Name, strings.ToUpper(o.Name)} {
				e := occurs(name, o.Event, vault)
				if o.Name == o.Event {
					e = occurs(o.Name, o.Event, vault)
				}
				if got := delivered(t, p, e); len(got) != 1 {
					t.Errorf("%s at %s is delivered by %v", name, vault, got)
				}
				data, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := eventgrid.Decode(data, keys(d)); err != nil || len(got) == 0 {
					t.Errorf("%s at %s became %v, %v", name, vault, got, err)
				}
			}
		}
	}
}

// strangers are neighbours of what counts, from
// https://learn.microsoft.com/azure/role-based-access-control/permissions/security and
// https://learn.microsoft.com/azure/role-based-access-control/permissions/management-and-governance
var strangers = []string{
	"Microsoft.KeyVault/vaults/secrets/write", "Microsoft.KeyVault/vaults/deploy/action", "Microsoft.KeyVault/vaults/eventGridFilters/write", "Microsoft.KeyVault/managedHSMs/write",
	"Microsoft.Authorization/locks/write", "Microsoft.Authorization/policyAssignments/write", "Microsoft.Authorization/roleAssignmentScheduleRequests/write",
	"Microsoft.Resources/deployments/write", "Microsoft.Resources/subscriptions/resourceGroups/write", "Microsoft.Insights/diagnosticSettings/write", "",
}

// Nothing else is sent: no other operation, nothing that failed, nothing else
// that a vault tells of itself. And no filter names what the decoder passes over.
func TestNothingElseArrives(t *testing.T) {
	p, d := planned(t, nil), fixture(t)
	known := map[string]bool{}
	for _, o := range eventgrid.Operations {
		known[o.Name], known[o.Event] = true, true
	}
	var events []event
	for _, o := range slices.Concat(strangers, []string{"Microsoft.KeyVault/vaults/write"}) {
		for _, kind := range []string{"Write", "Delete", "Action"} {
			for _, end := range []string{"Success", "Failure", "Cancel"} {
				if end != "Success" || o != "Microsoft.KeyVault/vaults/write" {
					events = append(events, occurs(o, "Microsoft.Resources.Resource"+kind+end, d.Vaults[0]))
				}
			}
		}
	}
	for _, kind := range []string{"KeyNewVersionCreated", "KeyNearExpiry", "KeyExpired", "SecretNewVersionCreated", "CertificateExpired"} {
		events = append(events, occurs("Microsoft.KeyVault."+kind, "Microsoft.KeyVault."+kind, d.Vaults[0]))
	}
	for _, e := range events {
		if got := delivered(t, p, e); len(got) > 0 {
			t.Errorf("%s of %v is delivered by %v", e.EventType, e.Data, got)
		}
	}
	for _, s := range p.All(subscriptionType) {
		for _, name := range slices.Concat(s.Strings("included_event_types"), s.Strings("advanced_filter", 0, "string_in", 0, "values")) {
			if !known[name] {
				t.Errorf("%s asks for %s, of which nothing is made", s.Address, name)
			}
		}
	}
}

// How events are delivered: one a call, for as long as Event Grid can, and kept
// when that was not enough. https://learn.microsoft.com/azure/event-grid/delivery-and-retry
func TestDelivery(t *testing.T) {
	p, d := planned(t, nil), fixture(t)
	subscriptions := p.All(subscriptionType)
	if len(subscriptions) != 1+len(d.Vaults) {
		t.Fatalf("%d event subscriptions for a subscription with %d vaults", len(subscriptions), len(d.Vaults))
	}
	for _, s := range subscriptions {
		if got := s.String("azure_function_endpoint", 0, "function_id"); !strings.HasSuffix(got, "azurerm_function_app_flex_consumption.acme-byokwatch.id/functions/OnChange") {
			t.Errorf("%s calls %q", s.Address, got)
		}
		for what, want := range map[string][2]any{
			"events a call": {s.At("azure_function_endpoint", 0, "max_events_per_batch"), 1.0},
			"schema":        {s.At("event_delivery_schema"), "EventGridSchema"},
			"attempts":      {s.At("retry_policy", 0, "max_delivery_attempts"), 30.0},
			"minutes":       {s.At("retry_policy", 0, "event_time_to_live"), 1440.0},
			"kept in":       {s.At("storage_blob_dead_letter_destination", 0, "storage_blob_container_name"), "undelivered"},
			"kept by":       {s.At("dead_letter_identity", 0, "user_assigned_identity"), "azurerm_user_assigned_identity.acme-byokwatch-events.id"},
		} {
			if want[0] != want[1] {
				t.Errorf("%s: %s is %v instead of %v", s.Address, what, want[0], want[1])
			}
		}
	}
	for _, topic := range p.All("azurerm_eventgrid_system_topic") {
		if topic.String("identity", 0, "type") != "UserAssigned" {
			t.Errorf("%s has no identity to keep events with", topic.Address)
		}
		if global := topic.String("topic_type") == "Microsoft.Resources.Subscriptions"; global != (topic.String("location") == "global") {
			t.Errorf("%s is at %s", topic.Address, topic.String("location"))
		}
	}
}
