package deployment_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

const head = "mode: observe\nstore: gs://acme-byokwatch\nkeys:\n"

func cryptoKeys(n int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "  - {key: projects/acme/locations/global/keyRings/kafka/cryptoKeys/k%d, confluent: {group: cck-1@confluent.io}}\n", i)
	}
	return b.String()
}

func TestManyKeysAreSweptLessOften(t *testing.T) {
	for keys, want := range map[int]int{1: 1, 100: 1, 101: 5} {
		d, err := deployment.Of(parse(t, cryptoKeys(keys)), core.GCP, deployment.Place{})
		if err != nil || d.SweepMinutes != want || len(d.Scopes["keys"]) != keys {
			t.Errorf("%d keys: %v, every %d minutes, want %d", keys, err, d.SweepMinutes, want)
		}
	}
}

// The order of the file is for people: a deployment must not change by it.
func TestTheOrderOfTheFileDoesNotMatter(t *testing.T) {
	first, second, _ := strings.Cut(cryptoKeys(2)[len(head):], "\n")
	var all []string
	for _, text := range []string{head + first + "\n" + second, head + second + first + "\n"} {
		d, err := deployment.Of(parse(t, text), core.GCP, deployment.Place{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(data))
	}
	if all[0] != all[1] {
		t.Errorf("%s\n%s", all[0], all[1])
	}
}

// A key in mode observe asks for no right to write, whatever else it says.
func TestObserveAsksForNoRightToWrite(t *testing.T) {
	text := strings.NewReplacer("mode: enforce", "mode: observe").Replace(string(read(t, "byokwatch.yaml")))
	c := parse(t, text)
	for cloud, place := range map[core.Cloud]deployment.Place{core.AWS: oregon, core.Azure: {}, core.GCP: {}} {
		d, err := deployment.Of(c, cloud, place)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"enforced", "enabling", "enforced_groups", "enforced_vaults", "firewalls"} {
			if set := d.Scopes[name]; len(set) > 0 {
				t.Errorf("%s: %s %v", cloud, name, set)
			}
		}
		if d.Mode != core.Observe || len(d.Principals) > 0 {
			t.Errorf("%s: %s, %v", cloud, d.Mode, d.Principals)
		}
	}
}

func TestAPlaceIsForAWSAlone(t *testing.T) {
	c := parse(t, string(read(t, "byokwatch.yaml")))
	for _, bad := range []struct {
		cloud core.Cloud
		place deployment.Place
	}{
		{core.AWS, deployment.Place{}}, {core.AWS, deployment.Place{Account: "111122223333"}}, {core.AWS, deployment.Place{Region: "us-west-2"}},
		{core.GCP, oregon}, {core.Azure, deployment.Place{Region: "us-west-2"}}, {"ibm", deployment.Place{}},
	} {
		if d, err := deployment.Of(c, bad.cloud, bad.place); err == nil {
			t.Errorf("%+v gives %+v", bad, d)
		}
	}
}

// Each opt-in brings its own rights and no others.
func TestWhatIsNotOptedInToAsksForNothing(t *testing.T) {
	fixture := string(read(t, "byokwatch.yaml"))
	for line, scope := range map[string]string{"    network: restore\n": "firewalls", "    key_state: restore\n": "enabling"} {
		c := parse(t, strings.ReplaceAll(fixture, line, ""))
		for cloud, place := range map[core.Cloud]deployment.Place{core.AWS: oregon, core.Azure: {}, core.GCP: {}} {
			d, err := deployment.Of(c, cloud, place)
			if err != nil {
				t.Fatal(err)
			}
			for name, set := range d.Scopes {
				if (len(set) == 0) != (name == scope) {
					t.Errorf("%s without %s: %s %v", cloud, strings.TrimSpace(line), name, set)
				}
			}
			if _, has := d.Scopes[scope]; !has && (scope == "enabling" || cloud == core.Azure) {
				t.Errorf("%s: %s is left out", cloud, scope)
			}
		}
	}
}
