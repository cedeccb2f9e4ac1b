//go:build !onnxpass_noexec && (linux || darwin || windows) && (amd64 || arm64)

package ort

import (
	"context"
	"slices"

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
	if quantizesToFloat8(m) {
		o.Optimization = calib.Exact
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

// quantizesToFloat8 says whether a tensor of the main graph becomes float8. Optimizations of versions up to 1.32 at
// least drop a Relu in front of such a QuantizeLinear, since its zero point is 0, and refuse a Clip there.
func quantizesToFloat8(m *onnx.Model) bool {
	if m.Graph == nil {
		return false
	}
	float8 := map[string]bool{}
	for _, t := range m.Graph.Initializer {
		if t.Type.IsFloat8() {
			float8[t.Name] = true
		}
	}
	if len(float8) == 0 {
		return false
	}
	return slices.ContainsFunc(m.Graph.Node, func(n *onnx.Node) bool {
		return n.OpType == "QuantizeLinear" && len(n.Input) > 2 && float8[n.Input[2]]
	})
}
