package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"byokwatch/cmd/byokwatch/local"
)

func (a *app) localCommand() *cobra.Command {
	o := local.Options{Scenario: "removed", Store: "dir"}
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Play a loss and its repair on this machine, with the real function",
		Long: `Play the main job on this machine, without any account: emulators of KMS and S3 on
loopback, the real function binary as AWS Lambda runs it, alerts on the terminal.
Someone takes a key from Confluent; the exit code is 0 only if all ended as it
must: Confluent has its access again or, where it was meant, was left alone.

Scenarios:
` + local.Describe(),
		Example: `  byokwatch local
  byokwatch local --scenario deny-org
  byokwatch local --scenario all --store s3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.local(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Scenario, "scenario", o.Scenario, "what happens: a `NAME` of the list, or all")
	flags.Var(choice{&o.Store, []string{"dir", "s3"}}, "store", "where records are kept: a directory, or the emulator of S3")
	flags.StringVar(&o.Bootstrap, "bootstrap", "", "function `BINARY` (default aws/bootstrap beside this program, else dist/aws/bootstrap)")
	flags.StringVar(&o.Dir, "dir", "", "`DIRECTORY` to work in (default the system's own for temporary files)")
	flags.BoolVar(&o.Keep, "keep", false, "leave configuration and records there afterwards")
	return cmd
}

func (a *app) local(ctx context.Context, o local.Options) error {
	if o.Scenario != "all" && !slices.Contains(local.Names(), o.Scenario) {
		return usagef("--scenario %q: want all, %s", o.Scenario, strings.Join(local.Names(), ", "))
	}
	var err error
	if o.Bootstrap, err = bootstrap(o.Bootstrap); err != nil {
		return err
	}
	o.Out, o.Now = a.stdout, a.now
	return local.Play(ctx, o)
}

// bootstrap finds the function's binary.
func bootstrap(named string) (string, error) {
	places := []string{named}
	if named == "" {
		places = []string{filepath.Join("dist", "aws", "bootstrap")}
		if me, err := os.Executable(); err == nil {
			places = append([]string{filepath.Join(filepath.Dir(me), "aws", "bootstrap")}, places...)
		}
	}
	for _, place := range places {
		info, err := os.Stat(place)
		if err != nil || info.IsDir() {
			continue
		}
		return filepath.Abs(place)
	}
	if named != "" {
		return "", fmt.Errorf("there is no function binary %s", named)
	}
	return "", errors.New("there is no function binary dist/aws/bootstrap: build it with make build, or name one with --bootstrap")
}
