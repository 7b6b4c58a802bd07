package awskms

import "encoding/json"

// policy is a key policy as parsed: nothing resolved, nothing lost. parse makes
// it; everything else in this package reads it.
type policy struct {
	Version    string // "" when absent, which IAM reads as 2008-10-17
	ID         string
	Statements []statement
}

// statement is one element of Statement. A nil slice means that the element is
// absent, an empty one that it is there and empty.
type statement struct {
	Sid          string
	Effect       string // Allow or Deny
	Principal    *principals
	NotPrincipal *principals
	Action       []string
	NotAction    []string
	Resource     []string
	NotResource  []string
	Conditions   []condition

	index      int // within Statement, from 0
	start, end int // byte span within the document's text
	raw        json.RawMessage
}

// principals is the value of Principal or NotPrincipal. The bare "*" is
// {"AWS": ["*"]}.
type principals struct {
	AWS, Federated, Service, Canonical []string
}

// condition is one operator over one key; a statement's conditions are ANDed.
type condition struct {
	Operator string   // as written, with ForAllValues:/ForAnyValue: and IfExists
	Key      string   // as written
	Values   []string // bools and numbers as their text
}
