package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

const (
	// A restore waits for KMS to show it and for a lease of another invocation to
	// end, both within this time; the sweep takes up what took longer.
	timeoutSeconds = 300
	memoryMB       = 256 // uses 40; Lambda's share of a CPU grows with it
	// As long as SQS keeps anything, so that no holiday outlasts it:
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
	queueSeconds = 14 * 24 * 3600
)

// addFunctions declares the package as two functions with one role: one for
// events, one for the schedule. Each has reserved concurrency, so that neither a
// flood of events nor another function of the account ever starves the sweep.
func (w *watchdog) addFunctions() {
	code := w.in.Code(w.stack)
	events := w.addFunction("Events", eventsFunction, "looks at a key when an event says that it may have changed", w.in.EventConcurrency, code)
	sweep := w.addFunction("Sweep", sweepFunction, "looks at every key on a schedule, because events are best effort", w.in.SweepConcurrency, code)

	// Lambda's own maxima: an event that fails for hours is retried for hours,
	// and what is given up is kept.
	// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
	awslambda.NewCfnEventInvokeConfig(w.stack, jsii.String("EventsInvoke"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName: events.Ref(), Qualifier: jsii.String("$LATEST"),
		MaximumRetryAttempts: jsii.Number(2), MaximumEventAgeInSeconds: jsii.Number(6 * 3600),
		DestinationConfig: map[string]any{"onFailure": map[string]any{"destination": w.queues[failedQueue].AttrArn()}},
	})
	// A tick that is late or failed is worth nothing: the next one looks at the
	// same keys. 60 s is the least that Lambda takes. The alarm on judgement_age
	// notices if none succeeds.
	awslambda.NewCfnEventInvokeConfig(w.stack, jsii.String("SweepInvoke"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName: sweep.Ref(), Qualifier: jsii.String("$LATEST"),
		MaximumRetryAttempts: jsii.Number(0), MaximumEventAgeInSeconds: jsii.Number(60),
	})
}

func (w *watchdog) addFunction(id, name, about string, concurrency *float64, code Code) awslambda.CfnFunction {
	f := awslambda.NewCfnFunction(w.stack, jsii.String(id), &awslambda.CfnFunctionProps{
		FunctionName: jsii.String(name), Description: jsii.String(about),
		Runtime: jsii.String("provided.al2023"), Architectures: jsii.Strings("arm64"), Handler: jsii.String("bootstrap"),
		Code: &awslambda.CfnFunction_CodeProperty{S3Bucket: code.Bucket, S3Key: code.Key},
		Role: w.role, Timeout: jsii.Number(timeoutSeconds), MemorySize: jsii.Number(memoryMB),
		ReservedConcurrentExecutions: concurrency,
		Environment: &awslambda.CfnFunction_EnvironmentProperty{Variables: map[string]string{
			"BYOKWATCH_CONFIG":       "byokwatch.yaml", // in the package
			"BYOKWATCH_SELF":         w.role,
			"BYOKWATCH_STORE_REGION": w.in.StoreRegion,
		}},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{
			LogFormat: jsii.String("JSON"), ApplicationLogLevel: jsii.String("INFO"), SystemLogLevel: jsii.String("WARN"),
			LogGroup: jsii.String(functionLog),
		},
	})
	w.functions[name] = f
	f.AddDependency(w.logGroups[functionLog]) // or Lambda makes one that keeps everything
	return f
}

// addQueues declares the queues of both hand-overs: that of EventBridge to
// Lambda, and that of Lambda to the function.
func (w *watchdog) addQueues() {
	w.addQueue(failedQueue, nil)
	w.addQueue(undeliveredQueue, w.fromRules(undeliveredQueue, w.ruleARNs()))
}

// fromRules lets rules send to a queue.
func (w *watchdog) fromRules(queue string, rules []string) any {
	return map[string]any{
		"Sid": "FromRules", "Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"},
		"Action": "sqs:SendMessage", "Resource": w.arn("sqs", queue),
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": rules}, "StringEquals": map[string]any{"aws:SourceAccount": w.in.Account}},
	}
}

// addQueue declares a queue for what could not be handled. SQS encrypts it with
// a key of its own: one of the watched account could be taken away together with
// the watched keys.
func (w *watchdog) addQueue(name string, allow any) {
	id := logical(name[len("byokwatch-"):])
	q := awssqs.NewCfnQueue(w.stack, jsii.String(id+"Queue"), &awssqs.CfnQueueProps{
		QueueName: jsii.String(name), MessageRetentionPeriod: jsii.Number(queueSeconds), SqsManagedSseEnabled: true,
	})
	w.queues[name] = q
	awssqs.NewCfnQueuePolicy(w.stack, jsii.String(id+"QueuePolicy"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{q.Ref()},
		PolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": list(allow, map[string]any{
			"Sid": "OnlyTLS", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": w.arn("sqs", name),
			"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
		})},
	})
}
