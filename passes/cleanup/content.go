package cleanup

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
)

// constant is the content of a value that is the same in every execution; nil
// for others, also for initializers that a caller may override.
func constant(v *graph.Value) *onnx.Tensor {
	if v == nil || v.IsInput() {
		return nil
	}
	return v.Const()
}

// floats is the content of a constant float32 or float64 value of at most limit elements.
func floats(v *graph.Value, limit int64) ([]float64, bool) {
	t := constant(v)
	if t == nil || t.Type != onnx.Float && t.Type != onnx.Double {
		return nil, false
	}
	if n, err := t.NumElements(); err != nil || n > limit {
		return nil, false
	}
	x, err := t.Float64s()
	return x, err == nil
}

// ints is the content of a value when inference knows all of it.
func ints(v *graph.Value) ([]int64, bool) {
	if v == nil {
		return nil, false
	}
	if v.IsInput() {
		return nil, false
	}
	if t := v.Const(); t != nil {
		if n, err := t.NumElements(); err != nil || n > maxKnown || !t.Type.IsInteger() && t.Type != onnx.Bool {
			return nil, false
		}
		x, err := t.Int64s()
		return x, err == nil
	}
	dims := v.Ints()
	if dims == nil {
		return nil, false
	}
	out := make([]int64, len(dims))
	for i, d := range dims {
		if d.Value == infer.Unknown || d.Param != "" {
			return nil, false
		}
		out[i] = d.Value
	}
	return out, true
}

// maxKnown bounds the contents that are looked at element by element.
const maxKnown = 4096

// known is the tensor of a value that is no constant but whose content follows from shapes; nil when it does not.
func known(v *graph.Value) *onnx.Tensor {
	if v == nil || v.Def() == nil || v.Const() != nil {
		return nil
	}
	x, ok := ints(v)
	if !ok {
		return nil
	}
	dims, ok := v.Shape().Static()
	if !ok || elements(dims) != int64(len(x)) {
		return nil
	}
	switch v.Elem() {
	case onnx.Int64:
		return onnx.From(dims, x)
	case onnx.Int32:
		return narrow[int32](dims, x, math.MinInt32, math.MaxInt32)
	case onnx.Bool:
		t := narrow[uint8](dims, x, 0, 1)
		if t != nil {
			t.Type = onnx.Bool
		}
		return t
	}
	return nil
}

func narrow[T int32 | uint8](dims, x []int64, low, high int64) *onnx.Tensor {
	out := make([]T, len(x))
	for i, v := range x {
		if v < low || v > high {
			return nil
		}
		out[i] = T(v)
	}
	return onnx.From(dims, out)
}

// elements is the product of dims; -1 when it is negative or overflows.
func elements(dims []int64) int64 {
	n, err := (&onnx.Tensor{Dims: dims}).NumElements()
	if err != nil {
		return -1
	}
	return n
}

// bytesOf is the size of a value of known type; ok is false when it is not known.
func bytesOf(v *graph.Value) (int64, bool) {
	n, ok := v.Shape().Elements()
	if !ok {
		return 0, false
	}
	return v.Elem().RawSize(n)
}

// sameShape reports whether two shapes are certainly equal.
func sameShape(a, b graph.Shape) bool {
	if !a.Ranked || !b.Ranked || len(a.Dims) != len(b.Dims) {
		return false
	}
	for i, d := range a.Dims {
		if !d.Same(b.Dims[i]) {
			return false
		}
	}
	return true
}
