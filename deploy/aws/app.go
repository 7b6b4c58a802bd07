package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// stackName is the same in every account and Region.
const stackName = "Byokwatch"

// Names that others meet: in alarms, in the runbook, in policies. They are
// fixed, so that policies can be written before anything is deployed.
const (
	eventsFunction   = "byokwatch"
	sweepFunction    = "byokwatch-sweep"
	failedQueue      = "byokwatch-failed"      // events that the function failed on three times
	undeliveredQueue = "byokwatch-undelivered" // events that EventBridge could not hand over
	functionLog      = "/byokwatch/function"
	refusedLog       = "/byokwatch/refused"   // calls on keys that failed
	tamperingLog     = "/byokwatch/tampering" // changes of what watches
	namespace        = "byokwatch"            // of the metrics
)

// watchdog is the stack while it is being declared.
type watchdog struct {
	stack awscdk.Stack
	in    Inputs
	from  Sources

	signingKey Set
	role       string // ARN
	functions  map[string]awslambda.CfnFunction
	logGroups  map[string]awslogs.CfnLogGroup
	queues     map[string]awssqs.CfnQueue
}

// newParts is a stack in which nothing is declared yet.
func newParts(stack awscdk.Stack, in Inputs, from Sources) *watchdog {
	return &watchdog{
		stack: stack, in: in, from: from,
		functions: map[string]awslambda.CfnFunction{}, logGroups: map[string]awslogs.CfnLogGroup{}, queues: map[string]awssqs.CfnQueue{},
	}
}

// newWatchdog declares everything in a stack: the one place that the concrete
// stack and the template with parameters are made from.
func newWatchdog(stack awscdk.Stack, in Inputs, from Sources) error {
	w := newParts(stack, in, from)
	w.addStore()
	w.addSigningKey()
	if err := w.addRole(); err != nil {
		return err
	}
	w.addLogs()
	w.addQueues()
	w.addFunctions()
	w.addRules()
	w.addTampering()
	w.addMetrics()
	w.addAlarms()
	return nil
}

// arn is the ARN of something in the stack's own account and Region.
func (w *watchdog) arn(service, resource string) string {
	return "arn:" + strings.Join([]string{w.in.Partition, service, w.in.Region, w.in.Account, resource}, ":")
}

// logical turns a name into a logical ID: "policy-deny-restore" into
// PolicyDenyRestore.
func logical(name string) string {
	var out strings.Builder
	for _, word := range strings.Split(name, "-") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

// newStack is the stack of one account and Region.
func newStack(app awscdk.App, d Deployment, o Options, from Sources) (awscdk.Stack, error) {
	in, err := Concrete(d, o)
	if err != nil {
		return nil, err
	}
	stack := awscdk.NewStack(app, jsii.String(stackName), &awscdk.StackProps{
		Env:         &awscdk.Environment{Account: jsii.String(d.Account), Region: jsii.String(d.Region)},
		Description: jsii.String("byokwatch: watches the keys that Confluent Cloud uses in this account and Region"),
	})
	if in.AlarmTopic.Given.Never() {
		awscdk.Annotations_Of(stack).AddWarning(jsii.String("no alarm of the watchdog reaches anybody: give the ARN of an SNS topic with -c alarmTopic=ARN"))
	}
	if len(d.Secrets) > 0 {
		awscdk.Annotations_Of(stack).AddWarning(jsii.String(fmt.Sprintf("the configuration reads %v from the environment, which this function has not: keep them in Secrets Manager, as ${secret:ARN}", d.Secrets)))
	}
	if err := newWatchdog(stack, in, from); err != nil {
		return nil, err
	}
	hold(stack, exceptions(in))
	return stack, nil
}

// newTemplate is the same stack with parameters in place of values. It needs no
// bootstrap of the account: whoever deploys it uploads the package himself.
func newTemplate(app awscdk.App, from Sources) (awscdk.Stack, error) {
	stack := awscdk.NewStack(app, jsii.String(stackName), &awscdk.StackProps{
		Synthesizer: awscdk.NewBootstraplessSynthesizer(&awscdk.BootstraplessSynthesizerProps{}),
		Description: jsii.String("byokwatch: watches the keys that Confluent Cloud uses in one account and Region"),
	})
	return stack, newWatchdog(stack, Parameters(stack), from)
}
