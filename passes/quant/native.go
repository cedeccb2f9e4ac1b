package quant

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// nativeForms rewrites the float activations that read a dequantized tensor
// into the form that the target's runtime computes fastest. ONNX Runtime gives
// every reader of a DequantizeLinear a copy of its own, so it no longer sees
// that x * sigmoid(x) has one x, and its PRelu takes a branch for each element.
// The values stay those of the float operators.
func (p *planner) nativeForms() {
	if !slices.ContainsFunc(p.layers, (*layer).int8) {
		return
	}
	for n := range p.model.Main.Nodes() {
		switch {
		case n.Is("Mul") && p.profile.Native(target.NativeSwish):
			p.nativeSwish(n)
		case n.Is("PRelu") && p.profile.Native(target.NativePRelu):
			p.nativePRelu(n)
		case n.Is("Relu", "Clip") && p.profile.Native(target.NativeBound):
			p.nativeBound(n)
		}
	}
}

// nativeSwish turns x * sigmoid(alpha x) of a dequantized x into QuickGelu.
func (p *planner) nativeSwish(n *graph.Node) {
	for i := range 2 {
		x, y := n.In(i), n.In(1-i)
		if x == nil || y == nil || y.Def() == nil || !y.Def().Is("Sigmoid") || soleReader(y) != n || !dequantized(x) {
			continue
		}
		sigmoid := y.Def()
		alpha, scaled, ok := scaledBy(sigmoid.In(0), x)
		if !ok {
			continue
		}
		p.model.SetOpset("com.microsoft", 1)
		n.SetOp("QuickGelu", "com.microsoft")
		n.SetFloat("alpha", float32(alpha))
		n.SetIn(0, x)
		n.SetIn(1, nil)
		n.SetMeta(graph.PassKey, passName)
		sigmoid.Remove()
		if scaled != nil && scaled.Out(0).NumUses() == 0 {
			scaled.Remove()
		}
		return
	}
}

// scaledBy is alpha when v = alpha x, with the node that multiplies where there is one.
func scaledBy(v, x *graph.Value) (alpha float64, mul *graph.Node, ok bool) {
	if v == x {
		return 1, nil, true
	}
	n := v.Def()
	if n == nil || !n.Is("Mul") {
		return 0, nil, false
	}
	for i := range 2 {
		if alpha, ok := scalar(n.In(1 - i)); ok && n.In(i) == x {
			return alpha, n, true
		}
	}
	return 0, nil, false
}

// nativePRelu turns PRelu beside an 8-bit tensor into max(x, 0) + slope * min(x, 0).
func (p *planner) nativePRelu(n *graph.Node) {
	x, slope, y := n.In(0), n.In(1), n.Out(0)
	if x == nil || slope == nil || slope.Const() == nil || y == nil || x.Elem() != onnx.Float || !dequantized(x) && !quantizedNext(y) {
		return
	}
	at, name := n.Before().By(passName), y.Name()
	zero := n.Graph().Init(name+"_zero", onnx.FromFloat32s(nil, []float32{0}))
	positive := at.Op("Relu", name+"_positive", x).Out(0)
	negative := at.Op("Min", name+"_negative", x, zero).Out(0)
	product := at.Op("Mul", name+"_slope", negative, slope).Out(0)
	n.SetOp("Add", "")
	n.SetIn(0, positive)
	n.SetIn(1, product)
	n.SetMeta(graph.PassKey, passName)
}

// nativeBound turns Relu and Clip in front of QuantizeLinear into Max and Min: ONNX Runtime takes the zero point 0 of a
// float8 type for the least code, and drops the Relu.
func (p *planner) nativeBound(n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	if x == nil || y == nil || x.Elem() != onnx.Float || !slices.ContainsFunc(y.Uses(), func(u graph.Use) bool { return u.Node.Is("QuantizeLinear") }) {
		return
	}
	lo, hi := n.In(1), n.In(2)
	if n.Is("Relu") {
		lo = n.Graph().Init(y.Name()+"_zero", onnx.FromFloat32s(nil, []float32{0}))
	}
	at := n.Before().By(passName)
	switch {
	case lo == nil && hi == nil:
		return
	case lo == nil:
		n.SetOp("Min", "")
		n.SetIn(1, hi)
	case hi == nil:
		n.SetOp("Max", "")
		n.SetIn(1, lo)
	default: // Clip is min(max(x, lo), hi)
		n.SetIn(0, at.Op("Max", y.Name()+"_above", x, lo).Out(0))
		n.SetOp("Min", "")
		n.SetIn(1, hi)
	}
	n.SetIn(2, nil)
	n.SetMeta(graph.PassKey, passName)
}
