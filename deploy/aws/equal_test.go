package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"byokwatch/deploy/aws/cfn"
)

// committed is the template with parameters as whoever takes it finds it.
func committed(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("byokwatch.template.json")
	must(t, err)
	return data
}

// place is what CloudFormation knows of where it deploys.
func place(d Deployment) map[string]string {
	return map[string]string{"AWS::Partition": partition(d.Scopes.Keys[0]), "AWS::AccountId": d.Account, "AWS::Region": d.Region}
}

// parametersOf are the parameters that stand for a deployment and its options.
func parametersOf(d Deployment, o Options) map[string]string {
	list := func(values []string) string { return strings.Join(values, ",") }
	folder := ""
	if d.Store.Prefix != "" {
		folder = d.Store.Prefix + "/"
	}
	out := map[string]string{
		"Mode": d.Mode, "Keys": list(d.Scopes.Keys), "EnforcedKeys": list(d.Scopes.Enforced), "EnablingKeys": list(d.Scopes.Enabling),
		"Secrets": list(d.Scopes.Secrets), "SigningKey": list(d.Scopes.SigningKey), "CreateSigningKey": strconv.FormatBool(o.CreateSigningKey),
		"StoreBucket": d.Store.Bucket, "StoreFolder": folder, "StoreRegion": o.StoreRegion, "CreateStore": strconv.FormatBool(o.CreateStore),
		"OtherRoles": list(o.OtherRoles), "OperatorRoles": list(o.OperatorRoles),
		"AlarmTopic": o.AlarmTopic, "ManagementAccount": o.ManagementAccount, "SecurityBus": o.SecurityBus,
		"EventConcurrency": strconv.Itoa(o.EventConcurrency), "SweepConcurrency": strconv.Itoa(o.SweepConcurrency),
		"LogRetention": strconv.Itoa(o.LogRetention), "SweepMinutes": strconv.Itoa(d.SweepMinutes),
		"CodeBucket": "packages", "CodeKey": "byokwatch-aws-arm64.zip",
	}
	maps.Copy(out, place(d))
	return out
}

// evaluated is what the committed template makes of parameters.
func evaluated(t *testing.T, parameters map[string]string) cfn.Template {
	t.Helper()
	out, err := cfn.Evaluate(committed(t), parameters)
	must(t, err)
	return out
}

// concrete is the stack of a deployment in the same form. What the CDK adds to a
// stack that it deploys itself is taken out: the version of its bootstrap is a
// parameter of Systems Manager and a rule about it, neither of which makes a
// resource, and the template with parameters needs no bootstrap.
func concrete(t *testing.T, d Deployment, o Options) cfn.Template {
	t.Helper()
	raw := whole(t, assertions.Template_FromStack(stackOf(t, d, o), nil).ToJSON())
	delete(raw, "Rules")
	delete(raw["Parameters"].(map[string]any), "BootstrapVersion")
	out, err := cfn.Evaluate(jsonOf(t, raw), place(d))
	must(t, err)
	return out
}

// meant are the only differences that there may be. What is not a resource's
// property or attribute, or an output's value, is not compared: the texts that
// describe the templates, and the notes of cdk-nag.
var meant = []struct {
	path, why string
	same      func(template, stack any) bool
}{
	{"Resources/*/Properties/Code/S3Bucket", "the CDK uploads the package to a bucket of its own, who takes the template to one of his",
		func(template, stack any) bool { return template == "packages" && stack != "" }},
	{"Resources/*/Properties/Code/S3Key", "likewise, and the CDK names it by its digest",
		func(template, stack any) bool { return template == "byokwatch-aws-arm64.zip" && stack != "" }},
	{"Resources/*/Properties/ReservedConcurrentExecutions", "the value of a parameter is a text, which CloudFormation takes for a number", sameText},
	{"Resources/*/Properties/RetentionInDays", "likewise", sameText},
}

func sameText(template, stack any) bool { return template == fmt.Sprint(stack) }

