package azuretest

import (
	"os/exec"
	"syscall"
)

// tie makes a process end with the thread that starts it, so that none is left
// behind however this one ends.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
