// Empty is the least function that the runtime library makes: the yardstick for
// the cold start of the real one.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) error { return nil })
}