// differences are where a template and a stack differ, and which of those that
// are meant do.
func differences(t *testing.T, template, stack cfn.Template) (faults []string, seen map[string]bool) {
	t.Helper()
	seen = map[string]bool{}
	var compare func(at string, a, b any)
	compare = func(at string, a, b any) {
		x, isObject := a.(map[string]any)
		y, both := b.(map[string]any)
		if isObject && both {
			for name := range union(x, y) {
				compare(at+"/"+strings.ReplaceAll(name, "/", "_"), x[name], y[name])
			}
			return
		}
		v, isList := a.([]any)
		w, both := b.([]any)
		if isList && both && len(v) == len(w) {
			for i := range v {
				compare(at+"/"+strconv.Itoa(i), v[i], w[i])
			}
			return
		}
		if string(jsonOf(t, a)) == string(jsonOf(t, b)) {
			return
		}
		for _, m := range meant {
			if ok, err := path.Match(m.path, at); err == nil && ok && m.same(a, b) {
				seen[m.path] = true
				return
			}
		}
		faults = append(faults, fmt.Sprintf("%s: %s in the template, %s in the stack", at, jsonOf(t, a), jsonOf(t, b)))
	}
	left, right := plain(t, template), plain(t, stack)
	for _, section := range []string{"Resources", "Outputs"} {
		compare(section, left[section], right[section])
	}
	slices.Sort(faults)
	return faults, seen
}

// union has the names of both.
func union(x, y map[string]any) map[string]any {
	out := maps.Clone(x)
	maps.Copy(out, y)
	return out
}

// plain is a template as JSON reads it.
func plain(t *testing.T, template cfn.Template) map[string]any {
	t.Helper()
	var out map[string]any
	must(t, json.Unmarshal(jsonOf(t, template), &out))
	return out
}

// inPartition is a deployment in a Region of another partition.
func inPartition(t *testing.T, d Deployment, partition, region string) Deployment {
	t.Helper()
	text := strings.NewReplacer("arn:aws:", "arn:"+partition+":", d.Region, region).Replace(string(jsonOf(t, d)))
	var out Deployment
	must(t, json.Unmarshal([]byte(text), &out))
	return out
}

// TestTheTemplateIsTheStack holds the two ways of deploying against each other:
// whatever is tested of the stack is so true of the template.
func TestTheTemplateIsTheStack(t *testing.T) {
	used := map[string]bool{}
	for name, change := range map[string]func(d *Deployment, o *Options, parameters map[string]string){
		"no options": func(*Deployment, *Options, map[string]string) {},
		"everything": func(_ *Deployment, o *Options, _ map[string]string) { *o = everything(t) },
		"observe":    func(d *Deployment, _ *Options, _ map[string]string) { *d = observing(t) },
		"observe with everything": func(d *Deployment, o *Options, _ map[string]string) {
			*d, *o = observing(t), everything(t)
		},
		"observe, though keys to enforce are given": func(d *Deployment, _ *Options, p map[string]string) {
			p["EnforcedKeys"], p["EnablingKeys"] = strings.Join(d.Scopes.Enforced, ","), strings.Join(d.Scopes.Enabling, ",")
			*d = observing(t)
		},
		"only what has no default": func(d *Deployment, _ *Options, p map[string]string) {
			*d = observing(t)
			d.Store.Prefix, d.Scopes.Secrets, d.Scopes.SigningKey = "", nil, nil
			for name := range parametersOf(*d, Options{}) {
				if !strings.HasPrefix(name, "AWS::") && !slices.Contains([]string{"Keys", "StoreBucket", "CodeBucket", "CodeKey"}, name) {
					p[name] = "by default"
				}
			}
		},
		"lists as somebody types them": func(d *Deployment, o *Options, p map[string]string) {
			*o = everything(t)
			for name, values := range map[string][]string{"Keys": d.Scopes.Keys, "EnforcedKeys": d.Scopes.Enforced, "OtherRoles": o.OtherRoles} {
				p[name] = " " + strings.Join(values, " , ")
			}
		},
		"a bucket that is there": func(_ *Deployment, o *Options, _ map[string]string) { o.CreateStore = false },
		"a bucket in another Region": func(_ *Deployment, o *Options, _ map[string]string) {
			o.CreateStore, o.StoreRegion = false, "eu-west-1"
		},
		"no prefix":                   func(d *Deployment, o *Options, _ map[string]string) { *o, d.Store.Prefix = everything(t), "" },
		"a prefix of several folders": func(d *Deployment, _ *Options, _ map[string]string) { d.Store.Prefix = "byok/prod" },
		"no key is enabled":           func(d *Deployment, _ *Options, _ map[string]string) { d.Scopes.Enabling = nil },
		"no secrets":                  func(d *Deployment, _ *Options, _ map[string]string) { d.Scopes.Secrets = nil },
		"nothing is signed":           func(d *Deployment, _ *Options, _ map[string]string) { d.Scopes.SigningKey = nil },
		"the first of a signing key": func(d *Deployment, o *Options, _ map[string]string) {
			d.Scopes.SigningKey, o.CreateSigningKey = nil, true
		},
		"a signing key for other roles": func(_ *Deployment, o *Options, _ map[string]string) { *o = everything(t); o.CreateStore = false },
		"operators alone":               func(_ *Deployment, o *Options, _ map[string]string) { o.OperatorRoles = everything(t).OperatorRoles },
		"five minutes":                  func(d *Deployment, _ *Options, _ map[string]string) { d.SweepMinutes = 5 },
		"numbers": func(_ *Deployment, o *Options, _ map[string]string) {
			o.EventConcurrency, o.SweepConcurrency, o.LogRetention = 7, 3, 400
		},
		"the GovCloud": func(d *Deployment, _ *Options, _ map[string]string) {
			*d = inPartition(t, *d, "aws-us-gov", "us-gov-west-1")
		},
		"as many keys as a parameter has": func(d *Deployment, _ *Options, _ map[string]string) { *d = many(t, fitting(t, "us-west-2"), true) },
	} {
		t.Run(name, func(t *testing.T) {
			d, o, given := fixture(t), options(t), map[string]string{}
			change(&d, &o, given)
			parameters := parametersOf(d, o)
			maps.Copy(parameters, given)
			maps.DeleteFunc(parameters, func(_, value string) bool { return value == "by default" })
			faults, seen := differences(t, evaluated(t, parameters), concrete(t, d, o))
			for _, f := range faults {
				t.Error(f)
			}
			maps.Copy(used, seen)
		})
	}
	for _, m := range meant {
		if !used[m.path] {
			t.Errorf("%s: meant to differ (%s), and never does", m.path, m.why)
		}
	}
}

