package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/record"
)

// order is what every command that tells the watchdog something has in common.
type order struct {
	source
	by     string
	reason string
}

func (o *order) flags(cmd *cobra.Command) {
	o.source.flags(cmd)
	cmd.Flags().StringVar(&o.by, "by", "", "who orders it (default $USER)")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, for whoever reads it at night")
}

// request lays an order down where the watchdog looks for it.
func (a *app) request(ctx context.Context, cfg *config.Config, o order, k core.Key, build func(by, reason string) any) error {
	by := cmp.Or(strings.TrimSpace(o.by), a.env("USER"), a.env("USERNAME"))
	if by == "" {
		return usagef("--by is missing, and the environment does not say who you are")
	}
	store, err := a.store(ctx, cfg, k.Cloud, o.source, ordering)
	if err != nil {
		return err
	}
	if err := store.Request(ctx, k, build(by, o.reason)); err != nil {
		return fmt.Errorf("nothing was ordered: %w", err)
	}
	return nil
}

func (o order) needReason(why string) error {
	if strings.TrimSpace(o.reason) == "" {
		return usagef("--reason is missing: %s", why)
	}
	return nil
}

func (a *app) holdCommand() *cobra.Command {
	var o order
	var length time.Duration
	cmd := &cobra.Command{
		Use:   "hold KEY --for DURATION --reason WHY",
		Short: "Tell the watchdog to leave a key alone for a while",
		Long: `Tell the watchdog to leave a key alone, for maintenance: it goes on looking and
telling, but gives nothing back. A hold lasts at most 24 hours, counted by the
store's own clock, and a new one replaces the one before. You are warned 15
minutes before it ends. To take Confluent's access away for good use revoke.`,
		Example: `  byokwatch hold payments --for 2h --reason "moving the pipeline role"
  byokwatch release payments`,
		Args: keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.hold(cmd.Context(), o, args[0], length)
		},
	}
	o.flags(cmd)
	cmd.Flags().DurationVar(&length, "for", 0, "how long, at most 24h")
	return cmd
}

func (a *app) hold(ctx context.Context, o order, name string, length time.Duration) error {
	switch {
	case length == 0:
		return usagef("--for is missing: say how long, such as --for 2h")
	case length < time.Minute:
		return usagef("--for %s: want at least a minute", length)
	case length > record.MaxHold:
		return usagef("--for %s: a hold lasts at most %.0fh; for longer, hold again, or revoke", length, record.MaxHold.Hours())
	}
	if err := o.needReason("whoever is paged meanwhile reads it"); err != nil {
		return err
	}
	cfg, k, err := a.one(o.source, name)
	if err != nil {
		return err
	}
	until := a.now().Add(length).UTC().Truncate(time.Second)
	err = a.request(ctx, cfg, o, k, func(by, reason string) any {
		return record.Hold{Until: until, By: by, Reason: reason}
	})
	if err != nil {
		return err
	}
	a.printf("Held: %s is left alone until %s.\n", line(k.Name()), stamp(until))
	a.printf("The watchdog still looks and tells. End it early with: byokwatch release %s\n", line(k.Name()))
	return nil
}

func (a *app) releaseCommand() *cobra.Command {
	var o order
	cmd := &cobra.Command{
		Use:   "release KEY",
		Short: "End a hold, or let the watchdog restore what it asked about",
		Long: `End a hold now. Where the watchdog found a loss and waits for a person to say
whether it is meant, release says that it is not: it restores at its next look.`,
		Example: `  byokwatch release payments`,
		Args:    keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, k, err := a.one(o.source, args[0])
			if err != nil {
				return err
			}
			err = a.request(cmd.Context(), cfg, o, k, func(by, reason string) any {
				return record.Hold{Released: true, By: by, Reason: reason}
			})
			if err != nil {
				return err
			}
			a.printf("Released: the watchdog looks after %s again from its next look on.\n", line(k.Name()))
			return nil
		},
	}
	o.flags(cmd)
	return cmd
}
