package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// findings are the annotations of a kind.
func findings(stack awscdk.Stack, kind string) []string {
	a := assertions.Annotations_FromStack(stack)
	all := a.FindError(jsii.String("*"), assertions.Match_AnyValue())
	if kind == "warning" {
		all = a.FindWarning(jsii.String("*"), assertions.Match_AnyValue())
	}
	var out []string
	for _, m := range *all {
		//lint:ignore SA1019 the type has moved, but Annotations still returns this one
		text, _ := m.Entry.Data.(string)
		//lint:ignore SA1019 as above
		out = append(out, *m.Id+": "+text)
	}
	return out
}

func TestCDKNagHasNothingToSay(t *testing.T) {
	for name, c := range map[string]struct {
		d Deployment
		o Options
	}{"observe": {observing(t), options(t)}, "enforce": {fixture(t), everything(t)}} {
		if got := findings(stackOf(t, c.d, c.o), "error"); len(got) > 0 {
			t.Errorf("%s: %s", name, strings.Join(got, "\n"))
		}
	}
	// The same rules do find what is wrong.
	stack := stackOf(t, fixture(t), options(t))
	awss3.NewCfnBucket(stack, jsii.String("Open"), nil)
	if got := findings(stack, "error"); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "Open") && strings.Contains(s, "S10") }) {
		t.Errorf("a bucket that is open without TLS: %v", got)
	}
}

