package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hook = "https://hooks.slack.com/services/T0/B0/x"

// mounted is a directory as Cloud Run mounts secrets into it, with one.
func mounted(t *testing.T, name, content string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name, "value"), content)
	return dir
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhereASecretIsFound(t *testing.T) {
	t.Setenv("BYOKWATCH_TEST_BOTH", "of the environment")
	t.Setenv("BYOKWATCH_TEST_VARIABLE", "of the environment")
	for name, test := range map[string]struct {
		mount, content, ask, want string
		err                       string
	}{
		"mounted":                      {mount: "HOOK", content: hook, ask: "HOOK", want: hook},
		"with a newline":               {mount: "HOOK", content: hook + "\n", ask: "HOOK", want: hook},
		"with a newline of Windows":    {mount: "HOOK", content: hook + "\r\n", ask: "HOOK", want: hook},
		"what is mounted counts first": {mount: "BYOKWATCH_TEST_BOTH", content: hook, ask: "BYOKWATCH_TEST_BOTH", want: hook},
		"else the environment":         {mount: "HOOK", content: hook, ask: "BYOKWATCH_TEST_VARIABLE", want: "of the environment"},
		"nowhere":                      {mount: "HOOK", content: hook, ask: "BYOKWATCH_TEST_NOWHERE"},
		"empty":                        {mount: "HOOK", content: "\n", ask: "HOOK", err: "is empty"},
		"too large":                    {mount: "HOOK", content: hook + strings.Repeat("x", maxSecret), ask: "HOOK", err: "larger than"},
		"a name that leads elsewhere":  {mount: "HOOK", content: hook, ask: "../HOOK", err: "is no name of a secret"},
		"a secret of AWS":              {mount: "HOOK", content: hook, ask: "secret:arn", err: "is no name of a secret"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClients(environment{secrets: mounted(t, test.mount, test.content)})
			got, err := c.secret(t.Context(), test.ask)
			if got != test.want || test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("%q, %v; want %q, %q", got, err, test.want, test.err)
			}
			if err != nil && strings.Contains(err.Error(), "hooks.slack.com") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// A secret that can't be read is not the same as one that is not there: falling
// back to a variable would send alerts by an address that was rotated away.
func TestASecretThatCantBeReadIsAnError(t *testing.T) {
	t.Setenv("HOOK", "of the environment")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "HOOK", "value"), 0o700); err != nil { // a directory in its place
		t.Fatal(err)
	}
	if got, err := newClients(environment{secrets: dir}).secret(t.Context(), "HOOK"); err == nil {
		t.Errorf("%q", got)
	}
}

func TestARotatedSecretCountsAtOnce(t *testing.T) {
	dir := mounted(t, "HOOK", "old\n")
	c := newClients(environment{secrets: dir})
	for _, want := range []string{"old", "new"} {
		write(t, filepath.Join(dir, "HOOK", "value"), want+"\n")
		if got, err := c.secret(t.Context(), "HOOK"); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}
