package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"byokwatch/core"
)

// checkFlags are those of `check`.
type checkFlags struct {
	cloud        string
	policies     []string
	roles        []string
	group        string
	principals   []string
	key          string
	organization string
	confluentOrg string
	vault        string
	cluster      string
	tenant       string
	all          bool
	source
}

// given lists the flags that say which key is meant and who uses it, and the
// clouds that each is for.
func (f checkFlags) given() []cloudFlag {
	var out []cloudFlag
	for _, flag := range []cloudFlag{
		{"--cloud", f.cloud, nil},
		{"--role", strings.Join(f.roles, ""), []core.Cloud{core.AWS}},
		{"--principal", strings.Join(f.principals, ""), []core.Cloud{core.AWS, core.Azure}},
		{"--group", f.group, []core.Cloud{core.GCP}},
		{"--key", f.key, nil},
		{"--organization", f.organization, []core.Cloud{core.AWS}},
		{"--confluent-organization", f.confluentOrg, []core.Cloud{core.AWS}},
		{"--vault", f.vault, []core.Cloud{core.Azure}},
		{"--cluster", f.cluster, []core.Cloud{core.Azure}},
		{"--tenant", f.tenant, []core.Cloud{core.Azure}},
	} {
		if flag.value != "" {
			out = append(out, flag)
		}
	}
	return out
}

// cloudFlag is one flag as given; clouds is nil for all of them.
type cloudFlag struct {
	name, value string
	clouds      []core.Cloud
}

// only refuses flags that a cloud does not have, with the one that it has in
// their place.
func (f checkFlags) only(cloud core.Cloud, has string) error {
	for _, flag := range f.given() {
		if flag.clouds == nil || slices.Contains(flag.clouds, cloud) {
			continue
		}
		var of []string
		for _, c := range flag.clouds {
			of = append(of, string(c))
		}
		return fmt.Errorf("%s is for --cloud %s; for %s there is %s", flag.name, strings.Join(of, " and "), mustPlatform(cloud).title, has)
	}
	return nil
}

func (a *app) checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check [KEY...]",
		Short: "Judge whether Confluent can use a key",
		Long: `Judge whether Confluent can use a key, by effective permission.

With --policy the judgement is about files and needs no configuration, no
account and no network: use it before you apply a new policy, and in CI.
With --policy and a KEY everything else is that of the configuration. Without --policy the keys of the configuration are read, with
your own credentials, and compared with their last-known-good snapshots; nothing
is written.

Exit code: 0 intact, 1 broken, 2 undetermined, 3 could not tell, 64 wrong usage;
over several keys the first that occurs of 1, 3, 2, 0.`,
		Example: `  byokwatch check --cloud aws --policy new-policy.json \
    --role arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd
  aws kms get-key-policy --key-id ID --output text --query Policy |
    byokwatch check --cloud aws --policy - --role ARN --organization o-a1b2c3d4e5
  gcloud kms keys get-iam-policy KEY --keyring=RING --location=LOCATION > key.yaml
  gcloud projects get-iam-policy PROJECT > project.yaml
  byokwatch check --cloud gcp --policy key.yaml --policy project.yaml \
    --group cck-12345@confluent.io
  az role assignment list --scope VAULT-ID --include-inherited > assignments.json
  az keyvault show --name VAULT > vault.json
  byokwatch check --cloud azure --policy assignments.json --policy vault.json \
    --vault VAULT-ID --key KEY --principal OBJECT-ID --cluster dedicated
  byokwatch check --policy new-policy.json payments
  byokwatch check`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), f, args)
		},
		Args: cobra.ArbitraryArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.cloud, "cloud", "", "cloud of the policy files: aws, azure or gcp")
	flags.StringArrayVar(&f.policies, "policy", nil, "policy `FILE` as the cloud's own tool prints it, or - for standard input (repeatable)")
	flags.StringArrayVar(&f.roles, "role", nil, "`ARN` of a role through which Confluent uses the key (repeatable)")
	flags.StringArrayVar(&f.principals, "principal", nil, "Azure: object `ID` of Confluent's service principal; AWS, older clusters: ARN of Confluent's account root (repeatable)")
	flags.StringVar(&f.group, "group", "", "Google Cloud: `EMAIL` of Confluent's group")
	flags.StringVar(&f.key, "key", "", "the key: AWS its `ARN`, Google Cloud its resource name, where known; Azure its name in the vault")
	flags.StringVar(&f.organization, "organization", "", "`ID` of your own AWS organization, or none")
	flags.StringVar(&f.confluentOrg, "confluent-organization", "", "`ID` of Confluent's AWS organization, where known")
	flags.StringVar(&f.vault, "vault", "", "Azure: ARM `ID` of the key's vault")
	flags.StringVar(&f.cluster, "cluster", "", "Azure: `KIND` of the Kafka clusters, dedicated or enterprise, which differ in the network that they need")
	flags.StringVar(&f.tenant, "tenant", "", "Azure: `ID` of the tenant that the vault must be in")
	flags.BoolVar(&f.all, "all", false, "also list what is met")
	f.source.flags(cmd)
	f.source.storeFlag(cmd)
	a.outputFlag(cmd)
	return cmd
}

