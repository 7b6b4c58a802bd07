package local

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// timeline prints what happened, by whom and when. Entries of one phase are
// sorted by their time: some are known only afterwards.
type timeline struct {
	out     io.Writer
	clock   func() time.Time
	begun   time.Time
	pending []entry
}

type entry struct {
	at        time.Time
	who, what string
}

func newTimeline(out io.Writer, clock func() time.Time) *timeline {
	return &timeline{out: out, clock: clock, begun: clock()}
}

func (t *timeline) now() time.Time { return t.clock() }

// add notes what happened at a time; the zero time is now.
func (t *timeline) add(at time.Time, who, format string, args ...any) {
	if at.IsZero() {
		at = t.now()
	}
	t.pending = append(t.pending, entry{at, who, fmt.Sprintf(format, args...)})
}

const margin = 15 // of everything that follows the first line of an entry

// flush prints the entries of a phase.
func (t *timeline) flush() {
	slices.SortStableFunc(t.pending, func(a, b entry) int { return a.at.Compare(b.at) })
	for _, e := range t.pending {
		first, rest, _ := strings.Cut(strings.TrimRight(e.what, "\n"), "\n")
		fmt.Fprintf(t.out, "%s %+7d ms  %-13s %s\n", e.at.UTC().Format("15:04:05.000"), e.at.Sub(t.begun).Milliseconds(), e.who, first)
		if rest == "" {
			continue
		}
		for line := range strings.SplitSeq(rest, "\n") {
			fmt.Fprintf(t.out, "%s| %s\n", strings.Repeat(" ", margin-2), line)
		}
	}
	t.pending = nil
}
