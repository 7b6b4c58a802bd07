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
	"byokwatch/core"
)

// localFlags are those of `local`.
type localFlags struct {
	local.Options
	cloud string
	named map[core.Cloud]*string
}

func (a *app) localCommand() *cobra.Command {
	f := localFlags{Options: local.Options{Scenario: "removed", Store: "dir"}, cloud: "all", named: map[core.Cloud]*string{}}
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Play a loss and its repair on this machine, with the real functions",
		Long: `Play the main job on this machine, without any account: emulators of the clouds on
loopback, the real function binaries as their platforms run them, alerts on the
terminal. Someone takes a key from Confluent; the exit code is 0 only if all ended
as it must: Confluent has its access again or, where it was meant, was left alone.

Without --cloud it plays on each cloud whose function is built.

Scenarios:
` + local.Describe(),
		Example: `  byokwatch local
  byokwatch local --cloud azure --scenario access-policy
  byokwatch local --cloud gcp --scenario role-gutted
  byokwatch local --cloud aws --scenario all --store s3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.local(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	clouds := []string{"all"}
	for _, c := range local.Clouds() {
		clouds = append(clouds, string(c))
		f.named[c] = new(string)
	}
	flags.Var(choice{&f.cloud, clouds}, "cloud", "where to play")
	flags.StringVar(&f.Scenario, "scenario", f.Scenario, "what happens: a `NAME` of the list, or all")
	flags.Var(choice{&f.Store, []string{"dir", "s3"}}, "store", "where records are kept: a directory, or for AWS the emulator of S3")
	flags.StringVar(f.named[core.AWS], "bootstrap", "", "function `BINARY` for AWS (default aws/bootstrap beside this program, else dist/aws/bootstrap)")
	flags.StringVar(f.named[core.Azure], "handler", "", "function `BINARY` for Azure, in the folder of its host.json (default azure/handler beside this program, else dist/azure/handler)")
	flags.StringVar(f.named[core.GCP], "service", "", "function `BINARY` for Google Cloud (default gcp/byokwatch-gcp beside this program, else dist/gcp/byokwatch-gcp)")
	flags.StringVar(&f.Dir, "dir", "", "`DIRECTORY` to work in (default the system's own for temporary files)")
	flags.BoolVar(&f.Keep, "keep", false, "leave configuration and records there afterwards")
	return cmd
}

func (a *app) local(ctx context.Context, f localFlags) error {
	var clouds []core.Cloud
	var names []string
	for _, c := range local.Clouds() {
		if f.cloud == "all" || f.cloud == string(c) {
			clouds, names = append(clouds, c), append(names, local.Names(c)...)
		}
	}
	slices.Sort(names)
	if f.Scenario != "all" && !slices.Contains(names, f.Scenario) {
		return usagef("--scenario %q: want all, %s", f.Scenario, strings.Join(slices.Compact(names), ", "))
	}
	o := f.Options
	o.Out, o.Now, o.Functions = a.stdout, a.now, map[core.Cloud]string{}
	var missing []error
	for _, c := range clouds {
		if f.Scenario != "all" && !slices.Contains(local.Names(c), f.Scenario) {
			continue
		}
		binary, err := functionOf(c, *f.named[c])
		switch {
		case err == nil:
			o.Functions[c] = binary
		case f.cloud != "all" || *f.named[c] != "":
			return err
		default:
			missing = append(missing, err)
		}
	}
	if len(o.Functions) == 0 {
		return errors.Join(missing...)
	}
	err := local.Play(ctx, o)
	for _, m := range missing {
		fmt.Fprintf(a.stderr, "not played: %v\n", m)
	}
	return err
}

// binaries are the functions as make build names them, below dist.
var binaries = map[core.Cloud]string{core.AWS: "aws/bootstrap", core.Azure: "azure/handler", core.GCP: "gcp/byokwatch-gcp"}

// functionOf finds the binary of a cloud's function.
func functionOf(cloud core.Cloud, named string) (string, error) {
	name := filepath.FromSlash(binaries[cloud])
	places := []string{named}
	if named == "" {
		places = []string{filepath.Join("dist", name)}
		if me, err := os.Executable(); err == nil {
			places = append([]string{filepath.Join(filepath.Dir(me), name)}, places...)
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
	flag := map[core.Cloud]string{core.AWS: "--bootstrap", core.Azure: "--handler", core.GCP: "--service"}[cloud]
	return "", fmt.Errorf("there is no function binary dist/%s: build it with make build, or name one with %s", binaries[cloud], flag)
}
