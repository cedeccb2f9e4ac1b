package cleanup

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// evaluate computes output 0 of a node without a runtime; nil when it cannot.
// It knows what moves elements and the arithmetic that IEEE 754 defines to the
// last bit, so the result is that of any runtime.
func evaluate(n *graph.Node, in []*onnx.Tensor) *onnx.Tensor {
	dims, ok := n.Out(0).Shape().Static()
	if !ok || len(in) == 0 || in[0] == nil {
		return nil
	}
	switch n.Op() {
	case "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten":
		return reshaped(in[0], dims)
	case "Transpose":
		return transposed(in[0], n.Ints("perm", nil), dims)
	case "Cast":
		return cast(in[0], onnx.DataType(n.Int("to", 0)))
	case "Sqrt", "Neg", "Abs", "Reciprocal":
		return unary(n.Op(), in[0])
	case "Add", "Sub", "Mul", "Div":
		if n.Version() >= 7 && len(in) == 2 && in[1] != nil {
			return binary(n.Op(), in[0], in[1], dims)
		}
	}
	return nil
}

func reshaped(t *onnx.Tensor, dims []int64) *onnx.Tensor {
	have, err := t.NumElements()
	if err != nil || have != elements(dims) {
		return nil
	}
	return &onnx.Tensor{Type: t.Type, Dims: dims, Data: t.Data, Strings: t.Strings}
}

// transposed moves elements of whole bytes.
func transposed(t *onnx.Tensor, perm, dims []int64) *onnx.Tensor {
	rank := len(t.Dims)
	if perm == nil {
		for i := range rank {
			perm = append(perm, int64(rank-1-i))
		}
	}
	width := t.Type.Bits() / 8
	if width == 0 || len(perm) != rank || len(dims) != rank || t.Data == nil {
		return nil
	}
	src, err := t.Data.Bytes()
	if err != nil || int64(len(src)) != elements(dims)*int64(width) {
		return nil
	}
	strides := rowMajor(t.Dims)
	step := make([]int64, rank)
	for i, p := range perm {
		if p < 0 || p >= int64(rank) || t.Dims[p] != dims[i] {
			return nil
		}
		step[i] = strides[p]
	}
	dst := make([]byte, 0, len(src))
	walk(dims, step, func(at int64) { dst = append(dst, src[at*int64(width):(at+1)*int64(width)]...) })
	return onnx.NewTensor(t.Type, dims, dst)
}

func rowMajor(dims []int64) []int64 {
	out := make([]int64, len(dims))
	step := int64(1)
	for i := len(dims) - 1; i >= 0; i-- {
		out[i] = step
		step *= dims[i]
	}
	return out
}

// walk visits all positions of dims in row-major order and passes the offset that the steps give.
func walk(dims, step []int64, visit func(at int64)) {
	if elements(dims) <= 0 {
		return
	}
	index := make([]int64, len(dims))
	at := int64(0)
	for {
		visit(at)
		i := len(dims) - 1
		for ; i >= 0; i-- {
			index[i]++
			at += step[i]
			if index[i] < dims[i] {
				break
			}
			at -= step[i] * dims[i]
			index[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

func cast(t *onnx.Tensor, to onnx.DataType) *onnx.Tensor {
	if t.Type == to {
		return t
	}
	if !t.Type.IsInteger() && t.Type != onnx.Bool {
		return nil
	}
	x, err := t.Int64s()
	if err != nil {
		return nil
	}
	switch to {
	case onnx.Int64:
		return onnx.From(t.Dims, x)
	case onnx.Int32:
		return narrow[int32](t.Dims, x, math.MinInt32, math.MaxInt32)
	case onnx.Float:
		out := make([]float32, len(x))
		for i, v := range x {
			out[i] = float32(v)
		}
		return onnx.From(t.Dims, out)
	}
	return nil
}

func unary(op string, t *onnx.Tensor) *onnx.Tensor {
	if t.Type != onnx.Float {
		return nil
	}
	x, err := t.Float32s()
	if err != nil {
		return nil
	}
	for i, v := range x {
		switch op {
		case "Sqrt":
			x[i] = float32(math.Sqrt(float64(v)))
		case "Neg":
			x[i] = -v
		case "Abs":
			x[i] = float32(math.Abs(float64(v)))
		case "Reciprocal":
			x[i] = 1 / v
		}
	}
	return onnx.From(t.Dims, x)
}

// binary combines with numpy broadcasting.
func binary(op string, a, b *onnx.Tensor, dims []int64) *onnx.Tensor {
	if a.Type != onnx.Float || b.Type != onnx.Float {
		return nil
	}
	x, errX := a.Float32s()
	y, errY := b.Float32s()
	stepX, stepY := spread(a.Dims, dims), spread(b.Dims, dims)
	if errX != nil || errY != nil || stepX == nil || stepY == nil {
		return nil
	}
	out := make([]float32, 0, elements(dims))
	walk(dims, stepX, func(at int64) { out = append(out, x[at]) })
	i := 0
	walk(dims, stepY, func(at int64) {
		out[i] = combine(op, out[i], y[at])
		i++
	})
	return onnx.From(dims, out)
}

func combine(op string, a, b float32) float32 {
	switch op {
	case "Add":
		return a + b
	case "Sub":
		return a - b
	case "Mul":
		return a * b
	}
	return a / b
}

// spread are the steps through a tensor of dims from that is broadcast to dims to; nil when it cannot be.
func spread(from, to []int64) []int64 {
	shift := len(to) - len(from)
	if shift < 0 {
		return nil
	}
	own := rowMajor(from)
	out := make([]int64, len(to))
	for i, d := range from {
		switch {
		case d == to[shift+i]:
			out[shift+i] = own[i]
		case d != 1:
			return nil
		}
	}
	return out
}
