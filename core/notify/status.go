package notify

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"byokwatch/core/alert"
	"byokwatch/core/pattern"
)

// maxWait caps what a channel may ask us to wait: a wrong header must not
// silence it for a day.
const maxWait = 15 * time.Minute

// retryAfter reads Retry-After: seconds, or a date, which is read against the
// answer's own Date so that no clock of ours enters (RFC 9110 §10.2.3).
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return min(time.Duration(min(n, 1e6))*time.Second, maxWait)
	}
	until, err := http.ParseTime(v)
	now, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil || !until.After(now) {
		return 0
	}
	return min(until.Sub(now), maxWait)
}

// slug is what an answer may say of itself in an error: one lower-case word,
// such as Slack's invalid_payload. Anything else could be anything.
var slug = pattern.New(`^[a-z][a-z_]{0,39}$`)

// refusal is the error for an answer that is no acceptance.
func refusal(a answer) *alert.Undelivered {
	u := &alert.Undelivered{Why: fmt.Sprintf("status %d", a.status), After: a.retryAfter}
	if slug.MatchString(a.body) {
		u.Why += ", " + a.body
	}
	switch {
	case a.status >= 200 && a.status <= 299:
		// Something answered, but not the channel.
		u.Why += ", but not the channel's own acceptance"
		u.Permanent, u.MayHaveArrived = true, true
	case a.status >= 300 && a.status <= 399:
		u.Why += ": redirects are not followed"
		u.Permanent = true
	case a.status == http.StatusTooManyRequests, a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly:
	case a.status >= 400 && a.status <= 499:
		u.Permanent = true
	default:
		u.MayHaveArrived = true
	}
	return u
}
