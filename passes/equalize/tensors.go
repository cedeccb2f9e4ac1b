package equalize

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// lazyBytes is the size from which scaled constants are computed when they are written, instead of now.
const lazyBytes = 16 << 20

// scaled is t with element i multiplied by factor(i), in float64 and rounded once.
func scaled(t *onnx.Tensor, factor func(i int) float64) (*onnx.Tensor, error) {
	compute := func() ([]byte, error) {
		x, err := t.Float32s()
		if err != nil {
			return nil, fmt.Errorf("constant %s: %w", t.Name, err)
		}
		y := make([]float32, len(x))
		for i, f := range x {
			y[i] = float32(float64(f) * factor(i))
		}
		return onnx.FromFloat32s(t.Dims, y).Data.Bytes()
	}
	out := &onnx.Tensor{Type: onnx.Float, Dims: t.Dims}
	if t.Data.Len() >= lazyBytes {
		out.Data = onnx.Lazy(t.Data.Len(), compute)
		return out, nil
	}
	b, err := compute()
	if err != nil {
		return nil, err
	}
	return onnx.NewTensor(onnx.Float, t.Dims, b), nil
}

// replace makes the use read the constant t. Others that read the old one keep it.
func replace(u graph.Use, t *onnx.Tensor) {
	old := u.Value()
	if old.IsInit() && old.NumUses() == 1 && old.Graph() == u.Node.Graph() {
		old.SetInit(t)
		return
	}
	u.Set(u.Node.Graph().Init(old.Name()+"_equalized", t))
	release(old)
}

// release removes a constant that nobody reads any more.
func release(v *graph.Value) {
	switch {
	case v.NumUses() > 0:
	case v.IsInit() && !v.IsInput():
		v.RemoveInit()
	case v.Def() != nil:
		v.Def().Remove()
	}
}

// spread is a constant of one element, or of one for each channel along the
// axis, as one element for each channel: dims are those that broadcast against
// a tensor of the given rank. It is nil when t is anything else.
func spread(t *onnx.Tensor, axis, rank, channels int) *onnx.Tensor {
	n, err := t.NumElements()
	if err != nil || t.Type != onnx.Float || n != 1 && n != int64(channels) || len(t.Dims) > rank {
		return nil
	}
	at := axis - (rank - len(t.Dims))
	if n > 1 && (at < 0 || t.Dims[at] != n) {
		return nil
	}
	x, err := t.Float32s()
	if err != nil {
		return nil
	}
	dims := make([]int64, rank-axis)
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = int64(channels)
	y := make([]float32, channels)
	for i := range y {
		y[i] = x[i%len(x)]
	}
	return onnx.FromFloat32s(dims, y)
}

// vector is factors as a constant that broadcasts along the axis of a tensor of the given rank.
func vector(f []float64, axis, rank int) *onnx.Tensor {
	dims := make([]int64, rank-axis)
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = int64(len(f))
	y := make([]float32, len(f))
	for i, v := range f {
		y[i] = float32(v)
	}
	return onnx.FromFloat32s(dims, y)
}
