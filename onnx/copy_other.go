//go:build !linux

package onnx

import "os"

// fastCopy declines; the caller copies through a buffer.
func fastCopy(*sink, *os.File, int64, int64) (int64, error) { return 0, nil }
