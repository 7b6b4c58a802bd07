package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"byokwatch/core"
)

func (a *app) diffCommand() *cobra.Command {
	var s source
	var generation int
	cmd := &cobra.Command{
		Use:   "diff KEY | diff FROM.json TO.json",
		Short: "Show what differs between a key and its snapshot, or between two policy files",
		Long: `Show what differs by meaning: who gains or loses which permission. With KEY it
compares the last-known-good snapshot with the key as it is now, read with your
own credentials; with two files it needs neither configuration nor account.
Reordering and reformatting are no difference. The exit code is 0 whether or not
something differs.`,
		Example: `  byokwatch diff payments
  byokwatch diff payments --generation 3
  byokwatch diff old-policy.json new-policy.json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return a.diffFiles(args[0], args[1])
			}
			return a.diffKey(cmd.Context(), s, args[0], generation)
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&generation, "generation", 0, "compare with this snapshot instead of the newest")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) diffFiles(from, to string) error {
	files, cloud, err := a.readAlike([]string{from, to})
	if err != nil {
		return err
	}
	p := mustPlatform(cloud)
	var sides [2]core.Policy
	for i := range sides {
		if sides[i], _, err = p.gather(files[i:i+1], core.Key{Cloud: cloud}); err != nil {
			return err
		}
	}
	return a.showDiff(files[0].name, files[1].name, p.rules.Diff(sides[0], sides[1]))
}

func (a *app) diffKey(ctx context.Context, s source, name string, generation int) error {
	k, snap, err := a.snapshot(ctx, s, name, generation)
	if err != nil {
		return err
	}
	live, err := a.live(ctx, k)
	if err != nil {
		return err
	}
	return a.showDiff(fmt.Sprintf("snapshot %d of %s", snap.Generation, stamp(snap.At)), k.Name()+" now", mustPlatform(k.Cloud).rules.Diff(snap.Policy, live))
}

// live reads a key, of which all documents that decide must be readable. What is
// above it may not be the operator's to read.
func (a *app) live(ctx context.Context, k core.Key) (core.Policy, error) {
	reach, err := mustPlatform(k.Cloud).keys(ctx, a)
	if err != nil {
		return nil, err
	}
	live, err := reach.Read(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	for _, d := range live {
		if d.Unreadable != "" && mustPlatform(k.Cloud).decides(k, d) {
			return nil, fmt.Errorf("read the key: %s: %s", d.Kind, d.Unreadable)
		}
	}
	return live, nil
}

func (a *app) showDiff(from, to string, diff []core.Difference) error {
	if a.format == "json" {
		return a.json(map[string]any{"from": from, "to": to, "differences": append([]core.Difference{}, diff...)})
	}
	if len(diff) == 0 {
		a.printf("No difference: %s and %s mean the same.\n", line(from), line(to))
		return nil
	}
	a.printf("From %s to %s:\n", line(from), line(to))
	for _, d := range diff {
		a.printf("  %s\n", diffLine(d))
	}
	return nil
}

// diffLine marks what a difference does to access: + for more, - for less.
func diffLine(d core.Difference) string {
	mark := map[core.DifferenceKind]string{core.Admits: "+", core.LosesDeny: "+", core.Withdraws: "-", core.Forbids: "-"}[d.Change]
	if mark == "" {
		mark = "~"
	}
	return mark + " " + line(d.Text)
}

// stamp is a time as everything of byokwatch shows it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