func TestDifferencesAreSeen(t *testing.T) {
	stack := concrete(t, fixture(t), everything(t))
	for says, change := range map[string]func(cfn.Template){
		"Resources/Extra":                func(c cfn.Template) { c.Resources["Extra"] = cfn.Resource{Type: "A"} },
		"Resources/Boundary":             func(c cfn.Template) { delete(c.Resources, "Boundary") },
		"Outputs/SigningKeyArn":          func(c cfn.Template) { delete(c.Outputs, "SigningKeyArn") },
		"Resources/Store/DeletionPolicy": func(c cfn.Template) { r := c.Resources["Store"]; r.DeletionPolicy = ""; c.Resources["Store"] = r },
		"Resources/Events/DependsOn":     func(c cfn.Template) { r := c.Resources["Events"]; r.DependsOn = nil; c.Resources["Events"] = r },
		"PolicyDocument/Statement": func(c cfn.Template) {
			document := c.Resources["PolicyDeny"].Properties["PolicyDocument"].(map[string]any)
			document["Statement"] = document["Statement"].([]any)[1:]
		},
		"Statement/0/Action/0": func(c cfn.Template) {
			get(c.Resources["PolicyRead"].Properties, "PolicyDocument", "Statement", 0, "Action").([]any)[0] = "kms:*"
		},
		"Properties/ReservedConcurrentExecutions": func(c cfn.Template) { c.Resources["Sweep"].Properties["ReservedConcurrentExecutions"] = "0" },
		"Properties/Code/S3Key":                   func(c cfn.Template) { c.Resources["Sweep"].Properties["Code"].(map[string]any)["S3Key"] = "other.zip" },
		"Properties/Timeout":                      func(c cfn.Template) { c.Resources["Sweep"].Properties["Timeout"] = "300" },
	} {
		template := evaluated(t, parametersOf(fixture(t), everything(t)))
		change(template)
		if faults, _ := differences(t, template, stack); len(faults) == 0 || !strings.Contains(faults[0], says) {
			t.Errorf("%s: seen is %v", says, faults)
		}
	}
}

