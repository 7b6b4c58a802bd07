package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/config"
	"byokwatch/core/notify"
	"byokwatch/core/watchdog"
	"byokwatch/functions/wiring"
)

func (a *app) sweepCommand() *cobra.Command {
	var s source
	var dry bool
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Look at every key once, as the schedule does",
		Long: `Look at every key of the configuration once, as the deployed schedule does: judge,
record, and with mode enforce give back what was lost. It needs a store in a
directory (file:///dir), for records in a bucket are the functions' to write.

--dry-run writes nothing and works with every store: it prints the verdict and
the plan for each key.`,
		Example: `  byokwatch sweep --dry-run
  byokwatch sweep --dry-run --no-store      before anything is deployed`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.noStore && !dry {
				return usagef("--no-store goes with --dry-run")
			}
			return a.sweep(cmd.Context(), s, dry)
		},
	}
	s.flags(cmd)
	s.storeFlag(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) sweep(ctx context.Context, s source, dry bool) error {
	cfg, err := a.config(s)
	if err != nil {
		return err
	}
	keys, err := chosen(cfg, nil)
	if err != nil {
		return err
	}
	want := reading
	if !dry {
		want = serving
		for cloud := range byCloud(keys) {
			if place, err := config.ParseStore(cfg.Store[cloud]); err != nil || place.Scheme != "file" {
				return usagef("sweep writes records, and those in %s are the functions' to write: use sweep --dry-run, or a store in a directory (file:///dir)", cfg.Store[cloud])
			}
		}
	}
	var to []watchdog.Notifier
	log := silent()
	if !dry {
		if to, err = a.notifiers(cfg); err != nil {
			return err
		}
		log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	all, err := a.fleet(ctx, cfg, keys, s, want, to, log)
	if err != nil {
		return err
	}
	var failed error
	if !dry {
		failed = errors.Join(all.sweep(ctx, a.now())...)
	}
	return a.showSweep(a.preview(ctx, all, keys), dry, failed)
}

// showSweep prints a line for each key and sets the exit code. failed is what
// went wrong while sweeping, beside what the keys look like now.
func (a *app) showSweep(looks []look, dry bool, failed error) error {
	a.code = a.worstOf(looks)
	if a.format == "json" && failed == nil {
		return a.jsonLooks(looks)
	}
	if a.format == "json" {
		return failed
	}
	next := "NEXT"
	if dry {
		next = "PLAN"
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "KEY\tWHERE\tVERDICT\tMODE\t%s\n", next)
	for _, l := range looks {
		verdict, plan := string(l.plan.Verdict.State), planText(l.plan)
		if l.plan.Verdict.State != core.Intact {
			verdict = strings.ToUpper(verdict)
		}
		if l.err != nil {
			verdict, plan = "COULD NOT TELL", line(l.err.Error())
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", line(l.key.Name()), where(l.key), verdict, l.key.Mode, plan)
	}
	return errors.Join(t.Flush(), failed)
}

// notifiers are the configured channels. Standard output is for the result, so
// with --output json alerts go to standard error.
func (a *app) notifiers(cfg *config.Config) ([]watchdog.Notifier, error) {
	client := notify.NewClient(notify.ClientOptions{Loopback: true}) // the store is a directory
	out := io.Writer(a.stdout)
	if a.format == "json" {
		out = a.stderr
	}
	return wiring.Notifiers(cfg, client, out, a.secret)
}

// secret looks up ${NAME}. Secrets of a cloud are read by its function alone.
func (a *app) secret(_ context.Context, name string) (string, error) { return a.env(name), nil }
