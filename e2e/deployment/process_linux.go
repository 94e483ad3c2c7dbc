package deployment

import "syscall"

// attributes let no child outlive the tests.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
