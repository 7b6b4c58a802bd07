package deploytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// CLI is terraform or tofu, with no provider but those of deploy/schemas, no
// network to ask for others, and none of the credentials of whoever runs the
// tests.
type CLI struct {
	name         string // terraform or tofu, as messages call it
	path         string
	major, minor int
	env          []string
}

// patience bounds one command: they take a second or two.
const patience = 3 * time.Minute

// Terraform finds terraform or tofu. The test is skipped, with the reason,
// where there is none of at least 1.5.
func Terraform(t testing.TB) *CLI {
	t.Helper()
	var why []string
	for _, name := range []string{"terraform", "tofu"} {
		c, err := find(name)
		if err != nil {
			why = append(why, err.Error())
			continue
		}
		c.env = environment(t, providers(t))
		return c
	}
	t.Skipf("SKIPPED: %s: what only terraform can tell is not tested", strings.Join(why, "; "))
	return nil
}

func find(name string) (*CLI, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("no %s on the PATH", name)
	}
	cmd := exec.Command(path, "version", "-json")
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s version: %w", path, err)
	}
	var v struct {
		Version string `json:"terraform_version"` // tofu's, too
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return nil, fmt.Errorf("%s version -json: %w", path, err)
	}
	c := &CLI{name: name, path: path}
	part := strings.SplitN(v.Version, ".", 3)
	if len(part) == 3 {
		c.major, err = strconv.Atoi(part[0])
		if err == nil {
			c.minor, err = strconv.Atoi(part[1])
		}
	}
	if len(part) != 3 || err != nil {
		return nil, fmt.Errorf("%s says that its version is %q", path, v.Version)
	}
	if !c.atLeast(1, 5) {
		return nil, fmt.Errorf("%s is %s, older than 1.5", path, v.Version)
	}
	return c, nil
}

func (c *CLI) atLeast(major, minor int) bool {
	return c.major > major || c.major == major && c.minor >= minor
}

// environment has what a command needs and nothing by which it could reach a
// cloud. The configuration names no source of providers but ours.
func environment(t testing.TB, providers string) []string {
	t.Helper()
	home := t.TempDir()
	rc := filepath.Join(home, "terraform.rc")
	var overrides strings.Builder
	for _, p := range served {
		fmt.Fprintf(&overrides, "    %q = %q\n", "hashicorp/"+p, filepath.ToSlash(providers))
	}
	text := "provider_installation {\n  dev_overrides {\n" + overrides.String() + "  }\n}\n"
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		// Providers put their sockets into TMPDIR, and a socket's path is short.
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir(),
		"TF_CLI_CONFIG_FILE=" + rc, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
	}
}

// Format fails where `fmt` would change a file of dir or below.
func (c *CLI) Format(t testing.TB, dir string) {
	t.Helper()
	if out, err := c.format(t, dir); err != nil {
		t.Errorf("%s: not formatted, run %s fmt -recursive: %v\n%s", dir, c.name, err, out)
	}
}

func (c *CLI) format(t testing.TB, dir string) (string, error) {
	return c.run(t, c.copyOf(t, dir), "fmt", "-check", "-diff", "-recursive", "-no-color")
}

// Validate checks the module in dir against the providers' schemas: arguments,
// blocks, types of values, references.
func (c *CLI) Validate(t testing.TB, dir string) {
	t.Helper()
	if err := c.validate(t, dir); err != nil {
		t.Errorf("%s: %v", dir, err)
	}
}

func (c *CLI) validate(t testing.TB, dir string) error {
	work := c.copyOf(t, dir)
	if _, err := c.run(t, work, "get", "-no-color"); err != nil {
		return err
	}
	_, err := c.run(t, work, "validate", "-no-color")
	return err
}

// Test runs tests/*.tftest.hcl of the module in dir and returns what was
// printed. mock_provider came with terraform 1.7 and tofu 1.8; the test is
// skipped below that.
func (c *CLI) Test(t testing.TB, dir string) string {
	t.Helper()
	if c.name == "terraform" && !c.atLeast(1, 7) || c.name == "tofu" && !c.atLeast(1, 8) {
		t.Skipf("SKIPPED: %s is %d.%d, which has no mock_provider: %s/tests were not run", c.path, c.major, c.minor, dir)
	}
	out, err := c.test(t, dir)
	if err != nil {
		t.Errorf("%s: %v\n%s", dir, err, out)
	}
	return out
}

func (c *CLI) test(t testing.TB, dir string) (string, error) {
	work := c.copyOf(t, dir)
	if out, err := c.run(t, work, "get", "-no-color"); err != nil {
		return out, err
	}
	return c.run(t, work, "test", "-no-color")
}

// run gives what the command printed; what it complained of is in the error.
func (c *CLI) run(t testing.TB, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, c.env, &stdout, &stderr
	// It is asked to end first, so that it ends the providers that it started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", c.name, args[0], errors.Join(err, context.Cause(ctx)), stderr.String())
	}
	return stdout.String(), err
}
