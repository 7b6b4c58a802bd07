package gcp_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"byokwatch/deploy/deploytest"
	"byokwatch/functions/gcp/auditlog"
)

// alerts are what must be told of the watchdog itself, by the address of the
// policy, each with a piece of what it looks at.
var alerts = map[string]string{
	`google_monitoring_alert_policy.errors`:                                          `severity>=ERROR`,
	`google_monitoring_alert_policy.threshold["dead-letters"]`:                       `pubsub.googleapis.com/subscription/dead_letter_message_count`,
	`google_monitoring_alert_policy.threshold["undelivered"]`:                        `pubsub.googleapis.com/subscription/oldest_unacked_message_age`,
	`google_monitoring_alert_policy.threshold["failing"]`:                            `run.googleapis.com/request_count`,
	`google_monitoring_alert_policy.query["unrestored"]`:                             `logging_googleapis_com:user_byokwatch_unrestored{`,
	`google_monitoring_alert_policy.query["judgement-age"]`:                          `logging_googleapis_com:user_byokwatch_judgement_age_bucket{`,
	`google_monitoring_alert_policy.query["silence"]`:                                `absent_over_time(logging_googleapis_com:user_byokwatch_judgement_age_count{`,
	`google_monitoring_alert_policy.sink["acme"]`:                                    `logging.googleapis.com/exports/error_count`,
	`google_monitoring_alert_policy.sink["acme-trial"]`:                              `logging.googleapis.com/exports/error_count`,
	`google_monitoring_alert_policy.audit["acme/a-protected-key-was-changed"]`:       `cloudkms.googleapis.com`,
	`google_monitoring_alert_policy.audit["acme-trial/a-protected-key-was-changed"]`: `cloudkms.googleapis.com`,
	`google_monitoring_alert_policy.audit["acme/the-watchdog-is-changed"]`:           `DeleteSink`,
	`google_monitoring_alert_policy.audit["acme-trial/the-watchdog-is-changed"]`:     `DeleteSink`,
	`google_monitoring_alert_policy.audit["` + home + `/the-watchdog-is-changed"]`:   `DeleteSubscription`,
}

// filters are those of all conditions of an alert policy, or their queries.
func filters(r deploytest.Resource) []string {
	var out []string
	for i := 0; r.At("conditions", i) != nil; i++ {
		for _, kind := range []string{"condition_threshold", "condition_matched_log"} {
			if f := r.String("conditions", i, kind, 0, "filter"); f != "" {
				out = append(out, f)
			}
		}
		if q := r.String("conditions", i, "condition_prometheus_query_language", 0, "query"); q != "" {
			out = append(out, q)
		}
	}
	return out
}

func TestWhatMustBeToldIsTold(t *testing.T) {
	p := plan(t, map[string]any{})
	var got []string
	for _, r := range p.All("google_monitoring_alert_policy") {
		got = append(got, r.Address)
		project := r.String("project")
		if channels := r.Strings("notification_channels"); len(channels) != 1 || !strings.HasPrefix(channels[0], "projects/"+project+"/") {
			t.Errorf("%s notifies %v", r.Address, channels)
		}
		if enabled, set := r.At("enabled").(bool); set && !enabled {
			t.Errorf("%s is switched off", r.Address)
		}
		if r.String("documentation", 0, "content") == "" {
			t.Errorf("%s does not say what to do", r.Address)
		}
		// Of a condition on log entries, this is required, and it stands alone:
		// https://docs.cloud.google.com/logging/docs/alerting/log-based-alerts
		if r.At("conditions", 0, "condition_matched_log", 0) != nil && (r.At("conditions", 1) != nil || r.String("alert_strategy", 0, "notification_rate_limit", 0, "period") == "") {
			t.Errorf("%s is no alert on log entries that there can be", r.Address)
		}
	}
	if want := slices.Sorted(maps.Keys(alerts)); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("alert policies:\ngot  %v\nwant %v", got, want)
	}
	for address, of := range alerts {
		if all := filters(p.One(t, address)); len(all) == 0 || !strings.Contains(strings.Join(all, "\n"), of) {
			t.Errorf("%s looks at %v, and not at %s", address, all, of)
		}
	}
	if w := p.Outputs["warnings"]; strings.Contains(fmt.Sprint(w), "channel") {
		t.Errorf("every project has a channel, and the output says %v", w)
	}
}

