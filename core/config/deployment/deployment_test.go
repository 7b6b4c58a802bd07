package deployment_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/config/deployment"
)

var update = flag.Bool("update", false, "rewrite deploy/testdata")

const fixtures = "../../../deploy/testdata"

var oregon = deployment.Place{Account: "111122223333", Region: "us-west-2"}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The deployments' tests start from these files, so they are held equal to what
// the command prints.
func TestTheFixturesAreWhatIsPrinted(t *testing.T) {
	c := parse(t, string(read(t, "byokwatch.yaml")))
	for cloud, place := range map[core.Cloud]deployment.Place{core.AWS: oregon, core.Azure: {}, core.GCP: {}} {
		d, err := deployment.Of(c, cloud, place)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		name := string(cloud) + ".json"
		if *update {
			if err := os.WriteFile(filepath.Join(fixtures, name), got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(read(t, name)), string(got)); diff != "" {
			t.Errorf("%s (rewrite it with -update): file -, printed +\n%s", name, diff)
		}
		if bytes.Contains(got, []byte("null")) {
			t.Errorf("%s holds null", name)
		}
	}
}

// The fixture must hold what the deployments have to get right.
func TestTheFixtureHasEveryKindOfKey(t *testing.T) {
	c := parse(t, string(read(t, "byokwatch.yaml")))
	for cloud, place := range map[core.Cloud]deployment.Place{core.AWS: oregon, core.Azure: {}, core.GCP: {}} {
		d, err := deployment.Of(c, cloud, place)
		if err != nil {
			t.Fatal(err)
		}
		for name, set := range d.Scopes {
			if len(set) == 0 {
				t.Errorf("%s: no %s", cloud, name)
			}
		}
		if cloud != core.AWS && len(d.Secrets) == 0 {
			t.Errorf("%s: no secrets", cloud)
		}
	}
}
