package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/deploy/deploytest"
	"byokwatch/functions/azure/eventgrid"
)

// heard is what an event subscription takes from one system topic.
type heard struct {
	address, topicType, source string
	types, operations          []string // nil operations are all
}

// subscriptions reads them from a plan. A filter of another kind would be passed
// over here, so it fails.
func subscriptions(t *testing.T) []heard {
	t.Helper()
	deployed, _ := deployment(t, core.Azure)
	const here = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333"
	group := here + "/resourceGroups/acme-store"
	p := deploytest.Plan(t, "azure", map[string]any{
		"deployment": deployed, "name": "acme-byokwatch", "location": "westus3", "package": "versions.tf", "subscription_id": strings.TrimPrefix(here, "/subscriptions/"),
		"store_container_id": group + "/providers/Microsoft.Storage/storageAccounts/acmebw/blobServices/default/containers/byokwatch", "store_resource_group_id": group,
		"secrets": map[string]string{"SLACK_WEBHOOK_URL": here + "/resourceGroups/ops/providers/Microsoft.KeyVault/vaults/acme-ops/secrets/slack"},
	})
	var out []heard
	for _, s := range p.All("azurerm_eventgrid_system_topic_event_subscription") {
		h := heard{address: s.Address, types: s.Strings("included_event_types")}
		for _, topic := range p.All("azurerm_eventgrid_system_topic") {
			if topic.String("name") == s.String("system_topic") {
				h.topicType, h.source = topic.String("topic_type"), topic.String("source_resource_id")
			}
		}
		if h.topicType == "" || len(h.types) == 0 {
			t.Errorf("%s: a subscription of every type, or of no topic: %+v", s.Address, h)
		}
		if subject, _ := s.At("subject_filter").([]any); len(subject) > 0 {
			t.Errorf("%s filters by subject", s.Address)
		}
		advanced, _ := s.At("advanced_filter", 0).(map[string]any)
		for operator, v := range advanced {
			if list, _ := v.([]any); len(list) == 0 {
				continue
			} else if operator != "string_in" || len(list) != 1 || s.String("advanced_filter", 0, "string_in", 0, "key") != "data.operationName" {
				t.Errorf("%s has the filter %s %v, which is not known here", s.Address, operator, v)
			}
			h.operations = s.Strings("advanced_filter", 0, "string_in", 0, "values")
		}
		out = append(out, h)
	}
	return out
}

// hears says whether an event comes through. Texts are compared in any case:
// https://learn.microsoft.com/azure/event-grid/event-filtering
func (h heard) hears(event map[string]any) bool {
	in := func(list []string, v any) bool {
		text, _ := v.(string)
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, text) })
	}
	topic := event["topic"].(string)
	ofVault := strings.HasSuffix(h.source, "azurerm_key_vault."+topic[strings.LastIndexByte(topic, '/')+1:]+".id") // as only Azure knows it
	if h.source != topic && !ofVault {
		return false
	}
	data := event["data"].(map[string]any)
	return in(h.types, event["eventType"]) && (h.operations == nil || in(h.operations, data["operationName"]))
}

// raised is an event of Azure Resource Manager, from the topic of the
// subscription, or of Key Vault itself, from that of the vault:
// https://learn.microsoft.com/azure/event-grid/event-schema-subscriptions and
// https://learn.microsoft.com/azure/event-grid/event-schema-key-vault
func raised(operation, eventType, vault string) map[string]any {
	event := map[string]any{
		"id": "i", "topic": strings.Join(strings.SplitN(vault, "/", 4)[:3], "/"), "subject": vault, "eventType": eventType,
		"eventTime": "2026-03-02T10:04:05Z", "dataVersion": "2", "metadataVersion": "1",
		"data": map[string]any{"operationName": operation, "resourceUri": on(operation, vault), "status": "Succeeded"},
	}
	if strings.HasPrefix(eventType, "Microsoft.KeyVault.") {
		event["topic"], event["data"] = vault, map[string]any{"VaultName": vault[strings.LastIndexByte(vault, '/')+1:]}
	}
	return event
}

