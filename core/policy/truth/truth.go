// Package truth is three-valued logic for judges: what a policy says of a
// request of which not everything is known.
package truth

// Truth is Kleene's three-valued logic. Its zero value is Unknown, so that what
// nobody decided is never taken for decided.
type Truth int8

const (
	Unknown Truth = iota
	Yes
	No
)

// Known is the truth of what is decided.
func Known(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// And is No if either is, and Yes only if both are.
func (a Truth) And(b Truth) Truth {
	switch {
	case a == No || b == No:
		return No
	case a == Yes && b == Yes:
		return Yes
	}
	return Unknown
}

// Or is Yes if either is, and No only if both are.
func (a Truth) Or(b Truth) Truth { return a.Not().And(b.Not()).Not() }

// Not leaves Unknown as it is.
func (a Truth) Not() Truth {
	switch a {
	case Yes:
		return No
	case No:
		return Yes
	case Unknown:
	}
	return Unknown
}

// Agree is what two possible worlds have in common.
func (a Truth) Agree(b Truth) Truth {
	if a == b {
		return a
	}
	return Unknown
}
