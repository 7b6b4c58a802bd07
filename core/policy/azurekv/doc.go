// Package azurekv judges whether Confluent Cloud can use a key in Azure Key
// Vault and finds the way back to a policy that lets it. It is pure: documents
// in, findings and steps out.
//
// Judging is by effective permission, never by the name of a role. A vault has
// one of two permission models, and its own switch says which. Under Azure RBAC
// every role assignment that reaches the key or its vault is read as Azure reads
// it: from the key up to the tenant's root, each through what its role's
// definition really gives (a custom role can be gutted without any assignment
// changing), under its condition, minus the deny assignments. Under vault access
// policies the entry of Confluent's service principal counts. What the vault's
// firewall lets in, what state the key and its versions are in and whether they
// can be purged is judged beside it.
//
// The evaluation is three-valued. Of a request by Confluent we know the
// principal, the key, the action and the time, but not who is a member of which
// group, nor what attributes conditions may turn on; what turns on those is left
// undetermined, and the evidence names it. docs/semantics-azure.md tells the
// rules and where they knowingly differ from Azure's.
package azurekv
