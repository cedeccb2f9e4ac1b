package openvino

import (
	"os"

	"golang.org/x/sys/windows"
)

// takeStdout returns standard output for this package's own use. The C library
// asks for the process's handle when it is loaded, which is later: it gets
// standard error.
func takeStdout() (*os.File, error) {
	stderr, err := windows.GetStdHandle(windows.STD_ERROR_HANDLE)
	if err != nil {
		return nil, err
	}
	return os.Stdout, windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, stderr)
}
