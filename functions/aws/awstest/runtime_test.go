package awstest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"byokwatch/functions/aws/awstest"
)

// TestMain lets this very binary play the function: the real runtime library
// around a handler that does what the event says.
func TestMain(m *testing.M) {
	switch os.Getenv("PLAY") {
	case "":
		os.Exit(m.Run())
	case "function":
		lambda.Start(play)
	default:
		fmt.Fprintln(os.Stderr, "configuration is missing")
		os.Exit(3)
	}
}

func play(ctx context.Context, event string) (string, error) {
	switch event {
	case "fail":
		return "", errors.New("no such luck")
	case "die":
		os.Exit(7)
	case "hang":
		select {}
	case "who":
		lc, _ := lambdacontext.FromContext(ctx)
		end, _ := ctx.Deadline()
		return fmt.Sprintf("%s %s %s %d", lc.AwsRequestID, lc.InvokedFunctionArn, os.Getenv("AWS_REGION"), time.Until(end).Round(time.Second)/time.Second), nil
	case "fail once":
		if _, err := os.Stat(os.Getenv("MARK")); err != nil {
			if err := os.WriteFile(os.Getenv("MARK"), nil, 0o600); err != nil {
				return "", err
			}
			return "", errors.New("this time only")
		}
	}
	fmt.Println("handled", event)
	return event, nil
}

func startFunction(t *testing.T, change func(*awstest.LambdaConfig)) *awstest.Lambda {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := awstest.LambdaConfig{Binary: self, Dir: t.TempDir(), Env: []string{"PLAY=function", "MARK=" + t.TempDir() + "/mark"}, Timeout: 5 * time.Second}
	if change != nil {
		change(&cfg)
	}
	l, err := awstest.StartLambda(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return l
}

func invoke(t *testing.T, l *awstest.Lambda, event string) awstest.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := l.Invoke(ctx, []byte(`"`+event+`"`))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnEventReachesTheRealRuntimeLibrary(t *testing.T) {
	var stdout bytes.Buffer
	l := startFunction(t, func(c *awstest.LambdaConfig) { c.Stdout = &stdout })
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := invoke(t, l, "hello"); !out.OK() || len(out.Tries) != 1 || string(out.Tries[0].Response) != `"hello"` {
		t.Errorf("outcome %+v", out)
	}
	out := invoke(t, l, "who")
	want := fmt.Sprintf(`"%s arn:aws:lambda:us-west-2:111122223333:function:byokwatch us-west-2 5"`, out.RequestID)
	if got := string(out.Tries[0].Response); got != want {
		t.Errorf("the function sees %s, want %s", got, want)
	}
	if l.Starts() != 1 {
		t.Errorf("%d processes for two events", l.Starts())
	}
	if err := l.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout.String(), "handled hello") {
		t.Errorf("stdout is %q", stdout.String())
	}
	if out := invoke(t, l, "hello"); out.OK() {
		t.Error("a stopped function handled an event")
	}
}

func TestWhatFailsIsDeliveredTwiceMore(t *testing.T) {
	for event, want := range map[string]struct {
		kind   string
		starts int
	}{
		"fail": {"errorString", 1},
		"die":  {"Runtime.ExitError", 4}, // one more for whatever comes next
	} {
		t.Run(event, func(t *testing.T) {
			l := startFunction(t, nil)
			out := invoke(t, l, event)
			if out.OK() || len(out.Tries) != 3 {
				t.Fatalf("outcome %+v", out)
			}
			for _, try := range out.Tries {
				if try.Err == nil || try.Err.Type != want.kind {
					t.Errorf("try ended with %v, want %s", try.Err, want.kind)
				}
			}
			if out := invoke(t, l, "hello"); !out.OK() {
				t.Errorf("the next event: %+v", out)
			}
			if l.Starts() != want.starts {
				t.Errorf("%d processes, want %d", l.Starts(), want.starts)
			}
		})
	}
}

func TestARetryCanSucceed(t *testing.T) {
	var pauses []int
	l := startFunction(t, func(c *awstest.LambdaConfig) {
		c.RetryAfter = func(n int) time.Duration { pauses = append(pauses, n); return time.Millisecond }
	})
	if out := invoke(t, l, "fail once"); !out.OK() || len(out.Tries) != 2 || out.Tries[0].Err.Message != "this time only" {
		t.Errorf("outcome %+v", out)
	}
	if len(pauses) != 1 || pauses[0] != 1 {
		t.Errorf("pauses before tries %v", pauses)
	}
}

func TestAFunctionThatHangsIsKilled(t *testing.T) {
	l := startFunction(t, func(c *awstest.LambdaConfig) { c.Timeout, c.Retries = 300*time.Millisecond, -1 })
	out := invoke(t, l, "hang")
	if len(out.Tries) != 1 || out.Tries[0].Err == nil || out.Tries[0].Err.Type != "Sandbox.Timedout" {
		t.Fatalf("outcome %+v", out)
	}
	if out := invoke(t, l, "hello"); !out.OK() {
		t.Errorf("the next event: %+v", out)
	}
}

func TestAFunctionThatDoesNotStartSaysSo(t *testing.T) {
	var stderr bytes.Buffer
	l := startFunction(t, func(c *awstest.LambdaConfig) { c.Env, c.Stderr = []string{"PLAY=nothing"}, &stderr })
	if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("ready: %v", err)
	}
	if out := invoke(t, l, "hello"); out.OK() || len(out.Tries) != 3 {
		t.Errorf("outcome %+v", out)
	}
	if err := l.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stderr.String(), "configuration is missing") {
		t.Errorf("stderr is %q", stderr.String())
	}
}
