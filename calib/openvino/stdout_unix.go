//go:build linux || darwin

package openvino

import (
	"os"

	"golang.org/x/sys/unix"
)

// takeStdout returns standard output for this package's own use and points the
// descriptor 1 of the process to standard error.
func takeStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup2(2, 1); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "stdout"), nil
}
