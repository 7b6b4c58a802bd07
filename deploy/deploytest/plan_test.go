package deploytest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPlanHasWhatTheModuleSays(t *testing.T) {
	p := Plan(t, "testdata/good", map[string]any{"project": "acme"}, Computed{"data.google_project.acme.number": "123456789012"})
	var addresses []string
	for _, r := range p.Resources {
		addresses = append(addresses, r.Address)
	}
	want := []string{
		"data.google_project.this",
		`google_pubsub_subscription.this["events"]`,
		`google_pubsub_topic.this["events"]`,
		`google_pubsub_topic.this["sweep"]`,
		"module.account.google_service_account.this",
	}
	if d := cmp.Diff(want, addresses); d != "" {
		t.Errorf("the resources (-want +got):\n%s", d)
	}
	s := p.One(t, `google_pubsub_subscription.this["events"]`)
	for name, c := range map[string]struct{ got, want any }{
		"a reference is the name of what it refers to": {s.String("topic"), "google_pubsub_topic.acme/events.id"},
		"inside of blocks":                      {s.String("dead_letter_policy", 0, "dead_letter_topic"), "google_pubsub_topic.acme/sweep.id"},
		"through outputs of modules":            {s.String("push_config", 0, "oidc_token", 0, "service_account_email"), "google_service_account.acme/byokwatch.email"},
		"or the value that is given for it":     {s.String("push_config", 0, "push_endpoint"), "https://123456789012.example.com"},
		"numbers are numbers":                   {s.At("ack_deadline_seconds"), 600.0},
		"what is not set is nil":                {s.At("enable_message_ordering"), nil},
		"as is what is not there":               {s.At("push_config", 1, "push_endpoint"), nil},
		"the index is that of for_each":         {s.Index, "events"},
		"a list of texts is one":                {p.Outputs["topics"], []any{"google_pubsub_topic.acme/events.id", "google_pubsub_topic.acme/sweep.id"}},
		"data sources are apart from resources": {len(p.All("data.google_project")) + len(p.All("google_project")), 1},
		"all of a type are all":                 {len(p.All("google_pubsub_topic")), 2},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestAPlanRefusesWhatTerraformWould(t *testing.T) {
	for want, names := range map[string][]string{
		"Names are in lower case, because that is how they are looked up by everybody who subscribes.": {"Events"},
		"values derived from resource attributes that cannot be determined until apply":                {"events"},
	} {
		if got := Refused(t, "testdata/broken/assertion", map[string]any{"names": names}); !strings.Contains(got, want) {
			t.Errorf("%s: refused with %q", names, got)
		}
	}
}

func TestStringsAreTheTextsOfAList(t *testing.T) {
	r := Resource{Values: map[string]any{"a": []any{"x", 1.0, nil, "y"}}}
	if got := r.Strings("a"); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("got %q", got)
	}
	if got := r.Strings("b"); got != nil {
		t.Errorf("got %q of nothing", got)
	}
}

func TestAPlanIsEachTestsOwn(t *testing.T) {
	vars := map[string]any{"project": "acme"}
	p := Plan(t, "testdata/good", vars)
	p.One(t, "data.google_project.this").Values["project_id"] = "changed"
	if got := Plan(t, "testdata/good", vars).One(t, "data.google_project.this").String("project_id"); got != "acme" {
		t.Errorf("another test's change is seen: %s", got)
	}
	if got := Plan(t, "testdata/good", map[string]any{"project": "other"}).One(t, "data.google_project.this").String("project_id"); got != "other" {
		t.Errorf("another test's plan is seen: %s", got)
	}
}
