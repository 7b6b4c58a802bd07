package record

import "errors"

var (
	// ErrInvalid: an object is there, but does not parse, belongs to another
	// key, or its seal does not hold. Nothing in it may be used.
	ErrInvalid = errors.New("stored object is not valid")
	// ErrNewer: an object was written by a newer byokwatch. It is fine where it
	// is and must not be replaced by us.
	ErrNewer = errors.New("stored object has a newer format")
	// ErrTooLarge: what should be stored is larger than MaxObject.
	ErrTooLarge = errors.New("object is too large to store")
)
