package main

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// declared is the template's parameters while they are being declared.
type declared struct{ stack awscdk.Stack }

func (d declared) parameter(name, kind, about string, props awscdk.CfnParameterProps) awscdk.CfnParameter {
	props.Type, props.Description = jsii.String(kind), jsii.String(about)
	return awscdk.NewCfnParameter(d.stack, jsii.String(name), &props)
}

// text is a parameter that must not be empty.
func (d declared) text(name, about string) string {
	return *d.parameter(name, "String", about, awscdk.CfnParameterProps{MinLength: jsii.Number(1)}).ValueAsString()
}

// optional is a parameter that may be empty, with the condition that it is not.
func (d declared) optional(name, about string) Text {
	p := d.parameter(name, "String", about, awscdk.CfnParameterProps{Default: ""})
	return Text{*p.ValueAsString(), d.condition("Has"+name, awscdk.Fn_ConditionNot(awscdk.Fn_ConditionEquals(p.ValueAsString(), "")))}
}

// list is a parameter of several values that may be empty, with the condition
// that it is not, and whatever else must hold.
func (d declared) list(name, about string, also ...Choice) Set {
	d.parameter(name, "CommaDelimitedList", about, awscdk.CfnParameterProps{Default: ""})
	ref := map[string]any{"Ref": name}
	var given awscdk.ICfnConditionExpression = awscdk.Fn_ConditionNot(awscdk.Fn_ConditionEquals(map[string]any{"Fn::Join": []any{"", ref}}, ""))
	for _, c := range also {
		given = awscdk.Fn_ConditionAnd(c.condition, given)
	}
	return Set{list: ref, Any: d.condition("Has"+name, given)}
}

// choice is a parameter of two values, with the condition that it is the second.
func (d declared) choice(name, about string, first, second string, fallback string) Choice {
	p := d.parameter(name, "String", about, awscdk.CfnParameterProps{Default: fallback, AllowedValues: jsii.Strings(first, second)})
	return d.condition("Is"+logical(name), awscdk.Fn_ConditionEquals(p.ValueAsString(), second))
}

func (d declared) number(name, about string, fallback int, allowed ...int) *float64 {
	props := awscdk.CfnParameterProps{Default: fallback}
	if len(allowed) == 0 {
		props.MinValue = jsii.Number(1)
	} else {
		var values []*string
		for _, v := range allowed {
			values = append(values, jsii.String(strconv.Itoa(v)))
		}
		props.AllowedValues, props.Default = &values, strconv.Itoa(fallback)
	}
	return d.parameter(name, "Number", about, props).ValueAsNumber()
}

func (d declared) condition(name string, when awscdk.ICfnConditionExpression) Choice {
	return Choice{condition: awscdk.NewCfnCondition(d.stack, jsii.String(name), &awscdk.CfnConditionProps{Expression: when})}
}

// Parameters declares the template's parameters and conditions. A parameter has
// 4,096 characters at most, about 50 keys:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
func Parameters(stack awscdk.Stack) Inputs {
	d, o := declared{stack}, defaults()
	enforce := d.choice("Mode", "observe: alert only. enforce: give back what Confluent lost on EnforcedKeys.", "observe", "enforce", "observe")
	d.parameter("Keys", "CommaDelimitedList", "ARNs of the watched keys of this account and Region (scopes.keys of `byokwatch config deployment`). A list takes 4,096 characters, about 50 keys; deploy more with `make deploy-aws`.", awscdk.CfnParameterProps{})
	enforced := d.list("EnforcedKeys", "Those whose policies may be restored (scopes.enforced). Used in mode enforce only.", enforce)
	enabling := d.list("EnablingKeys", "Those that may be enabled again (scopes.enabling). Used in mode enforce only.", enforce)
	secrets := d.list("Secrets", "ARNs of the secrets in Secrets Manager that the configuration refers to (scopes.secrets).")
	signing := d.optional("SigningKey", "ARN of the KMS key that signs snapshots (scopes.signing-key), if any.")
	makesKey := d.choice("CreateSigningKey", "Make a key that signs snapshots, and use it in place of SigningKey.", "false", "true", "false")
	bucket := d.text("StoreBucket", "Name of the bucket of records and snapshots (store.bucket).")
	folder := d.parameter("StoreFolder", "String", "Folder in the bucket: store.prefix and a slash. Empty where there is no prefix.", awscdk.CfnParameterProps{Default: "", AllowedPattern: jsii.String("([^/].*/)?")})
	storeRegion := d.optional("StoreRegion", "Region of a bucket that is there already, if another than this.")
	in := Inputs{
		Partition: *awscdk.Aws_PARTITION(), Account: *awscdk.Aws_ACCOUNT_ID(), Region: *awscdk.Aws_REGION(),
		Keys:     Set{list: map[string]any{"Ref": "Keys"}, Any: Known(true)},
		Enforced: enforced, Enabling: enabling, Secrets: secrets,
		SigningKey: Set{Values: []string{signing.Value}, Any: d.condition("Signs", awscdk.Fn_ConditionOr(signing.Given.condition, makesKey.condition))},
		Bucket:     bucket, Prefix: *folder.ValueAsString(),
		StoreRegion:       storeRegion.Given.Text(storeRegion.Value, *awscdk.Aws_REGION()),
		CreateStore:       d.choice("CreateStore", "Make the bucket, or use one that is there already.", "false", "true", "true"),
		CreateSigningKey:  makesKey,
		OtherRoles:        d.list("OtherRoles", "ARNs of the roles of other watchdogs that share the bucket made here."),
		OperatorRoles:     d.list("OperatorRoles", "ARNs of the roles that may leave requests (hold, accept, reinstate) in the bucket made here."),
		AlarmTopic:        d.optional("AlarmTopic", "ARN of the SNS topic that the watchdog's own alarms go to. Without one they reach nobody."),
		ManagementAccount: d.optional("ManagementAccount", "The organisation's management account, if it forwards its policy changes."),
		SecurityBus:       d.optional("SecurityBus", "ARN of an event bus that tampering is told to as well."),
		EventConcurrency:  d.number("EventConcurrency", "Reserved concurrency of the function for events.", o.EventConcurrency),
		SweepConcurrency:  d.number("SweepConcurrency", "Reserved concurrency of the sweep.", o.SweepConcurrency),
		LogRetention:      d.number("LogRetention", "Days that logs are kept.", o.LogRetention, retentions...),
	}
	minutes := d.parameter("SweepMinutes", "String", "Minutes between sweeps (sweep_minutes).", awscdk.CfnParameterProps{Default: "1", AllowedValues: jsii.Strings("1", "5")})
	in.EachMinute = d.condition("SweepsEachMinute", awscdk.Fn_ConditionEquals(minutes.ValueAsString(), "1"))
	code := Code{jsii.String(d.text("CodeBucket", "Bucket of this Region with the package.")), jsii.String(d.text("CodeKey", "Its key there: what `make package` made."))}
	in.Code = func(awscdk.Stack) Code { return code }
	return in
}
