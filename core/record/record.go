package record

import (
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
)

// Format is the version of Record's JSON. A function never reads a newer one.
const Format = 1

// Record is everything the watchdog remembers of one key: one object, replaced
// as a whole and only by compare-and-set. Its zero value is that of a key never
// seen.
type Record struct {
	Format int `json:"format"`
	// Revision is unique to one save, so that a writer whose answer was lost
	// recognises its own write.
	Revision string    `json:"revision"`
	Key      string    `json:"key"`
	Saved    time.Time `json:"saved"`

	Snapshot *Snapshot `json:"snapshot,omitempty"` // last-known-good
	Incident *Incident `json:"incident,omitempty"` // the open one
	// Restores are the newest confirmed or attempted ones, oldest first, at
	// most MaxRestores.
	Restores []Restore `json:"restores,omitempty"`
	// Writes are the newest writes that we made or were about to make, oldest
	// first, at most MaxRestores: what an event of ours is known by.
	Writes []Write `json:"writes,omitempty"`
	// Seen are the newest changes that events told of, oldest first, at most
	// MaxSeen.
	Seen []Sighting `json:"seen,omitempty"`
	// Revocation is kept once seen and ends only by a reinstate request.
	Revocation *Revocation `json:"revocation,omitempty"`
	// Hint is a loss that an event showed and no read has shown yet.
	Hint *Hint `json:"hint,omitempty"`
	// Suspects are writes that carry our identity and are not known to be ours.
	Suspects []Suspect `json:"suspects,omitempty"`
	// Served are the requests already acted on, by name, with the store's time
	// of the object that was served.
	Served map[string]time.Time `json:"served,omitempty"`
	// Outbox holds the alerts not yet accepted by every channel.
	Outbox []Notice `json:"outbox,omitempty"`
	// Told remembers alerts by ID, so that each is told once, or repeated only
	// when its time has come.
	Told map[string]Told `json:"told,omitempty"`
	// Cursor is the key at which the next sweep starts, after one that ran out
	// of time. Only in the record of a roster.
	Cursor string `json:"cursor,omitempty"`
	// Unadopted says that snapshots existed and none can be trusted any more:
	// nothing becomes last-known-good but by acceptance.
	Unadopted bool `json:"unadopted,omitempty"`
	// Protects lists what the configuration protected at the last look, to
	// notice when it protects less.
	Protects []string `json:"protects,omitempty"`
}

// Sighting is a change that an event told of, with the digest of the documents
// that the event itself showed and which they were; both empty when it showed
// none.
type Sighting struct {
	core.Change
	Shown core.Digest `json:"shown,omitempty"`
	Docs  []core.Ref  `json:"docs,omitempty"`
	Noted time.Time   `json:"noted"` // when we heard of it
	// Revokes says that what it showed carries the mark of a revocation.
	Revokes bool `json:"revokes,omitempty"`
}

const (
	MaxRestores = 20
	MaxSeen     = 20
	// MaxOutbox bounds the alerts that wait for a channel.
	MaxOutbox = 60
)

// Snapshot is last-known-good, sealed by Sum and, where signing is configured,
// by Signature.
type Snapshot struct {
	Key        string      `json:"key"`
	Generation int         `json:"generation"` // from 1, without gaps per key
	At         time.Time   `json:"at"`
	Digest     core.Digest `json:"digest"`
	Previous   core.Digest `json:"previous,omitempty"` // digest of the generation before
	Policy     core.Policy `json:"policy"`
	// Cause is the change that led here; Incident, the restore that did.
	Cause    core.Change `json:"cause,omitzero"`
	Incident string      `json:"incident,omitempty"`
	// Accepted names who declared it good by request, empty if it was promoted.
	Accepted string `json:"accepted,omitempty"`

	Sum       string `json:"sum"`                 // hex SHA-256 of this object without Sum and Signature
	Signature []byte `json:"signature,omitempty"` // over Statement
}

