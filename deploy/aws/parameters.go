package main

import "github.com/aws/aws-cdk-go/awscdk/v2"

// Parameters declares the template's parameters and conditions.
func Parameters(stack awscdk.Stack) Inputs {
	return Inputs{}
}
