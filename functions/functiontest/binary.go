// Package functiontest is what the tests of every function have in common: the
// binary as it is shipped, its cold start, the chat that alerts go to in a story,
// everything that is done with a store.
package functiontest

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Must ends a test at an error.
func Must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Builder links main packages the way they are shipped, each once per test run.
type Builder struct {
	Name  string   // of the binary
	Flags []string // of go build, beside those of every function

	dir  string
	once sync.Map // package path → func() (string, error)
}

// Main is for TestMain: it makes the folder for binaries, runs the tests and
// removes the folder.
func (b *Builder) Main(m *testing.M) {
	var err error
	if b.dir, err = os.MkdirTemp("", b.Name+"-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(b.dir)
	os.Exit(code)
}

// Build returns the binary of a main package.
func (b *Builder) Build(tb testing.TB, pkg string) string {
	tb.Helper()
	once, _ := b.once.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		out := filepath.Join(b.dir, filepath.Base(pkg), b.Name)
		args := slices.Concat([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", out}, b.Flags, []string{pkg})
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
		}
		return out, nil
	}))
	out, err := once.(func() (string, error))()
	Must(tb, err)
	return out
}

// ColdStart compares how long a function takes until it is ready with the empty
// one, ./testdata/empty, on the same library in the same run: one of each in
// turn, so that both meet the same machine. start starts a binary and returns
// how long it took, and its peak memory by then.
func (b *Builder) ColdStart(bench *testing.B, start func(bin string) (time.Duration, int)) {
	empty, full := b.Build(bench, "./testdata/empty"), b.Build(bench, ".")
	var emptyTimes, fullTimes []time.Duration
	var emptyPeak, fullPeak int
	for bench.Loop() {
		t, peak := start(empty)
		emptyTimes, emptyPeak = append(emptyTimes, t), max(emptyPeak, peak)
		t, peak = start(full)
		fullTimes, fullPeak = append(fullTimes, t), max(fullPeak, peak)
	}
	e, f := Median(emptyTimes), Median(fullTimes)
	bench.ReportMetric(0, "ns/op") // both together say nothing
	bench.ReportMetric(e.Seconds()*1000, "ms/empty")
	bench.ReportMetric(f.Seconds()*1000, "ms/"+b.Name)
	bench.ReportMetric(float64(f)/float64(e), "ratio")
	bench.ReportMetric(float64(emptyPeak)/1024, "MB/empty")
	bench.ReportMetric(float64(fullPeak)/1024, "MB/"+b.Name)
	bench.ReportMetric(Megabytes(bench, empty), "MB-binary/empty")
	bench.ReportMetric(Megabytes(bench, full), "MB-binary/"+b.Name)
}

// FirstListen starts a command that is to listen on a port of this machine, and
// returns how long it took to accept a connection, and its peak memory by then.
func FirstListen(tb testing.TB, cmd *exec.Cmd, port string) (time.Duration, int) {
	tb.Helper()
	begun := time.Now()
	Must(tb, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for time.Since(begun) < 20*time.Second {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			took := time.Since(begun)
			c.Close()
			return took, PeakMemory(tb, cmd.Process.Pid)
		}
		time.Sleep(100 * time.Microsecond)
	}
	tb.Fatalf("%s does not listen after 20 s", cmd.Path)
	return 0, 0
}

// PeakMemory is VmHWM, the most that a process ever had resident, in KB; 0 on
// systems without /proc.
func PeakMemory(tb testing.TB, pid int) int {
	tb.Helper()
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, "kB")))
			Must(tb, err)
			return kb
		}
	}
	return 0
}

// Megabytes is the size of a file.
func Megabytes(tb testing.TB, path string) float64 {
	tb.Helper()
	info, err := os.Stat(path)
	Must(tb, err)
	return float64(info.Size()) / (1 << 20)
}

// Median sorts.
func Median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// given are the ports that FreePort gave out in this process.
var given sync.Map

// FreePort is a port that nobody listens on, below those that systems hand out
// by themselves: one of those, free now, may be another test's a moment later.
// None is given twice, because whoever asked for it may not listen yet. Ask right
// before the program is started: another process could still take it.
func FreePort(tb testing.TB) string {
	tb.Helper()
	for range 20 {
		port := strconv.Itoa(15_000 + rand.IntN(17_000))
		if _, twice := given.LoadOrStore(port, true); twice {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			Must(tb, l.Close())
			return port
		}
	}
	tb.Fatal("no port is free")
	return ""
}

// Listening waits for a process to accept connections.
func Listening(tb testing.TB, port string) {
	tb.Helper()
	for range 5000 {
		if c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second); err == nil {
			c.Close()
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	tb.Fatal("nobody listens")
}

// Eventually waits for what a process has written to come through its pipe.
func Eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	tb.Fatalf("not within 5 s: %s", what)
}

// Buffer is written by a process and read by its test. Its zero value is empty.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
