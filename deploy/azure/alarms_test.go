package azure_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/functions/azure/eventgrid"
)

// What must be noticed in the log, and by which words of a query.
var logAlarms = map[string][]string{
	"failed":        {"success == false", `tostring(line.severityLevel) == "Error"`},
	"sweep-missing": {`tostring(line.kind) == "` + string(core.Tick) + `"`, "iff(sweeps == 0, 1, 0)"},
	"judgement-old": {"tolong(line.judgement_age_ms) > 600000"},
	"unrestored":    {"arg_max(timestamp, line) by key", "where tobool(line.unrestored)"},
}

func TestAlarmsOverTheLog(t *testing.T) {
	rules := planned(t, nil).All("azurerm_monitor_scheduled_query_rules_alert_v2")
	if len(rules) != len(logAlarms) {
		t.Errorf("%d alarms over the log instead of %d", len(rules), len(logAlarms))
	}
	for _, r := range rules {
		name := strings.TrimPrefix(r.String("name"), "acme-byokwatch-")
		query := r.String("criteria", 0, "query")
		words, ok := logAlarms[name]
		for _, w := range append(words, "summarize") {
			if !ok || !strings.Contains(query, w) {
				t.Errorf("%s: the query lacks %q:\n%s", name, w, query)
			}
		}
		expect(t, r, map[string]any{"criteria.operator": "GreaterThan", "criteria.threshold": 0.0, "criteria.metric_measure_column": "wrong", "evaluation_frequency": "PT5M"})
		if got := r.Strings("scopes"); !slices.Equal(got, []string{appAt}) {
			t.Errorf("%s looks at %v", name, got)
		}
		if got := r.Strings("action", 0, "action_groups"); !slices.Equal(got, []string{oncall}) {
			t.Errorf("%s tells %v", name, got)
		}
	}
}

var (
	member = regexp.MustCompile(`\bline\.(\w+)`)
	logged = regexp.MustCompile(`slog\.\w+\("(\w+)"`)
)

// Queries ask for members that the log lines have.
func TestQueriesKnowTheLog(t *testing.T) {
	sources, err := filepath.Glob("../../core/watchdog/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("%d sources, %v", len(sources), err)
	}
	known := []string{"message", "severityLevel"} // functions/azure/log.go
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range logged.FindAllStringSubmatch(string(text), -1) {
			known = append(known, m[1])
		}
	}
	queries := []string{planned(t, nil).One(t, "azurerm_log_analytics_saved_search.handled").String("query")}
	for _, r := range planned(t, nil).All("azurerm_monitor_scheduled_query_rules_alert_v2") {
		queries = append(queries, r.String("criteria", 0, "query"))
	}
	var asked int
	for _, q := range queries {
		for _, m := range member.FindAllStringSubmatch(q, -1) {
			asked++
			if !slices.Contains(known, m[1]) {
				t.Errorf("nothing logs %s, which is asked for by\n%s", m[1], q)
			}
		}
	}
	if asked < 15 {
		t.Errorf("only %d members are asked for", asked)
	}
}

// Each topic has an alarm for events that fail, that are kept and that are lost.
func TestAlarmsOverDelivery(t *testing.T) {
	p := planned(t, nil)
	want := map[string]float64{"DeadLetteredCount": 0, "DroppedEventCount": 0, "DeliveryAttemptFailCount": 10}
	seen := map[string]bool{}
	for _, a := range p.All("azurerm_monitor_metric_alert") {
		metric := a.String("criteria", 0, "metric_name")
		above, ok := want[metric]
		if !ok {
			t.Errorf("%s is over %s", a.Address, metric)
		}
		expect(t, a, map[string]any{"criteria.metric_namespace": "Microsoft.EventGrid/systemTopics", "criteria.aggregation": "Total", "criteria.operator": "GreaterThan", "criteria.threshold": above, "action.action_group_id": oncall})
		for _, scope := range a.Strings("scopes") {
			seen[metric+" "+scope] = true
		}
	}
	for _, topic := range p.All("azurerm_eventgrid_system_topic") {
		for metric := range want {
			if !seen[metric+" "+topic.String("id")] {
				t.Errorf("nobody looks at %s of %s", metric, topic.Address)
			}
		}
	}
}

