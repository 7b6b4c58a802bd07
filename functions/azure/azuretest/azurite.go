package azuretest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Azurite's only account and its key, which are the same everywhere and protect
// nothing
// (https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key).
const (
	AzuriteAccount = "devstoreaccount1"
	AzuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azurite is a running Azurite: Microsoft's own emulator of Blob Storage, in
// memory. https://github.com/Azure/Azurite
type Azurite struct {
	Endpoint string // http://127.0.0.1:PORT, without the account

	alive io.Closer
	ended chan struct{}
}

// ErrNotInstalled: there is no Azurite on this machine. What does without says
// so.
var ErrNotInstalled = errors.New("Azurite is not installed: make test installs it where there is npm")

// azuriteDir is where the Makefile installs it, below the module's root. The file
// installed is there once all of it is.
var (
	azuriteDir  = filepath.Join("dist", "tools", "azurite")
	azuriteMain = filepath.Join("node_modules", "azurite", "dist", "src", "blob", "main.js")
)

// azuriteScript ends Azurite with whoever started it, however that ended: the
// pipe to it breaks then.
const azuriteScript = `process.stdin.resume().on("end", () => process.exit(0)); process.argv.splice(1, 0, "azurite-blob"); require(process.argv.splice(2, 1)[0]);`

var listens = regexp.MustCompile(`successfully listens on (http://127\.0\.0\.1:[0-9]+)`)

// StartAzurite starts an empty Azurite on a port that the system picks and waits
// until it listens. It ends with Stop, with ctx, or with this process. The error
// wraps [ErrNotInstalled] where there is none.
func StartAzurite(ctx context.Context) (*Azurite, error) {
	node, script, err := findAzurite()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, node, "-e", azuriteScript, "--", script, "--blobHost", "127.0.0.1", "--blobPort", "0",
		"--skipApiVersionCheck", "--disableTelemetry", "--silent", "--inMemoryPersistence")
	cmd.Dir = filepath.Dir(script)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Azurite: %w", err)
	}
	a := &Azurite{alive: alive, ended: make(chan struct{})}
	go func() {
		in.CloseWithError(cmd.Wait())
		close(a.ended)
	}()
	if a.Endpoint, err = whereItListens(out); err != nil {
		a.Stop()
		return nil, fmt.Errorf("start Azurite: %w", err)
	}
	return a, nil
}

// whereItListens reads what Azurite prints up to the line that says so. The rest
// is read and passed over, or Azurite would wait for a reader.
func whereItListens(out *io.PipeReader) (string, error) {
	said := ""
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, out)
			return m[1], nil
		}
		said += lines.Text() + "\n"
	}
	return "", fmt.Errorf("it ended before it listened (%w):\n%s", errors.Join(lines.Err(), io.ErrUnexpectedEOF), said)
}

func findAzurite() (node, script string, err error) {
	if node, err = exec.LookPath("node"); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", "", err
	}
	for {
		installed := filepath.Join(dir, azuriteDir, "installed")
		if _, err := os.Stat(installed); err == nil {
			return node, filepath.Join(dir, azuriteDir, azuriteMain), nil
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return "", "", fmt.Errorf("%w: no %s", ErrNotInstalled, installed)
		}
		dir = filepath.Dir(dir)
	}
}

// Stop ends Azurite and waits for that.
func (a *Azurite) Stop() {
	a.alive.Close()
	<-a.ended
}

// Container makes a container and returns a client of it.
func (a *Azurite) Container(ctx context.Context, name string) (*container.Client, error) {
	key, err := blob.NewSharedKeyCredential(AzuriteAccount, AzuriteKey)
	if err != nil {
		return nil, err
	}
	c, err := container.NewClientWithSharedKeyCredential(a.Endpoint+"/"+AzuriteAccount+"/"+name, key, nil)
	if err != nil {
		return nil, err
	}
	if _, err := c.Create(ctx, nil); err != nil {
		return nil, fmt.Errorf("make the container %s: %w", name, err)
	}
	return c, nil
}

// shared is the one Azurite of a test binary, with which it ends.
var shared = sync.OnceValues(func() (*Azurite, error) { return StartAzurite(context.Background()) })

// Test is what of a testing.TB a test that needs Azurite hands over.
type Test interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// NeedAzurite is the Azurite that all tests of a binary share: each makes its own
// containers. Without one the test is skipped; whoever installs it has said so.
func NeedAzurite(t Test) *Azurite {
	t.Helper()
	return need(t, shared)
}

func need(t Test, start func() (*Azurite, error)) *Azurite {
	t.Helper()
	a, err := start()
	switch {
	case errors.Is(err, ErrNotInstalled):
		t.Skipf("SKIPPED: %v", err)
	case err != nil:
		t.Fatalf("%v", err)
	}
	return a
}
