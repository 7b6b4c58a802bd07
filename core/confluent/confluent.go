// Package confluent is what Confluent Cloud needs on a customer's key, as data.
// It is the only place that knows: judges turn it into requirements, restores
// into statements, and the CLI into the fragment that a person adds. When
// Confluent changes what it asks for, this package changes and nothing else.
//
// Each cloud has a file of its own. Names are the cloud's concrete permissions,
// never wildcards: a policy that says kms:GenerateDataKey and leaves out the *
// differs from one that says it, and only concrete names show that.
package confluent

import "byokwatch/core"

// Permission is one concrete permission and how much it hurts to lack it.
type Permission struct {
	Name     string
	Severity core.Severity
}
