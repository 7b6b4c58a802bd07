package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/policy/awskms"
)

// prepareFlags are those of `prepare`.
type prepareFlags struct {
	source
	role, identity string
	remove         bool
	policy         string
}

// preparation is what a key itself must say of the watchdog. Commands hold only
// what passed the grammar of its kind.
type preparation struct {
	Key    string     `json:"key"`
	Label  string     `json:"label,omitempty"`
	Cloud  core.Cloud `json:"cloud"`
	Self   string     `json:"self,omitempty"` // role, identity or account
	Remove bool       `json:"remove"`
	// Edit says whether the key is to be edited: yes, no, or maybe, where its
	// policy was not given.
	Edit       string          `json:"edit"`
	Why        []string        `json:"why"`
	Statements json.RawMessage `json:"statements,omitempty"`
	Commands   []string        `json:"commands"`
	Check      []string        `json:"check"`
	Policy     json.RawMessage `json:"policy,omitempty"` // with --policy
	Left       []string        `json:"left,omitempty"`   // likewise: what a person must look at
}

func (a *app) prepareCommand() *cobra.Command {
	var f prepareFlags
	cmd := &cobra.Command{
		Use:   "prepare KEY",
		Short: "Say what the key itself must let the watchdog do, and how that is taken back",
		Long: `Say what the key itself must let the watchdog do before it can work, and with
--remove how that is taken back before it is removed: the statement or permission,
and the commands. Nothing is read but the configuration, and nothing is written.

On AWS --policy FILE, with what aws kms get-key-policy prints, prints the whole
policy as it should be. On Google Cloud and Azure the watchdog's rights stand above
the key, with one exception, which is printed.`,
		Example: `  byokwatch prepare payments
  aws kms get-key-policy --key-id ARN --output text --query Policy > policy.json
  byokwatch prepare payments --policy policy.json > new-policy.json
  byokwatch prepare payments --remove --policy policy.json > new-policy.json`,
		Args: keyArg,
		RunE: func(_ *cobra.Command, args []string) error { return a.prepare(f, args[0]) },
	}
	f.source.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.role, "role", "", "AWS: `ARN` of the function's role (default $BYOKWATCH_SELF, else role/byokwatch-REGION of the key's account)")
	flags.StringVar(&f.identity, "identity", "", "Azure: object `ID` of the function app's identity; Google Cloud: address of the service's account (default $BYOKWATCH_SELF)")
	flags.BoolVar(&f.remove, "remove", false, "say how it is taken back")
	flags.StringVar(&f.policy, "policy", "", "AWS: `FILE` with the key policy as it is, or - for standard input")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) prepare(f prepareFlags, name string) error {
	_, k, err := a.one(f.source, name)
	if err != nil {
		return err
	}
	if err := f.fit(k); err != nil {
		return usageError{err}
	}
	build := map[core.Cloud]func(prepareFlags, core.Key) (preparation, error){
		core.AWS: a.prepareAWS, core.Azure: a.prepareAzure, core.GCP: a.prepareGCP,
	}[k.Cloud]
	p, err := build(f, k)
	if err != nil {
		return err
	}
	switch {
	case a.format == "json":
		return a.json(p)
	case p.Policy != nil:
		return a.preparedPolicy(p)
	}
	a.preparedText(p)
	return nil
}

// fit refuses flags that the key's cloud does not have.
func (f prepareFlags) fit(k core.Key) error {
	for _, flag := range []struct {
		name, value string
		ok          bool
	}{
		{"--role", f.role, k.Cloud == core.AWS}, {"--policy", f.policy, k.Cloud == core.AWS}, {"--identity", f.identity, k.Cloud != core.AWS},
	} {
		if flag.value != "" && !flag.ok {
			return fmt.Errorf("%s means nothing for a key of %s", flag.name, mustPlatform(k.Cloud).title)
		}
	}
	return nil
}

