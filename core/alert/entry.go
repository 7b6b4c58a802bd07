package alert

import "fmt"

// Severity says how much an alert matters; a channel takes those from its
// minimum on.
type Severity string

const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// AtLeast says whether s is as severe as least, or more. An unknown or empty
// minimum lets everything pass: a typing error must not silence an alert.
func (s Severity) AtLeast(least Severity) bool { return s.rank() >= least.rank() }

func (s Severity) rank() int {
	switch s {
	case Critical:
		return 2
	case Warning:
		return 1
	case Info:
		return 0
	}
	return 0
}

// ParseSeverity reads a channel's minimum from the configuration. Empty is
// Info.
func ParseSeverity(s string) (Severity, error) {
	switch Severity(s) {
	case Critical, Warning, Info:
		return Severity(s), nil
	case "":
		return Info, nil
	}
	return "", fmt.Errorf("severity %q: want critical, warning or info", cut(s, maxName))
}

// Class says what becomes of an alert.
type Class string

const (
	Page Class = "page" // somebody must act now: repeated while it lasts
	Post Class = "post" // told once
	Log  Class = "log"  // written to the log, never sent to a chat
)

// Fact names a row of a message, built from the facts of a case. A row without
// its facts is left out.
type Fact int

const (
	Cluster   Fact = iota // clusters and owner of the key, from the configuration
	Who                   // the suspect, "not yet known" without one
	Lost                  // permissions that went, and why
	Ends                  // permissions that will go, and why
	NeverHas              // permissions that were never there, and why
	OurRights             // rights of byokwatch itself that are gone, and why
	Doubts                // what can't be decided, and why
	Effects               // what the edit does to others: Kept
	Returned              // with a whole snapshot: all that our write changed
	Done                  // what byokwatch did
	Kept                  // what was kept of their edit
	Left                  // what a restore left out
	Detail                // an error, a marker, a reason
	By                    // who ordered a hold or made a request
	Version               // generation and digest of the snapshot
	Timeline              // lost, seen, restored, confirmed, watched until
	Keys                  // several keys told of at once
	Subject               // event ID
	Unknown               // what nobody knows
	Do                    // what to do now
	Meant                 // how to say that it was meant
)

// Entry declares one alert. Its sentences may hold {placeholders}, listed at
// view.value, and `commands`. A sentence one of whose placeholders has no value
// in a case is passed over.
type Entry struct {
	Code     Code
	Severity Severity
	Class    Class
	// Mark is the coloured sign and the word that begin the title.
	Mark string
	// Headlines ends the title with the first that can be filled.
	Headlines []string
	// Rows are shown in this order.
	Rows []Fact
	// Done is the first that can be filled, Unknown likewise; Do and Meant are
	// all that can.
	Done    []string
	Unknown []string
	Do      []string
	Meant   []string
	// Support adds a summary of the case to send to Confluent Support.
	Support bool
	// Runbook is the anchor of its heading in docs/runbook.md.
	Runbook string
}

// Lookup returns the entry of a code. A code that this version does not know,
// which a newer one may have queued, gets an entry that pages and shows every
// fact, because an alert that we can't name is still an alert.
func Lookup(c Code) Entry {
	for _, e := range Catalogue {
		if e.Code == c {
			return e
		}
	}
	return Entry{
		Code: c, Severity: Critical, Class: Page, Mark: "🔴 UNKNOWN ALERT",
		Headlines: []string{"this version of byokwatch does not know this alert"},
		Rows:      []Fact{Cluster, Who, Lost, NeverHas, OurRights, Doubts, Kept, Left, Detail, By, Version, Timeline, Keys, Subject, Do},
		Do:        []string{"read the facts above; then see which versions of byokwatch share this store, the newest one wrote this"},
		Runbook:   "unknown-alert",
	}
}
