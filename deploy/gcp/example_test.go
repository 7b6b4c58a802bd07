package gcp_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"byokwatch/deploy/deploytest"
)

// TestTheExampleKeepsItsStore plans the example as make deploy-gcp does, and
// looks for what `destroy -target=module.byokwatch` would take along.
func TestTheExampleKeepsItsStore(t *testing.T) {
	p := deploytest.Plan(t, "example", map[string]any{
		"project": home, "region": "us-west1", "deployment": "../../testdata/gcp.json", "package": "../tests/package.tar.gz",
		"secrets": map[string]any{"SLACK_WEBHOOK_URL": "slack-webhook-url"},
	})
	d := readDeployment(t)
	if b := p.One(t, "module.store.google_storage_bucket.store"); b.String("name") != d.Store.Bucket {
		t.Errorf("the store's bucket is %s, and the configuration says %s", b.String("name"), d.Store.Bucket)
	}
	if o := p.One(t, "module.byokwatch.google_storage_bucket_object.package[0]"); o.String("bucket") != p.One(t, "module.store.google_storage_bucket.packages").String("name") {
		t.Errorf("the package goes to %s", o.String("bucket"))
	}
	for _, b := range p.All("google_storage_bucket") {
		if !strings.HasPrefix(b.Address, "module.store.") {
			t.Errorf("%s goes with the watchdog", b.Address)
		}
	}
	text, err := os.ReadFile("store/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	kept := regexp.MustCompile(`(?m)^    prevent_destroy = true$`).FindAllString(string(text), -1)
	if len(kept) != len(p.All("google_storage_bucket")) {
		t.Errorf("%d of %d buckets can't be destroyed by mistake", len(kept), len(p.All("google_storage_bucket")))
	}
}
