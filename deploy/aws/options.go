package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"
)

// Options are the choices that the configuration does not hold. They are given
// to the CDK as -c NAME=VALUE, lists with commas.
type Options struct {
	Package           string   // the zip of `make package`
	AlarmTopic        string   // ARN of the SNS topic that alarms go to
	OperatorRoles     []string // ARNs of the roles that may leave requests
	ManagementAccount string   // the organisation's, if it forwards its events
	CreateStore       bool     // make the bucket (the default), or use one that is there
	StoreRegion       string   // of a bucket that is there
	OtherRoles        []string // ARNs of other watchdogs' roles that share the store made here
	CreateSigningKey  bool
	SecurityBus       string // ARN of the event bus that tampering is told to
	EventConcurrency  int
	SweepConcurrency  int
	LogRetention      int // days
}

// defaults are the Options where none is given. Two sweeps at a time, so that
// one that hangs does not hold up the next; ten events, each of which may wait
// for another to end.
func defaults() Options {
	return Options{CreateStore: true, EventConcurrency: 10, SweepConcurrency: 2, LogRetention: 90}
}

// retentions are the days that CloudWatch Logs takes, up to two years.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731}

// context reads -c NAME=VALUE and remembers what is wrong with the values.
type context struct {
	app    awscdk.App
	faults []string
}

func (c *context) text(name string, into *string) {
	if v := c.app.Node().TryGetContext(jsii.String(name)); v != nil {
		*into = fmt.Sprint(v)
	}
}

func (c *context) list(name string, into *[]string) {
	var text string
	c.text(name, &text)
	for _, v := range strings.Split(text, ",") {
		if v = strings.TrimSpace(v); v != "" {
			*into = append(*into, v)
		}
	}
}

func (c *context) choice(name string, into *bool) {
	text := strconv.FormatBool(*into)
	c.text(name, &text)
	v, err := strconv.ParseBool(text)
	if err != nil {
		c.faults = append(c.faults, fmt.Sprintf("-c %s=%s: give true or false", name, text))
	}
	*into = v
}

func (c *context) number(name string, into *int) {
	text := strconv.Itoa(*into)
	c.text(name, &text)
	v, err := strconv.Atoi(text)
	if err != nil {
		c.faults = append(c.faults, fmt.Sprintf("-c %s=%s: give a number", name, text))
	}
	*into = v
}

// readOptions reads the Options of an app's context.
func readOptions(app awscdk.App) (Options, error) {
	o, c := defaults(), &context{app: app}
	c.text("package", &o.Package)
	c.text("alarmTopic", &o.AlarmTopic)
	c.list("operatorRoles", &o.OperatorRoles)
	c.text("managementAccount", &o.ManagementAccount)
	c.choice("createStore", &o.CreateStore)
	c.text("storeRegion", &o.StoreRegion)
	c.list("otherRoles", &o.OtherRoles)
	c.choice("createSigningKey", &o.CreateSigningKey)
	c.text("securityBus", &o.SecurityBus)
	c.number("eventConcurrency", &o.EventConcurrency)
	c.number("sweepConcurrency", &o.SweepConcurrency)
	c.number("logRetention", &o.LogRetention)
	if len(c.faults) > 0 {
		return o, fmt.Errorf("%s", strings.Join(c.faults, "; "))
	}
	return o, nil
}

// What ARNs look like.
var (
	roleARN    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$`)
	topicARN   = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$`)
	busARN     = regexp.MustCompile(`^arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/[\w./-]+$`)
	accountID  = regexp.MustCompile(`^\d{12}$`)
	regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)
)

