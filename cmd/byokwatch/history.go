package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"byokwatch/core"
	"byokwatch/core/record"
)

func (a *app) historyCommand() *cobra.Command {
	var s source
	cmd := &cobra.Command{
		Use:   "history KEY",
		Short: "Show the incidents of a key and what was restored",
		Example: `  byokwatch history payments
  byokwatch history payments --output json`,
		Args: keyArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, k, err := a.one(s, args[0])
			if err != nil {
				return err
			}
			store, err := a.store(cmd.Context(), cfg, k.Cloud, s, reading)
			if err != nil {
				return err
			}
			return a.history(cmd.Context(), store, k)
		},
	}
	s.flags(cmd)
	a.outputFlag(cmd)
	return cmd
}

// history is what the store has about a key. What of it is invalid is told
// after the rest.
func (a *app) history(ctx context.Context, store *record.Store, k core.Key) error {
	closed, keptErr := store.Incidents(ctx, k)
	if keptErr != nil && !errors.Is(keptErr, record.ErrInvalid) && !errors.Is(keptErr, record.ErrNewer) {
		return keptErr
	}
	rec, _, err := store.Load(ctx, k)
	if err != nil && !errors.Is(err, record.ErrInvalid) {
		return err
	}
	trouble := errors.Join(keptErr, err)
	if rec.Incident != nil {
		closed = append(closed, *rec.Incident)
	}
	if a.format == "json" {
		if trouble != nil {
			return trouble
		}
		return a.json(map[string]any{
			"key": k.ID, "incidents": append([]record.Incident{}, closed...), "restores": append([]record.Restore{}, rec.Restores...),
		})
	}
	a.printHistory(k, rec, closed)
	return trouble
}

func (a *app) printHistory(k core.Key, rec record.Record, incidents []record.Incident) {
	if rec.Revocation != nil {
		a.printf("REVOKED since %s (%s)\n", stamp(rec.Revocation.Since), line(rec.Revocation.Marker))
	}
	if len(incidents) == 0 {
		a.printf("No incident of %s is on record.\n", line(k.Name()))
	}
	for _, in := range incidents {
		a.incident(in)
	}
	if n := len(rec.Restores); n > 0 {
		last := rec.Restores[n-1]
		a.printf("%s on record, the last on %s (%s)\n", count(n, "restore"), stamp(last.At), line(last.Incident))
	}
}

func (a *app) incident(in record.Incident) {
	state := string(in.Phase)
	if !in.Closed.IsZero() {
		state = "closed"
	}
	a.printf("%s  %s  %s\n", line(in.ID), stamp(in.LostAt), state)
	who := "not yet known"
	if in.Who != nil {
		who = fmt.Sprintf("%s, %s, according to the event", line(actor(in.Who.Actor)), line(in.Who.Op))
	}
	a.printf("  who       %s\n", who)
	if lost := permissions(in.Lost); lost != "" {
		a.printf("  lost      %s\n", lost)
	}
	if never := permissions(in.Never); never != "" {
		a.printf("  never had %s\n", never)
	}
	var steps []string
	if !in.Restored.IsZero() {
		steps = append(steps, "restored "+stamp(in.Restored))
	}
	if !in.Confirmed.IsZero() {
		steps = append(steps, "confirmed "+stamp(in.Confirmed))
	}
	switch {
	case !in.Closed.IsZero():
		steps = append(steps, "closed "+stamp(in.Closed))
	case !in.Watch.IsZero():
		steps = append(steps, "watched until "+stamp(in.Watch))
	}
	if len(steps) > 0 {
		a.printf("  then      %s\n", strings.Join(steps, ", "))
	}
	if in.Outcome != "" {
		a.printf("  outcome   %s\n", line(in.Outcome))
	}
	for _, tried := range in.Tried {
		a.printf("  in vain   %s\n", line(tried))
	}
}

// permissions lists requirements by principal.
func permissions(reqs []core.Requirement) string {
	var everyone []string
	of := map[string][]string{}
	for _, r := range reqs {
		if of[r.Principal] == nil {
			everyone = append(everyone, r.Principal)
		}
		of[r.Principal] = append(of[r.Principal], r.Permission)
	}
	var out []string
	for _, p := range everyone {
		what := strings.Join(of[p], ", ")
		if p != "" {
			what += " of " + short(p, everyone)
		}
		out = append(out, line(what))
	}
	return strings.Join(out, "; ")
}
