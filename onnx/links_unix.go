//go:build unix

package onnx

import (
	"io/fs"
	"syscall"
)

// links is the number of names that a file has.
func links(st fs.FileInfo) uint64 {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink) //nolint:unconvert // 64 bits wide on some systems only
	}
	return 1
}