// The losses that are told without the function are operations that the decoder
// knows, in the groups of the keys.
func TestLossesAreToldWithoutTheFunction(t *testing.T) {
	p, d := planned(t, nil), fixture(t)
	var got []string
	for _, a := range p.All("azurerm_monitor_activity_log_alert") {
		name := a.String("criteria", 0, "operation_name")
		if name == "" {
			continue
		}
		got = append(got, name)
		if !slices.ContainsFunc(eventgrid.Operations, func(o eventgrid.Operation) bool { return o.Name == name }) {
			t.Errorf("the decoder does not know %s", name)
		}
		scopes := strings.ToLower(strings.Join(a.Strings("scopes"), " "))
		if scopes != strings.Join(d.Scopes["groups"], " ") || !slices.Equal(a.Strings("criteria", 0, "statuses"), []string{"Succeeded"}) || a.String("action", 0, "action_group_id") != oncall {
			t.Errorf("%s: at %s, tells %s", name, scopes, a.String("action", 0, "action_group_id"))
		}
	}
	slices.Sort(got)
	want := []string{"Microsoft.Authorization/roleAssignments/delete", "Microsoft.KeyVault/vaults/accessPolicies/write", "Microsoft.KeyVault/vaults/delete", "Microsoft.KeyVault/vaults/write"}
	if !slices.Equal(got, want) {
		t.Errorf("told are %v instead of %v", got, want)
	}
}

// made is what the module's resources are called in the activity log.
var made = map[string]string{
	"azurerm_application_insights":                      "Microsoft.Insights/components",
	"azurerm_eventgrid_system_topic":                    "Microsoft.EventGrid/systemTopics",
	"azurerm_eventgrid_system_topic_event_subscription": "Microsoft.EventGrid/systemTopics/eventSubscriptions",
	"azurerm_function_app_flex_consumption":             "Microsoft.Web/sites",
	"azurerm_log_analytics_saved_search":                "Microsoft.OperationalInsights/workspaces/savedSearches",
	"azurerm_log_analytics_workspace":                   "Microsoft.OperationalInsights/workspaces",
	"azurerm_management_lock":                           "Microsoft.Authorization/locks",
	"azurerm_monitor_activity_log_alert":                "Microsoft.Insights/activityLogAlerts",
	"azurerm_monitor_metric_alert":                      "Microsoft.Insights/metricAlerts",
	"azurerm_monitor_scheduled_query_rules_alert_v2":    "Microsoft.Insights/scheduledQueryRules",
	"azurerm_resource_group":                            "Microsoft.Resources/subscriptions/resourceGroups",
	"azurerm_role_assignment":                           "Microsoft.Authorization/roleAssignments",
	"azurerm_role_definition":                           "Microsoft.Authorization/roleDefinitions",
	"azurerm_service_plan":                              "Microsoft.Web/serverfarms",
	"azurerm_storage_account":                           "Microsoft.Storage/storageAccounts",
	"azurerm_storage_container":                         "Microsoft.Storage/storageAccounts/blobServices/containers",
	"azurerm_storage_management_policy":                 "Microsoft.Storage/storageAccounts/managementPolicies",
	"azurerm_user_assigned_identity":                    "Microsoft.ManagedIdentity/userAssignedIdentities",
}

// Whatever is made here is watched, in all its resource groups, by rules of which
// neither lies where the other one does.
func TestTamperingIsTold(t *testing.T) {
	p := planned(t, map[string]any{"lock_identity": true})
	watched, places := map[string]bool{}, map[string]bool{}
	for _, a := range p.All("azurerm_monitor_activity_log_alert") {
		types := a.Strings("criteria", 0, "resource_types")
		if len(types) == 0 {
			continue
		}
		places[a.String("resource_group_name")] = true
		for _, kind := range types {
			watched[kind] = true
		}
		if got, want := a.Strings("scopes"), []string{here + "/resourceGroups/acme-store", "azurerm_resource_group.acme-byokwatch-identity.id", "azurerm_resource_group.acme-byokwatch.id"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("%s watches %v instead of %v", a.Address, got, want)
		}
		expect(t, a, map[string]any{"criteria.category": "Administrative", "action.action_group_id": oncall, "location": "global"})
		if !slices.Contains(types, "Microsoft.Insights/activityLogAlerts") {
			t.Errorf("%s does not notice that the other one is removed", a.Address)
		}
	}
	if len(places) != 2 {
		t.Errorf("the rules lie in %v", places)
	}
	for _, r := range append(p.Resources, stored(t).Resources...) {
		if strings.HasPrefix(r.Type, "azurerm_") && !strings.Contains(r.Address, "data.") && !watched[made[r.Type]] {
			t.Errorf("nobody would notice a change of %s (%s)", r.Address, made[r.Type])
		}
	}
}
