package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"byokwatch/functions/aws/awstest"
	"byokwatch/functions/functiontest"
)

// BenchmarkColdStart measures from the start of the process to its first poll of
// the Runtime API, against the empty handler on the same library in the same
// run: one of each in turn, so that both meet the same machine.
func BenchmarkColdStart(b *testing.B) {
	env := process{b.TempDir(), list(lambdaEnvironment())}
	if err := os.WriteFile(filepath.Join(env.dir, "byokwatch.yaml"), []byte(exampleConfig), 0o600); err != nil {
		b.Fatal(err)
	}
	binary.ColdStart(b, func(bin string) (time.Duration, int) { return firstPoll(b, bin, env) })
}

// BenchmarkColdRestore measures what somebody waits for whose access was just
// taken: from the start of the process, with the event at hand, to the write
// that gives it back. The emulator answers at once, so this is our own share.
func BenchmarkColdRestore(b *testing.B) {
	bin := binary.Build(b, ".")
	var times []time.Duration
	peak := 0
	for b.Loop() {
		w := start(b, nil)
		w.arm(b)
		w.must(b, w.lambda.Stop())
		event := w.put(b, payments, without)
		begun := time.Now()
		l, err := awstest.StartLambda(w.config)
		w.must(b, err)
		wait := l.Send(event)
		for range 10_000 {
			if len(w.cloud.Writes(payments)) == 2 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		writes := w.cloud.Writes(payments)
		if len(writes) != 2 {
			b.Fatalf("%d writes within 10 s", len(writes))
		}
		times = append(times, writes[1].At.Sub(begun))
		out, err := wait(b.Context())
		w.must(b, err)
		if !out.OK() {
			b.Fatalf("outcome %+v", out)
		}
		peak = max(peak, functiontest.PeakMemory(b, child(b, bin)))
		w.must(b, l.Stop())
	}
	b.ReportMetric(0, "ns/op") // most of it is the confirming, a read a second
	b.ReportMetric(functiontest.Median(times).Seconds()*1000, "ms/restore")
	b.ReportMetric(float64(peak)/1024, "MB/bootstrap")
}

// child finds the process that runs bin on this test's behalf; 0 without /proc.
func child(tb testing.TB, bin string) int {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		tb.Fatal(err)
	}
	for _, link := range links {
		if exe, err := os.Readlink(link); err == nil && exe == bin {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				return pid
			}
		}
	}
	return 0
}

const exampleConfig = `
mode: enforce
store: {aws: s3://acme-byokwatch/prod}
aws: {organization: o-a1b2c3d4e5}
keys:
  - key: arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
    label: payments
    confluent: {roles: ["arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"]}
alerts:
  - slack: {url: "${SLACK_WEBHOOK_URL}"}
`

// process is where and with what environment a function runs.
type process struct {
	dir  string
	vars []string
}

// firstPoll starts a function and returns how long it took to ask for its first
// event, and its peak memory by then, in KB.
func firstPoll(tb testing.TB, bin string, p process) (time.Duration, int) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	polled, release := make(chan time.Time, 1), make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/runtime/invocation/next") {
			polled <- time.Now()
		}
		<-release
	})}
	go server.Serve(listener)
	defer server.Close()
	defer close(release)

	cmd := exec.Command(bin)
	cmd.Dir, cmd.Env, cmd.Stderr = p.dir, append(p.vars, "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String()), os.Stderr
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	select {
	case at := <-polled:
		return at.Sub(begun), functiontest.PeakMemory(tb, cmd.Process.Pid)
	case <-time.After(20 * time.Second):
		tb.Fatalf("%s has not polled for an event in 20 s", bin)
		return 0, 0
	}
}
