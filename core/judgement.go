package core

import "time"

// Result answers one Requirement. The zero value is Undetermined, so that what
// nobody filled in is never taken for fine.
type Result int

const (
	Undetermined Result = iota
	Met
	Missing
)

func (r Result) String() string {
	switch r {
	case Met:
		return "met"
	case Missing:
		return "missing"
	case Undetermined:
		return "undetermined"
	}
	return "undetermined"
}

// WorseThan orders results from Missing over Undetermined to Met.
func (r Result) WorseThan(other Result) bool { return r.rank() < other.rank() }

func (r Result) rank() int {
	switch r {
	case Met:
		return 2
	case Undetermined:
		return 1
	case Missing:
	}
	return 0
}

// MarshalText makes JSON say met, missing or undetermined.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes; anything else is Undetermined.
func (r *Result) UnmarshalText(b []byte) error {
	switch string(b) {
	case "met":
		*r = Met
	case "missing":
		*r = Missing
	default:
		*r = Undetermined
	}
	return nil
}

// Severity says how much a missing Requirement hurts.
type Severity string

const (
	Critical Severity = "critical" // without it Kafka stops
	Warning  Severity = "warning"  // worth telling, never changes a verdict
)

// Aspect says what a Requirement is about.
type Aspect string

const (
	Access   Aspect = "access"   // a permission of a Confluent principal
	Property Aspect = "property" // a property of the key itself, such as being enabled
	Own      Aspect = "own"      // a right of the watchdog; it decides Writable only
)

// Requirement is one permission that one principal must have, or one property
// that the key must have. It is comparable and serves as a map key.
type Requirement struct {
	Aspect     Aspect   `json:"aspect"`
	Principal  string   `json:"principal"` // empty for a property
	Permission string   `json:"permission"`
	Severity   Severity `json:"severity"`
}

// Finding is the result for one Requirement and what decided it.
type Finding struct {
	Requirement
	Result   Result     `json:"result"`
	Reason   string     `json:"reason"`           // one sentence; holds text of the policy, so it is foreign
	Remedy   string     `json:"remedy,omitempty"` // what a person may write instead, where that is known
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence points at a clause that decided a Finding.
type Evidence struct {
	Document string `json:"document"` // Document.ID
	// Kind tells documents of one ID apart; empty where a cloud has but one that
	// decides.
	Kind      Kind   `json:"kind,omitempty"`
	Statement int    `json:"statement"` // index within its document, from 0
	Sid       string `json:"sid,omitempty"`
	Start     int    `json:"start"` // byte span within Document.Text
	End       int    `json:"end"`
	// Clause is the canonical digest of the deciding clause: the same clause,
	// reordered or reformatted, has the same one.
	Clause Digest `json:"clause"`
	// ConfluentOnly marks a Deny that names nobody but Confluent: nobody writes
	// one by mistake.
	ConfluentOnly bool `json:"confluentOnly,omitempty"`
}

// Question is what a judge is asked about a Policy. Nothing else may enter its
// answer.
type Question struct {
	Key   Key
	Needs []Requirement
	// Self is the watchdog's own identity (role ARN, object ID, service
	// account), empty when unknown.
	Self string
	At   time.Time
}

// Judgement is a judge's answer about one Policy, without regard to any other.
type Judgement struct {
	// Digest is that of Trim(policy).
	Digest   Digest
	Findings []Finding // one for each of Question.Needs, in that order
	// Writable says whether Self may write this policy again.
	Writable Result
	// Revoked is set by the owner's marker on the key; Marker is its text.
	Revoked bool
	Marker  string
	// Disabled is a key that nobody can use, whatever its policy says;
	// Deleting one that is scheduled for deletion.
	Disabled bool
	Deleting bool
	// Expires is the first moment after the question's at which something Met
	// no longer is; zero when nothing ends.
	Expires time.Time
	// Ends is when the key's own validity ends or ended, zero where it has no
	// end. It is told, and keeps nothing from being promoted.
	Ends time.Time
	// Assumed lists what could only take access away and can't be seen.
	Assumed []string
}

// State is the word for the whole key.
type State string

const (
	Intact  State = "intact"
	Broken  State = "broken"
	Unclear State = "undetermined"
)

// Verdict is the judgement over one key relative to its snapshot.
type Verdict struct {
	State    State
	Findings []Finding
	Lost     []Requirement // critical, missing now, met in the snapshot
	Never    []Requirement // critical, missing now, not met in the snapshot either
	Doubt    []Finding     // undetermined for other reasons than in the snapshot
}