// Incident is the durable record of one departure from Intact.
type Incident struct {
	ID     string    `json:"id"`
	Opened time.Time `json:"opened"`
	// LostAt is when access went, as far as an event tells; else Opened.
	LostAt time.Time `json:"lostAt"`
	// Since is when the present loss was first seen; zero while nothing is lost.
	Since time.Time `json:"since,omitzero"`
	Phase Phase     `json:"phase"`
	// Verdict and Replaced are what was found when it was opened, or when it
	// last got worse; Replaced is the policy that a restore replaced, whole.
	State    core.State         `json:"state"`
	Findings []core.Finding     `json:"findings"`
	Lost     []core.Requirement `json:"lost,omitempty"`
	Never    []core.Requirement `json:"never,omitempty"`
	Digest   core.Digest        `json:"digest"`
	Replaced core.Policy        `json:"replaced,omitempty"`
	// Who is whom events name for it; nil while nobody is known. Others came
	// while it was open or watched, oldest first, at most MaxSeen.
	Who    *core.Change  `json:"who,omitempty"`
	Others []core.Change `json:"others,omitempty"`

	Intent *Intent `json:"intent,omitempty"`
	// Candidate is the name of the restore last written, Left what it left out.
	Candidate string    `json:"candidate,omitempty"`
	Left      []string  `json:"left,omitempty"`
	Restored  time.Time `json:"restored,omitzero"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	Watch     time.Time `json:"watch,omitzero"` // watched until
	Closed    time.Time `json:"closed,omitzero"`
	Outcome   string    `json:"outcome,omitempty"`
	// Tried says, a line each, what the last attempt tried in vain; the next
	// one is not before Retry.
	Tried []string  `json:"tried,omitempty"`
	Retry time.Time `json:"retry,omitzero"`
	// Denied says that the last attempt failed for want of a right.
	Denied bool `json:"denied,omitempty"`
	// Asked is when people were asked whether the loss is meant.
	Asked time.Time `json:"asked,omitzero"`
	// Held says that the loss was seen while a hold was in force.
	Held bool `json:"held,omitempty"`
}

// Phase is how far an incident has come.
type Phase string

const (
	Open       Phase = "open"       // found, nothing written
	Restoring  Phase = "restoring"  // intent saved
	Restored   Phase = "restored"   // written, not yet confirmed
	Watching   Phase = "watching"   // confirmed, watched for half an hour
	Partial    Phase = "partial"    // something is back, something is not
	Unrestored Phase = "unrestored" // nothing could be done
)

// Intent is written before a restore and is a lease: until Deadline nobody else
// writes this key, after it anyone may take over.
type Intent struct {
	Invocation string      `json:"invocation"`
	At         time.Time   `json:"at"`
	Deadline   time.Time   `json:"deadline"`
	From       core.Digest `json:"from"`
	To         core.Digest `json:"to"`
	Candidate  string      `json:"candidate"`
}

// Restore is one write that we made.
type Restore struct {
	At       time.Time   `json:"at"`   // the write
	Read     time.Time   `json:"read"` // the last read before it
	From     core.Digest `json:"from"`
	To       core.Digest `json:"to"`
	Incident string      `json:"incident"`
}

// Write is one write as we planned it, whether or not it came to pass: it is
// recorded before it is made.
type Write struct {
	At       time.Time `json:"at"`    // planned
	Until    time.Time `json:"until"` // not made after
	Ops      []string  `json:"ops"`   // the steps' operations
	Docs     []Wrote   `json:"docs"`
	Incident string    `json:"incident"`
}

// Wrote is one document of a Write: its digest alone, before and after, which
// is what an event shows.
type Wrote struct {
	core.Ref
	From core.Digest `json:"from"`
	To   core.Digest `json:"to"`
}

// Revocation is the owner's order, without end, that Confluent shall have no
// access.
type Revocation struct {
	Since    time.Time `json:"since"`
	Marker   string    `json:"marker"`
	Vanished time.Time `json:"vanished,omitzero"` // when the marker was first missing
}

// Hint is a loss that an event's own copy shows.
type Hint struct {
	EventID string    `json:"eventId"`
	At      time.Time `json:"at"`
	Since   time.Time `json:"since"`
}

// Suspect is a write by our own identity of which nothing is on record.
type Suspect struct {
	EventID string      `json:"eventId"`
	Op      string      `json:"op"`
	At      time.Time   `json:"at"`
	Seen    time.Time   `json:"seen"`
	Shown   core.Digest `json:"shown,omitempty"` // as in Sighting
	Docs    []core.Ref  `json:"docs,omitempty"`
	// Resource is what it was on, as in core.Change.
	Resource string `json:"resource,omitempty"`
}

// Notice is an alert on its way: code and data only, rendered when sent.
type Notice struct {
	Alert alert.Alert `json:"alert"`
	// Sent says by channel how far the delivery has come.
	Sent map[string]Delivery `json:"sent,omitempty"`
}

// Delivery is one alert to one channel.
type Delivery struct {
	Claimed  string    `json:"claimed,omitempty"` // invocation that is sending
	Until    time.Time `json:"until,omitzero"`    // its claim's end
	Accepted time.Time `json:"accepted,omitzero"`
	Tries    int       `json:"tries,omitempty"`
	Next     time.Time `json:"next,omitzero"` // not before, after a failure
}

// Told is when an alert was last queued and how often.
type Told struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Count int       `json:"count"`
}
