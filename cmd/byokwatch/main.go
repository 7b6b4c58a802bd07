// Byokwatch is the command line of byokwatch: it checks a key policy before it
// is applied, shows what the watchdog has recorded, and carries an operator's
// orders to it (hold, release, revoke, reinstate, snapshot accept). It also runs
// the local stack, in which the real function binaries give a key back on
// emulators of the clouds.
//
// The command line judges by the same code as the functions and never writes
// what is theirs: records and snapshots are written by the functions alone,
// orders are laid down beside them. The one exception is a store in a directory,
// where `byokwatch sweep` is the function.
//
// One file holds one command. What commands share is in app.go (running and
// exit codes), connect.go (configuration and stores), cloud.go (the table of
// what differs between clouds; aws*.go, clients.go and gcp*.go are its entries),
// report.go and text.go (how a judgement is shown).
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
