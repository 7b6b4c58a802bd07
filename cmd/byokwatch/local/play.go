package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	playTime = 60 * time.Second // bounds one scenario, beside what it waits
	// replacement is how long a lost role assignment may be the first half of a
	// replacement, in which time the function leaves it alone.
	replacement = time.Minute

	// abreast is how many scenarios are played at a time: most of their time is
	// waiting, and those that wait longest have places of their own.
	abreast, waiting = 8, 16
)

// time is what a scenario takes at least.
func (s scenario) time() time.Duration {
	if s.waits {
		return replacement
	}
	return 0
}

// Play plays what Options say, side by side: of each cloud the scenarios of that
// name, and those that are shown with it. It returns nil only if all of it ended
// as it must.
func Play(ctx context.Context, o Options) error {
	var chosen []scenario
	for _, cloud := range Clouds() {
		if o.Functions[cloud] == "" {
			continue
		}
		for _, s := range scenariosOf(cloud) {
			s.cloud = cloud
			if o.Scenario == "all" || o.Scenario == s.name || o.Scenario == s.with {
				chosen = append(chosen, s)
			}
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("%q: %w", o.Scenario, ErrUnknown)
	}
	// The long ones are told last, when they have come far.
	slices.SortStableFunc(chosen, func(a, b scenario) int { return cmp.Compare(a.time(), b.time()) })
	if err := playAll(ctx, o, chosen); err != nil {
		return err
	}
	if o.Scenario == "all" {
		fmt.Fprintf(o.Out, "\nAll %d scenarios ended as they must.\n", len(chosen))
	}
	return nil
}

func playAll(ctx context.Context, o Options, all []scenario) error {
	errs := make([]error, len(all))
	out := newRelay(o.Out, len(all))
	short, long := make(chan struct{}, abreast), make(chan struct{}, waiting)
	var wg sync.WaitGroup
	for i, s := range all {
		slots := short
		if s.waits {
			slots = long
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			mine := o
			mine.Out = out.legs[i]
			if i > 0 {
				fmt.Fprintln(mine.Out)
			}
			err := play(ctx, mine, s)
			if err != nil {
				err = fmt.Errorf("%s, scenario %s: %w", title(s.cloud), s.name, err)
			}
			if err != nil && len(all) > 1 {
				fmt.Fprintf(mine.Out, "FAILED: %v\n", err)
			}
			errs[i] = errors.Join(err, out.legs[i].end())
		})
	}
	wg.Wait()
	if len(all) == 1 {
		return errs[0]
	}
	var failed []string
	for i, s := range all {
		if errs[i] != nil {
			failed = append(failed, title(s.cloud)+" "+s.name)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d scenarios failed: %s", len(failed), len(all), strings.Join(failed, ", "))
}

// wait lets the time pass in which the loss may be the first half of a
// replacement, and then the schedule tick, as often as it takes.
func (w *world) wait(ctx context.Context) error {
	rec, _, err := w.store.Load(ctx, w.key)
	if err != nil {
		return err
	}
	in := rec.Incident
	if in == nil || in.Since.IsZero() {
		return errors.New("the function has not recorded the loss")
	}
	if n := len(w.stage.writes()); n > 0 {
		return fmt.Errorf("the function wrote %d times before anybody could know that this is no replacement", n)
	}
	until := in.Since.Add(replacement)
	w.line.add(in.Since, "byokwatch", "recorded the loss, and waits a minute: Terraform replaces an assignment by deleting it and making it anew")
	w.line.flush()
	for len(w.stage.writes()) == 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the function gave nothing back: %w", ctx.Err())
		case <-time.After(max(until.Sub(w.line.now()), time.Second/2)):
		}
		w.line.add(time.Time{}, "schedule", "ticks, as it does every minute")
		if err := w.stage.tick(ctx); err != nil {
			return err
		}
	}
	return w.deliver(ctx)
}
