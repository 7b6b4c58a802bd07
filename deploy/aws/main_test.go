package main

import (
	"archive/zip"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func TestMain(m *testing.M) {
	flag.Parse()
	// What the CDK deprecates of itself, and what it says of Node's age.
	os.Setenv("JSII_DEPRECATED", "quiet")
	os.Setenv("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fixture is the deployment that the tests of all clouds deploy.
func fixture(t testing.TB) Deployment {
	t.Helper()
	d, err := readDeployment("../testdata/aws.json")
	must(t, err)
	return d
}

// observing is the fixture with every key in mode observe.
func observing(t testing.TB) Deployment {
	t.Helper()
	d := fixture(t)
	d.Mode, d.Scopes.Observed, d.Scopes.Enforced, d.Scopes.Enabling = "observe", d.Scopes.Keys, nil, nil
	return d
}

// options are the defaults with a package whose content never changes.
func options(t testing.TB) Options {
	t.Helper()
	o := defaults()
	o.Package = filepath.Join(t.TempDir(), "byokwatch-aws-arm64.zip")
	f, err := os.Create(o.Package)
	must(t, err)
	z := zip.NewWriter(f)
	_, err = z.CreateHeader(&zip.FileHeader{Name: "bootstrap"})
	must(t, err)
	must(t, z.Close())
	must(t, f.Close())
	return o
}

// everything are options that use all there is.
func everything(t testing.TB) Options {
	o := options(t)
	o.AlarmTopic = "arn:aws:sns:us-west-2:111122223333:oncall"
	o.OperatorRoles = []string{"arn:aws:iam::111122223333:role/key-operator"}
	o.OtherRoles = []string{"arn:aws:iam::111122223333:role/byokwatch-eu-west-1", "arn:aws:iam::444455556666:role/byokwatch-us-west-2"}
	o.ManagementAccount = "999988887777"
	o.SecurityBus = "arn:aws:events:us-west-2:777788889999:event-bus/security"
	o.CreateSigningKey = true
	return o
}

func newApp(t testing.TB) awscdk.App {
	return awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
}

func sources(t testing.TB) Sources {
	t.Helper()
	from, err := readSources(functionDir)
	must(t, err)
	return from
}

// stackOf is the concrete stack.
func stackOf(t testing.TB, d Deployment, o Options) awscdk.Stack {
	t.Helper()
	stack, err := newStack(newApp(t), d, o, sources(t))
	must(t, err)
	return stack
}

// template is a synthesised template.
type template struct {
	Parameters map[string]map[string]any
	Conditions map[string]any
	Resources  map[string]resource
	Outputs    map[string]any
}

type resource struct {
	Type           string
	Condition      string
	DeletionPolicy string
	DependsOn      any
	Properties     map[string]any
}

func templateOf(t testing.TB, stack awscdk.Stack) template {
	t.Helper()
	var out template
	must(t, json.Unmarshal(jsonOf(t, *assertions.Template_FromStack(stack, nil).ToJSON()), &out))
	return out
}

// synth is the template of a concrete stack.
func synth(t testing.TB, d Deployment, o Options) template {
	t.Helper()
	return templateOf(t, stackOf(t, d, o))
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	return data
}

// of lists the properties of all resources of a type, by logical ID.
func (t template) of(kind string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for id, r := range t.Resources {
		if r.Type == kind {
			out[id] = r.Properties
		}
	}
	return out
}

// get follows keys into nested objects.
func get(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// texts is a text or a list of texts, as a list.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	}
	return nil
}