// TestQueriesAreAboutTheMetrics holds the queries to the metrics' names as
// https://docs.cloud.google.com/monitoring/promql/promql-mapping maps them, since
// nothing in the cloud does: a query of a metric that is not there is silent.
func TestQueriesAreAboutTheMetrics(t *testing.T) {
	p := plan(t, map[string]any{})
	series := map[string]bool{}
	for _, m := range p.All("google_logging_metric") {
		name := "logging_googleapis_com:user_" + regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(m.String("name"), "_")
		switch m.String("metric_descriptor", 0, "value_type") {
		case "INT64":
			series[name] = true
		case "DISTRIBUTION":
			series[name+"_bucket"], series[name+"_count"] = true, true
		}
	}
	labels := map[string]string{
		"unrestored":    `^sum by \(key\) \(increase\(([\w:]+)\{monitored_resource="cloud_run_revision"\}\[600s\]\)\) > 0$`,
		"judgement-age": `^histogram_quantile\(0\.99, sum by \(le, key\) \(increase\(([\w:]+)\{monitored_resource="cloud_run_revision"\}\[600s\]\)\)\) > 600000$`,
		"silence":       `^absent_over_time\(([\w:]+)\{monitored_resource="cloud_run_revision"\}\[600s\]\)$`,
	}
	for name, form := range labels {
		r := p.One(t, fmt.Sprintf("google_monitoring_alert_policy.query[%q]", name))
		m := regexp.MustCompile(form).FindStringSubmatch(filters(r)[0])
		if m == nil || !series[m[1]] {
			t.Errorf("%s asks %s; there are %v", r.Address, filters(r)[0], slices.Sorted(maps.Keys(series)))
		}
		// Such a condition stands alone, and its metric is a moment old.
		if r.At("conditions", 1) != nil || r.At("conditions", 0, "condition_prometheus_query_language", 0, "disable_metric_validation") != true {
			t.Errorf("%s can't be made together with its metric", r.Address)
		}
	}
	for _, r := range p.All("google_monitoring_alert_policy") {
		if strings.Contains(strings.Join(filters(r), " "), "logging.googleapis.com/user/") {
			t.Errorf("%s is a threshold on a metric that is a moment old", r.Address)
		}
	}
}

// line is one that the function logs for each change that it handled
// (core/watchdog: report), as Cloud Run passes it on.
func line(changes map[string]any) map[string]any {
	payload := map[string]any{
		"message": "handled", "key": "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/orders", "label": "gcp-orders",
		"kind": "tick", "verdict": "intact", "judgement_age_ms": 900.0, "unrestored": false, "handled_ms": 120.0,
	}
	maps.Copy(payload, changes)
	return map[string]any{
		"severity":    "INFO",
		"resource":    map[string]any{"type": "cloud_run_revision", "labels": map[string]any{"service_name": "byokwatch-sweep"}},
		"jsonPayload": payload,
	}
}

