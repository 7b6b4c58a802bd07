// Package local is the local stack behind `byokwatch local` and `make run`: it
// plays the main job from beginning to end with nothing but this machine.
//
// What runs are the real function binaries, spoken to as their platforms speak to
// them (AWS Lambda's Runtime API; the Functions host's protocol for custom
// handlers; CloudEvents over HTTP, as Pub/Sub pushes them), over emulators of the clouds on loopback. A key is armed by the first sweep;
// then somebody takes it from Confluent through the real SDK, the emulator makes
// the event of it, the function is handed that, and what it did is judged by two
// who know nothing of each other: the emulator, which decides as the cloud does,
// and the judge, over what the SDK reads back.
//
// A world (world.go) is one scenario at play; what is of one cloud in it is its
// stage (aws.go, azure.go, gcp.go). Stories run side by side and are told one
// after the other (play.go, relay.go).
//
// Each scenario is one way to lose a key, with what must follow: that Confluent
// has it back, or, where it was meant or can't be known, that the function left
// it alone and told.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// Options say what is played, and where.
type Options struct {
	// Functions are the paths of the built functions. What is not here is not
	// played.
	Functions map[core.Cloud]string
	Scenario  string // a name, or all
	Store     string // dir, or for AWS s3
	Dir       string // where to work; empty for the system's own place for such things
	Keep      bool   // leave configuration and records there
	Out       io.Writer
	Now       func() time.Time
}

// Clouds are those that can be played, in the order in which people see them.
func Clouds() []core.Cloud { return []core.Cloud{core.AWS, core.Azure, core.GCP} }

func title(cloud core.Cloud) string {
	switch cloud {
	case core.Azure:
		return "Azure"
	case core.GCP:
		return "Google Cloud"
	}
	return "AWS"
}

func scenariosOf(cloud core.Cloud) []scenario {
	switch cloud {
	case core.Azure:
		return azureScenarios()
	case core.GCP:
		return gcpScenarios()
	}
	return awsScenarios()
}

// Names lists the scenarios of a cloud.
func Names(cloud core.Cloud) []string {
	var out []string
	for _, s := range scenariosOf(cloud) {
		out = append(out, s.name)
	}
	return out
}

// Describe says what each scenario does, in a line for each.
func Describe() string {
	var b strings.Builder
	for _, cloud := range Clouds() {
		fmt.Fprintf(&b, "%s (--cloud %s):\n", title(cloud), cloud)
		for _, s := range scenariosOf(cloud) {
			fmt.Fprintf(&b, "  %-16s the pipeline %s\n", s.name, s.does)
		}
	}
	return b.String()
}

// ErrUnknown is a scenario that there is not.
var ErrUnknown = errors.New("no such scenario")

// play plays one scenario in a world of its own.
func play(ctx context.Context, o Options, s scenario) (err error) {
	ctx, cancel := context.WithTimeout(ctx, playTime+s.time())
	defer cancel()
	dir, err := os.MkdirTemp(o.Dir, "byokwatch-local-")
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if !o.Keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	line := newTimeline(o.Out, clockOf(o.Now))
	fmt.Fprintf(o.Out, "%s, scenario %s: a pipeline %s.\n", title(s.cloud), s.name, s.does)
	w, err := build(ctx, o, s, dir, line)
	if err == nil {
		err = w.run(ctx, s)
	}
	line.flush()
	if w != nil {
		err = errors.Join(err, w.close())
		if err != nil {
			err = fmt.Errorf("%w\nThe function's log:\n%s", err, w.log)
		}
	}
	if o.Keep {
		fmt.Fprintf(o.Out, "Kept in %s: byokwatch history payments --config %s/byokwatch.yaml\n", dir, dir)
	}
	return err
}

func last[T any](list []T) T { return list[len(list)-1] }

