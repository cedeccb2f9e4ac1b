package weights

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// form is how codes become the weight in the graph.
type form int

const (
	dequantize   form = iota // DequantizeLinear
	widen                    // Cast(codes) * scale
	widenCentred             // Cast(Cast(codes) - 128) * scale, codes unsigned
	lookUp                   // Gather(codes) and Gather(scale), then Cast and Mul: rows are widened when they are read
)

// The opset versions from which DequantizeLinear and Cast have what is needed.
const (
	opsetAxis   = 13 // a scale for each channel
	opsetHalf   = 19 // float16 and bfloat16 scales, and FP8
	opsetBlocks = 21 // a scale for each block, and codes of 4 bits
)

// form chooses the form for the readers of the weight and returns why there is none.
func (g *grid) form() string {
	g.how = formFor(g.weight, g.format.Target.Weights.Keeps)
	return g.allowed()
}

// formFor is dequantize where the target keeps the weights of all readers behind DequantizeLinear.
func formFor(w *Weight, keeps func(n *graph.Node) bool) form {
	if slices.ContainsFunc(w.Readers, func(u graph.Use) bool { return !keeps(u.Node) }) {
		return widen
	}
	return dequantize
}

// codeType is the element type of the codes.
func (g *grid) codeType() onnx.DataType {
	switch {
	case g.format.Bits == 4 && g.zero == nil && !g.format.Asymmetric:
		return onnx.Int4
	case g.format.Bits == 4:
		return onnx.Uint4
	case g.format.Asymmetric || g.how == widenCentred:
		return onnx.Uint8
	}
	return onnx.Int8
}

// allowed settles the form and says what forbids it.
func (g *grid) allowed() string {
	t := g.format.Target
	if g.how == widen && g.format.Bits == 8 && !g.format.Asymmetric {
		g.how = g.widening()
	}
	opset := g.weight.Value.Graph().Model().Opset("")
	switch code := g.codeType(); {
	case g.how == dequantize && !t.Weights.Dequantizes(code):
		return fmt.Sprintf("%s has no %s weights", t.Title, code)
	case g.how != dequantize && (g.block < g.weight.Cols || g.format.Asymmetric):
		return "blocks and zero points need DequantizeLinear, which " + t.Title + " would compute at every run for " + g.weight.Node().Op()
	case g.how == widen && !t.Weights.Widens(code):
		return fmt.Sprintf("%s does not widen %s", t.Title, code)
	case g.needs() > opset:
		return fmt.Sprintf("the form needs opset %d", g.needs())
	case g.how == dequantize && g.block == g.weight.Cols && g.weight.Axis() < 0 && !g.blockable():
		return "scales of several axes"
	}
	return ""
}

// widening is the form of 8-bit codes that are not kept.
func (g *grid) widening() form {
	q := g.format.Target.Quant
	codes := q.Codes
	if g.weight.Kind == Recurrent {
		codes = q.CodesState
	}
	switch {
	case codes == onnx.Uint8:
		return widenCentred
	case g.weight.looksUp():
		return lookUp
	}
	return widen
}

// looksUp says whether all readers take rows of the table by its first axis.
func (w *Weight) looksUp() bool {
	return w.Kind == Table && w.Axis() == 0 && !slices.ContainsFunc(w.Readers, func(u graph.Use) bool {
		n := u.Node
		return !n.Is("Gather") || u.Value() != w.Value || n.Int("axis", 0) != 0 || n.In(1) == nil || n.Out(0) == nil
	})
}

// blockable says whether the columns are one axis, along which blocks can lie.
func (g *grid) blockable() bool { return len(g.weight.Rest) == 1 }

// blocked says whether the scale of DequantizeLinear has the rank of the codes.
func (g *grid) blocked() bool { return g.block < g.weight.Cols || g.weight.Axis() < 0 }

// needs is the least opset of the form.
func (g *grid) needs() int64 {
	switch {
	case g.format.Bits == 4 || g.how == dequantize && g.blocked():
		return opsetBlocks
	case g.how == dequantize && g.scaleType() != onnx.Float:
		return opsetHalf
	case g.how == dequantize:
		return opsetAxis
	}
	return 1
}
