package main

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"byokwatch/functions/gcp/gcptest"
)

// BenchmarkColdStart measures from the start of the process until it accepts
// connections, against the empty function on the same framework in the same run:
// one of each in turn, so that both meet the same machine.
func BenchmarkColdStart(b *testing.B) {
	empty, full := build(b, "./testdata/empty"), build(b, ".")
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "byokwatch.yaml"), []byte(yaml), 0o600))
	var emptyTimes, fullTimes []time.Duration
	var emptyPeak, fullPeak int
	for b.Loop() {
		t, peak := firstListen(b, empty, dir)
		emptyTimes, emptyPeak = append(emptyTimes, t), max(emptyPeak, peak)
		t, peak = firstListen(b, full, dir)
		fullTimes, fullPeak = append(fullTimes, t), max(fullPeak, peak)
	}
	e, f := median(emptyTimes), median(fullTimes)
	b.ReportMetric(0, "ns/op") // both together say nothing
	b.ReportMetric(e.Seconds()*1000, "ms/empty")
	b.ReportMetric(f.Seconds()*1000, "ms/byokwatch-gcp")
	b.ReportMetric(float64(f)/float64(e), "ratio")
	b.ReportMetric(float64(emptyPeak)/1024, "MB/empty")
	b.ReportMetric(float64(fullPeak)/1024, "MB/byokwatch-gcp")
	b.ReportMetric(megabytes(b, empty), "MB-binary/empty")
	b.ReportMetric(megabytes(b, full), "MB-binary/byokwatch-gcp")
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
	b.ReportMetric(median(times).Seconds()*1000, "ms/restore")
}

// firstListen starts a function and returns how long it took to accept a
// connection, and its peak memory by then, in KB.
func firstListen(tb testing.TB, bin, dir string) (time.Duration, int) {
	tb.Helper()
	port := freePort(tb)
	cmd := exec.Command(bin)
	cmd.Dir, cmd.Env = dir, append(cloudRun(), "LOCAL_ONLY=true", "PORT="+port,
		"BYOKWATCH_CLOUDKMS_ENDPOINT=http://127.0.0.1:1", "BYOKWATCH_IAM_ENDPOINT=http://127.0.0.1:1",
		"BYOKWATCH_CLOUDRESOURCEMANAGER_ENDPOINT=http://127.0.0.1:1", "STORAGE_EMULATOR_HOST=127.0.0.1:1")
	begun := time.Now()
	must(tb, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for time.Since(begun) < 20*time.Second {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			took := time.Since(begun)
			c.Close()
			return took, peakMemory(tb, cmd.Process.Pid)
		}
		time.Sleep(100 * time.Microsecond)
	}
	tb.Fatalf("%s does not listen after 20 s", bin)
	return 0, 0
}

// peakMemory is VmHWM, the most that a process ever had resident, in KB; 0 on
// systems without /proc.
func peakMemory(tb testing.TB, pid int) int {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, "kB")))
			must(tb, err)
			return kb
		}
	}
	return 0
}

func megabytes(tb testing.TB, path string) float64 {
	info, err := os.Stat(path)
	must(tb, err)
	return float64(info.Size()) / (1 << 20)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
