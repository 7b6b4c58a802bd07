package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"byokwatch/core/config"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a configuration, print its JSON Schema or what it asks of a deployment"}
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
		a.deploymentCommand(),
	)
	return group(cmd)
}

func (a *app) configCheck(name string) error {
	cfg, shown, err := a.configFile(name)
	if err != nil {
		return err
	}
	a.printf("%s is right: %s\n", line(shown), count(len(cfg.Keys), "key"))
	for _, k := range cfg.Keys {
		a.printf("  %-9s %s (%s)\n", k.Mode, line(k.Name()), where(k))
	}
	return nil
}

// configFile parses a configuration that an argument names, and says what to
// call it.
func (a *app) configFile(name string) (cfg *config.Config, shown string, err error) {
	f, err := a.readFile(name)
	if err != nil {
		return nil, "", err
	}
	if cfg, err = config.Parse(f.data); err != nil {
		return nil, "", fmt.Errorf("%s:\n%w", f.name, err)
	}
	return cfg, f.name, nil
}
