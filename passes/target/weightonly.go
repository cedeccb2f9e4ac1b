package target

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// WeightOnly answers how weights are stored in few bits while the arithmetic
// stays in float.
type WeightOnly struct {
	// Kept are the operators whose weight the runtime takes as codes behind
	// DequantizeLinear and keeps so in memory, or at least does not dequantize
	// at every run. For others codes are widened by Cast and Mul, which every runtime folds when it loads the file.
	Kept []string
	// MatrixOnly: a Gemm keeps its weight packed only when it is written as MatMul and Add.
	MatrixOnly bool
	Types      []onnx.DataType // element types of codes behind DequantizeLinear, besides int8
	Widened    []onnx.DataType // element types of codes behind Cast, besides int8 or uint8
	// Lookup: Gather takes int8, so that codes of a table of int8 can stand in front of DequantizeLinear.
	Lookup bool
	// Unfolded: weights that nodes compute from constants are not known to be computed once, when the file is loaded.
	Unfolded bool
}

// Keeps says whether the operator's weight stays behind DequantizeLinear.
func (w *WeightOnly) Keeps(op string) bool { return slices.Contains(w.Kept, op) }

// Dequantizes says whether codes of the type may stand behind DequantizeLinear.
func (w *WeightOnly) Dequantizes(t onnx.DataType) bool {
	return t == onnx.Int8 || slices.Contains(w.Types, t)
}

// Widens says whether codes of the type may stand behind Cast.
func (w *WeightOnly) Widens(t onnx.DataType) bool { return slices.Contains(w.Widened, t) }
