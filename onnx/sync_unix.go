//go:build unix

package onnx

import (
	"errors"
	"os"
	"syscall"
)

// syncFolder makes renames in a folder survive a power cut. File systems that
// cannot sync a folder are left at their own guarantees.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return nil // a folder may be writable and not readable
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
