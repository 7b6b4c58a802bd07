package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"byokwatch/core"
)

// The exit codes of everything that judges. Commands that judge nothing use
// intact, unknown and usage.
const (
	exitIntact       = 0
	exitBroken       = 1
	exitUndetermined = 2
	exitUnknown      = 3 // could not tell: bad input, no access
	exitUsage        = 64
)

// usageError is a command line that can't be meant as it stands.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// app is one run of the program and what it may use of the outside.
type app struct {
	stdin  io.Reader
	stdout *output
	stderr io.Writer
	env    func(string) string
	now    func() time.Time

	clients       *clients // of AWS, once loaded
	azureClients  *azure
	googleClients *google

	format string // --output
	code   int    // exit code of a command that succeeded
}

// output is standard output that remembers that it failed: a verdict that
// nobody could read is none.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	o.err = err
	return n, err
}

// run is the whole program.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	a := &app{stdin: stdin, stdout: &output{w: stdout}, stderr: stderr, env: env, now: time.Now, format: "text"}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = a.stdout.err
	}
	if err == nil {
		return a.code
	}
	return a.fail(cmd, err)
}

// fail tells of an error and returns its exit code.
func (a *app) fail(cmd *cobra.Command, err error) int {
	if wrong := (usageError{}); errors.As(err, &wrong) {
		fmt.Fprintf(a.stderr, "%s: %s\nSee '%s --help'.\n", cmd.CommandPath(), plain(err.Error()), cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(a.stderr, "%s: %s\n", cmd.CommandPath(), plain(err.Error()))
	if a.format == "json" {
		// Whoever reads JSON finds the error there as well. If standard output
		// is what failed, standard error has told already.
		_ = a.json(map[string]string{"error": err.Error()})
	}
	return exitUnknown
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "byokwatch",
		Short: "Gives Confluent Cloud's access to your BYOK keys back when somebody removes it",
		Long: `byokwatch watches the keys that you manage for Confluent Cloud (BYOK), gives back
what Confluent lost, and tells people. This is its command line: check a policy
before you apply it, see what is recorded, and tell the watchdog what is meant.`,
		Example: `  aws kms get-key-policy --key-id ID --output text --query Policy |
    byokwatch check --cloud aws --policy - --role arn:aws:iam::ACCOUNT:role/NAME
  gcloud kms keys get-iam-policy KEY --keyring=RING --location=LOCATION |
    byokwatch check --cloud gcp --policy - --group cck-12345@confluent.io
  az role assignment list --scope VAULT-ID --include-inherited |
    byokwatch check --cloud azure --policy - --vault VAULT-ID --key KEY --principal OBJECT-ID
  byokwatch check                     every key of byokwatch.yaml
  byokwatch hold payments --for 2h --reason "key rotation"`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("byokwatch {{.Version}}\n")
	root.AddCommand(
		a.checkCommand(), a.snapshotCommand(), a.historyCommand(), a.diffCommand(),
		a.holdCommand(), a.releaseCommand(), a.revokeCommand(), a.reinstateCommand(),
		a.sweepCommand(), a.configCommand(), a.prepareCommand(), a.localCommand(),
	)
	group(root)
	arguments(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return root
}

// version is what the build tells of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown version)"
	}
	return info.Main.Version
}

// group makes a command that only holds others refuse to be called by itself.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		meant := ""
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			meant = "; did you mean " + strings.Join(like, " or ") + "?"
		}
		return usagef("unknown command %q%s", args[0], meant)
	}
	return cmd
}

// arguments turns what cobra finds wrong with arguments into usage errors.
func arguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		arguments(c)
	}
}

// keyArg is the argument check of commands about one key.
func keyArg(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("name one KEY: its label, its full ID or a unique end of it")
	}
	return nil
}

// choice is a flag with a few values.
type choice struct {
	value *string
	of    []string
}

func (c choice) String() string { return *c.value }
func (c choice) Type() string   { return strings.Join(c.of, "|") }
func (c choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		return fmt.Errorf("want %s", strings.Join(c.of, " or "))
	}
	*c.value = s
	return nil
}

// outputFlag adds --output to a command that has something to show.
func (a *app) outputFlag(cmd *cobra.Command) {
	cmd.Flags().Var(choice{&a.format, []string{"text", "json"}}, "output", "how to show the result")
}

// json writes one JSON value to standard output, in ASCII alone: what policies
// and people wrote must not reach a terminal as control characters.
func (a *app) json(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err := a.stdout.Write(ascii(b.Bytes()))
	return err
}

func (a *app) printf(format string, args ...any) {
	fmt.Fprintf(a.stdout, format, args...) // output remembers a failure
}

// exitOf is the exit code of a verdict.
func exitOf(s core.State) int {
	switch s {
	case core.Intact:
		return exitIntact
	case core.Broken:
		return exitBroken
	case core.Unclear:
		return exitUndetermined
	}
	return exitUnknown
}

// worst is the exit code over several keys: the first that occurs of broken,
// could not tell, undetermined, intact.
func worst(codes []int) int {
	for _, c := range []int{exitBroken, exitUnknown, exitUndetermined} {
		if slices.Contains(codes, c) {
			return c
		}
	}
	return exitIntact
}
