// Package keyvault reads and writes what decides about a key in Azure Key Vault
// for the watchdog. It is the adapter and nothing else: it turns the answers of
// Azure Resource Manager into the documents that az would print, runs the steps
// that somebody else decided on, and says what Azure's errors mean.
//
// Access to a key comes from the vault's own access policies or from role
// assignments at the key and above it, through roles whose content may change
// while no assignment does. So a read asks for the vault, the key, its versions,
// what is assigned to Confluent and to ourselves, and what is denied; and for
// those roles that nobody knows by heart. A refusal is told, in the place of the
// document. Any other failure ends the read: what could not be read for a moment
// must not look like what is not there.
//
// The documents are made of what Azure sends, to the byte, and not of the models
// of Microsoft's clients: those drop what they don't know, such as the condition
// inside a role's permissions. They also paste a filter into a URL as it is. So
// requests are made here, and sent through Microsoft's pipeline, which brings the
// token; that they are the requests which its clients would make is a test.
//
// Azure's management plane has no ETag for a vault, and a PUT of one would drop
// what others did. Only additions are made, and updates that name what they
// change.
package keyvault
