// Package record is what the watchdog remembers, and how it is written so that
// nothing that is read back has to be trusted further than it can be checked.
//
// Three kinds of objects live in a store, each with its own writers and its own
// rule of replacement:
//
//   - records/<cloud>/<slug>-<hash16>.json, one [Record] per key: written by
//     functions only, replaced as a whole and only by compare-and-set.
//   - kept/<cloud>/<slug>-<hash16>/snapshots and …/incidents: written by
//     functions only, created once and never replaced, so that they can stand
//     under a retention lock. They are written before the record that refers to
//     them; one that no record refers to is harmless.
//   - requests/<cloud>/<slug>-<hash16>/{hold,accept,reinstate}.json: written by
//     operators only, and foreign text for us.
//
// A [Snapshot] decides what a restore may give back, so it is sealed: a sum over
// everything in it and, with signing configured, a signature that binds it to
// its key, its generation, its time and the digest before it. A snapshot whose
// seal does not hold is never used, wherever it was found.
//
// A store's adapter is [Objects], three methods; [Store] is everything above it.
package record
