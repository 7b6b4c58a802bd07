package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/record"
)

func (a *app) snapshotCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Show the last-known-good policies of a key, or accept its policy as good",
	}
	cmd.AddCommand(a.snapshotShowCommand(), a.snapshotListCommand(), a.snapshotAcceptCommand())
	return group(cmd)
}

func (a *app) snapshotShowCommand() *cobra.Command {
	var s source
	var generation int
	form := "json"
	cmd := &cobra.Command{
		Use:   "show KEY",
		Short: "Print a snapshot, as JSON that check --policy takes",
		Long: `Print the newest snapshot of a key, or that of one generation. As JSON it is what
check --policy takes; its documents are what the cloud's own tool prints.
--output policy prints the key's own policy alone. On AWS that is the whole policy,
which aws kms put-key-policy --policy file://policy.json puts back by hand; on
Azure it is Confluent's role assignments, or the vault with its access policy, and
on Google Cloud Confluent's bindings, to add by hand.`,
		Example: `  byokwatch snapshot show payments > payments.json
  byokwatch snapshot show payments --output text
  byokwatch snapshot show payments --generation 3 --output policy > policy.json`,
		Args: keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if form == "json" {
				a.format = form
			}
			k, snap, err := a.snapshot(cmd.Context(), s, args[0], generation)
			if err != nil {
				return err
			}
			return a.showSnapshot(k, snap, form)
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&generation, "generation", 0, "show this one instead of the newest")
	cmd.Flags().Var(choice{&form, []string{"json", "text", "policy"}}, "output", "how to show it")
	return cmd
}

func (a *app) showSnapshot(k core.Key, snap record.Snapshot, form string) error {
	if form == "json" {
		return a.json(snap)
	}
	p := mustPlatform(k.Cloud)
	doc, ok := p.policy(k, snap.Policy)
	if !ok {
		return fmt.Errorf("snapshot %d holds no policy of the key itself", snap.Generation)
	}
	if form == "policy" {
		a.printf("%s\n", doc.Text)
		if p.partial != "" {
			fmt.Fprintf(a.stderr, "note: %s\n", p.partial)
		}
		return nil
	}
	a.printf("Snapshot %d of %s (%s)\n", snap.Generation, line(k.Name()), where(k))
	a.printf("  taken     %s, because of %s\n", stamp(snap.At), because(snap))
	a.printf("  digest    %s\n", snap.Digest)
	signed := "no"
	if len(snap.Signature) > 0 {
		signed = "yes, and verified if the configuration pins a key"
	}
	a.printf("  signed    %s\n", signed)
	a.printf("%s\n", plain(doc.Text))
	return nil
}

// snapshot is the snapshot that a command line names.
func (a *app) snapshot(ctx context.Context, s source, name string, generation int) (core.Key, record.Snapshot, error) {
	cfg, k, err := a.one(s, name)
	if err != nil {
		return k, record.Snapshot{}, err
	}
	store, err := a.store(ctx, cfg, k.Cloud, s, reading)
	if err != nil {
		return k, record.Snapshot{}, err
	}
	snap, err := snapshotOf(ctx, store, k, generation)
	return k, snap, err
}

// snapshotOf is the snapshot in force, or the kept one of a generation.
func snapshotOf(ctx context.Context, store *record.Store, k core.Key, generation int) (record.Snapshot, error) {
	none := fmt.Sprintf("there is no snapshot of %s yet: the first sweep that finds the key intact takes one", k.Name())
	if generation != 0 {
		snap, err := store.Snapshot(ctx, k, generation)
		return snap, notFound(err, fmt.Sprintf("there is no snapshot %d of %s: see byokwatch snapshot list", generation, k.Name()))
	}
	rec, _, err := store.Load(ctx, k)
	if err != nil && !errors.Is(err, record.ErrInvalid) {
		return record.Snapshot{}, err
	}
	if rec.Snapshot != nil {
		return *rec.Snapshot, nil
	}
	snap, _, keptErr := store.NewestKept(ctx, k)
	switch {
	case keptErr != nil:
		return record.Snapshot{}, keptErr
	case snap != nil:
		return *snap, nil
	case err != nil:
		return record.Snapshot{}, err
	}
	return record.Snapshot{}, errors.New(none)
}

// notFound says that an error is about something that is not there, in words
// that fit a command about one key.
func notFound(err error, what string) error {
	if errors.Is(err, core.ErrNotFound) {
		return errors.New(what)
	}
	return err
}

