package core

import (
	"encoding/json"
	"time"
)

// Step is one API call as data. An adapter is a switch on Op.
type Step struct {
	Op   string          `json:"op"` // the API's own name, such as PutKeyPolicy
	ID   string          `json:"id"` // the resource that it writes
	Body json.RawMessage `json:"body,omitempty"`
	// Command is the same call for a shell. It holds only values that passed
	// the grammar of their ID.
	Command string `json:"command"`
}

// Candidate is a policy that a restore may aim at, and the way there.
type Candidate struct {
	Name string // for the log and the record: patch, snapshot
	// Result is the whole policy as it should read once all steps are done.
	Result Policy
	Steps  []Step
	// After is how long a loss must have been seen before this candidate may be
	// written, where the cloud's own tools replace by delete and create.
	After time.Duration
	// Left says, a sentence each, what this candidate leaves out and why.
	Left []string
}

// Difference is one readable change between two policies.
type Difference struct {
	Change DifferenceKind `json:"change"`
	// Text says it in one line; it holds foreign text.
	Text string `json:"text"`
	// Principal is set on Admits: who is newly let in.
	Principal string `json:"principal,omitempty"`
}

// DifferenceKind classes a Difference by what it does to security.
type DifferenceKind string

const (
	Admits    DifferenceKind = "admits"     // a principal gains a permission by an allow
	Withdraws DifferenceKind = "withdraws"  // a principal loses an allow
	Forbids   DifferenceKind = "forbids"    // a deny is new or wider
	LosesDeny DifferenceKind = "loses-deny" // a deny went or was narrowed
	Other     DifferenceKind = "other"      // key state, metadata, wording
)
