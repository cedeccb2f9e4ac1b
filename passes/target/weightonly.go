package target

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// WeightOnly answers how weights are stored in few bits while the arithmetic
// stays in float.
type WeightOnly struct {
	// Kept are the operators whose weight the runtime takes as codes behind
	// DequantizeLinear and keeps so in memory, or at least does not dequantize
	// at every run. For others codes are widened by Cast and Mul, which every runtime folds when it loads the file.
	Kept []string
	// Upright: a Gemm keeps its weight packed only when it does not read it transposed.
	Upright bool
	// Sole: a weight stays packed only when one layer alone reads it.
	Sole   bool
	Blocks Blocks // that stay packed
	// Outermost: blocks lie along the first axis of a matrix of two.
	Outermost bool
	// FloatScale: scales of DequantizeLinear are float32, whatever the type of the weight.
	FloatScale bool
	Types      []onnx.DataType // element types of codes behind DequantizeLinear, besides int8
	Widened    []onnx.DataType // element types of codes behind Cast
	// Lookup: Gather takes int8, so that codes of a table of int8 can stand in front of DequantizeLinear.
	Lookup bool
	// Unfolded: weights that nodes compute from constants are not known to be computed once, when the file is loaded.
	Unfolded bool
}

// Blocks says how rows of a matrix are divided into blocks of one scale.
type Blocks int

// The ways to divide.
const (
	DividingBlocks Blocks = iota // any size that divides the rows
	BinaryBlocks                 // powers of two from 16 on; the last block of a row may be shorter
)

// Keeps says whether the weight of n stays packed behind DequantizeLinear.
func (w *WeightOnly) Keeps(n *graph.Node) bool {
	return slices.Contains(w.Kept, n.Op()) && (!w.Upright || !n.Is("Gemm") || n.Int("transB", 0) == 0)
}

// Dequantizes says whether codes of the type may stand behind DequantizeLinear.
func (w *WeightOnly) Dequantizes(t onnx.DataType) bool {
	return t == onnx.Int8 || slices.Contains(w.Types, t)
}

// Widens says whether codes of the type may stand behind Cast.
func (w *WeightOnly) Widens(t onnx.DataType) bool { return slices.Contains(w.Widened, t) }
