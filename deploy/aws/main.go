// Aws is the deployment of byokwatch in AWS, as an app of the CDK: one stack for
// each account and Region that has keys, made from what
// `byokwatch config deployment --cloud aws` prints, from the function's own list
// of rights and from its own list of events.
//
// The same stack is also kept as a template with parameters
// (byokwatch.template.json), for StackSets and for Terraform.
// With -c stack=… it is instead one of two small stacks that hand on events which
// only one Region has (forward.go).
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	if err := build(app); err != nil {
		fmt.Fprintln(os.Stderr, "byokwatch:", err)
		os.Exit(1)
	}
	app.Synth(nil)
}

// build makes the stack that the app's context asks for.
func build(app awscdk.App) error {
	from, err := readSources(functionDir)
	if err != nil {
		return err
	}
	file, stack := "", ""
	c := &context{app: app}
	c.text("stack", &stack)
	if stack != "" {
		f, err := readForwarding(app, stack)
		if err != nil {
			return err
		}
		newForwarding(app, f, from)
		return nil
	}
	c.text("deployment", &file)
	d, err := readDeployment(file)
	if err != nil {
		return err
	}
	o, err := readOptions(app)
	if err != nil {
		return err
	}
	_, err = newStack(app, d, o, from)
	return err
}
