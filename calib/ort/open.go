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
	if misread(m) {
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

// misread says whether the main graph has a QuantizeLinear whose scale has 16 bits or whose codes are float8.
// Optimizations of versions up to 1.32 at least compare Relu and Clip in front of it with the range of the codes, take
// the scale for float32 or the zero point for the least code, and drop them: results are wrong without a word.
func misread(m *onnx.Model) bool {
	if m.Graph == nil {
		return false
	}
	types := map[string]onnx.DataType{}
	for _, t := range m.Graph.Initializer {
		types[t.Name] = t.Type
	}
	return slices.ContainsFunc(m.Graph.Node, func(n *onnx.Node) bool {
		if n.OpType != "QuantizeLinear" || len(n.Input) < 3 {
			return false
		}
		scale, zero := types[n.Input[1]], types[n.Input[2]]
		return scale == onnx.Float16 || scale == onnx.BFloat16 || zero.IsFloat8()
	})
}
