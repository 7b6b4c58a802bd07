package gcp_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"byokwatch/deploy/deploytest"
)

// predefined are the roles of Google's that the module binds, with the kind of
// resource and why no role of our own is made.
var predefined = map[string]string{
	"roles/run.invoker google_cloud_run_v2_service_iam_member":                     "Pub/Sub's account calls the two services; the role is one permission",
	"roles/pubsub.publisher google_pubsub_topic_iam_member":                        "sinks publish events, and Pub/Sub the dead letters, each to one topic",
	"roles/pubsub.subscriber google_pubsub_subscription_iam_member":                "Pub/Sub takes dead letters off the subscription, as its page on dead letters asks",
	"roles/storage.objectViewer google_storage_bucket_iam_member":                  "Cloud Run fetches the package",
	"roles/iam.serviceAccountOpenIdTokenCreator google_service_account_iam_member": "Pub/Sub signs what it pushes as the account that may do nothing else",
}

func everything(t *testing.T) []deploytest.Resource {
	t.Helper()
	var all []deploytest.Resource
	for _, changes := range []map[string]any{{}, ofOrganization, {"scope": "folder", "folder": "5550001"}} {
		all = append(all, plan(t, changes).Resources...)
	}
	store := deploytest.Plan(t, "store", map[string]any{"project": home, "location": "us-west1", "bucket": "acme-byokwatch", "prefix": "prod"})
	return append(all, store.Resources...)
}

// authoritative resources own a whole policy or a role's members, and take away
// what others gave.
var authoritative = regexp.MustCompile(`_iam_(policy|binding|audit_config)$|_iam_policy_`)

func TestNothingIsGivenThatIsNotExplained(t *testing.T) {
	used := map[string]bool{}
	for _, r := range everything(t) {
		if authoritative.MatchString(r.Type) {
			t.Errorf("%s takes away what others gave", r.Address)
		}
		if strings.HasSuffix(r.Type, "_iam_member") {
			member, role := r.String("member"), r.String("role")
			if !regexp.MustCompile(`^(serviceAccount|group):.|^google_logging_\w+_sink\..+\.writer_identity$`).MatchString(member) {
				t.Errorf("%s is for %q", r.Address, member)
			}
			if strings.HasPrefix(role, "roles/") {
				used[role+" "+r.Type] = true
				if predefined[role+" "+r.Type] == "" {
					t.Errorf("%s gives %s, which nobody explains", r.Address, role)
				}
				if member == plannedSelf {
					t.Errorf("%s gives the watchdog %s: its rights are those of permissions.json", r.Address, role)
				}
			}
		}
		if strings.HasSuffix(r.Type, "_iam_custom_role") {
			for _, p := range r.Strings("permissions") {
				if !regexp.MustCompile(`^[a-z]+\.[A-Za-z]+\.[A-Za-z]+$`).MatchString(p) || slices.Contains(readPermissions(t).Never, p) {
					t.Errorf("%s gives %s", r.Address, p)
				}
			}
		}
		text, err := json.Marshal(r.Values)
		if err != nil {
			t.Fatal(err)
		}
		for _, all := range []string{"allUsers", "allAuthenticatedUsers", "roles/owner", "roles/editor", "roles/viewer", "roles/cloudkms.admin"} {
			if strings.Contains(string(text), all) {
				t.Errorf("%s names %s", r.Address, all)
			}
		}
	}
	if !maps.EqualFunc(used, predefined, func(bool, string) bool { return true }) {
		t.Errorf("explained, but not given: %v, %v", used, predefined)
	}
}

