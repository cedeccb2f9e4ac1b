package weights

import (
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
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
	g.how = formFor(g.weight, g.format.Target)
	return g.allowed()
}

// formFor is dequantize where the target keeps the weights of all readers
// behind DequantizeLinear, which must be right in front of them.
func formFor(w *Weight, t *target.Profile) form {
	if !w.Direct() || t.Weights.Sole && len(w.Readers) > 1 {
		return widen
	}
	if slices.ContainsFunc(w.Readers, func(u graph.Use) bool { return !t.Weights.Keeps(u.Node) }) {
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
	whole := g.block == g.weight.Cols && !g.format.Asymmetric
	if g.how == dequantize && g.blocked() && !g.blockable() && whole {
		g.how = widen
	}
	if g.how == widen && g.format.Bits == 8 && whole {
		g.how = g.widening()
	}
	switch code := g.codeType(); {
	case g.how == dequantize && !t.Weights.Dequantizes(code):
		return fmt.Sprintf("%s has no %s weights", t.Title, code)
	case g.how == dequantize && g.blocked() && !g.blockable():
		return t.Title + " takes blocks along the first axis of two alone"
	case g.how != dequantize && !whole:
		return "blocks and zero points need DequantizeLinear, which " + t.Title + " would compute at every run for " + g.weight.Node().Op()
	case g.how != dequantize && g.format.Bits == 4 && !filters(g.weight):
		// OpenVINO 2026.4 divides by zero on a matrix of 4 bits behind Cast, Mul and Reshape.
		return "matrices of 4 bits stand right in front of their layer"
	case g.how == widen && !t.Weights.Widens(code):
		return fmt.Sprintf("%s does not widen %s", t.Title, code)
	case g.needs() > g.weight.Value.Graph().Model().Opset(""):
		return fmt.Sprintf("the form needs opset %d", g.needs())
	}
	return ""
}

// filters says whether convolutions alone read the weight.
func filters(w *Weight) bool {
	return !slices.ContainsFunc(w.Readers, func(u graph.Use) bool { return !u.Node.Is("Conv", "ConvTranspose") })
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

// blockable says whether the columns are one axis, along which the target takes blocks.
func (g *grid) blockable() bool {
	w := g.weight
	return len(w.Rest) == 1 && (!g.format.Target.Weights.Outermost || len(w.Dims) == 2 && w.Rest[0] == 0)
}

// blocked says whether the scale of DequantizeLinear has the rank of the codes.
func (g *grid) blocked() bool { return g.block < g.weight.Cols || g.weight.Axis() < 0 }

// scaleType is the element type of the scales of a weight.
func scaleType(w *Weight, how form, t *target.Profile) onnx.DataType {
	if how == dequantize && t.Weights.FloatScale {
		return onnx.Float
	}
	return w.Const.Type
}

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
