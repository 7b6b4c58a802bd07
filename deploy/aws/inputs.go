package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// Inputs is everything that differs from one deployment to the next. The stack
// is made from it by one function, whether the values are known while it is
// made ([Concrete]) or only when CloudFormation deploys it ([Parameters]), so
// that both can't drift apart. A text is then a token of the CDK.
type Inputs struct {
	Partition, Account, Region string

	Keys       Set // the protected keys, read
	Enforced   Set // whose policies may be written; empty where the mode is observe
	Enabling   Set // which may be enabled
	SigningKey Set // which signs snapshots: one or none
	Secrets    Set // which may be read

	// SweepsEachMinute is true for a pass each minute, false for one each five.
	SweepsEachMinute Choice

	Bucket, Prefix   string // Prefix is "" or ends in "/"
	StoreRegion      string
	CreateStore      Choice
	CreateSigningKey Choice
	OtherRoles       Set // other watchdogs that share the store and the signing key
	OperatorRoles    Set // who may leave requests

	AlarmTopic        Text
	ManagementAccount Text // whose organisation's policy changes are forwarded here
	SecurityBus       Text // to which tampering is told as well

	EventConcurrency, SweepConcurrency, LogRetention float64 // numbers, or tokens of numbers

	Code Code
}

// Code is the package that Lambda runs.
type Code struct{ Bucket, Key string }

// Choice is decided here, or by CloudFormation when it evaluates a condition.
type Choice struct {
	yes       bool
	condition awscdk.CfnCondition // nil where yes tells
}

// Known is a Choice that is made.
func Known(yes bool) Choice { return Choice{yes: yes} }

// Never says that it was decided, against it: there is nothing to declare.
func (c Choice) Never() bool { return c.condition == nil && !c.yes }

// If is yes, or no, or the intrinsic that CloudFormation decides by.
func (c Choice) If(yes, no any) any {
	switch {
	case c.condition != nil:
		return awscdk.Fn_ConditionIf(c.condition.LogicalId(), yes, no)
	case c.yes:
		return yes
	}
	return no
}

// Put makes a resource depend on the choice.
func (c Choice) Put(r awscdk.CfnResource) {
	if c.condition != nil {
		r.CfnOptions().SetCondition(c.condition)
	}
}

// Set is a list that may be empty.
type Set struct {
	values []string
	list   any // in place of values: a reference to a parameter
	Any    Choice
}

// Of is the Set of known values.
func Of(values ...string) Set { return Set{values: values, Any: Known(len(values) > 0)} }

// List is the value of a property that takes a list. It is to be used under
// the condition Any only.
func (s Set) List() any {
	if s.list != nil {
		return s.list
	}
	return s.values
}

// Text is a text that may be empty.
type Text struct {
	Value string
	Given Choice
}

// Say is the Text of a known value.
func Say(value string) Text { return Text{value, Known(value != "")} }

// absent leaves a property or the element of a list out. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
func absent() any { return map[string]any{"Ref": "AWS::NoValue"} }