// TestNoKeyCanStopTheWatchdog: what is encrypted with a customer's key is gone
// when that key is, which is just when it is needed.
func TestNoKeyCanStopTheWatchdog(t *testing.T) {
	keys := regexp.MustCompile(`^(kms_key_name|default_kms_key_name|encryption_key|kms_key)$`)
	var look func(address string, v any)
	look = func(address string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				// What a provider would compute has the name of its resource.
				if text, ok := inner.(string); keys.MatchString(name) && ok && text != "" && !strings.HasPrefix(text, "google_") {
					t.Errorf("%s is encrypted with %s", address, text)
				}
				look(address, inner)
			}
		case []any:
			for _, inner := range v {
				look(address, inner)
			}
		}
	}
	for _, r := range everything(t) {
		look(r.Address, r.Values)
	}
}

func TestBucketsAreClosedAndKeepWhatTheyHold(t *testing.T) {
	store := deploytest.Plan(t, "store", map[string]any{"project": home, "location": "us-west1", "bucket": "acme-byokwatch", "prefix": "prod"})
	buckets := store.All("google_storage_bucket")
	if len(buckets) != 2 {
		t.Fatalf("%d buckets", len(buckets))
	}
	for _, b := range buckets {
		if b.At("uniform_bucket_level_access") != true || b.String("public_access_prevention") != "enforced" || b.At("force_destroy") != false {
			t.Errorf("%s is open, or is emptied when destroyed", b.Address)
		}
		versions, retention := b.At("versioning", 0, "enabled") == true, b.At("retention_policy", 0) != nil
		if versions == retention {
			t.Errorf("%s: versions %t, retention %t: one of them, for there can't be both", b.Address, versions, retention)
		}
	}
	for i := 0; ; i++ {
		rule := buckets[1].At("lifecycle_rule", i)
		if rule == nil {
			break
		}
		if strings.Contains(fmt.Sprint(rule), "kept/") || !strings.Contains(fmt.Sprint(rule), "days_since_noncurrent_time:90") {
			t.Errorf("the store's rule %d: %v", i, rule)
		}
	}
}

func TestServicesAreForPushesOnly(t *testing.T) {
	p := plan(t, map[string]any{})
	services := p.All("google_cloud_run_v2_service")
	if len(services) != 2 {
		t.Fatalf("%d services", len(services))
	}
	for _, s := range services {
		if s.String("ingress") != "INGRESS_TRAFFIC_INTERNAL_ONLY" || s.At("invoker_iam_disabled") != false {
			t.Errorf("%s takes calls from outside, or from anybody", s.Address)
		}
		if "serviceAccount:"+s.String("template", 0, "service_account") != plannedSelf {
			t.Errorf("%s runs as %s", s.Address, s.String("template", 0, "service_account"))
		}
		env := map[string]string{}
		for i := 0; s.At("template", 0, "containers", 0, "env", i) != nil; i++ {
			env[s.String("template", 0, "containers", 0, "env", i, "name")] = s.String("template", 0, "containers", 0, "env", i, "value")
		}
		want := map[string]string{
			"BYOKWATCH_CONFIG": "byokwatch.yaml", "BYOKWATCH_SELF": strings.TrimPrefix(plannedSelf, "serviceAccount:"), "BYOKWATCH_SECRETS": "/secrets",
		}
		if !maps.Equal(env, want) {
			t.Errorf("%s has the environment %v", s.Address, env)
		}
		if max := fmt.Sprint(s.At("template", 0, "scaling", 0, "max_instance_count")); max != map[string]string{"byokwatch": "3", "byokwatch-sweep": "1"}[s.String("name")] {
			t.Errorf("%s has up to %s instances", s.Address, max)
		}
		name := s.String("template", 0, "containers", 0, "source_code", 0, "cloud_storage_source", 0, "object")
		if !regexp.MustCompile(`^byokwatch-gcp-[0-9a-f]{64}\.tar\.gz$`).MatchString(name) {
			t.Errorf("%s runs %s, which could be replaced", s.Address, name)
		}
	}
	if o := p.One(t, "google_storage_bucket_object.package[0]"); o.String("deletion_policy") != "ABANDON" {
		t.Error("a new package deletes the one that one would go back to")
	}
	if len(p.All("google_service_account_key")) != 0 {
		t.Error("an account's key can be carried away")
	}
}
