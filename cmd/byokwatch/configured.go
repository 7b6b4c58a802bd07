package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/core/watchdog"
)

// look is what a look at one configured key showed.
type look struct {
	key   core.Key
	sight watchdog.Sight
	plan  watchdog.Plan
	err   error // could not tell
}

func (l look) code() int {
	if l.err != nil {
		return exitUnknown
	}
	return exitOf(l.plan.Verdict.State)
}

const abreast = 8 // keys looked at side by side

// preview looks at keys through the operator's own credentials and writes
// nothing. The result is in the order of keys.
func (a *app) preview(ctx context.Context, f fleet, keys []core.Key) []look {
	ctx = share.WithPass(ctx, time.Now)
	out := make([]look, len(keys))
	slots := make(chan struct{}, abreast)
	var wg sync.WaitGroup
	for i, k := range keys {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i] = f.preview(ctx, k)
		})
	}
	wg.Wait()
	return out
}

// silent is the log of commands that only look: what goes wrong is in the
// errors that they return.
func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func (a *app) checkConfigured(ctx context.Context, f checkFlags, names []string) error {
	cfg, err := a.config(f.source)
	if errors.Is(err, errNoConfig) {
		return fmt.Errorf("%w; to judge a file without one, give --cloud, --policy and --role, --group or --principal", err)
	}
	if err != nil {
		return err
	}
	keys, err := chosen(cfg, names)
	if err != nil {
		return err
	}
	all, err := a.fleet(ctx, cfg, keys, f.source, reading, nil, silent())
	if err != nil {
		return err
	}
	return a.showLooks(a.preview(ctx, all, keys), f.all)
}

// keyReport is one configured key in JSON.
type keyReport struct {
	Key      string    `json:"key"`
	Label    string    `json:"label,omitempty"`
	Mode     core.Mode `json:"mode"`
	Snapshot int       `json:"snapshot"` // generation, 0 for none
	report
	Plan  planReport `json:"plan"`
	Error string     `json:"error,omitempty"`
}

type planReport struct {
	Kind watchdog.PlanKind `json:"kind"`
	Why  string            `json:"why"`
}

// keysReport is several configured keys in JSON. Verdict is that of the exit
// code, empty where it could not be told.
type keysReport struct {
	Verdict core.State  `json:"verdict"`
	Keys    []keyReport `json:"keys"`
	Error   string      `json:"error,omitempty"`
}

// showLooks prints looks and sets the exit code.
func (a *app) showLooks(looks []look, all bool) error {
	a.code = a.worstOf(looks)
	if a.format == "json" {
		return a.jsonLooks(looks)
	}
	for i, l := range looks {
		if i > 0 {
			a.printf("\n")
		}
		if l.err != nil {
			a.printf("COULD NOT TELL: %s (%s)\n", line(l.key.Name()), where(l.key))
			a.printf("            %s\n", line(l.err.Error()))
			continue
		}
		a.text(l.report(), all)
	}
	return nil
}

func (a *app) worstOf(looks []look) int {
	var codes []int
	for _, l := range looks {
		codes = append(codes, l.code())
	}
	return worst(codes)
}

// jsonLooks prints looks as one JSON value; what could not be told is told on
// standard error too.
func (a *app) jsonLooks(looks []look) error {
	for _, l := range looks {
		if l.err != nil {
			fmt.Fprintf(a.stderr, "%s: %s\n", line(l.key.Name()), plain(l.err.Error()))
		}
	}
	return a.json(jsonOf(looks, a.code))
}

func jsonOf(looks []look, code int) keysReport {
	states := map[int]core.State{exitIntact: core.Intact, exitBroken: core.Broken, exitUndetermined: core.Unclear}
	out := keysReport{Verdict: states[code], Keys: []keyReport{}}
	for _, l := range looks {
		k := keyReport{Key: l.key.ID, Label: l.key.Label, Mode: l.key.Mode, report: l.report(),
			Plan: planReport{l.plan.Kind, l.plan.Why}}
		if s := l.sight.Record.Snapshot; s != nil {
			k.Snapshot = s.Generation
		}
		if l.err != nil {
			k.Error = l.err.Error()
			if code == exitUnknown && out.Error == "" {
				out.Error = l.key.Name() + ": " + k.Error
			}
		}
		out.Keys = append(out.Keys, k)
	}
	return out
}

// report is a look in the form of every other judgement. The watchdog's own
// rights are shown where somebody said who it is.
func (l look) report() report {
	var findings []core.Finding
	for _, f := range l.plan.Verdict.Findings {
		if f.Aspect == core.Own {
			if l.sight.Self == "" {
				continue
			}
			f.Principal = l.sight.Self
		}
		findings = append(findings, f)
	}
	r := report{
		Verdict: l.plan.Verdict.State, Findings: results(findings, nil, l.sight.Live),
		Assumed: l.plan.Judgement.Assumed, judged: findings,
		about: about{
			subject: fmt.Sprintf("%s (%s):", line(l.key.Name()), where(l.key)),
			expires: l.plan.Judgement.Expires, plan: l.planLines(), marker: l.plan.Judgement.Marker,
		},
	}
	if l.plan.Kind != watchdog.Restore {
		r.about.add, r.about.list = ungiven(core.Question{Key: l.key, At: l.sight.Now}, findings), mustPlatform(l.key.Cloud).list
	}
	for _, need := range l.plan.Verdict.Lost {
		if need.Aspect == core.Access {
			r.about.lost++
		}
	}
	if s := l.sight.Record.Snapshot; s != nil {
		r.about.since = fmt.Sprintf("; compared with snapshot %d of %s", s.Generation, stamp(s.At))
	} else {
		r.about.since = "; there is no snapshot yet"
	}
	return r
}

// planLines say what a sweep would do.
func (l look) planLines() []string {
	out := []string{"plan      " + planText(l.plan)}
	if rev := l.sight.Record.Revocation; rev != nil && !rev.Vanished.IsZero() {
		out = append(out, "revoked   on "+stamp(rev.Since)+"; its mark on the key vanished, and the revocation still stands")
	}
	if h := l.sight.Requests.Hold; h != nil && !h.Released && l.sight.Now.Before(h.Until) {
		out = append(out, fmt.Sprintf("hold      until %s by %s: %s", stamp(h.Until), line(h.By), line(h.Reason)))
	}
	if c := l.plan.Candidate; c != nil {
		for _, d := range mustPlatform(l.key.Cloud).rules.Diff(l.sight.Live, c.Result) {
			out = append(out, "          "+diffLine(d))
		}
		for _, left := range c.Left {
			out = append(out, "          left out: "+line(left))
		}
	}
	return out
}

func planText(p watchdog.Plan) string {
	var what string
	switch p.Kind {
	case watchdog.Nothing:
		what = "nothing to do"
	case watchdog.Promote:
		what = "becomes the snapshot"
		if p.Snapshot != nil {
			return fmt.Sprintf("becomes snapshot %d", p.Snapshot.Generation)
		}
	case watchdog.Restore:
		what = "give back what was lost"
	case watchdog.AlertOnly:
		what = "alert only"
	case watchdog.Wait:
		what = "wait until " + stamp(p.Until)
	default:
		what = string(p.Kind)
	}
	if p.Why != "" {
		what += ": " + line(p.Why)
	}
	return what
}
