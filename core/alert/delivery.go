package alert

import (
	"fmt"
	"time"
)

// Undelivered is the error of a channel that did not accept an alert. Whoever
// schedules deliveries reads it with errors.As and needs to know nothing else
// of the channel. An alert is never given up: Permanent only says that trying
// again soon is of no use, because somebody has to change a setting first (a
// webhook that was removed, a channel that was archived, a missing secret).
type Undelivered struct {
	Channel string // Notifier.Name
	// Why is one line of our own words and the status; it never holds the
	// address, which is a secret.
	Why string
	// Permanent: the channel will refuse this alert until somebody acts.
	Permanent bool
	// After is how long the channel asked us to wait; 0 where it did not say.
	After time.Duration
	// MayHaveArrived: the alert left us and no clear answer came back, so the
	// next attempt must be marked with Alert.Again.
	MayHaveArrived bool
	// Err is a cause that holds no secret, such as context.DeadlineExceeded.
	Err error
}

func (e *Undelivered) Error() string {
	s := fmt.Sprintf("alert not accepted by %s: %s", e.Channel, e.Why)
	if e.After > 0 {
		s += fmt.Sprintf(" (asked to wait %s)", e.After)
	}
	return s
}

func (e *Undelivered) Unwrap() error { return e.Err }

// untilSomebodyActs is how long to leave a channel alone that refuses for good.
const untilSomebodyActs = 15 * time.Minute

// RetryAfter is the shortest time after which another attempt makes sense; 0
// leaves it to the caller.
func (e *Undelivered) RetryAfter() time.Duration {
	if e.Permanent {
		return max(e.After, untilSomebodyActs)
	}
	return e.After
}
