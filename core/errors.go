package core

import "errors"

// Sentinels that callers branch on. An adapter maps its SDK's typed errors to
// them in one place; nobody ever matches an error's text.
var (
	// ErrNotFound: the object or key is absent in a place that we may read.
	// A refusal is never ErrNotFound.
	ErrNotFound = errors.New("not found")
	// ErrConflict: somebody else wrote first; look again.
	ErrConflict = errors.New("changed meanwhile")
	// ErrDenied: our identity lacks the right. Final until somebody grants it.
	ErrDenied = errors.New("access denied")
	// ErrRejected: the cloud refuses this very request, however often it is sent.
	ErrRejected = errors.New("rejected")
)
