package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"byokwatch/deploy/aws/cfn"
)

// subject is what one of the two ways of deploying makes.
type subject struct {
	cfn.Template
	o Options
}

// subjects are both ways, with as little and with as much as there is.
func subjects(t *testing.T) map[string]subject {
	t.Helper()
	out := map[string]subject{}
	for name, c := range map[string]struct {
		d Deployment
		o Options
	}{"observe": {observing(t), options(t)}, "everything": {fixture(t), everything(t)}} {
		out["stack, "+name] = subject{concrete(t, c.d, c.o), c.o}
		out["template, "+name] = subject{evaluated(t, parametersOf(c.d, c.o)), c.o}
	}
	return out
}

// rule is about every resource, the ones that are still to come among them. What
// is about a single one, the bucket's policy, the queues, the hand-overs of the
// event rules, is tested beside it.
type rule struct {
	faults func(*testing.T, subject) []string
	breaks map[string]func(cfn.Template) // of everything
}

var rules = map[string]rule{
	"what is kept is encrypted, by the service that keeps it": {encryptionFaults, map[string]func(cfn.Template){
		"a bucket by a key of KMS": func(c cfn.Template) {
			get(c.Resources["Store"].Properties, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault").(map[string]any)["SSEAlgorithm"] = "aws:kms"
		},
		"a queue by nobody":                func(c cfn.Template) { delete(c.Resources["FailedQueue"].Properties, "SqsManagedSseEnabled") },
		"a queue by a customer's key":      set("FailedQueue", "KmsMasterKeyId", "<SnapshotKey>"),
		"a log by a customer's key":        set("FunctionLog", "KmsKeyId", "<SnapshotKey.Arn>"),
		"a function's settings by one":     set("Sweep", "KmsKeyArn", "<SnapshotKey.Arn>"),
		"another bucket, by nobody":        func(c cfn.Template) { c.Resources["More"] = cfn.Resource{Type: "AWS::S3::Bucket"} },
		"something that nobody thought of": func(c cfn.Template) { c.Resources["More"] = cfn.Resource{Type: "AWS::DynamoDB::Table"} },
	}},
	"nothing is allowed wider than its reason": {widthFaults, map[string]func(cfn.Template){
		"any action":              allow("PolicyRead", map[string]any{"Action": "kms:*", "Resource": "arn:aws:kms:us-west-2:111122223333:key/x"}),
		"any key":                 allow("PolicyRestore", map[string]any{"Action": []any{"kms:PutKeyPolicy"}, "Resource": []any{"arn:aws:kms:us-west-2:111122223333:key/*"}}),
		"everything":              allow("Boundary", map[string]any{"Action": "s3:GetObject", "Resource": "*"}),
		"all but":                 allow("PolicyRead", map[string]any{"NotAction": "iam:CreateUser", "Resource": "arn:aws:s3:::x"}),
		"all resources but":       allow("PolicyRead", map[string]any{"Action": "s3:GetObject", "NotResource": "arn:aws:s3:::x"}),
		"anybody":                 allow("StorePolicy", map[string]any{"Action": "s3:GetObject", "Resource": "<Store.Arn>", "Principal": "*"}),
		"anybody of AWS":          allow("FailedQueuePolicy", map[string]any{"Action": "sqs:SendMessage", "Resource": "<FailedQueue.Arn>", "Principal": map[string]any{"AWS": []any{"*"}}}),
		"the whole store":         allow("StorePolicy", map[string]any{"Action": "s3:GetObject", "Resource": "<Store.Arn>/*", "Principal": map[string]any{"AWS": otherRole}}),
		"an inline policy of all": set("Role", "Policies", []any{map[string]any{"PolicyDocument": map[string]any{"Statement": map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*"}}}}),
		"in a policy that is a text": func(c cfn.Template) {
			p := c.Resources["LogPolicy"].Properties
			p["PolicyDocument"] = strings.ReplaceAll(p["PolicyDocument"].(string), "/byokwatch/refused", "")
		},
		"of the event bus": set("OrganizationForwards", "Statement", map[string]any{"Effect": "Allow", "Action": "events:*", "Resource": "arn:aws:events:us-west-2:111122223333:event-bus/default", "Principal": "*"}),
	}},
	"what must outlive the stack does, and nothing else": {retentionFaults, map[string]func(cfn.Template){
		"a bucket that goes":             kept("Store", "", "Retain"),
		"one that goes when replaced":    kept("Store", "Retain", ""),
		"a signing key that goes":        kept("SnapshotKey", "Delete", "Delete"),
		"a bucket's policy that goes":    kept("StorePolicy", "", ""),
		"a role that stays":              kept("Role", "Retain", "Retain"),
		"a queue, when it is replaced":   kept("FailedQueue", "", "Retain"),
		"a log that is made a last copy": kept("FunctionLog", "Snapshot", ""),
	}},
	"alarms tell the topic, or nobody": {alarmFaults, map[string]func(cfn.Template){
		"nobody, though there is one": set("ErrorsAlarm", "AlarmActions", []any{}),
		"somebody else":               set("ErrorsAlarm", "AlarmActions", []any{"arn:aws:sns:us-west-2:111122223333:other"}),
		"not that it is over":         set("FailedAlarm", "OKActions", []any{}),
		"switched off":                set("FailedAlarm", "ActionsEnabled", false),
	}},
	"no list holds an empty text": {emptyFaults, map[string]func(cfn.Template){
		"of actions":   set("ErrorsAlarm", "AlarmActions", []any{""}),
		"of resources": allow("PolicyRead", map[string]any{"Action": []any{"s3:GetObject"}, "Resource": []any{"arn:aws:s3:::a", ""}}),
		"of ARNs":      allow("PolicyRead", map[string]any{"Action": []any{"s3:GetObject"}, "Resource": ""}),
	}},
}

func TestRules(t *testing.T) {
	all := subjects(t)
	for name, r := range rules {
		for of, s := range all {
			for _, f := range r.faults(t, s) {
				t.Errorf("%s: %s: %s", name, of, f)
			}
		}
		for how, broken := range r.breaks {
			c := all["template, everything"]
			c.Template = copied(t, c.Template)
			broken(c.Template)
			if len(r.faults(t, c)) == 0 {
				t.Errorf("%s: %s is not seen", name, how)
			}
		}
	}
}

func copied(t *testing.T, c cfn.Template) cfn.Template {
	t.Helper()
	var out cfn.Template
	must(t, json.Unmarshal(jsonOf(t, c), &out))
	return out
}

// set, allow and kept break a resource.
func set(id, property string, value any) func(cfn.Template) {
	return func(c cfn.Template) { c.Resources[id].Properties[property] = value }
}

func allow(id string, s map[string]any) func(cfn.Template) {
	return func(c cfn.Template) {
		s["Effect"] = "Allow"
		document := c.Resources[id].Properties["PolicyDocument"].(map[string]any)
		document["Statement"] = append(document["Statement"].([]any), s)
	}
}

func kept(id, deleted, replaced string) func(cfn.Template) {
	return func(c cfn.Template) {
		r := c.Resources[id]
		r.DeletionPolicy, r.UpdateReplacePolicy = deleted, replaced
		c.Resources[id] = r
	}
}

// keeps are the types that keep data, with what encrypts it. The others keep
// none. CloudWatch Logs always encrypts:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
// and so does Lambda, what a function is given as its environment:
// https://docs.aws.amazon.com/lambda/latest/dg/security-encryption-at-rest.html
var keeps = map[string]func(properties any) bool{
	"AWS::S3::Bucket": func(p any) bool {
		all, _ := get(p, "BucketEncryption", "ServerSideEncryptionConfiguration").([]any)
		return len(all) == 1 && get(all, 0, "ServerSideEncryptionByDefault", "SSEAlgorithm") == "AES256"
	},
	"AWS::SQS::Queue":       func(p any) bool { return get(p, "SqsManagedSseEnabled") == true },
	"AWS::Logs::LogGroup":   func(any) bool { return true },
	"AWS::Lambda::Function": func(any) bool { return true },
}

var keepsNothing = []string{
	"AWS::CloudWatch::Alarm", "AWS::Events::EventBusPolicy", "AWS::Events::Rule", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::KMS::Key",
	"AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Permission", "AWS::Logs::MetricFilter", "AWS::Logs::ResourcePolicy", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy",
}

// encryptionFaults also finds a key of the customer wherever one is named: it
// could be taken away together with the watched ones.
func encryptionFaults(_ *testing.T, s subject) []string {
	var out []string
	for id, r := range s.Resources {
		encrypted, data := keeps[r.Type]
		switch {
		case !data && !slices.Contains(keepsNothing, r.Type):
			out = append(out, id+" is a "+r.Type+": does it keep data?")
		case data && !encrypted(r.Properties):
			out = append(out, id+" is not encrypted by the service itself")
		}
		walk(r.Properties, func(_, name string, _ any) {
			if strings.Contains(strings.ToLower(name), "kms") && !strings.Contains(name, ":") { // but for keys of conditions
				out = append(out, id+" rests on a key: "+name)
			}
		})
	}
	return out
}

// walk visits every member and element, with the path to it.
func walk(v any, visit func(path, name string, v any)) {
	var down func(path string, v any)
	down = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				visit(path, name, member)
				down(path+"/"+name, member)
			}
		case []any:
			for _, element := range v {
				visit(path, "", element)
				down(path, element)
			}
		}
	}
	down("", v)
}

// statementsOf are those of every policy of a resource, whichever property it
// is in, and also where it is a text.
func statementsOf(t *testing.T, r cfn.Resource) []map[string]any {
	t.Helper()
	var out []map[string]any
	collect := func(v any) {
		list, several := v.([]any)
		if !several {
			list = []any{v}
		}
		for _, s := range list {
			out = append(out, s.(map[string]any))
		}
	}
	walk(r.Properties, func(_, name string, v any) {
		if name == "Statement" {
			collect(v)
		}
		if text, ok := v.(string); ok && strings.HasPrefix(text, "{") && strings.Contains(text, `"Statement"`) {
			var document map[string]any
			must(t, json.Unmarshal([]byte(text), &document))
			collect(document["Statement"])
		}
	})
	return out
}

// wildcards are some that are meant: where, and what they are.
type wildcards struct {
	at, what *regexp.Regexp
	why      string
}

var wide = []wildcards{
	{entire(`PolicyRead|Boundary`), entire(`arn:aws:s3:::acme-byokwatch/prod/(records|kept|requests)/\*`), "a folder for each key, whose names follow from the keys' IDs"},
	{entire(`StorePolicy`), entire(`<Store\.Arn>/prod/(records|kept|requests)/\*`), "likewise"},
	{entire(`PolicyRead|Boundary`), entire(`arn:aws:logs:us-west-2:111122223333:log-group:/byokwatch/function:\*`), "streams, whose names Lambda makes up"},
	{entire(`LogPolicy`), entire(`arn:aws:logs:us-west-2:111122223333:log-group:/byokwatch/(refused|tampering):\*`), "streams, whose names EventBridge makes up"},
	{entire(`Boundary`), entire(`arn:aws:kms:us-west-2:111122223333:key/\*`), "a boundary gives nothing; the role's own policies list the keys"},
	{entire(`SnapshotKey`), entire(`kms:\*`), "in a key policy, for its own account, as KMS proposes: without it nobody could ever administer the key"},
	{entire(`SnapshotKey`), entire(`\*`), "in a key policy it is the key itself"},
}

// entire matches a text from its beginning to its end.
func entire(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }

func widthFaults(t *testing.T, s subject) []string {
	faults, _ := widths(t, s)
	return faults
}

// widths are the wildcards that are not meant, and which of those that are meant
// there are.
func widths(t *testing.T, s subject) (faults []string, seen map[int]bool) {
	t.Helper()
	seen = map[int]bool{}
	for id, r := range s.Resources {
		for _, statement := range statementsOf(t, r) {
			if statement["Effect"] != "Allow" {
				continue
			}
			for _, not := range []string{"NotAction", "NotResource", "NotPrincipal"} {
				if statement[not] != nil {
					faults = append(faults, fmt.Sprintf("%s allows by %s: %v", id, not, statement[not]))
				}
			}
			anybody := slices.Concat(texts(statement["Principal"]), texts(get(statement["Principal"], "AWS")))
			if slices.ContainsFunc(anybody, func(p string) bool { return strings.Contains(p, "*") }) {
				faults = append(faults, fmt.Sprintf("%s allows anybody: %v", id, statement))
			}
			for _, what := range slices.Concat(texts(statement["Action"]), texts(statement["Resource"])) {
				if !strings.ContainsAny(what, "*?") {
					continue
				}
				i := slices.IndexFunc(wide, func(w wildcards) bool { return w.at.MatchString(id) && w.what.MatchString(what) })
				if i < 0 {
					faults = append(faults, id+" allows "+what)
				}
				seen[i] = true
			}
		}
	}
	return faults, seen
}

func TestEachWildcardIsThere(t *testing.T) {
	_, seen := widths(t, subjects(t)["template, everything"])
	for i, w := range wide {
		if !seen[i] {
			t.Errorf("%s: %s is meant (%s), and is nowhere", w.at, w.what, w.why)
		}
	}
}

func retentionFaults(_ *testing.T, s subject) []string {
	var out []string
	for id, r := range s.Resources {
		want := ""
		if slices.Contains([]string{"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key"}, r.Type) {
			want = "Retain"
		}
		if r.DeletionPolicy != want || r.UpdateReplacePolicy != want {
			out = append(out, fmt.Sprintf("%s: %q when the stack is deleted, %q when it is replaced, not %q", id, r.DeletionPolicy, r.UpdateReplacePolicy, want))
		}
	}
	return out
}

func alarmFaults(_ *testing.T, s subject) []string {
	var out, topic []string
	if s.o.AlarmTopic != "" {
		topic = []string{s.o.AlarmTopic}
	}
	for id, r := range s.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		for _, when := range []string{"AlarmActions", "OKActions"} {
			list, ok := r.Properties[when].([]any)
			if !ok || len(list) != len(topic) || !slices.Equal(texts(list), topic) || r.Properties["ActionsEnabled"] == false {
				out = append(out, fmt.Sprintf("%s: %s tells %v", id, when, r.Properties[when]))
			}
		}
	}
	return out
}

// emptyFaults finds what is left of a parameter that is used although nothing
// was given for it.
func emptyFaults(_ *testing.T, s subject) []string {
	var out []string
	for id, r := range s.Resources {
		walk(r.Properties, func(path, name string, v any) {
			if v == "" && name != "FilterPattern" { // which matches every line
				out = append(out, id+path+"/"+name+" is empty")
			}
		})
	}
	return out
}
