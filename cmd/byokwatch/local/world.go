package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/core"
	"byokwatch/core/policy/awskms"
	"byokwatch/core/record"
	"byokwatch/core/record/dirstore"
	"byokwatch/functions/aws/awstest"
	keeper "byokwatch/functions/aws/kms"
	"byokwatch/functions/aws/s3store"
)

// Who and what there is. The account numbers are those of AWS's examples, the
// role is the one in Confluent's.
const (
	region   = "us-west-2"
	keyARN   = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	kafka    = "arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"
	stranger = "arn:aws:iam::999988887777:role/somebody-else"
	pipeline = "arn:aws:iam::111122223333:role/terraform-ci"
	retired  = "arn:aws:iam::111122223333:role/retired-admin"
	self     = "arn:aws:iam::111122223333:role/byokwatch"
	bucket   = "acme-byokwatch"
)

// world is one emulated AWS with the real function in it.
type world struct {
	cloud  *awstest.Cloud
	lambda *awstest.Lambda
	dir    string // holds the configuration, and the store where that is a directory
	store  *record.Store
	server *http.Server
	addr   string
	line   *timeline
	alerts *locked // what it prints
	log    *locked // the function's stderr
	told   int     // events already handed to the function
	shown  int     // bytes of alerts already on the timeline
}

// locked is a buffer that the function's process writes to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// configuration is what an operator would write, for one key.
const configuration = `mode: %s
store: {aws: "%s"}
aws: {organization: o-a1b2c3d4e5}
keys:
  - key: ` + keyARN + `
    label: payments
    owner: payments-oncall
    clusters: [lkc-abc123]
    confluent:
      roles: [` + kafka + `]
alerts:
  - stdout:
`

// build makes a world: the key with a policy that Confluent can use, the
// identities, and the function, started as Lambda starts it.
func build(ctx context.Context, o Options, s scenario, dir string, line *timeline) (*world, error) {
	w := &world{cloud: awstest.New(awstest.Options{}), dir: dir, line: line, log: &locked{}, alerts: &locked{}}
	awstest.NewS3(w.cloud, awstest.S3Options{}, bucket)
	if err := w.people(s); err != nil {
		return nil, err
	}
	place, objects, err := w.objects(o.Store)
	if err != nil {
		return nil, err
	}
	w.store = record.NewStore(objects, nil)
	mode := core.Enforce
	if s.observe {
		mode = core.Observe
	}
	if err := os.WriteFile(filepath.Join(dir, "byokwatch.yaml"), fmt.Appendf(nil, configuration, mode, place), 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the emulators: %w", err)
	}
	w.addr = listener.Addr().String()
	w.server = &http.Server{Handler: w.cloud, ReadHeaderTimeout: time.Minute}
	go func() { _ = w.server.Serve(listener) }() // ends with close
	line.add(time.Time{}, "emulator", "KMS and S3 answer on http://%s; nothing leaves this machine", w.addr)
	return w, w.startFunction(ctx, o)
}