func (a *app) check(ctx context.Context, f checkFlags, names []string) error {
	flagged := len(f.given()) > 0
	switch {
	case !flagged && len(f.policies) == 0:
		return a.checkConfigured(ctx, f, names)
	case len(f.policies) == 0:
		return usagef("--policy is missing: name the file with the key's policy, or - for standard input")
	case !flagged && len(names) == 1:
		_, k, err := a.one(f.source, names[0])
		if err != nil {
			return err
		}
		return a.checkFiles(f, k)
	case len(names) > 0:
		return usagef("with --policy name either one KEY of the configuration, or --cloud and --role (gcp: --group, azure: --principal)")
	case f.cloud == "":
		return usagef("--cloud is missing: write --cloud aws, --cloud azure or --cloud gcp")
	}
	p, ok := platformOf(core.Cloud(f.cloud))
	if !ok {
		return usagef("--cloud %q: want aws, azure or gcp", f.cloud)
	}
	k, err := p.given(f)
	if err != nil {
		return usageError{err}
	}
	return a.checkFiles(f, k)
}

// Grammars of what names a key, a role, an account and an organization.
// Sources: https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns,
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
var (
	keyForm  = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)
	roleForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/(?:[\x21-\x7e]{1,510}/)?[\w+=,.@-]{1,64}$`)
	rootForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:root$`)
	orgForm  = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
)

// awsKey is the key that the flags describe.
func (f checkFlags) awsKey() (core.Key, error) {
	k := core.Key{
		Cloud: core.AWS, ID: f.key, Mode: core.Observe, Restore: core.Patch,
		Organization: f.organization, ConfluentOrganization: f.confluentOrg,
	}
	if err := f.only(core.AWS, "--role"); err != nil {
		return k, err
	}
	if len(f.roles)+len(f.principals) == 0 {
		return k, fmt.Errorf("--role is missing: give each role that Confluent Cloud shows for the key, or for older clusters --principal")
	}
	for _, arn := range slices.Concat(f.roles, f.principals) {
		switch {
		case rootForm.MatchString(arn):
			k.Needs.Principals = append(k.Needs.Principals, arn)
		case slices.Contains(f.roles, arn) && roleForm.MatchString(arn):
			k.Needs.Roles = append(k.Needs.Roles, arn)
		case slices.Contains(f.roles, arn):
			return k, fmt.Errorf("--role %q is not the ARN of a role (arn:aws:iam::ACCOUNT:role/NAME)", arn)
		default:
			return k, fmt.Errorf("--principal %q is not the ARN of an account's root (arn:aws:iam::ACCOUNT:root)", arn)
		}
	}
	if f.key != "" && !keyForm.MatchString(f.key) {
		return k, fmt.Errorf("--key %q is not the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID); an alias or a bare ID does not tell the account", f.key)
	}
	for flag, id := range map[string]string{"--organization": f.organization, "--confluent-organization": f.confluentOrg} {
		if id != "" && !orgForm.MatchString(id) && !(flag == "--organization" && id == "none") {
			return k, fmt.Errorf("%s %q is not the ID of an organization, such as o-a1b2c3d4e5", flag, id)
		}
	}
	return k, samePartition(k)
}

// samePartition refuses what no key policy could ever allow.
func samePartition(k core.Key) error {
	if k.ID == "" {
		return nil
	}
	partition := func(arn string) string { return strings.SplitN(arn, ":", 3)[1] }
	for _, arn := range slices.Concat(k.Needs.Roles, k.Needs.Principals) {
		if partition(arn) != partition(k.ID) {
			return fmt.Errorf("%s is in the partition %s, the key in %s: no key policy reaches across partitions", arn, partition(arn), partition(k.ID))
		}
	}
	return nil
}
