package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"byokwatch/functions/functiontest"
	"byokwatch/functions/gcp/gcptest"
)

// BenchmarkColdStart measures from the start of the process until it accepts
// connections, against the empty function on the same framework in the same run:
// one of each in turn, so that both meet the same machine.
func BenchmarkColdStart(b *testing.B) {
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "byokwatch.yaml"), []byte(yaml), 0o600))
	binary.ColdStart(b, func(bin string) (time.Duration, int) {
		port := functiontest.FreePort(b)
		cmd := exec.Command(bin)
		cmd.Dir, cmd.Env = dir, append(cloudRun(), "LOCAL_ONLY=true", "PORT="+port,
			"BYOKWATCH_CLOUDKMS_ENDPOINT=http://127.0.0.1:1", "BYOKWATCH_IAM_ENDPOINT=http://127.0.0.1:1",
			"BYOKWATCH_CLOUDRESOURCEMANAGER_ENDPOINT=http://127.0.0.1:1", "STORAGE_EMULATOR_HOST=127.0.0.1:1")
		return functiontest.FirstListen(b, cmd, port)
	})
}

// BenchmarkColdRestore measures what somebody waits for whose access was just
// taken: from the start of the process, with the event at hand, to the write
// that gives it back. The emulator answers at once, so this is our own share.
func BenchmarkColdRestore(b *testing.B) {
	var times []time.Duration
	for b.Loop() {
		w := start(b, nil)
		w.arm(b)
		w.stop()
		event := w.put(b, wiped)
		begun := time.Now()
		w.run(b)
		w.want(b, event.Request(gcptest.Push, w.url), http.StatusOK)
		writes := w.cloud.Writes(payments)
		if last := writes[len(writes)-1]; last.Caller == watcher {
			times = append(times, last.At.Sub(begun))
		} else {
			b.Fatalf("the last write is %s's", last.Caller)
		}
		w.stop()
	}
	b.ReportMetric(0, "ns/op") // most of it is the confirming
	b.ReportMetric(functiontest.Median(times).Seconds()*1000, "ms/restore")
}
