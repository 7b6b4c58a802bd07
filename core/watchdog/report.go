package watchdog

import (
	"context"
	"log/slog"
	"time"
)

// report writes the one log line of every change handled; the deployed metrics
// are made from it.
func (l *look) report(ctx context.Context, err error) {
	level, outcome := slog.LevelInfo, l.done
	if err != nil {
		level, outcome = slog.LevelError, "failed"
	}
	now := l.Now()
	age := now.Sub(l.lastJudged())
	for _, c := range l.changes {
		attrs := []slog.Attr{
			slog.String("key", l.key.ID), slog.String("label", l.key.Label),
			slog.String("event", c.EventID), slog.String("kind", string(c.Kind)), slog.String("operation", c.Op),
			slog.String("verdict", string(l.plan.Verdict.State)), slog.String("plan", string(l.plan.Kind)),
			slog.String("why", l.plan.Why), slog.String("outcome", outcome),
			slog.Int64("gather_ms", l.timing.gather.Milliseconds()), slog.Int64("judge_us", l.timing.judge.Microseconds()),
			slog.Bool("unrestored", l.plan.Unrestored), slog.Int64("judgement_age_ms", age.Milliseconds()),
			slog.Int64("write_ms", l.timing.write.Milliseconds()), slog.Int64("confirm_ms", l.timing.confirm.Milliseconds()),
		}
		if !c.At.IsZero() {
			attrs = append(attrs, slog.Int64("event_lag_ms", l.since.Sub(c.At).Milliseconds()))
		}
		if in := l.plan.Record.Incident; in != nil {
			attrs = append(attrs, slog.String("incident", in.ID))
			if !in.Restored.IsZero() {
				attrs = append(attrs, slog.Int64("restore_duration_ms", in.Restored.Sub(in.LostAt).Milliseconds()))
			}
		}
		if err != nil {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		attrs = append(attrs, slog.Int64("handled_ms", now.Sub(l.since).Milliseconds()))
		l.Log.LogAttrs(ctx, level, "handled", attrs...)
	}
}

// lastJudged is when the last look at the key began whose judgement stands: this
// one, unless the key could not be read or its policy did not parse. It is what
// an alarm on the age of judgements rests on, so it is remembered here and not in
// the store, which a look that fails may not reach.
func (l *look) lastJudged() time.Time {
	l.Watchdog.mu.Lock()
	defer l.Watchdog.mu.Unlock()
	if last := l.judged[l.key.ID]; l.plan.Judgement.Digest != "" && l.since.After(last) {
		l.judged[l.key.ID] = l.since
	}
	return l.judged[l.key.ID]
}
