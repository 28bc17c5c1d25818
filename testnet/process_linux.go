package testnet

import "syscall"

// apart puts a node into a process group of its own, so that Ctrl-C reaches
// only the runner, and has the kernel kill it when the runner dies.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
