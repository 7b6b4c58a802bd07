package gcp_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/deploy/deploytest"
	"byokwatch/functions/gcp/auditlog"
)

const activity = "/logs/cloudaudit.googleapis.com%2Factivity"

// entryOf is a log entry with what filters look at.
func entryOf(log, service, method, resource string, code float64) map[string]any {
	status := map[string]any{}
	if code != 0 {
		status["code"] = code
	}
	return map[string]any{
		"logName": log, "severity": "NOTICE",
		"protoPayload": map[string]any{"serviceName": service, "methodName": method, "resourceName": resource, "status": status},
	}
}

// sinkFilter is the filter of the sinks, all of which have the same.
func sinkFilter(t *testing.T, p *deploytest.Planned) string {
	t.Helper()
	var filters []string
	for _, kind := range []string{"project", "folder", "organization"} {
		for _, r := range p.All("google_logging_" + kind + "_sink") {
			filters = append(filters, r.String("filter"))
		}
	}
	if filters = slices.Compact(filters); len(filters) != 1 {
		t.Fatalf("sinks have %d filters: %v", len(filters), filters)
	}
	return filters[0]
}

// TestSinksTakeExactlyWhatIsDecoded asks after every service with every method
// that the decoder knows, bare and qualified, and after their neighbours.
func TestSinksTakeExactlyWhatIsDecoded(t *testing.T) {
	filter := parseFilter(t, sinkFilter(t, plan(t, map[string]any{})))
	services := []string{"storage.googleapis.com", "kms.googleapis.com"}
	methods := []string{"Decrypt", "CreateCryptoKey", "google.iam.admin.v1.CreateRole", ""}
	for _, e := range auditlog.Events {
		services = append(services, e.Service, "x"+e.Service)
		methods = append(methods, e.Method, "google.cloud.any.v3.Things."+e.Method, "google.cloud.any.v3.Things"+e.Method,
			e.Method+"s", "Batch"+e.Method, strings.ReplaceAll(e.Method, ".", "x"), strings.ReplaceAll(e.Method, ".", "/"))
	}
	taken := 0
	for _, service := range services {
		for _, method := range methods {
			want := slices.ContainsFunc(auditlog.Events, func(e auditlog.Event) bool { return e.Matches(service, method) })
			for _, log := range []string{"projects/acme", "projects/acme-trial"} {
				if got := filter.Matches(entryOf(log+activity, service, method, "projects/acme", 0)); got != want {
					t.Errorf("%s %s in the log of %s: the sink says %t, the decoder %t", service, method, log, got, want)
				}
			}
			if want {
				taken++
			}
		}
	}
	if taken < 2*len(auditlog.Events) {
		t.Errorf("only %d of the combinations are events", taken)
	}
}

func TestSinksTakeOnlyWhatHappenedWhereKeysAre(t *testing.T) {
	project := parseFilter(t, sinkFilter(t, plan(t, map[string]any{})))
	above := parseFilter(t, sinkFilter(t, plan(t, ofOrganization)))
	for name, c := range map[string]struct {
		log                string
		code               float64
		project, organized bool
	}{
		"the key's project":            {"projects/acme" + activity, 0, true, true},
		"a call that failed":           {"projects/acme" + activity, 7, false, false},
		"another project":              {"projects/other" + activity, 0, false, false},
		"a project with such a name":   {"projects/acme2" + activity, 0, false, false},
		"the log of reads":             {"projects/acme/logs/cloudaudit.googleapis.com%2Fdata_access", 0, false, false},
		"somebody's own log":           {"projects/acme/logs/cloudaudit.googleapis.com%2Factivity2", 0, false, false},
		"the organisation":             {organized + activity, 0, false, true},
		"a folder":                     {"folders/5550001" + activity, 0, false, true},
		"the organisation's reads":     {organized + "/logs/cloudaudit.googleapis.com%2Fdata_access", 0, false, false},
		"a call that failed up there":  {organized + activity, 10, false, false},
		"a billing account's activity": {"billingAccounts/1" + activity, 0, false, false},
	} {
		e := entryOf(c.log, "cloudkms.googleapis.com", "SetIamPolicy", "projects/acme", c.code)
		if got := project.Matches(e); got != c.project {
			t.Errorf("%s: with scope project %t", name, got)
		}
		if got := above.Matches(e); got != c.organized {
			t.Errorf("%s: with scope organization %t", name, got)
		}
	}
}

