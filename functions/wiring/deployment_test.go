package wiring_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byokwatch/core"
	"byokwatch/functions/wiring"
)

func TestWhereTheConfigurationIs(t *testing.T) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	type source = wiring.Source
	tests := map[string]struct {
		cloud      core.Cloud
		place, sum string
		want       source
		err        bool
	}{
		"a file beside the program":          {core.AWS, "byokwatch.yaml", "", source{Path: "byokwatch.yaml"}, false},
		"a file beside the program, pinned":  {core.GCP, "etc/byokwatch.yaml", sum, source{Path: "etc/byokwatch.yaml", Sum: sum}, false},
		"an object of S3":                    {core.AWS, "s3://acme-config/prod/byokwatch.yaml", sum, source{Bucket: "acme-config", Path: "prod/byokwatch.yaml", Sum: sum}, false},
		"an object of Cloud Storage":         {core.GCP, "gs://acme-config/prod/byokwatch.yaml", sum, source{Bucket: "acme-config", Path: "prod/byokwatch.yaml", Sum: sum}, false},
		"a blob":                             {core.Azure, "azblob://acmebw/config/prod/byokwatch.yaml", sum, source{Account: "acmebw", Bucket: "config", Path: "prod/byokwatch.yaml", Sum: sum}, false},
		"a file elsewhere":                   {core.AWS, "file:///mnt/byokwatch.yaml", sum, source{Path: "/mnt/byokwatch.yaml", Sum: sum}, false},
		"nothing":                            {core.GCP, "", sum, source{}, true},
		"an object that is not pinned":       {core.GCP, "gs://acme-config/byokwatch.yaml", "", source{}, true},
		"a blob that is not pinned":          {core.Azure, "azblob://acmebw/config/byokwatch.yaml", "", source{}, true},
		"a file elsewhere, not pinned":       {core.AWS, "file:///mnt/byokwatch.yaml", "", source{}, true},
		"a path out of the program's folder": {core.AWS, "../byokwatch.yaml", "", source{}, true},
		"an absolute path, not pinned":       {core.GCP, "/tmp/byokwatch.yaml", "", source{}, true},
		"a bucket without an object":         {core.AWS, "s3://acme-config", sum, source{}, true},
		"a bucket and a slash":               {core.GCP, "gs://acme-config/", sum, source{}, true},
		"a container without a blob":         {core.Azure, "azblob://acmebw/config", sum, source{}, true},
		"no container":                       {core.Azure, "azblob://acmebw//byokwatch.yaml", sum, source{}, true},
		"another cloud's bucket":             {core.GCP, "s3://acme-config/byokwatch.yaml", sum, source{}, true},
		"another cloud's blob":               {core.AWS, "azblob://acmebw/config/byokwatch.yaml", sum, source{}, true},
		"a web page":                         {core.AWS, "https://acme.example/byokwatch.yaml", sum, source{}, true},
		"a file of another host":             {core.AWS, "file://host/byokwatch.yaml", sum, source{}, true},
		"an object with a version":           {core.AWS, "s3://acme-config/byokwatch.yaml?versionId=1", sum, source{}, true},
		"an object with a generation":        {core.GCP, "gs://acme-config/byokwatch.yaml?generation=1", sum, source{}, true},
		"a URL with a password":              {core.AWS, "s3://u:p@acme-config/byokwatch.yaml", sum, source{}, true},
		"something that is no URL":           {core.GCP, "gs://%zz/x", sum, source{}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := wiring.Deployment{Config: test.place, Sum: test.sum}.Source(test.cloud)
			if got != test.want || (err != nil) != test.err {
				t.Errorf("%+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestReadDeployment(t *testing.T) {
	got := wiring.ReadDeployment(wiring.Variables([]string{"BYOKWATCH_SELF=a=b", "BYOKWATCH_CONFIG=c", "BYOKWATCH_CONFIG_SHA256=d", "odd"}))
	if want := (wiring.Deployment{Self: "a=b", Config: "c", Sum: "d"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

const plain = `
mode: observe
store: gs://acme-byokwatch/prod
keys:
  - key: projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments
    confluent: {group: "cck-12345@confluent.io"}
alerts: [{stdout: {}}]
`

// What does not have the pinned sum is not even looked at.
func TestConfigurationIsPinned(t *testing.T) {
	sumOf := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	file := filepath.Join(t.TempDir(), "byokwatch.yaml")
	if err := os.WriteFile(file, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		place, sum, object, want string
	}{
		"an object":                        {"gs://acme/c.yaml", sumOf(plain), plain, ""},
		"a file":                           {"file://" + file, sumOf(plain), "", ""},
		"an object that was exchanged":     {"gs://acme/c.yaml", sumOf(plain), plain + "#", "is not the pinned one"},
		"an exchanged one that is no YAML": {"gs://acme/c.yaml", sumOf(plain), "\x00", "is not the pinned one"},
		"an object that can't be had":      {"gs://acme/c.yaml", sumOf(plain), "", "read the configuration gs://acme/c.yaml: refused"},
		"a file that is not there":         {"file:///nowhere/c.yaml", sumOf(plain), "", "read the configuration file:///nowhere/c.yaml: "},
		"a pinned one that says nothing":   {"gs://acme/c.yaml", sumOf("mode: observe"), "mode: observe", "configuration gs://acme/c.yaml: "},
	} {
		t.Run(name, func(t *testing.T) {
			d := wiring.Deployment{Config: test.place, Sum: test.sum}
			cfg, err := d.Configuration(t.Context(), core.GCP, func(_ context.Context, src wiring.Source) (io.ReadCloser, error) {
				if test.object == "" || src.Bucket != "acme" || src.Path != "c.yaml" {
					return nil, refused
				}
				return io.NopCloser(strings.NewReader(test.object)), nil
			})
			switch {
			case test.want == "" && (err != nil || len(cfg.Keys) != 1):
				t.Errorf("%+v, %v", cfg, err)
			case test.want != "" && (cfg != nil || err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
