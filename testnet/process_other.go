//go:build unix && !linux

package testnet

import "syscall"

// apart puts a node into a process group of its own, so that Ctrl-C reaches
// only the runner. This system cannot tie its life to the runner's.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
