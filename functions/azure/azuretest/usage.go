package azuretest

import "time"

// Use is one use of a permission, whether it was allowed or not. Under access
// policies, too, uses of a key bear the name of the data action.
type Use struct {
	Caller     string // object ID
	Permission string // such as Microsoft.KeyVault/vaults/read
	DataAction bool
	Resource   string // ID, in lower case
	At         time.Time
	Allowed    bool
}

// Write is one change that a call made. Before and After are what a read shows;
// one is empty for what was made or deleted.
type Write struct {
	Op       string // Azure's name of the operation, such as Microsoft.Authorization/roleAssignments/write
	Resource string // ID, in lower case
	Caller   string // object ID
	At       time.Time
	Before   string
	After    string
}