func clockOf(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

func (w *world) run(ctx context.Context, s scenario) error {
	w.line.flush()
	if err := w.arm(ctx); err != nil {
		return err
	}
	lost, err := w.takeAway(ctx, s)
	if err != nil {
		return err
	}
	if err := w.react(ctx, s); err != nil {
		return err
	}
	return w.verdict(ctx, s, lost)
}

// arm lets the schedule take the first snapshot.
func (w *world) arm(ctx context.Context) error {
	if err := w.stage.tick(ctx); err != nil {
		return fmt.Errorf("the first sweep: %w", err)
	}
	rec, err := w.await(ctx, alert.FirstSnapshot)
	if err != nil {
		return err
	}
	if rec.Snapshot == nil {
		return errors.New("the first sweep took no snapshot")
	}
	w.line.add(rec.Snapshot.At, "armed", "the first sweep found Confluent's access whole: snapshot %d of key payments", rec.Snapshot.Generation)
	w.line.flush()
	return nil
}

// takeAway is what the pipeline does.
func (w *world) takeAway(ctx context.Context, s scenario) (time.Time, error) {
	if can, why, err := w.confluentCan(ctx); err != nil || !can {
		return time.Time{}, errors.Join(err, fmt.Errorf("before anything happened the key is closed to Confluent: %s", why))
	}
	at := w.line.now()
	if err := s.act(ctx, w); err != nil {
		return at, fmt.Errorf("the pipeline: %w", err)
	}
	w.line.add(at, "terraform-ci", "%s", s.does)
	can, why, err := w.confluentCan(ctx)
	switch {
	case err != nil:
		return at, err
	case can:
		return at, errors.New("the scenario takes nothing away, so it shows nothing")
	}
	w.line.add(time.Time{}, "confluent", "is refused: %s", why)
	w.line.flush()
	return at, nil
}

// react delivers what happened to the function and tells what it made of it.
func (w *world) react(ctx context.Context, s scenario) error {
	switch {
	case s.missed:
		w.told = len(w.stage.events())
		w.line.add(time.Time{}, "event", "never arrives; the next sweep looks by itself")
		if err := w.stage.tick(ctx); err != nil {
			return err
		}
	default:
		w.line.add(time.Time{}, "event", "%s goes %s to the function", last(w.stage.events()).name, w.words.way)
	}
	loss := len(w.stage.events()) - 1
	if err := w.deliver(ctx); err != nil {
		return err
	}
	switch {
	case s.mends != nil:
		if err := s.mends(ctx, w); err != nil {
			return err
		}
		w.line.add(time.Time{}, "terraform-ci", "makes it anew: it was a replacement")
		return errors.Join(w.deliver(ctx), w.stage.tick(ctx))
	case s.waits:
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
	if s.twice {
		if err := w.stage.events()[loss].send(ctx); err != nil {
			return err
		}
		w.line.add(time.Time{}, "event", "arrives a second time; nothing follows")
	}
	did := "read the key, judged it, recorded an incident, and gives back what was lost"
	if s.waits {
		did = "read the key again and judged it, and gives back what is still lost"
	}
	for _, at := range w.stage.writes() {
		w.line.add(at, "byokwatch", "%s", did)
	}
	rec, err := w.await(ctx, s.tells)
	if err != nil {
		return err
	}
	if in := rec.Incident; in != nil && !in.Confirmed.IsZero() {
		w.line.add(in.Confirmed, "byokwatch", "confirmed: read back until %s showed it %d times in a row; watched until %s", w.words.service, w.words.reads, in.Watch.UTC().Format("15:04"))
	}
	return nil
}

// await waits until an alert is both in the record, as accepted by the channel,
// and on the function's standard output, and puts that on the timeline.
func (w *world) await(ctx context.Context, code alert.Code) (record.Record, error) {
	mark := alert.Lookup(code).Mark
	seen := w.shown
	for {
		rec, _, err := w.store.Load(ctx, w.key)
		if err != nil {
			return rec, err
		}
		text := w.alerts.String()[seen:]
		if toldOf(rec, code) && strings.Contains(text, mark) {
			w.shown = seen + len(text)
			w.line.add(time.Time{}, "alert", "%s", strings.TrimSpace(text))
			return rec, nil
		}
		select {
		case <-ctx.Done():
			return rec, fmt.Errorf("there is no alert %s: %w", code, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func toldOf(rec record.Record, code alert.Code) bool {
	for id := range rec.Told {
		if strings.HasSuffix(id, "/"+string(code)) {
			return true
		}
	}
	return false
}

// verdict judges the end.
func (w *world) verdict(ctx context.Context, s scenario, lost time.Time) error {
	can, why, err := w.confluentCan(ctx)
	writes := w.stage.writes()
	switch {
	case err != nil:
		return err
	case s.mends != nil && can && len(writes) == 0:
		w.line.add(time.Time{}, "confluent", "has all %d permissions again, and byokwatch has written nothing: nothing was to be done", w.words.permissions)
	case s.mends != nil:
		return fmt.Errorf("after the pipeline made it anew Confluent has access: %t (%s); the function wrote %d times", can, why, len(writes))
	case s.back && !can:
		return fmt.Errorf("the key is still closed to Confluent: %s", why)
	case s.back && len(writes) != max(1, s.written):
		return fmt.Errorf("the function wrote %d times, not %d", len(writes), max(1, s.written))
	case s.back && !strings.Contains(w.stage.policy(), s.keeps):
		return fmt.Errorf("%q is no longer in the policy:\n%s", s.keeps, w.stage.policy())
	case s.back:
		if s.keeps != "" {
			w.line.add(time.Time{}, "terraform-ci", "still has the rest of its edit: %s", s.keeps)
		}
		w.line.add(time.Time{}, "confluent", "has all %d permissions again; it was without this key for %d ms", w.words.permissions, writes[0].Sub(lost).Milliseconds())
	case can:
		return errors.New("the key went back to Confluent although nobody wants that")
	case len(writes) != 0:
		return fmt.Errorf("the function wrote %d times to a key that it has to leave alone", len(writes))
	default:
		w.line.add(time.Time{}, "confluent", "is still refused, and byokwatch has written nothing: people were told")
	}
	return nil
}