// pasted is the form of a role whose ARN may stand in a command: a role's path
// may hold any printable character (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html),
// a shell takes these alone as they are.
var pasted = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$`)

func (a *app) prepareAWS(f prepareFlags, k core.Key) (preparation, error) {
	at := strings.Split(k.ID, ":") // arn:aws:kms:us-west-2:111122223333:key/…
	usual := fmt.Sprintf("arn:%s:iam::%s:role/byokwatch-%s", at[1], at[4], at[3])
	self, flag := usual, ""
	if given := cmp.Or(f.role, roleSelf(a.env("BYOKWATCH_SELF"))); given != "" {
		if !pasted.MatchString(given) {
			return preparation{}, usagef("--role %q is not the ARN of a role that may stand in a command (arn:aws:iam::ACCOUNT:role/NAME)", given)
		}
		self = given
	}
	if self != usual {
		flag = " --role " + self
	}
	q := core.Question{Key: k, Self: self, At: a.now()}
	own, err := awskms.Own(q)
	if err != nil {
		return preparation{}, usageError{err}
	}
	p := preparation{Key: k.ID, Label: k.Label, Cloud: k.Cloud, Self: self, Remove: f.remove, Edit: "maybe", Check: selfCheck(self, k)}
	get := fmt.Sprintf("aws kms get-key-policy --region %s --key-id %s --policy-name default --query Policy --output text > policy.json", at[3], k.ID)
	put := fmt.Sprintf("aws kms put-key-policy --region %s --key-id %s --policy-name default --policy file://new-policy.json", at[3], k.ID)
	if f.remove {
		p.Why = []string{
			"If the key policy names the role, take it out before the role is deleted: afterwards the policy holds an ID (AROA…) in its place, and KMS refuses every later edit that still has it.",
			"The statements of byokwatch have the Sids Byokwatch and ByokwatchRestore. Where the policy does not name the role, nothing is to be done.",
		}
		p.Commands = []string{get, "byokwatch prepare " + pasteable(k) + " --remove" + flag + " --policy policy.json > new-policy.json",
			"byokwatch diff policy.json new-policy.json", "byokwatch check --policy new-policy.json " + pasteable(k), put}
		p.Check = []string{get, "grep -F -c -e " + self + " -e AROA policy.json # 0: the policy names neither the role nor the ID of a deleted one"}
	} else {
		p.Statements = own
		p.Why = []string{
			"Where the key policy leaves access to IAM (an Allow of kms:* to arn:" + at[1] + ":iam::" + at[4] + ":root without conditions), the rights of the deployed role are enough, and nothing has to be done.",
			"Elsewhere the policy must name the role, which must exist by then. Naming it is better in any case: an edit that takes the statement about the account away then does not take the rights of the watchdog along, which is to undo such edits.",
		}
		p.Commands = []string{get, "byokwatch prepare " + pasteable(k) + flag + " --policy policy.json > new-policy.json",
			"byokwatch diff policy.json new-policy.json", "byokwatch check --policy new-policy.json " + pasteable(k), put}
	}
	if f.policy == "" {
		return p, nil
	}
	return a.editedPolicy(f, q, p)
}

// editedPolicy is the preparation with the whole policy that it leads to.
func (a *app) editedPolicy(f prepareFlags, q core.Question, p preparation) (preparation, error) {
	cloud := mustPlatform(core.AWS)
	files, err := a.readFiles([]string{f.policy}, cloud)
	if err != nil {
		return p, err
	}
	live, _, err := cloud.gather(files, q.Key)
	if err != nil {
		return p, err
	}
	edit := awskms.Prepare
	if f.remove {
		edit = awskms.Unprepare
	}
	c, err := edit(live, q)
	p.Edit = "yes"
	switch {
	case errors.Is(err, awskms.ErrPrepared):
		p.Edit, p.Left, c.Result = "no", []string{"The policy gives the role these rights already: nothing is to be done."}, live
	case errors.Is(err, awskms.ErrNotPrepared):
		p.Edit, p.Left, c.Result = "no", []string{"The policy does not name the role: nothing is to be done."}, live
	case err != nil:
		return p, err
	default:
		p.Left = c.Left
	}
	doc, _ := c.Result.Find(core.KeyPolicy)
	p.Policy = json.RawMessage(doc.Text)
	return p, nil
}

// selfCheck judges the watchdog's own rights along with the key.
func selfCheck(self string, k core.Key) []string {
	return []string{"BYOKWATCH_SELF=" + self + " byokwatch check " + pasteable(k)}
}

// pasteable is the shortest name of a key that a shell takes as it is: IDs of
// Azure hold the names of resource groups, which may have parentheses.
func pasteable(k core.Key) string {
	if k.Label == "" && k.Vault != "" {
		return k.ID[strings.LastIndex(k.ID, "/vaults/"):]
	}
	return k.Name()
}

// preparedPolicy prints the policy alone, so that it can go to a file; what is to
// be said beside it goes to standard error.
func (a *app) preparedPolicy(p preparation) error {
	for _, l := range p.Left {
		fmt.Fprintln(a.stderr, line(l))
	}
	_, err := a.stdout.Write(append([]byte(strings.TrimRight(string(p.Policy), "\n")), '\n'))
	return err
}

func (a *app) preparedText(p preparation) {
	for _, w := range p.Why {
		a.printf("%s\n", w)
	}
	if p.Statements != nil {
		a.printf("\nTo add to Statement, for %s:\n%s\n", p.Self, p.Statements)
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Commands", p.Commands}, {"To check", p.Check}} {
		if len(part.lines) > 0 {
			a.printf("\n%s:\n", part.title)
		}
		for _, l := range part.lines {
			a.printf("  %s\n", l)
		}
	}
}
