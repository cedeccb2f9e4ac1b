package cost

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// operands are the input indices of data and weights of the operators counted by a formula over them.
var operands = map[string]struct{ data, weight int }{
	"Conv": {0, 1}, "ConvTranspose": {0, 1}, "ConvInteger": {0, 1}, "QLinearConv": {0, 3},
	"Gemm": {0, 1}, "MatMul": {0, 1}, "MatMulInteger": {0, 1}, "QLinearMatMul": {0, 3},
	"LSTM": {0, 1}, "GRU": {0, 1}, "RNN": {0, 1}, "DynamicQuantizeLSTM": {0, 1},
}

// operandsOf looks n up in operands, for the domain that its operator belongs to.
func operandsOf(n *graph.Node) (op struct{ data, weight int }, ok bool) {
	op, ok = operands[n.Op()]
	return op, ok && (n.Domain() == "com.microsoft") == (n.Op() == "DynamicQuantizeLSTM") && (n.Domain() == "" || n.Domain() == "com.microsoft")
}

// noFormula are operators that multiply and accumulate but have no formula here.
var noFormula = map[string]bool{
	"Einsum": true, "Attention": true, "MultiHeadAttention": true, "GroupQueryAttention": true, "DeformConv": true,
	"MatMulNBits": true, "FusedConv": true, "FusedMatMul": true, "FusedGemm": true, "QGemm": true, "QAttention": true,
}

// ofNode counts one node without its subgraphs. counts is false for operators that have no MACs.
func ofNode(n *graph.Node) (macs int64, why string, counts bool) {
	op, ok := operandsOf(n)
	if !ok {
		if noFormula[n.Op()] {
			return -1, "no formula for " + n.Op(), true
		}
		return 0, "", false
	}
	x, w := n.In(op.data), n.In(op.weight)
	if x == nil || w == nil {
		return -1, "an operand is missing", true
	}
	switch n.Op() {
	case "Conv", "ConvInteger", "QLinearConv":
		return product(dims(n.Out(0)), tail(dims(w), 1))
	case "ConvTranspose":
		return product(dims(x), tail(dims(w), 1))
	case "LSTM", "GRU", "RNN", "DynamicQuantizeLSTM":
		return recurrent(n, x, w)
	case "Gemm":
		k := dims(x)
		if n.Int("transA", 0) != 0 && k.ok && len(k.d) == 2 {
			k.d = []int64{k.d[1], k.d[0]}
		}
		return product(dims(n.Out(0)), tail(k, 1))
	}
	a := dims(x)
	return product(dims(n.Out(0)), tail(a, len(a.d)-1))
}

// recurrent is seq x batch x (elements of W + elements of R).
func recurrent(n *graph.Node, x, w *graph.Value) (int64, string, bool) {
	r := n.In(2)
	if r == nil {
		return -1, "an operand is missing", true
	}
	steps, ws, rs := dims(x), dims(w), dims(r)
	if len(steps.d) == 3 {
		steps.d = steps.d[:2]
	}
	a, why, _ := product(steps, ws)
	b, why2, _ := product(steps, rs)
	if a < 0 || b < 0 {
		return -1, why + why2, true
	}
	return add(a, b), "", true
}

// list is the dims of a value, or what is unknown about them.
type list struct {
	d   []int64
	ok  bool
	why string
}

func dims(v *graph.Value) list {
	if v == nil {
		return list{why: "an output is missing"}
	}
	s := v.Shape()
	if !s.Ranked {
		return list{why: "the shape of " + v.Name() + " is unknown"}
	}
	out := list{ok: true}
	for _, d := range s.Dims {
		if d.Value < 0 {
			return list{why: "a dimension of " + v.Name() + " is unknown"}
		}
		out.d = append(out.d, d.Value)
	}
	return out
}

// tail is the dims from i on.
func tail(l list, i int) list {
	if !l.ok {
		return l
	}
	if i < 0 || i > len(l.d) {
		return list{why: "an operand has too few dimensions"}
	}
	return list{d: l.d[i:], ok: true}
}

func product(a, b list) (int64, string, bool) {
	if !a.ok {
		return -1, a.why, true
	}
	if !b.ok {
		return -1, b.why, true
	}
	p := int64(1)
	for _, d := range a.d {
		p = mul(p, d)
	}
	for _, d := range b.d {
		p = mul(p, d)
	}
	return p, "", true
}

// Arithmetic is the element type that n's products are computed in: when both
// operands come through DequantizeLinear it is the type stored before it (of
// the data operand), otherwise the type of the data operand itself. An operator
// that quantizes its data itself computes in the type of its weights.
func Arithmetic(n *graph.Node) onnx.DataType {
	op, ok := operandsOf(n)
	if !ok {
		return onnx.Undefined
	}
	x, w := n.In(op.data), n.In(op.weight)
	if x == nil || w == nil {
		return onnx.Undefined
	}
	if n.Op() == "DynamicQuantizeLSTM" {
		return w.Elem()
	}
	xs, ws := Stored(x), Stored(w)
	if narrow(xs) && narrow(ws) {
		return xs
	}
	return x.Elem()
}

func narrow(t onnx.DataType) bool {
	switch t {
	case onnx.Int8, onnx.Uint8, onnx.Int16, onnx.Uint16, onnx.Float8E4M3FN, onnx.Float8E5M2, onnx.Int4, onnx.Uint4:
		return true
	}
	return false
}

// Stored is the element type of v as it is stored: that before a
// DequantizeLinear which computes v, possibly with data movement in between;
// otherwise v's own. A Concat is stored in 8 bits when all its inputs are.
func Stored(v *graph.Value) onnx.DataType {
	budget := 64 // of values to look at: nested Concats must not cost more than they tell
	return stored(v, &budget)
}

func stored(v *graph.Value, budget *int) onnx.DataType {
	own, d := v.Elem(), v.Def()
	if *budget--; *budget < 0 || d == nil || d.In(0) == nil {
		return own
	}
	switch {
	case d.Is("DequantizeLinear"):
		return d.In(0).Elem()
	case d.Is("Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Split", "Pad", "MaxPool",
		"Resize", "DepthToSpace", "SpaceToDepth"):
		return stored(d.In(0), budget)
	case d.Is("Concat"):
		first := stored(d.In(0), budget)
		for _, x := range d.Ins()[1:] {
			if x == nil || stored(x, budget) != first {
				return own
			}
		}
		return first
	}
	return own
}
