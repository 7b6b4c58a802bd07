package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// stackName is the same in every account and Region.
const stackName = "Byokwatch"

// newWatchdog declares everything in a stack: the one place that the concrete
// stack and the template for StackSets are made from.
func newWatchdog(stack awscdk.Stack, in Inputs, from Sources) error {
	return nil
}

// newStack is the stack of one account and Region.
func newStack(app awscdk.App, d Deployment, o Options, from Sources) (awscdk.Stack, error) {
	stack := awscdk.NewStack(app, jsii.String(stackName), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String(d.Account), Region: jsii.String(d.Region)},
	})
	in, err := Concrete(d, o)
	if err != nil {
		return nil, err
	}
	return stack, newWatchdog(stack, in, from)
}

// newTemplate is the same stack with parameters in place of values. It needs no
// bootstrap of the account: whoever deploys it uploads the package himself.
func newTemplate(app awscdk.App, from Sources) (awscdk.Stack, error) {
	stack := awscdk.NewStack(app, jsii.String(stackName), &awscdk.StackProps{
		Synthesizer: awscdk.NewBootstraplessSynthesizer(&awscdk.BootstraplessSynthesizerProps{}),
	})
	return stack, newWatchdog(stack, Parameters(stack), from)
}
