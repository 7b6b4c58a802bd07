package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// exception is a finding of cdk-nag that is as it should be. A reason of its own
// for each: a finding that is not listed here is an error.
type exception struct {
	on     []string // logical IDs
	rule   string
	of     []string // the wildcards meant, for IAM5
	reason string
}

// exceptions of the stack, with what its inputs make of them.
func exceptions(in Inputs) []exception {
	store := "Resource::arn:" + in.Partition + ":s3:::" + in.Bucket + "/" + in.Prefix
	here := in.Region + ":" + in.Account + ":"
	return []exception{
		{[]string{"PolicyRead", "Boundary"}, "AwsSolutions-IAM5", []string{store + "records/*", store + "kept/*", store + "requests/*"},
			"A folder of the store for each key: the names follow from the keys' IDs. The bucket's own policy says who writes where."},
		{[]string{"PolicyRead", "Boundary"}, "AwsSolutions-IAM5", []string{"Resource::arn:" + in.Partition + ":logs:" + here + "log-group:" + functionLog + ":*"},
			"The streams of the function's own log group, whose names Lambda makes up."},
		{[]string{"Boundary"}, "AwsSolutions-IAM5", []string{"Resource::arn:" + in.Partition + ":kms:" + here + "key/*"},
			"A boundary gives nothing. The role's own policies list the keys; they would not fit here as well."},
		{[]string{"FailedQueue", "UndeliveredQueue"}, "AwsSolutions-SQS3", nil,
			"It is a dead-letter queue, for which cdk-nag knows only those of other queues."},
		{[]string{"Store"}, "AwsSolutions-S1", nil,
			"Server access logs are best effort and need a bucket of their own. Data events of CloudTrail, which the documents advise, are complete."},
	}
}

// hold holds a stack to the rules of cdk-nag: what breaks one and is no
// exception is an error of `cdk synth`.
func hold(stack awscdk.Stack, but []exception) {
	for _, e := range but {
		s := &cdknag.NagPackSuppression{Id: jsii.String(e.rule), Reason: jsii.String(e.reason)}
		if e.of != nil {
			var of []any
			for _, v := range e.of {
				of = append(of, v)
			}
			s.AppliesTo = &of
		}
		for _, id := range e.on {
			if r := stack.Node().TryFindChild(jsii.String(id)); r != nil {
				cdknag.NagSuppressions_AddResourceSuppressions(r, &[]*cdknag.NagPackSuppression{s}, jsii.Bool(false))
			}
		}
	}
	awscdk.Aspects_Of(stack).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{}), nil)
}
