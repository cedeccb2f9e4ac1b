package prune

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
)

// coded says at which inputs an operator on integer codes has its weights, their scales and their zero points; 0: none.
type coded struct{ weight, scale, zero int }

var codedOps = map[string]coded{
	"ConvInteger": {1, 0, 3}, "MatMulInteger": {1, 0, 3}, "QLinearConv": {3, 4, 5}, "QLinearMatMul": {3, 4, 5},
	"QGemm": {3, 4, 5}, "MatMulIntegerToFloat": {1, 3, 5},
}

// produced reads the constant that a layer makes channels from, as numbers: floats,
// or integer codes with the scales and zero points of the operator that reads them.
func produced(at axes.Axis) (matrix, bool) {
	if w, ok := weights(at.Value); ok {
		return w, true
	}
	if at.Value.Const() == nil {
		return matrix{}, false
	}
	for _, u := range at.Value.Uses() {
		if c, ok := codedOps[u.Node.Op()]; ok && u.Index == c.weight {
			return decoded(u.Node, at, c)
		}
	}
	return matrix{}, false
}

func decoded(n *graph.Node, at axes.Axis, c coded) (matrix, bool) {
	t := at.Value.Const()
	codes, err := t.Int64s()
	if err != nil {
		return matrix{}, false
	}
	scale, ok := operand(n, c.scale, 1)
	zero, ok2 := operand(n, c.zero, 0)
	if !ok || !ok2 {
		return matrix{}, false
	}
	m := matrix{t.Dims, make([]float64, len(codes))}
	inner, size := m.inner(at.Axis), m.dims[at.Axis]
	for i, code := range codes {
		k := int(int64(i) / inner % size)
		m.at[i] = scale[k%len(scale)] * (float64(code) - zero[k%len(zero)])
	}
	return m, true
}

// operand is the content of a constant input, def when there is none.
func operand(n *graph.Node, i int, def float64) ([]float64, bool) {
	v := n.In(i)
	if i == 0 || v == nil {
		return []float64{def}, true
	}
	if v.Const() == nil {
		return nil, false
	}
	t := v.Const()
	if t.Type.IsFloat() {
		list, err := t.Float64s()
		return list, err == nil && len(list) > 0
	}
	codes, err := t.Int64s()
	list := make([]float64, len(codes))
	for k, c := range codes {
		list[k] = float64(c)
	}
	return list, err == nil && len(list) > 0
}
