package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"byokwatch/core/config"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a configuration, or print its JSON Schema"}
	cmd.AddCommand(
		&cobra.Command{
			Use:     "check FILE",
			Short:   "Say everything that is wrong with a configuration, with line and field",
			Example: `  byokwatch config check byokwatch.yaml`,
			Args: func(_ *cobra.Command, args []string) error {
				if len(args) != 1 {
					return fmt.Errorf("name one FILE, or - for standard input")
				}
				return nil
			},
			RunE: func(_ *cobra.Command, args []string) error { return a.configCheck(args[0]) },
		},
		&cobra.Command{
			Use:     "schema",
			Short:   "Print the JSON Schema of the configuration",
			Example: `  byokwatch config schema > byokwatch.schema.json`,
			Args:    cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := a.stdout.Write(config.Schema())
				return err
			},
		},
	)
	return group(cmd)
}

func (a *app) configCheck(name string) error {
	f, err := a.readFile(name)
	if err != nil {
		return err
	}
	cfg, err := config.Parse(f.data)
	if err != nil {
		return fmt.Errorf("%s:\n%w", f.name, err)
	}
	a.printf("%s is right: %s\n", line(f.name), count(len(cfg.Keys), "key"))
	for _, k := range cfg.Keys {
		a.printf("  %-9s %s (%s)\n", k.Mode, line(k.Name()), where(k))
	}
	return nil
}
