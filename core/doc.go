// Package core is the vocabulary of byokwatch: the plain data that every other
// package speaks in, and the sentinel errors that somebody branches on. It has
// no behaviour beyond naming and comparing, and imports only the standard
// library, so that a judge, a store adapter and a chat message can share it
// without knowing of each other.
//
// The flow is always the same. A door turns an event's bytes into [Change]
// values; gathering reads the live [Policy] of the [Key]; judging turns it into
// a [Judgement] and, beside the snapshot's, into a [Verdict]; planning chooses
// a [Candidate]; acting runs its [Step] values.
package core