// TestEachParameterMakesADifference: one that none makes is not used, or its
// condition is wrong.
func TestEachParameterMakesADifference(t *testing.T) {
	o := everything(t)
	o.CreateSigningKey = false // which takes the place of SigningKey
	base := parametersOf(fixture(t), o)
	before := string(jsonOf(t, evaluated(t, base)))
	another := map[string]string{
		"Mode": "observe", "Keys": "arn:k", "EnforcedKeys": "arn:k", "EnablingKeys": "", "Secrets": "", "SigningKey": "", "CreateSigningKey": "true",
		"StoreBucket": "other", "StoreFolder": "", "StoreRegion": "eu-west-1", "CreateStore": "false", "OtherRoles": "", "OperatorRoles": "",
		"AlarmTopic": "", "ManagementAccount": "", "SecurityBus": "", "EventConcurrency": "11", "SweepConcurrency": "11", "LogRetention": "30",
		"SweepMinutes": "5", "CodeBucket": "other", "CodeKey": "other",
	}
	var written struct {
		Parameters, Conditions map[string]struct{ Description string }
	}
	must(t, json.Unmarshal(committed(t), &written))
	for name, p := range written.Parameters {
		value, known := another[name]
		if !known {
			t.Errorf("%s: add another value of it to this test", name)
			continue
		}
		parameters := maps.Clone(base)
		parameters[name] = value
		if string(jsonOf(t, evaluated(t, parameters))) == before {
			t.Errorf("%s: %q makes no difference to %q", name, value, base[name])
		}
		if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") {
			t.Errorf("%s is described as %q", name, p.Description)
		}
	}
	for name := range written.Conditions {
		if strings.Count(string(committed(t)), strconv.Quote(name)) < 2 {
			t.Errorf("nothing depends on the condition %s", name)
		}
	}
}

// fitting is how many keys the value of a parameter holds.
func fitting(t *testing.T, region string) int {
	t.Helper()
	arn := len("arn:aws:kms:" + region + ":111122223333:key/12345678-12ab-34cd-56ef-1234567890ab")
	return (cfn.MaxValue + 1) / (arn + 1) // with the commas between them
}

// TestHowManyKeysTheTemplateTakes: what the parameters hold IAM takes, and who
// has more is told so before he tries.
func TestHowManyKeysTheTemplateTakes(t *testing.T) {
	const told = 50
	for _, region := range []string{"us-west-2", "ap-southeast-1"} { // as long as any name is
		n := fitting(t, region)
		if n < told {
			t.Errorf("%s: %d keys fit, not %d", region, n, told)
		}
		keys := func(n int) map[string]string {
			d := many(t, n, true)
			for _, list := range [][]string{d.Scopes.Keys, d.Scopes.Secrets, d.Scopes.SigningKey} {
				for i, arn := range list { // Keys, Enforced and Enabling are one list
					list[i] = strings.ReplaceAll(arn, d.Region, region)
				}
			}
			d.Region = region
			return parametersOf(d, options(t))
		}
		role, policies := 0, evaluated(t, keys(n))
		for id, r := range policies.Resources {
			if r.Type == "AWS::IAM::ManagedPolicy" {
				role++
				if n := len(jsonOf(t, r.Properties["PolicyDocument"])); n > maxPolicy {
					t.Errorf("%s, %s: %d characters, IAM takes %d", region, id, n, maxPolicy)
				}
			}
		}
		if role-1 > maxAttached {
			t.Errorf("%d policies for one role", role-1)
		}
		if _, err := cfn.Evaluate(committed(t), keys(n+1)); err == nil || !strings.Contains(err.Error(), "a parameter takes 4096") {
			t.Errorf("%s: %d keys: %v", region, n+1, err)
		}
	}
	var written struct {
		Parameters map[string]struct{ Description string }
	}
	must(t, json.Unmarshal(committed(t), &written))
	if about := written.Parameters["Keys"].Description; !strings.Contains(about, "4,096 characters") || !strings.Contains(about, fmt.Sprintf("about %d", told)) || !strings.Contains(about, "make deploy-aws") {
		t.Errorf("Keys does not say how many there may be, and what to do with more: %q", about)
	}
}
