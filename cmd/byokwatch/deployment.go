package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/config/deployment"
)

// deploymentFlags say which function is meant.
type deploymentFlags struct {
	cloud string
	deployment.Place
}

func (a *app) deploymentCommand() *cobra.Command {
	var f deploymentFlags
	cmd := &cobra.Command{
		Use:   "deployment --cloud CLOUD FILE",
		Short: "Print what a configuration asks of the deployment of one function",
		Long: `Print, as JSON, what a configuration asks of the deployment of one function: its
keys by what may be done to them, its store, its secrets, how often it sweeps.
The deployments in deploy/ make roles, rules and settings of it. On AWS there is
one function for each account and Region, elsewhere one for all keys.`,
		Example: `  byokwatch config deployment --cloud aws --account 111122223333 --region us-west-2 byokwatch.yaml
  byokwatch config deployment --cloud gcp byokwatch.yaml > deployment.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one FILE, or - for standard input")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return usageError{err}
			}
			return a.configDeployment(args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.cloud, "cloud", "", "cloud of the function: aws, azure or gcp")
	cmd.Flags().StringVar(&f.Account, "account", "", "AWS: `ID` of the account, 12 digits")
	cmd.Flags().StringVar(&f.Region, "region", "", "AWS: `NAME` of the Region")
	return cmd
}

// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
// and https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}$`)
)

func (f deploymentFlags) check() error {
	if f.cloud == "" {
		return errors.New("--cloud is missing: write --cloud aws, --cloud azure or --cloud gcp")
	}
	if _, ok := platformOf(core.Cloud(f.cloud)); !ok {
		return fmt.Errorf("--cloud %q: want aws, azure or gcp", f.cloud)
	}
	for _, flag := range []struct {
		name, value, want string
		form              *regexp.Regexp
	}{
		{"--account", f.Account, "12 digits, without hyphens", accountForm},
		{"--region", f.Region, "the name of a Region, such as us-west-2", regionForm},
	} {
		switch {
		case core.Cloud(f.cloud) != core.AWS && flag.value != "":
			return fmt.Errorf("%s is for --cloud aws; for %s one function has all keys", flag.name, mustPlatform(core.Cloud(f.cloud)).title)
		case core.Cloud(f.cloud) == core.AWS && flag.value == "":
			return fmt.Errorf("%s is missing: on AWS there is one function for each account and Region", flag.name)
		case flag.value != "" && !flag.form.MatchString(flag.value):
			return fmt.Errorf("%s %q: want %s", flag.name, flag.value, flag.want)
		}
	}
	return nil
}

func (a *app) configDeployment(name string, flags deploymentFlags) error {
	cfg, _, err := a.configFile(name)
	if err != nil {
		return err
	}
	d, err := deployment.Of(cfg, core.Cloud(flags.cloud), flags.Place)
	if err != nil {
		return err
	}
	return a.json(d)
}
