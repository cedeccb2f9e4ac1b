//go:build !unix

package onnx

import (
	"errors"
	"os"
)

// mapFile declines: a mapped file cannot be replaced on Windows, which would
// make saving over the input impossible. The content is read instead.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return nil }
