//go:build onnxpass_noexec || !(linux || darwin || windows) || !(amd64 || arm64)

package ort

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Runtime is a loaded ONNX Runtime library; a build without the executor never has one.
type Runtime struct{}

var _ calib.Runner = (*Runtime)(nil)

func declined() error {
	return diag.New("OP6204", "this build of onnxpass cannot execute models").
		Hinted("use the normal release build, which loads ONNX Runtime when needed")
}

// Load declines with OP6204.
func Load(string) (*Runtime, error) { return nil, declined() }

// Close does nothing.
func (*Runtime) Close() error { return nil }

// Name is "none".
func (*Runtime) Name() string { return "none" }

// Version is empty.
func (*Runtime) Version() string { return "" }

// Path is empty.
func (*Runtime) Path() string { return "" }

// Open declines with OP6204.
func (*Runtime) Open(context.Context, *onnx.Model, calib.OpenOptions) (calib.Session, error) {
	return nil, declined()
}

// OpenFile declines with OP6204.
func (*Runtime) OpenFile(context.Context, string, calib.OpenOptions) (calib.Session, error) {
	return nil, declined()
}

// WriteOptimized declines with OP6204.
func (*Runtime) WriteOptimized(context.Context, string, string, calib.OpenOptions) error {
	return declined()
}