// TestSinksLoseNoSample plays every sample of an entry that the decoder's own
// tests use to a sink of the organisation.
func TestSinksLoseNoSample(t *testing.T) {
	files, err := filepath.Glob("../../functions/gcp/gcptest/testdata/events/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d samples: %v", len(files), err)
	}
	keys := []core.Key{{ID: "projects/acme-prod/locations/us-west1/keyRings/kafka/cryptoKeys/payments", Cloud: core.GCP}}
	var d map[string]any
	readJSON(t, deploymentFile, &d)
	d["projects"] = []string{"acme-prod"}
	d["scopes"] = map[string]any{"keys": []string{keys[0].ID}, "enforced": []string{}, "enabling": []string{}}
	changes := map[string]any{"deployment": d, "scope": "organization", "organization": "8888"}
	filter := parseFilter(t, sinkFilter(t, plan(t, changes)))
	seen := map[bool]int{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var entry map[string]any
		if err := json.Unmarshal(data, &entry); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		decoded, err := auditlog.Decode(data, keys)
		taken := filter.Matches(entry)
		seen[taken]++
		if (len(decoded) > 0 || err != nil) && !taken {
			t.Errorf("%s: the decoder makes %d changes of it, and the sink leaves it out", filepath.Base(name), len(decoded))
		}
		if strings.Contains(name, "data-access") || strings.Contains(name, "perimeter") || strings.Contains(name, "-denied") || strings.Contains(name, "role-create") {
			if taken {
				t.Errorf("%s is nothing that the decoder looks at", filepath.Base(name))
			}
		}
	}
	if seen[true] < 25 || seen[false] < 5 {
		t.Errorf("taken and left out: %v", seen)
	}
}

func TestTheFilterFitsForManyProjects(t *testing.T) {
	// A sink's filter has at most 20,000 characters:
	// https://docs.cloud.google.com/logging/quotas
	if n := len(sinkFilter(t, plan(t, ofOrganization))); n > 2500 {
		t.Errorf("%d characters for two projects leave no room for a hundred", n)
	}
}

// TestEveryEventIsKept follows events from the sinks to where they end.
func TestEveryEventIsKept(t *testing.T) {
	for name, changes := range map[string]map[string]any{"project": {}, "organization": ofOrganization} {
		p := plan(t, changes)
		topic := p.One(t, "google_pubsub_topic.events")
		sinks := append(p.All("google_logging_project_sink"), p.All("google_logging_organization_sink")...)
		publishers := map[string]bool{}
		for _, r := range p.All("google_pubsub_topic_iam_member") {
			if r.String("topic") == topic.String("name") && r.String("role") == "roles/pubsub.publisher" {
				publishers[r.String("member")] = true
			}
		}
		for _, s := range sinks {
			if got := s.String("destination"); got != "pubsub.googleapis.com/"+topic.String("id") {
				t.Errorf("%s: %s delivers to %s", name, s.Address, got)
			}
			if !publishers[s.String("writer_identity")] {
				t.Errorf("%s: %s may not publish: %v", name, s.Address, publishers)
			}
			if on, _ := s.At("disabled").(bool); on || s.At("exclusions", 0) != nil {
				t.Errorf("%s: %s leaves something out", name, s.Address)
			}
		}
		if len(sinks) == 0 || len(publishers) != len(sinks) {
			t.Errorf("%s: %d sinks, and %v may publish", name, len(sinks), publishers)
		}
	}
	p := plan(t, map[string]any{})
	s := p.One(t, "google_pubsub_subscription.events")
	dead := p.One(t, "google_pubsub_topic.dead_letters")
	if s.String("topic") != p.One(t, "google_pubsub_topic.events").String("id") {
		t.Errorf("events go to %s", s.String("topic"))
	}
	if got := s.String("dead_letter_policy", 0, "dead_letter_topic"); got != dead.String("id") || fmt.Sprint(s.At("dead_letter_policy", 0, "max_delivery_attempts")) != "100" {
		t.Errorf("dead letters: %v to %s", s.At("dead_letter_policy", 0, "max_delivery_attempts"), got)
	}
	if p.One(t, "google_pubsub_subscription.dead_letters").String("topic") != dead.String("id") {
		t.Error("nothing keeps the dead letters")
	}
	agent := "serviceAccount:service-data.google_project.acme-byokwatch.number@gcp-sa-pubsub.iam.gserviceaccount.com"
	moves := map[string]string{"google_pubsub_topic_iam_member.dead_letters": "topic", "google_pubsub_subscription_iam_member.dead_letters": "subscription"}
	for address, of := range moves {
		r := p.One(t, address)
		want := map[string]string{"topic": dead.String("name"), "subscription": s.String("name")}[of]
		if r.String("member") != agent || r.String(of) != want {
			t.Errorf("%s: %s on %s", address, r.String("member"), r.String(of))
		}
	}
	for _, r := range p.All("google_pubsub_subscription") {
		if r.At("expiration_policy", 0, "ttl") != "" {
			t.Errorf("%s expires when nothing happens for a month", r.Address)
		}
	}
	if fmt.Sprint(s.At("ack_deadline_seconds")) != "600" {
		t.Errorf("Pub/Sub waits for %v s, and the function works for 570", s.At("ack_deadline_seconds"))
	}
}

