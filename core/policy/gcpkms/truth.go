package gcpkms

// truth is Kleene's three-valued logic. Its zero value is unknown, so that what
// nobody decided is never taken for decided.
type truth int8

const (
	unknown truth = iota
	yes
	no
)

func known(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (a truth) and(b truth) truth {
	switch {
	case a == no || b == no:
		return no
	case a == yes && b == yes:
		return yes
	}
	return unknown
}

func (a truth) or(b truth) truth { return a.not().and(b.not()).not() }

func (a truth) not() truth {
	switch a {
	case yes:
		return no
	case no:
		return yes
	case unknown:
	}
	return unknown
}

// agree is what two possible worlds have in common.
func (a truth) agree(b truth) truth {
	if a == b {
		return a
	}
	return unknown
}
