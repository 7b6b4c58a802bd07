package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/core"
	"byokwatch/core/policy/awskms"
	"byokwatch/core/record"
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

// awsConfiguration is what an operator would write, for one key.
const awsConfiguration = `mode: %s
key_state: %s
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

// awsStage is one emulated AWS with the real function in it.
type awsStage struct {
	*world
	cloud  *awstest.Cloud
	lambda *awstest.Lambda
}

func (w *world) buildAWS(s scenario) (http.Handler, error) {
	a := &awsStage{world: w, cloud: awstest.New(awstest.Options{})}
	w.stage, w.aws = a, a
	w.key = core.Key{ID: keyARN, Cloud: core.AWS, Needs: core.Confluent{Roles: []string{kafka}}, Organization: "o-a1b2c3d4e5"}
	w.words = words{
		emulated: "KMS and S3", service: "KMS", way: "from CloudTrail by EventBridge",
		runs: "asks the Lambda Runtime API for work", reads: 5, permissions: 10,
	}
	awstest.NewS3(a.cloud, awstest.S3Options{}, bucket)
	return a.cloud, a.people(s)
}

// people makes everybody who acts, with no more rights than they need.
func (a *awsStage) people(s scenario) error {
	a.cloud.Create(self, pipeline, retired, kafka, stranger)
	a.cloud.Login(awstest.Caller{AccessKey: "function", Principal: self, Session: "byokwatch"})
	a.cloud.Login(awstest.Caller{AccessKey: "pipeline", Principal: pipeline, Session: "gh-run-8812", Address: "192.0.2.7", Agent: "APN/1.0 HashiCorp/1.0 Terraform/1.9.8"})
	before := s.from
	if before == "" {
		before = policy(root, use, attach)
	}
	return errors.Join(
		a.cloud.Attach(pipeline, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`),
		a.cloud.Attach(self, `{"Version":"2012-10-17","Statement":[
		  {"Effect":"Allow","Action":["kms:GetKeyPolicy","kms:DescribeKey","kms:PutKeyPolicy"],"Resource":"`+keyARN+`"},
		  {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:ListBucket"],"Resource":["arn:aws:s3:::`+bucket+`","arn:aws:s3:::`+bucket+`/*"]}]}`),
		a.cloud.AddKey(awstest.NewKey{ARN: keyARN, Policy: before}),
	)
}

func (a *awsStage) objects(kind string) (place string, o record.Objects, err error) {
	if kind == "s3" {
		return "s3://" + bucket + "/local", s3store.New(a.cloud.S3("function", region), bucket, "local"), nil
	}
	return a.directory()
}

func (a *awsStage) configuration(mode core.Mode, state core.Care, place string) []byte {
	return fmt.Appendf(nil, awsConfiguration, mode, state, place)
}

func (a *awsStage) start(ctx context.Context, binary, addr string) error {
	l, err := awstest.StartLambda(awstest.LambdaConfig{
		Binary: binary, Dir: a.dir, Stdout: a.alerts, Stderr: a.log, Timeout: time.Minute,
		Env: []string{
			"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=function", "AWS_SECRET_ACCESS_KEY=emulated",
			"AWS_ENDPOINT_URL=" + addr, "BYOKWATCH_CONFIG=byokwatch.yaml", "BYOKWATCH_SELF=" + self,
		},
	})
	if err != nil {
		return err
	}
	a.lambda = l
	return l.Ready(ctx)
}

func (a *awsStage) close() error {
	if a.lambda == nil {
		return nil
	}
	return a.lambda.Stop()
}

func (a *awsStage) tick(ctx context.Context) error { return a.invoke(ctx, a.cloud.Tick(region)) }

func (a *awsStage) events() []event {
	var out []event
	for _, e := range a.cloud.Events() {
		out = append(out, event{e.Name, func(ctx context.Context) error { return a.invoke(ctx, e.Data) }})
	}
	return out
}

// put writes the key policy as the pipeline, through the real SDK.
func (a *awsStage) put(ctx context.Context, text string) error {
	_, err := a.cloud.KMS("pipeline", region).PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(keyARN), Policy: &text})
	return err
}

// invoke hands an event to the function and waits for what becomes of it.
func (a *awsStage) invoke(ctx context.Context, event []byte) error {
	out, err := a.lambda.Invoke(ctx, event)
	if err != nil {
		return err
	}
	if !out.OK() {
		return fmt.Errorf("the function failed %d times: %w", len(out.Tries), out.Tries[len(out.Tries)-1].Err)
	}
	return nil
}

func (a *awsStage) read(ctx context.Context) (core.Policy, error) {
	return keeper.New(a.cloud.KMS("pipeline", region), keeper.Options{}).Read(ctx, a.key)
}

func (a *awsStage) judge(live core.Policy, at time.Time) core.Judgement {
	return awskms.Judge(live, core.Question{Key: a.key, At: at, Needs: awskms.Needs(a.key, live, nil)})
}

func (a *awsStage) can(permission string) (bool, string) {
	return a.cloud.Can(kafka, permission, keyARN)
}

func (a *awsStage) policy() string { return a.cloud.Policy(keyARN) }

func (a *awsStage) writes() []time.Time {
	var out []time.Time
	for _, write := range a.cloud.Writes(keyARN) {
		if write.Caller == self {
			out = append(out, write.At)
		}
	}
	return out
}