func TestMetricsCountWhatIsLogged(t *testing.T) {
	p := plan(t, map[string]any{})
	event := map[string]any{"kind": "policy", "event_lag_ms": 1500.0}
	restored := map[string]any{"kind": "policy", "event_lag_ms": 1500.0, "restore_duration_ms": 4200.0}
	other := line(nil)
	other["resource"].(map[string]any)["labels"].(map[string]any)["service_name"] = "payments"
	failed := line(map[string]any{"outcome": "failed"})
	delete(failed["jsonPayload"].(map[string]any), "judgement_age_ms")
	lines := map[string]map[string]any{
		"tick": line(nil), "event": line(event), "restored": line(restored), "broken": line(map[string]any{"unrestored": true}),
		"another service": other, "another line": line(map[string]any{"message": "loaded"}), "without an age": failed,
	}
	for name, want := range map[string][]string{
		"byokwatch.keys":             {"broken", "tick", "without an age"},
		"byokwatch.unrestored":       {"broken"},
		"byokwatch.event_lag":        {"event", "restored"},
		"byokwatch.restore_duration": {"restored"},
		"byokwatch.judgement_age":    {"broken", "event", "restored", "tick"},
	} {
		r := p.One(t, fmt.Sprintf("google_logging_metric.metric[%q]", name))
		filter := parseFilter(t, r.String("filter"))
		var got []string
		for _, l := range slices.Sorted(maps.Keys(lines)) {
			if filter.Matches(lines[l]) {
				got = append(got, l)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s counts %v, want %v", name, got, want)
		}
		// What is extracted is there in a line that counts.
		fields := []string{r.String("value_extractor")}
		extractors, _ := r.At("label_extractors").(map[string]any)
		for label := range extractors {
			fields = append(fields, r.String("label_extractors", label))
		}
		for _, f := range fields {
			m := regexp.MustCompile(`^EXTRACT\(jsonPayload\.(\w+)\)$`).FindStringSubmatch(f)
			if f == "" || m != nil && lines[want[0]]["jsonPayload"].(map[string]any)[m[1]] != nil {
				continue
			}
			t.Errorf("%s extracts %q, which the line has not", name, f)
		}
	}
	if got := len(p.All("google_logging_metric")); got != 5 {
		t.Errorf("%d metrics", got)
	}
}

func TestErrorsOfTheServicesAreTold(t *testing.T) {
	filter := parseFilter(t, filters(plan(t, map[string]any{}).One(t, "google_monitoring_alert_policy.errors"))[0])
	failed := line(nil)
	failed["severity"] = "ERROR"
	if !filter.Matches(failed) || filter.Matches(line(nil)) {
		t.Error("the alert takes what is no error, or leaves one out")
	}
}

// TestAChangedKeyIsToldWithoutTheFunction asks for every event of Cloud KMS on
// protected keys, and on others.
func TestAChangedKeyIsToldWithoutTheFunction(t *testing.T) {
	p := plan(t, map[string]any{})
	alert := func(project string) func(method, resource string) bool {
		r := p.One(t, fmt.Sprintf("google_monitoring_alert_policy.audit[%q]", project+"/a-protected-key-was-changed"))
		if r.String("project") != project {
			t.Fatalf("%s is in %s, where it does not see the log", r.Address, r.String("project"))
		}
		f := parseFilter(t, filters(r)[0])
		return func(method, resource string) bool {
			if f.Matches(entryOf("projects/"+project+activity, "cloudkms.googleapis.com", method, resource, 7)) {
				t.Errorf("%s on %s is told though it failed", method, resource)
			}
			return f.Matches(entryOf("projects/"+project+activity, "cloudkms.googleapis.com", method, resource, 0))
		}
	}
	for _, key := range readDeployment(t).Scopes.Keys {
		told, project := alert(strings.Split(key, "/")[1]), strings.Split(key, "/")[1]
		ring, _, _ := strings.Cut(key, "/cryptoKeys/")
		for _, e := range auditlog.Events {
			if e.Service != "cloudkms.googleapis.com" {
				continue
			}
			for resource, want := range map[string]bool{
				key: true, key + "/cryptoKeyVersions/1": true, ring: true, strings.Replace(key, project, "123456789012", 1): true,
				key + "2": false, ring + "2": false, ring + "/cryptoKeys/other": false, "projects/" + project: false,
			} {
				if got := told(e.Method, resource); got != want {
					t.Errorf("%s on %s: %t", e.Method, resource, got)
				}
			}
		}
		if told("Decrypt", key) || told("CreateCryptoKey", key) {
			t.Error("what changes nothing is told")
		}
	}
}

func TestChangesOfTheWatchdogAreTold(t *testing.T) {
	p := plan(t, map[string]any{})
	in := "projects/" + home
	for _, c := range []struct {
		project, service, method, resource string
		want                               bool
	}{
		{home, "pubsub.googleapis.com", "google.pubsub.v1.Subscriber.DeleteSubscription", in + "/subscriptions/byokwatch-events", true},
		{home, "pubsub.googleapis.com", "google.pubsub.v1.Subscriber.ModifyPushConfig", in + "/subscriptions/byokwatch-sweep", true},
		{home, "pubsub.googleapis.com", "google.pubsub.v1.Publisher.DeleteTopic", in + "/topics/byokwatch-events", true},
		{home, "pubsub.googleapis.com", "google.iam.v1.IAMPolicy.SetIamPolicy", in + "/topics/byokwatch-events", true},
		{home, "pubsub.googleapis.com", "google.pubsub.v1.Publisher.DeleteTopic", in + "/topics/orders", false},
		{home, "run.googleapis.com", "google.cloud.run.v2.Services.UpdateService", in + "/locations/us-west1/services/byokwatch", true},
		{home, "run.googleapis.com", "google.cloud.run.v1.Services.ReplaceService", "namespaces/" + home + "/services/byokwatch-sweep", true},
		{home, "run.googleapis.com", "google.cloud.run.v1.Services.DeleteService", "namespaces/" + home + "/services/orders", false},
		{home, "cloudscheduler.googleapis.com", "google.cloud.scheduler.v1.CloudScheduler.PauseJob", in + "/locations/us-west1/jobs/byokwatch-sweep", true},
		{home, "iam.googleapis.com", "google.iam.admin.v1.DisableServiceAccount", "projects/-/serviceAccounts/104857600000000000000", true},
		{home, "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey", "projects/-/serviceAccounts/104857600000000000000", true},
		{home, "iam.googleapis.com", "google.iam.admin.v1.SetIAMPolicy", "projects/-/serviceAccounts/104857600000000000000", true},
		{home, "monitoring.googleapis.com", "google.monitoring.v3.AlertPolicyService.DeleteAlertPolicy", in + "/alertPolicies/1", true},
		{home, "monitoring.googleapis.com", "google.monitoring.v3.NotificationChannelService.DeleteNotificationChannel", in + "/notificationChannels/1", true},
		{home, "logging.googleapis.com", "google.logging.v2.MetricsServiceV2.DeleteLogMetric", in + "/metrics/byokwatch.judgement_age", true},
		{home, "storage.googleapis.com", "storage.setIamPermissions", "projects/_/buckets/acme-byokwatch", true},
		{home, "storage.googleapis.com", "storage.buckets.update", "projects/_/buckets/acme-byokwatch-packages", true},
		{home, "storage.googleapis.com", "storage.buckets.update", "projects/_/buckets/other", false},
		{home, "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.DestroySecretVersion", "projects/1/secrets/slack-webhook-url/versions/1", true},
		{home, "cloudkms.googleapis.com", "SetIamPolicy", in, false},
		{"acme", "logging.googleapis.com", "google.logging.v2.ConfigServiceV2.UpdateSink", "projects/acme/sinks/byokwatch", true},
		{"acme", "logging.googleapis.com", "google.logging.v2.ConfigServiceV2.DeleteSink", "projects/acme/sinks/byokwatch", true},
		{"acme", "logging.googleapis.com", "google.logging.v2.ConfigServiceV2.DeleteSink", "projects/acme/sinks/billing", false},
		{"acme", "logging.googleapis.com", "google.logging.v2.ConfigServiceV2.CreateExclusion", "projects/acme/exclusions/quiet", true},
		{"acme", "iam.googleapis.com", "google.iam.admin.v1.UpdateRole", "projects/acme/roles/byokwatchRestorePolicies", true},
		{"acme", "iam.googleapis.com", "google.iam.admin.v1.UpdateRole", "projects/acme/roles/orders", false},
		{"acme", "monitoring.googleapis.com", "google.monitoring.v3.AlertPolicyService.UpdateAlertPolicy", "projects/acme/alertPolicies/1", true},
		{"acme", "run.googleapis.com", "google.cloud.run.v2.Services.DeleteService", "projects/acme/locations/us-west1/services/byokwatch", false},
	} {
		f := parseFilter(t, filters(p.One(t, fmt.Sprintf("google_monitoring_alert_policy.audit[%q]", c.project+"/the-watchdog-is-changed")))[0])
		if got := f.Matches(entryOf("projects/"+c.project+activity, c.service, c.method, c.resource, 0)); got != c.want {
			t.Errorf("in %s, %s on %s: %t", c.project, c.method, c.resource, got)
		}
	}
}
