package cost

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// params counts constant tensors that hold learned numbers: floating-point and
// narrow integer types, whether initializers or Constant nodes, without the
// scales and zero points of Q/DQ, and without the int64, int32 and bool tensors
// that steer shapes. An int32 tensor counts when it is a quantized bias.
func (c *Cost) params(m *graph.Model) {
	seen := map[*onnx.Tensor]bool{}
	visit := func(v *graph.Value) {
		t := v.Const()
		if t == nil || seen[t] || !learned(v, t) {
			return
		}
		seen[t] = true
		n := elements(t)
		c.Params = add(c.Params, n)
		if t.Data != nil {
			c.ParamBytes = add(c.ParamBytes, t.Data.Len())
		}
	}
	for g := range m.Graphs() {
		for _, v := range g.Initializers() {
			visit(v)
		}
		for n := range g.Nodes() {
			if n.Is("Constant") && n.Out(0) != nil {
				visit(n.Out(0))
			}
		}
	}
}

func learned(v *graph.Value, t *onnx.Tensor) bool {
	switch t.Type {
	case onnx.Int64, onnx.Uint64, onnx.Uint32, onnx.Bool, onnx.String, onnx.Undefined:
		return false
	case onnx.Int32:
		return usedAs(v, func(n *graph.Node, i int) bool {
			return n.Is("DequantizeLinear") && i == 0 || n.Is("QLinearConv") && i == 8
		})
	}
	return !usedAs(v, func(n *graph.Node, i int) bool {
		return n.Is("QuantizeLinear", "DequantizeLinear") && i > 0
	})
}

func usedAs(v *graph.Value, is func(n *graph.Node, input int) bool) bool {
	for _, u := range v.Uses() {
		if is(u.Node, u.Index) {
			return true
		}
	}
	return false
}

func elements(t *onnx.Tensor) int64 {
	n := int64(1)
	for _, d := range t.Dims {
		if d < 0 {
			return 0
		}
		n = mul(n, d)
	}
	return n
}