func (a *app) snapshotListCommand() *cobra.Command {
	var s source
	cmd := &cobra.Command{
		Use:     "list KEY",
		Short:   "List the kept snapshots of a key, the newest last",
		Example: `  byokwatch snapshot list payments`,
		Args:    keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, k, err := a.one(s, args[0])
			if err != nil {
				return err
			}
			store, err := a.store(cmd.Context(), cfg, k.Cloud, s, reading)
			if err != nil {
				return err
			}
			snaps, err := store.Snapshots(cmd.Context(), k)
			if err != nil && (len(snaps) == 0 || a.format == "json") {
				return err
			}
			return errors.Join(a.listSnapshots(k, snaps), err) // what is invalid is told after what is not
		},
	}
	s.flags(cmd)
	a.outputFlag(cmd)
	return cmd
}

// snapshotLine is a snapshot in the JSON of a list.
type snapshotLine struct {
	Generation int         `json:"generation"`
	At         time.Time   `json:"at"`
	Digest     core.Digest `json:"digest"`
	Cause      core.Change `json:"cause"`
	Incident   string      `json:"incident,omitempty"`
	Accepted   string      `json:"accepted,omitempty"`
}

func (a *app) listSnapshots(k core.Key, snaps []record.Snapshot) error {
	if a.format == "json" {
		lines := []snapshotLine{}
		for _, s := range snaps {
			lines = append(lines, snapshotLine{s.Generation, s.At, s.Digest, s.Cause, s.Incident, s.Accepted})
		}
		return a.json(map[string]any{"key": k.ID, "snapshots": lines})
	}
	if len(snaps) == 0 {
		a.printf("No snapshot of %s is kept yet.\n", line(k.Name()))
		return nil
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GENERATION\tTAKEN\tDIGEST\tBECAUSE OF")
	for _, s := range snaps {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", s.Generation, stamp(s.At), s.Digest.Short(), because(s))
	}
	return t.Flush()
}

// because says what led to a snapshot.
func because(s record.Snapshot) string {
	switch {
	case s.Accepted != "":
		return "accepted by " + line(s.Accepted)
	case s.Incident != "":
		return "the restore of " + line(s.Incident)
	case s.Cause.Kind == core.Tick || s.Cause.Op == "":
		return "the schedule"
	}
	return line(s.Cause.Op) + " by " + line(actor(s.Cause.Actor))
}

// actor is whom an event names: the person as well as it tells, and the
// identity that was used.
func actor(who core.Actor) string {
	id := who.ID[strings.LastIndexByte(who.ID, ':')+1:]
	switch {
	case who.Name != "" && id != "" && !strings.HasSuffix(id, who.Name):
		return who.Name + " as " + id
	case who.ID != "":
		return id
	case who.Name != "":
		return who.Name
	case who.Via != "":
		return who.Via
	}
	return "somebody unknown"
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (a *app) snapshotAcceptCommand() *cobra.Command {
	var o order
	var digest string
	cmd := &cobra.Command{
		Use:   "accept KEY [--digest D]",
		Short: "Declare the key's policy of now good",
		Long: `Declare the policy that the key has now to be last-known-good. The digest makes
sure that you accept what you looked at and nothing that came after; without
--digest it is shown and nothing is done. The watchdog follows at its next look,
within 24 hours, if the key still has that policy.`,
		Example: `  byokwatch diff payments
  byokwatch snapshot accept payments
  byokwatch snapshot accept payments --digest sha256:… --reason "new pipeline role"`,
		Args: keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.accept(cmd.Context(), o, args[0], core.Digest(digest))
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&digest, "digest", "", "digest of the policy that is meant")
	return cmd
}

func (a *app) accept(ctx context.Context, o order, name string, digest core.Digest) error {
	if digest != "" && !digestForm.MatchString(string(digest)) {
		return usagef("--digest %q is not the digest of a policy: sha256: and 64 hex digits, as `byokwatch snapshot accept KEY` shows it", digest)
	}
	cfg, k, err := a.one(o.source, name)
	if err != nil {
		return err
	}
	live, err := a.live(ctx, k)
	if err != nil {
		return err
	}
	now := mustPlatform(k.Cloud).rules.Judge(live, a.question(k, live)).Digest
	switch {
	case now == "":
		return fmt.Errorf("the policy of %s does not parse, so it can't be accepted: see byokwatch check %s", k.Name(), k.Name())
	case digest == "":
		a.printf("%s has a policy with the digest %s\n", line(k.Name()), now)
		a.printf("Nothing was done. Look at it (byokwatch diff %s), then accept it with --digest %s\n", line(k.Name()), now)
		return nil
	case digest != now:
		return fmt.Errorf("%s has another policy by now, with the digest %s: look at it again before you accept it", k.Name(), now)
	}
	err = a.request(ctx, cfg, o, k, func(by, reason string) any {
		return record.Accept{Digest: digest, By: by, Reason: reason}
	})
	if err != nil {
		return err
	}
	a.printf("Recorded: %s is to be accepted as it is now (%s).\n", line(k.Name()), now.Short())
	a.printf("The watchdog follows at its next look, if the policy is still that one, and says so.\n")
	return nil
}
