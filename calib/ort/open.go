//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// Open writes m to a private temporary folder and loads it from there, which
// costs less time and memory than handing over bytes. Where the system allows,
// the folder is deleted as soon as the model is loaded, so that not even a
// killed process leaves it behind.
func (r *Runtime) Open(ctx context.Context, m *onnx.Model, o calib.OpenOptions) (calib.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, remove, err := calib.TempFile(m)
	if err != nil {
		return nil, err
	}
	s, err := r.openFile(ctx, path, o, "")
	if err != nil {
		_ = remove()
		return nil, err
	}
	if remove() != nil { // Windows keeps files that are mapped
		s.cleanup = remove
	}
	return s, nil
}
