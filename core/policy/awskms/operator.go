package awskms

import (
	"strings"

	"byokwatch/core/policy/wording"
)

// operator is a condition operator taken apart.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type operator struct {
	family   family
	relation relation
	negated  bool
	ifExists bool
	set      setOperator
}

type family int

const (
	strange family = iota // not an operator of IAM's: never decided
	stringFamily
	numericFamily
	dateFamily
	boolFamily
	opaqueFamily // BinaryEquals, IpAddress: over values that we never know
	arnFamily
	nullFamily
)

type relation int

const (
	equal relation = iota
	equalFold
	like
	less
	lessOrEqual
	greater
	greaterOrEqual
)

type setOperator int

const (
	single setOperator = iota
	forAll
	forAny
)

// readOperator reads an operator's name. IAM's own names are the only ones
// that KMS stores, so reading them without regard to case decides nothing that
// could be read in another way.
func readOperator(name string) operator {
	var op operator
	base := wording.Lower(name)
	if prefix, rest, ok := strings.Cut(base, ":"); ok {
		switch prefix {
		case "forallvalues":
			op.set = forAll
		case "foranyvalue":
			op.set = forAny
		default:
			return operator{}
		}
		base = rest
	}
	base, op.ifExists = strings.CutSuffix(base, "ifexists")
	op.family, op.relation, op.negated = readBase(base)
	if op.family == nullFamily && (op.ifExists || op.set != single) {
		return operator{}
	}
	return op
}

func readBase(base string) (f family, r relation, negated bool) {
	switch base {
	case "null":
		return nullFamily, equal, false
	case "bool":
		return boolFamily, equal, false
	case "binaryequals", "ipaddress":
		return opaqueFamily, equal, false
	case "notipaddress":
		return opaqueFamily, equal, true
	case "arnequals", "arnlike":
		return arnFamily, like, false
	case "arnnotequals", "arnnotlike":
		return arnFamily, like, true
	}
	if rest, ok := strings.CutPrefix(base, "string"); ok {
		return readRelation(stringFamily, rest)
	}
	if rest, ok := strings.CutPrefix(base, "numeric"); ok {
		return readRelation(numericFamily, rest)
	}
	if rest, ok := strings.CutPrefix(base, "date"); ok {
		return readRelation(dateFamily, rest)
	}
	return strange, equal, false
}

func readRelation(f family, name string) (_ family, r relation, negated bool) {
	switch name {
	case "equals":
		return f, equal, false
	case "notequals":
		return f, equal, true
	}
	if f == stringFamily {
		switch name {
		case "equalsignorecase":
			return f, equalFold, false
		case "notequalsignorecase":
			return f, equalFold, true
		case "like":
			return f, like, false
		case "notlike":
			return f, like, true
		}
		return strange, equal, false
	}
	switch name {
	case "lessthan":
		return f, less, false
	case "lessthanequals":
		return f, lessOrEqual, false
	case "greaterthan":
		return f, greater, false
	case "greaterthanequals":
		return f, greaterOrEqual, false
	}
	return strange, equal, false
}

// holds says whether a comparison's outcome, as cmp.Compare gives it, is what
// the relation asks for.
func (r relation) holds(c int) bool {
	switch r {
	case equal, equalFold, like:
		return c == 0
	case less:
		return c < 0
	case lessOrEqual:
		return c <= 0
	case greater:
		return c > 0
	case greaterOrEqual:
		return c >= 0
	}
	return false
}
