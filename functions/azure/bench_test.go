package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"byokwatch/functions/functiontest"
)

// BenchmarkColdStart measures from the start of the process until it accepts
// connections, which is when the host finds it, against an empty handler on
// net/http.
func BenchmarkColdStart(b *testing.B) {
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "byokwatch.yaml"), []byte(yaml(place{vault: vaultID, key: payments}, "file://"+dir)), 0o600))
	binary.ColdStart(b, func(bin string) (time.Duration, int) {
		port := functiontest.FreePort(b)
		cmd := exec.Command(bin)
		cmd.Dir, cmd.Env = dir, functionApp(map[string]string{portName: port, "BYOKWATCH_MANAGEMENT_ENDPOINT": "http://127.0.0.1:1", "BYOKWATCH_KEYVAULT_ENDPOINT": "http://127.0.0.1:1"})
		return functiontest.FirstListen(b, cmd, port)
	})
}

// BenchmarkColdRestore measures what somebody waits for whose access was just
// taken: from the start of the process, with the event at hand, to the write
// that gives it back. The emulator answers at once, so this is our own share.
func BenchmarkColdRestore(b *testing.B) {
	var times []time.Duration
	for b.Loop() {
		w := start(b, false, nil)
		w.arm(b)
		must(b, w.host.Stop())
		event := w.remove(b)
		begun := time.Now()
		w.run(b)
		if !w.deliver(b, event.Grid()) || len(w.writes()) == 0 {
			b.Fatal("nothing was given back")
		}
		times = append(times, w.writes()[0].At.Sub(begun))
		must(b, w.host.Stop())
	}
	b.ReportMetric(0, "ns/op") // most of it is the confirming
	b.ReportMetric(functiontest.Median(times).Seconds()*1000, "ms/restore")
}
