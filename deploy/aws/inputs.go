package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// Inputs is everything that differs from one deployment to the next. The stack
// is made from it by one function, whether the values are known while it is
// made ([Concrete]) or only when CloudFormation deploys it ([Parameters]), so
// that the two can't drift apart. A text is then a token of the CDK.
type Inputs struct {
	Partition, Account, Region string

	Keys       Set // the protected keys, read
	Enforced   Set // whose policies may be written; empty in mode observe
	Enabling   Set // which may be enabled; likewise
	SigningKey Set // which signs snapshots; what the stack makes takes its place
	Secrets    Set // which may be read

	// EachMinute is true for a sweep each minute, false for one each five.
	EachMinute Choice

	Bucket, Prefix   string // Prefix is "" or ends in "/"
	StoreRegion      string
	CreateStore      Choice
	CreateSigningKey Choice
	OtherRoles       Set // other watchdogs that share the store and the signing key
	OperatorRoles    Set // who may leave requests

	AlarmTopic        Text
	ManagementAccount Text // of the organisation whose policy changes are forwarded here
	SecurityBus       Text // which tampering is told to as well

	EventConcurrency, SweepConcurrency, LogRetention *float64

	Code func(awscdk.Stack) Code
}

// Code is where Lambda finds the package.
type Code struct{ Bucket, Key *string }

// Choice is made here, or by CloudFormation when it evaluates a condition.
type Choice struct {
	yes       bool
	condition awscdk.CfnCondition // nil where yes tells
}

// Known is a Choice that is made.
func Known(yes bool) Choice { return Choice{yes: yes} }

// Never says that it was made, against it: there is nothing to declare.
func (c Choice) Never() bool { return c.condition == nil && !c.yes }

// If is yes, or no, or the intrinsic by which CloudFormation chooses.
func (c Choice) If(yes, no any) any {
	switch {
	case c.condition != nil:
		return awscdk.Fn_ConditionIf(c.condition.LogicalId(), yes, no)
	case c.yes:
		return yes
	}
	return no
}

// Maybe is what is there if it was chosen: an element of [list], or a property.
func (c Choice) Maybe(what any) any {
	if c.condition == nil {
		return c.If(what, nil)
	}
	return c.If(what, absent())
}

// MaybeText is Maybe for elements of lists of texts.
func (c Choice) MaybeText(what string) any {
	if c.condition == nil {
		return c.If(what, nil)
	}
	return *awscdk.Token_AsString(c.If(what, absent()), nil)
}

// Text is If for properties that take a text.
func (c Choice) Text(yes, no string) string {
	if c.condition == nil {
		return c.If(yes, no).(string)
	}
	return *awscdk.Token_AsString(c.If(yes, no), nil)
}

// Number is If for properties that take a number.
func (c Choice) Number(yes, no float64) *float64 {
	if c.condition == nil {
		return jsii.Number(c.If(yes, no).(float64))
	}
	return awscdk.Token_AsNumber(c.If(yes, no))
}

// Put makes a resource depend on the choice.
func (c Choice) Put(r awscdk.CfnResource) {
	if c.condition != nil {
		r.CfnOptions().SetCondition(c.condition)
	}
}

// Set is a list that may be empty.
type Set struct {
	Values []string
	list   any // in place of Values: a reference to a parameter
	Any    Choice
}

// Of is the Set of known values.
func Of(values ...string) Set { return Set{Values: values, Any: Known(len(values) > 0)} }

// List is the value of a property that takes a list, which is not empty if Any.
func (s Set) List() any {
	if s.list != nil {
		return s.list
	}
	return s.Values
}

// Text is a text that may be empty.
type Text struct {
	Value string
	Given Choice
}

// Say is the Text of a known value.
func Say(value string) Text { return Text{value, Known(value != "")} }

// list drops what was not chosen.
func list(elements ...any) []any {
	out := []any{}
	for _, e := range elements {
		if e != nil {
			out = append(out, e)
		}
	}
	return out
}

// absent leaves a property or an element of a list out. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
func absent() any { return map[string]any{"Ref": "AWS::NoValue"} }