// check says what is wrong with the options for a deployment.
func (o Options) check(d Deployment) error {
	var faults []string
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	must(filepath.Ext(o.Package) == ".zip", "-c package=%s: give the zip that `make package` made", o.Package)
	must(o.AlarmTopic == "" || topicARN.MatchString(o.AlarmTopic), "-c alarmTopic=%s: give the ARN of an SNS topic", o.AlarmTopic)
	must(o.AlarmTopic == "" || strings.Contains(o.AlarmTopic, ":"+d.Region+":"), "-c alarmTopic=%s: an alarm can only use a topic of its own Region, %s", o.AlarmTopic, d.Region)
	must(o.ManagementAccount == "" || accountID.MatchString(o.ManagementAccount), "-c managementAccount=%s: give 12 digits", o.ManagementAccount)
	must(o.SecurityBus == "" || busARN.MatchString(o.SecurityBus), "-c securityBus=%s: give the ARN of an event bus", o.SecurityBus)
	must(o.StoreRegion == "" || regionName.MatchString(o.StoreRegion), "-c storeRegion=%s: give a Region", o.StoreRegion)
	must(o.StoreRegion == "" || o.StoreRegion == d.Region || !o.CreateStore, "-c storeRegion=%s: a bucket is made in the stack's own Region; with one that is there, add -c createStore=false", o.StoreRegion)
	for name, roles := range map[string][]string{"operatorRoles": o.OperatorRoles, "otherRoles": o.OtherRoles} {
		for _, r := range roles {
			must(roleARN.MatchString(r), "-c %s: %s is not the ARN of a role", name, r)
		}
	}
	must(len(o.OperatorRoles)+len(o.OtherRoles) == 0 || o.CreateStore || o.CreateSigningKey, "-c operatorRoles, otherRoles: they are of use where the store is made, not with createStore=false")
	must(o.EventConcurrency > 0 && o.SweepConcurrency > 0, "-c eventConcurrency, sweepConcurrency: give at least 1; 0 stops a function")
	must(slices.Contains(retentions, o.LogRetention), "-c logRetention=%d: CloudWatch Logs takes %v", o.LogRetention, retentions)
	if _, err := os.Stat(o.Package); err != nil {
		must(false, "-c package: %v: run `make package CONFIG=byokwatch.yaml` first", err)
	}
	slices.Sort(faults)
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}

// Concrete are the Inputs of one account and Region.
func Concrete(d Deployment, o Options) (Inputs, error) {
	if err := d.check(); err != nil {
		return Inputs{}, err
	}
	if err := o.check(d); err != nil {
		return Inputs{}, err
	}
	in := Inputs{
		Partition: partition(d.Scopes.Keys[0]), Account: d.Account, Region: d.Region,
		Keys: Of(d.Scopes.Keys...), Enforced: Of(d.Scopes.Enforced...), Enabling: Of(d.Scopes.Enabling...),
		SigningKey: Of(d.Scopes.SigningKey...), Secrets: Of(d.Scopes.Secrets...),
		EachMinute: Known(d.SweepMinutes == 1),
		Bucket:     d.Store.Bucket, StoreRegion: d.Region,
		CreateStore: Known(o.CreateStore), CreateSigningKey: Known(o.CreateSigningKey),
		OtherRoles: Of(o.OtherRoles...), OperatorRoles: Of(o.OperatorRoles...),
		AlarmTopic: Say(o.AlarmTopic), ManagementAccount: Say(o.ManagementAccount), SecurityBus: Say(o.SecurityBus),
		EventConcurrency: jsii.Number(float64(o.EventConcurrency)), SweepConcurrency: jsii.Number(float64(o.SweepConcurrency)), LogRetention: jsii.Number(float64(o.LogRetention)),
		Code: func(stack awscdk.Stack) Code {
			a := awss3assets.NewAsset(stack, jsii.String("Package"), &awss3assets.AssetProps{Path: jsii.String(o.Package)})
			return Code{a.S3BucketName(), a.S3ObjectKey()}
		},
	}
	if d.Store.Prefix != "" {
		in.Prefix = d.Store.Prefix + "/"
	}
	if o.StoreRegion != "" {
		in.StoreRegion = o.StoreRegion
	}
	if o.CreateSigningKey {
		in.SigningKey.Any = Known(true)
	}
	return in, nil
}

// partition is that of a Region, which each ARN in it begins with.
func partition(arn string) string { return strings.Split(arn, ":")[1] }
