package core

import "time"

// ChangeKind says what kind of event asked for the look.
type ChangeKind string

const (
	PolicyChange ChangeKind = "policy" // the policy was written
	StateChange  ChangeKind = "state"  // the key was enabled, disabled, scheduled for deletion, …
	GrantRevoked ChangeKind = "grant"  // an AWS grant on the key was revoked or retired
	Tick         ChangeKind = "tick"   // the schedule
)

// Change is one "look at this key". It selects a key and names a suspect; it
// never decides anything, because events can be forged, late and repeated.
type Change struct {
	Key     string     `json:"key"` // Key.ID
	Kind    ChangeKind `json:"kind"`
	EventID string     `json:"eventId"` // stable over redeliveries and re-issues
	At      time.Time  `json:"at"`      // when the cloud says that it happened
	Op      string     `json:"op"`      // the cloud's name of the operation
	Actor   Actor      `json:"actor"`
	// Resource is what the operation was on, in lower case, where an event does
	// not show the policy that it led to: an assignment, a vault. Evidence only.
	Resource string `json:"resource,omitempty"`
	// Takes says that Op by its nature takes access away (DisableKey), as
	// opposed to giving it back (EnableKey).
	Takes bool `json:"takes,omitempty"`
	// Copy holds the documents that the event itself shows. Evidence only.
	Copy []Document `json:"-"`
}

// Actor is who an event names. All of it is foreign text.
type Actor struct {
	ID      string `json:"id,omitempty"`      // ARN, object ID, address of a principal
	Name    string `json:"name,omitempty"`    // the human, as well as the event tells: source identity, else session, else role
	Address string `json:"address,omitempty"` // source IP address
	Agent   string `json:"agent,omitempty"`   // user agent
	Via     string `json:"via,omitempty"`     // service that called on somebody's behalf
}
