package watchdog

import (
	"context"

	"byokwatch/core"
	"byokwatch/core/alert"
)

// Cloud reads and writes the policy of a key. It decides nothing.
type Cloud interface {
	// Read returns every document of the key. A document that can't be read is
	// in the policy with the reason; an error means that nothing could be read.
	Read(ctx context.Context, k core.Key) (core.Policy, error)
	// Apply runs one step. core.ErrRejected and core.ErrDenied mean that this
	// candidate can't be had, core.ErrConflict that the policy changed since it
	// was read; any other error that nobody knows whether the step was done.
	Apply(ctx context.Context, k core.Key, s core.Step) error
}

// Rules is how one cloud's policies are judged: the pure functions of
// core/policy/<cloud>.
type Rules struct {
	// Needs lists what Confluent and the watchdog need of the key. good is nil
	// where there is no snapshot.
	Needs func(k core.Key, live, good core.Policy) []core.Requirement
	Judge func(p core.Policy, q core.Question) core.Judgement
	// Candidates lists the ways back for what was lost, the best first. It is
	// asked only with a snapshot.
	Candidates func(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error)
	// Guard is the last thing before any step: it returns an error unless the
	// candidate only gives back what the design's write guard lets it. It does
	// not trust what Candidates did. verified says that good's signature holds.
	Guard func(live, good core.Policy, c core.Candidate, q core.Question, verified bool) error
	Trim  func(p core.Policy, q core.Question) core.Policy
	Diff  func(from, to core.Policy) []core.Difference
	// Fragment is the policy text that a person may add to give what is missing.
	Fragment func(q core.Question, missing []core.Requirement) string
	// Unlock lists the commands that an administrator runs to repair what we
	// must not or can't: missing rights of ours, a disabled or deleted key.
	Unlock func(live core.Policy, q core.Question, missing []core.Requirement) []string
	// Explains, where a cloud's events do not show what they led to, says that a
	// change's operation on its resource accounts for what live lost since good.
	// Optional.
	Explains func(c core.Change, live, good core.Policy, lost []core.Requirement) bool
}

// Notifier is one channel that alerts go to.
type Notifier interface {
	// Name identifies the channel in the record: stable over restarts, and free
	// of secrets.
	Name() string
	// Wants says whether this channel takes the alert.
	Wants(a alert.Alert) bool
	// Send delivers one alert and returns nil only once the channel accepted it.
	Send(ctx context.Context, a alert.Alert) error
}