// on is what an operation is done to.
func on(operation, vault string) string {
	kind, name, _ := strings.Cut(operation, "/")
	switch {
	case kind == "Microsoft.Authorization":
		name, _, _ = strings.Cut(name, "/")
		return vault + "/providers/Microsoft.Authorization/" + name + "/0a0a0a0a-1111-4222-8333-000000000001"
	case kind == "Microsoft.Resources":
		return vault + "/providers/Microsoft.Resources/tags/default"
	case strings.Contains(operation, "/keys/"):
		return vault + "/keys/kafka"
	}
	return vault
}

func TestEventsOfAzure(t *testing.T) {
	all := subscriptions(t)
	_, keys := deployment(t, core.Azure)
	i := slices.IndexFunc(keys, func(k core.Key) bool { return strings.HasSuffix(k.Vault, "/acme-vault") })
	vault := keys[i].Vault
	hearing := func(event map[string]any) []heard {
		return slices.DeleteFunc(slices.Clone(all), func(h heard) bool { return !h.hears(event) })
	}
	var rows []row
	for _, o := range eventgrid.Operations {
		name := fmt.Sprintf("`%s`, `%s`", o.Event, o.Name)
		if o.Name == o.Event {
			name = fmt.Sprintf("`%s`", o.Event)
		}
		event := raised(o.Name, o.Event, vault)
		by := hearing(event)
		if len(by) != 1 {
			t.Errorf("%s is heard by %d event subscriptions", name, len(by))
			continue
		}
		changes, err := eventgrid.Decode(encoded(t, event), keys)
		of := decoded(t, name, o.Kind, changes, err)
		reach := map[int]string{1: ", the key named", 2: ", the keys at that scope", len(keys): ", every key"}[len(changes)]
		if o.Reach == eventgrid.Vault && len(changes) == 2 {
			reach = ", the vault's keys"
		}
		topic := map[string]string{"Microsoft.Resources.Subscriptions": "the subscription's", "Microsoft.KeyVault.vaults": "the vault's"}[by[0].topicType]
		rows = append(rows, row{name, topic, of + reach})
		if failure := strings.Replace(o.Event, "Success", "Failure", 1); failure != o.Event && len(hearing(raised(o.Name, failure, vault))) > 0 {
			t.Errorf("%s is heard where it failed", name)
		}
	}
	for _, h := range all { // superfluous, or for another case than the decoder's
		for _, kind := range h.types {
			if !slices.ContainsFunc(eventgrid.Operations, func(o eventgrid.Operation) bool { return o.Event == kind }) {
				t.Errorf("%s hears %s, of which the function makes nothing", h.address, kind)
			}
		}
		for _, operation := range h.operations {
			if !slices.ContainsFunc(eventgrid.Operations, func(o eventgrid.Operation) bool { return o.Name == operation }) {
				t.Errorf("%s hears %s, of which the function makes nothing", h.address, operation)
			}
		}
	}
	for _, s := range []struct{ operation, event string }{
		{"Microsoft.Resources/deployments/write", "Microsoft.Resources.ResourceWriteSuccess"},
		{"Microsoft.Authorization/policyAssignments/write", "Microsoft.Resources.ResourceWriteSuccess"},
		{"Microsoft.Authorization/locks/delete", "Microsoft.Resources.ResourceDeleteSuccess"},
		{"Microsoft.KeyVault/vaults/secrets/write", "Microsoft.Resources.ResourceWriteSuccess"},
		{"Microsoft.KeyVault/managedHSMs/write", "Microsoft.Resources.ResourceWriteSuccess"},
		{"Microsoft.KeyVault/vaults/write", "Microsoft.Resources.ResourceWriteCancel"},
		{"", "Microsoft.KeyVault.KeyNewVersionCreated"}, {"", "Microsoft.KeyVault.SecretNearExpiry"},
	} {
		if by := hearing(raised(s.operation, s.event, vault)); len(by) > 0 {
			t.Errorf("%s %s is heard by %s", s.event, s.operation, by[0].address)
		}
	}
	documented(t, "Azure Key Vault", "event subscription of", rows)
}
