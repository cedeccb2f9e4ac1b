package target

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// qdq are the two operators of a pair.
var qdq = []string{"QuantizeLinear", "DequantizeLinear"}

// linear are the operators whose products are worth 8 bits.
var linear = []string{"Conv", "ConvTranspose", "Gemm", "MatMul"}

// constant is the tensor that v holds, seen through Identity and Cast; nil when it is computed.
func constant(v *graph.Value) *onnx.Tensor {
	for range 8 {
		if v == nil {
			return nil
		}
		if t := v.Const(); t != nil {
			return t
		}
		d := v.Def()
		if d == nil || !d.Is("Identity", "Cast") {
			return nil
		}
		v = d.In(0)
	}
	return nil
}

// scales are the scale elements of a Q/DQ node; nil when they are computed or not floats.
func scales(n *graph.Node) []float32 {
	t := constant(n.In(1))
	if t == nil {
		return nil
	}
	return floats(t)
}

// zeroPoints are the zero-point elements of a Q/DQ node, one 0 when the input is absent; nil when they are computed.
func zeroPoints(n *graph.Node) []int64 {
	if n.In(2) == nil {
		return []int64{0}
	}
	t := constant(n.In(2))
	if t == nil {
		return nil
	}
	return integers(t)
}

// zeroPoint is the common zero point of a Q/DQ node, and whether it is known and the same everywhere.
func zeroPoint(n *graph.Node) (int64, bool) {
	z := zeroPoints(n)
	if len(z) == 0 {
		return 0, false
	}
	return z[0], slices.Max(z) == z[0] && slices.Min(z) == z[0]
}

// quantized is the element type on the integer side of a Q/DQ node.
func quantized(n *graph.Node) onnx.DataType {
	if n.Op() == "DequantizeLinear" && n.In(0) != nil && n.In(0).Elem() != onnx.Undefined {
		return n.In(0).Elem()
	}
	if z := n.In(2); z != nil {
		return z.Elem()
	}
	if t := onnx.DataType(n.Int("output_dtype", 0)); t != onnx.Undefined {
		return t
	}
	return onnx.Uint8
}

// dequantizer is the DequantizeLinear that computes v, or nil.
func dequantizer(v *graph.Value) *graph.Node {
	if v == nil || v.Def() == nil || !v.Def().Is("DequantizeLinear") {
		return nil
	}
	return v.Def()
}

// quantizer is the QuantizeLinear behind a DequantizeLinear, or nil.
func quantizer(dq *graph.Node) *graph.Node {
	if dq == nil || dq.In(0) == nil || dq.In(0).Def() == nil || !dq.In(0).Def().Is("QuantizeLinear") {
		return nil
	}
	return dq.In(0).Def()
}

// isWeight says whether a DequantizeLinear restores a constant: an integer
// initializer, or a float one behind QuantizeLinear.
func isWeight(dq *graph.Node) bool {
	if dq.In(0) == nil {
		return false
	}
	if dq.In(0).Const() != nil {
		return true
	}
	q := quantizer(dq)
	return q != nil && constant(q.In(0)) != nil
}

// activation is the DequantizeLinear of a computed tensor that v comes from, or nil.
func activation(v *graph.Value) *graph.Node {
	if dq := dequantizer(v); dq != nil && dq.In(0) != nil && !isWeight(dq) {
		return dq
	}
	return nil
}

// weight is the DequantizeLinear of a constant that v comes from, or nil.
func weight(v *graph.Value) *graph.Node {
	if dq := dequantizer(v); dq != nil && isWeight(dq) {
		return dq
	}
	return nil
}

// soleReader is the node that reads v when there is exactly one, and it is not a graph output.
func soleReader(v *graph.Value) *graph.Node {
	if v == nil || v.NumUses() != 1 || v.Uses()[0].IsReturn() {
		return nil
	}
	return v.Uses()[0].Node
}

// feedsQuantizer says whether a reader of v is QuantizeLinear.
func feedsQuantizer(v *graph.Value) bool {
	return v != nil && slices.ContainsFunc(v.Uses(), func(u graph.Use) bool {
		return !u.IsReturn() && u.Node.Is("QuantizeLinear")
	})
}

// rank is the number of dimensions of v, or -1.
func rank(v *graph.Value) int {
	if v == nil || !v.Shape().Ranked {
		return -1
	}
	return len(v.Shape().Dims)
}

// axis is the axis attribute of a Q/DQ node counted from the front, or -1 when the rank is unknown.
func axis(n *graph.Node) int {
	a, r := int(n.Int("axis", 1)), rank(n.In(0))
	if a < 0 {
		if r < 0 {
			return -1
		}
		a += r
	}
	return a
}

// WeightAxis is the axis of the output channels in the weight of a linear
// operator: Conv 0, ConvTranspose 1, Gemm 0 when the weight is transposed and 1
// otherwise, MatMul the last one of a matrix. It is -1, one scale for the
// tensor, for a batch of matrices, whose kernels take no other (ONNX Runtime
// fails at run time), and for other operators.
func WeightAxis(n *graph.Node, weightRank int) int {
	switch {
	case n.Is("Conv"):
		return 0
	case n.Is("ConvTranspose"):
		return 1
	case n.Is("Gemm"):
		return int(1 - n.Int("transB", 0))
	case n.Is("MatMul") && weightRank == 2:
		return 1
	}
	return -1
}

// depthwise says whether a convolution has one filter for each input channel.
func depthwise(n *graph.Node) bool {
	if !n.Is("Conv", "ConvTranspose") || n.In(1) == nil {
		return false
	}
	s := n.In(1).Shape()
	return n.Int("group", 1) > 1 && s.Ranked && len(s.Dims) > 1 && s.Dims[1].Value == 1
}
