//go:build !linux

package azuretest

import "os/exec"

// tie does nothing where the system can't tie one process's life to another's:
// there Stop alone ends the handler.
func tie(*exec.Cmd) {}