func TestExceptionsAreOfUse(t *testing.T) {
	in, err := Concrete(fixture(t), options(t))
	must(t, err)
	tmpl := synth(t, fixture(t), options(t))
	for _, e := range exceptions(in) {
		if len(e.reason) < 50 {
			t.Errorf("%s on %v: %q is no reason", e.rule, e.on, e.reason)
		}
		for _, id := range e.on {
			if _, there := tmpl.Resources[id]; !there {
				t.Errorf("%s on %s, which is not there", e.rule, id)
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	secret := fixture(t)
	secret.Secrets = []string{"SLACK_WEBHOOK_URL"}
	for name, c := range map[string]struct {
		d    Deployment
		o    Options
		says string
	}{
		"nobody hears the alarms":           {fixture(t), options(t), "alarmTopic"},
		"a secret that is nowhere":          {secret, everything(t), "SLACK_WEBHOOK_URL"},
		"nothing is missing, so no warning": {fixture(t), everything(t), ""},
	} {
		got := findings(stackOf(t, c.d, c.o), "warning")
		if c.says == "" && len(got) > 0 || c.says != "" && (len(got) != 1 || !strings.Contains(got[0], c.says)) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWrongInputSaysWhatToDo(t *testing.T) {
	for says, change := range map[string]func(*Deployment, *Options){
		"not aws":                    func(d *Deployment, _ *Options) { d.Cloud = "gcp" },
		"an account and a Region":    func(d *Deployment, _ *Options) { d.Region = "here" },
		"does not fit":               func(d *Deployment, _ *Options) { d.Mode = "observe" },
		"each minute or each 5":      func(d *Deployment, _ *Options) { d.SweepMinutes = 2 },
		"set store.aws":              func(d *Deployment, _ *Options) { d.Store.Bucket = "" },
		"nothing to deploy":          func(d *Deployment, _ *Options) { d.Scopes.Keys = nil },
		"is no key of account":       func(d *Deployment, _ *Options) { d.Account = "222233334444" },
		"is not among the keys":      func(d *Deployment, _ *Options) { d.Scopes.Enabling = []string{"arn:aws:kms:us-west-2:1:key/x"} },
		"make package":               func(_ *Deployment, o *Options) { o.Package = "missing.zip" },
		"give the zip":               func(_ *Deployment, o *Options) { o.Package = "" },
		"the ARN of an SNS topic":    func(_ *Deployment, o *Options) { o.AlarmTopic = "oncall" },
		"a topic of its own Region":  func(_ *Deployment, o *Options) { o.AlarmTopic = "arn:aws:sns:eu-west-1:111122223333:oncall" },
		"give 12 digits":             func(_ *Deployment, o *Options) { o.ManagementAccount = "o-a1b2c3d4e5" },
		"the ARN of an event bus":    func(_ *Deployment, o *Options) { o.SecurityBus = "security" },
		"add -c createStore=false":   func(_ *Deployment, o *Options) { o.StoreRegion = "eu-west-1" },
		"give a Region":              func(_ *Deployment, o *Options) { o.CreateStore, o.StoreRegion = false, "Frankfurt" },
		"operator is not the ARN":    func(_ *Deployment, o *Options) { o.OperatorRoles = []string{"operator"} },
		"* is not the ARN":           func(_ *Deployment, o *Options) { o.OtherRoles = []string{"*"} },
		"not with createStore=false": func(_ *Deployment, o *Options) { o.CreateStore, o.OperatorRoles = false, []string{operatorRole} },
		"0 stops a function":         func(_ *Deployment, o *Options) { o.SweepConcurrency = 0 },
		"CloudWatch Logs takes":      func(_ *Deployment, o *Options) { o.LogRetention = 8 },
	} {
		d, o := fixture(t), options(t)
		change(&d, &o)
		if _, err := newStack(newApp(t), d, o, sources(t)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}

// appWith is an app with a context as the CDK's command line gives it.
func appWith(t *testing.T, context map[string]any) awscdk.App {
	return awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false), Context: &context})
}

func TestTheContextIsRead(t *testing.T) {
	want := everything(t)
	want.CreateStore, want.StoreRegion, want.EventConcurrency, want.LogRetention = false, "eu-west-1", 20, 30
	got, err := readOptions(appWith(t, map[string]any{
		"package": want.Package, "alarmTopic": want.AlarmTopic, "operatorRoles": strings.Join(want.OperatorRoles, ", "),
		"otherRoles": strings.Join(want.OtherRoles, ","), "managementAccount": want.ManagementAccount, "securityBus": want.SecurityBus,
		"createSigningKey": "true", "createStore": "false", "storeRegion": "eu-west-1", "eventConcurrency": "20", "logRetention": "30",
	}))
	must(t, err)
	if g, w := string(jsonOf(t, got)), string(jsonOf(t, want)); g != w {
		t.Errorf("read %s\nnot  %s", g, w)
	}
	for _, context := range []map[string]any{{"createStore": "maybe"}, {"sweepConcurrency": "two"}} {
		if _, err := readOptions(appWith(t, context)); err == nil || !strings.Contains(err.Error(), "give ") {
			t.Errorf("%v: %v", context, err)
		}
	}
}

func TestTheAppSynthesises(t *testing.T) {
	app := appWith(t, map[string]any{"deployment": "../testdata/aws.json", "package": options(t).Package})
	must(t, build(app))
	assembly := *app.Synth(nil).Directory()
	var tmpl template
	must(t, readJSON(filepath.Join(assembly, "Byokwatch.template.json"), &tmpl))
	if len(tmpl.Resources) < 40 {
		t.Errorf("only %d resources", len(tmpl.Resources))
	}
	for name, content := range map[string]string{"another version's": `{"cloud":"aws","more":1}`, "none": `[]`} {
		file := filepath.Join(t.TempDir(), "deployment.json")
		must(t, os.WriteFile(file, []byte(content), 0o600))
		if err := build(appWith(t, map[string]any{"deployment": file})); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := build(appWith(t, nil)); err == nil || !strings.Contains(err.Error(), "config deployment") {
		t.Errorf("without a deployment: %v", err)
	}
	var config map[string]any
	data, err := os.ReadFile("cdk.json")
	must(t, err)
	must(t, json.Unmarshal(data, &config))
	if config["app"] != "go run ." {
		t.Errorf("the CDK runs %v", config["app"])
	}
}