// people makes everybody who acts, with no more rights than they need.
func (w *world) people(s scenario) error {
	w.cloud.Create(self, pipeline, retired, kafka, stranger)
	w.cloud.Login(awstest.Caller{AccessKey: "function", Principal: self, Session: "byokwatch"})
	w.cloud.Login(awstest.Caller{AccessKey: "pipeline", Principal: pipeline, Session: "gh-run-8812", Address: "192.0.2.7", Agent: "APN/1.0 HashiCorp/1.0 Terraform/1.9.8"})
	return errors.Join(
		w.cloud.Attach(pipeline, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`),
		w.cloud.Attach(self, `{"Version":"2012-10-17","Statement":[
		  {"Effect":"Allow","Action":["kms:GetKeyPolicy","kms:DescribeKey","kms:PutKeyPolicy"],"Resource":"`+keyARN+`"},
		  {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:ListBucket"],"Resource":["arn:aws:s3:::`+bucket+`","arn:aws:s3:::`+bucket+`/*"]}]}`),
		w.cloud.AddKey(awstest.NewKey{ARN: keyARN, Policy: policy(s.before()...)}),
	)
}

// objects opens the store that the function will use as well.
func (w *world) objects(kind string) (place string, o record.Objects, err error) {
	if kind == "s3" {
		return "s3://" + bucket + "/local", s3store.New(w.cloud.S3("function", region), bucket, "local"), nil
	}
	dir := filepath.Join(w.dir, "store")
	o, err = dirstore.New(dir)
	return "file://" + filepath.ToSlash(dir), o, err
}

func (w *world) startFunction(ctx context.Context, o Options) error {
	l, err := awstest.StartLambda(awstest.LambdaConfig{
		Binary: o.Bootstrap, Dir: w.dir, Stdout: w.alerts, Stderr: w.log, Timeout: time.Minute,
		Env: []string{
			"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=function", "AWS_SECRET_ACCESS_KEY=emulated",
			"AWS_ENDPOINT_URL=http://" + w.addr, "BYOKWATCH_CONFIG=byokwatch.yaml", "BYOKWATCH_SELF=" + self,
		},
	})
	if err != nil {
		return err
	}
	w.lambda = l
	if err := l.Ready(ctx); err != nil {
		return err
	}
	w.line.add(time.Time{}, "function", "%s runs, and asks the Lambda Runtime API for work", o.Bootstrap)
	return nil
}

// close ends the function and the emulators.
func (w *world) close() error {
	var errs []error
	if w.lambda != nil {
		errs = append(errs, w.lambda.Stop())
	}
	if w.server != nil {
		errs = append(errs, w.server.Close())
	}
	return errors.Join(errs...)
}

// put writes the key policy as the pipeline, through the real SDK.
func (w *world) put(ctx context.Context, text string) error {
	_, err := w.cloud.KMS("pipeline", region).PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(keyARN), Policy: &text})
	return err
}

// invoke hands an event to the function and waits for what becomes of it.
func (w *world) invoke(ctx context.Context, event []byte) error {
	out, err := w.lambda.Invoke(ctx, event)
	if err != nil {
		return err
	}
	if !out.OK() {
		return fmt.Errorf("the function failed %d times: %w", len(out.Tries), out.Tries[len(out.Tries)-1].Err)
	}
	return nil
}

// maxEchoes bounds how often a write of the function may lead to another.
const maxEchoes = 5

// deliver hands over every event that is not yet told of, those of the
// function's own writes included.
func (w *world) deliver(ctx context.Context) error {
	for range maxEchoes {
		events := w.cloud.Events()[w.told:]
		if len(events) == 0 {
			return nil
		}
		for _, e := range events {
			w.told++
			if err := w.invoke(ctx, e.Data); err != nil {
				return fmt.Errorf("event %s: %w", e.Name, err)
			}
		}
	}
	return errors.New("the function's writes never come to an end")
}

// confluentCan says whether Confluent can use the key, by two who know nothing
// of each other: the emulator, which decides as KMS does, and the judge, over
// what the real SDK reads.
func (w *world) confluentCan(ctx context.Context) (bool, string, error) {
	k := key()
	live, err := keeper.New(w.cloud.KMS("pipeline", region), keeper.Options{}).Read(ctx, k)
	if err != nil {
		return false, "", err
	}
	judged, denied := true, "" // and what is refused first
	j := awskms.Judge(live, core.Question{Key: k, At: w.line.now(), Needs: awskms.Needs(k, live, nil)})
	served := true
	for _, f := range j.Findings {
		if f.Severity != core.Critical || f.Aspect == core.Own {
			continue
		}
		why := f.Reason
		if f.Result != core.Met {
			judged = false
		}
		if f.Aspect == core.Access {
			var ok bool
			ok, why = w.cloud.Can(kafka, f.Permission, keyARN)
			served = served && ok
		}
		if denied == "" && !(judged && served) {
			denied = f.Permission + ": " + why
		}
	}
	if judged != served {
		return false, "", fmt.Errorf("the emulator and the judge disagree (%s):\n%s", denied, w.cloud.Policy(keyARN))
	}
	return served, denied, nil
}

// writes are the function's own, with their times.
func (w *world) writes() []awstest.Write {
	var out []awstest.Write
	for _, write := range w.cloud.Writes(keyARN) {
		if write.Caller == self {
			out = append(out, write)
		}
	}
	return out
}

// key is the key as the function's configuration has it, as far as records and
// judging need it.
func key() core.Key {
	return core.Key{ID: keyARN, Cloud: core.AWS, Needs: core.Confluent{Roles: []string{kafka}}, Organization: "o-a1b2c3d4e5"}
}