// TestDeliveriesReachTheServices checks that each push is let in, and that what
// the schedule sends is what the decoder takes for a tick.
func TestDeliveriesReachTheServices(t *testing.T) {
	p := plan(t, map[string]any{})
	for _, name := range []string{"events", "sweep"} {
		s, service := p.One(t, "google_pubsub_subscription."+name), p.One(t, fmt.Sprintf("google_cloud_run_v2_service.watchdog[%q]", name))
		invoker := p.One(t, fmt.Sprintf("google_cloud_run_v2_service_iam_member.push[%q]", name))
		account := s.String("push_config", 0, "oidc_token", 0, "service_account_email")
		if s.String("push_config", 0, "push_endpoint") != service.String("uri") || s.String("push_config", 0, "oidc_token", 0, "audience") != service.String("uri") {
			t.Errorf("%s is pushed to %v", name, s.At("push_config", 0))
		}
		if invoker.String("name") != service.String("name") || invoker.String("role") != "roles/run.invoker" || invoker.String("member") != "serviceAccount:"+account || account == "" {
			t.Errorf("%s: %s may invoke %s, and %s delivers", name, invoker.String("member"), invoker.String("name"), account)
		}
	}
	job := p.One(t, "google_cloud_scheduler_job.sweep")
	if job.String("pubsub_target", 0, "topic_name") != p.One(t, "google_pubsub_subscription.sweep").String("topic") {
		t.Error("the schedule's topic is not the sweep's")
	}
	// Scheduler takes the data in base64 and publishes the bytes.
	data, err := base64.StdEncoding.DecodeString(job.String("pubsub_target", 0, "data"))
	if err != nil {
		t.Fatal(err)
	}
	push, err := json.Marshal(map[string]any{"message": map[string]any{"data": data, "messageId": "1", "publishTime": "2026-01-02T03:04:05Z"}, "subscription": "projects/p/subscriptions/s"})
	if err != nil {
		t.Fatal(err)
	}
	delivery, err := auditlog.Open(http.Header{"Content-Type": {"application/json"}}, push)
	if err != nil {
		t.Fatal(err)
	}
	var keys []core.Key
	for _, id := range readDeployment(t).Scopes.Keys {
		keys = append(keys, core.Key{ID: id, Cloud: core.GCP})
	}
	changes, err := delivery.Changes(keys)
	if err != nil || len(changes) != len(keys) || changes[0].Kind != core.Tick {
		t.Errorf("the schedule's message makes %+v, %v", changes, err)
	}
}
