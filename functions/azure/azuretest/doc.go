// Package azuretest is an Azure small enough to break on purpose: key vaults
// with their keys, access policies and firewalls, role assignments, role
// definitions and deny assignments, in the REST protocols that Microsoft's own
// Go clients speak; a guard that stands before somebody else's Blob emulator and
// checks rights; the events of Azure Resource Manager and Key Vault, in both
// schemas of Event Grid; the Functions host, as a custom handler meets it; and,
// in testdata/events, samples of events.
//
// It exists because of how access to a key behaves there. It hangs on documents
// of two providers, none of which has an ETag; a vault has two ways of deciding,
// and a switch between them that makes the other way count at once; a PUT of a
// vault replaces what it does not name; deleting a vault deletes its
// assignments, and recovering it does not bring them back; disabling a key
// raises no event. The emulator is as strict as the documentation, and where
// that leaves a choice it takes the one that is harder for the caller: a filter
// with spaces in the URL is refused, IDs come back in a casing that nobody sent.
//
// [Cloud] serves two ways: as an [http.Handler] over loopback, for built
// binaries, and as an [http.RoundTripper] in the same process, for tests inside
// a testing/synctest bubble, where sockets hang. Hosts tell its services apart:
// anything under .vault.azure.net (or the sovereign clouds' counterparts) is the
// vault of that name, anything else is Azure Resource Manager. Over loopback one
// address stands for both, and for every vault: there the Host header may say
// acme-vault.vault.azure.net, or the path may begin with the vault's name, as in
// /acme-vault/keys/payments.
//
// Time comes from a function; faults are drawn by package chaostest from a hash
// of the seed, the operation, the resource and the number of the call, so that a
// failure repeats by its seed.
//
// It decides about access by itself, without the product's judge, for callers as
// well as for Confluent's service principal. So [Cloud.Works] is an independent
// answer to the question that everything here turns on.
//
// Known differences from the real service: rights count at once, and only reads
// may show the old state (in Azure changes of role assignments take effect within
// ten minutes). There is one tenant with one subscription, and of the built-in
// roles those that matter here. Of conditions it knows the attributes of role
// assignments, blobs and the time; whatever turns on others gives nothing and,
// in a deny assignment, denies. Codes of errors that Microsoft documents nowhere
// are guesses. Bodies with members that nobody knows are
// refused, where Azure often ignores them. A PUT of a vault is done when it
// answers. Nothing is wrapped in earnest: ciphertext is the version's ID and the
// plaintext. Secrets, certificates, managed HSMs, locks, Azure Policy, Privileged
// Identity Management and Lighthouse do not exist; network security perimeters
// let nobody in. Failed writes raise no event. Only what Key Vault's
// documentation names is known of the data of its VaultAccessPolicyChanged event;
// the values are made up. The Functions host knows triggers of Event Grid and
// timers and no other bindings, and calls a timer only when it is told to.
package azuretest
