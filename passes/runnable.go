package passes

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// mostValue is the largest tensor, in bytes, that a node may compute in a model
// that is run. Runtimes allocate such tensors while they load a model already
// (constant folding), and a few kilobytes of file can ask for petabytes.
const mostValue = 4 << 30

// runnable refuses models that would harm the process that runs them.
func (w *work) runnable(g *graph.Model) error {
	if w.Runner == nil {
		return nil
	}
	if err := divides(g); err != nil || w.NoVerify && w.Samples.Len() == 0 {
		return err
	}
	return fits(g)
}

// Runnable checks a model that will be given to a runtime: that it is valid,
// and that running it does not exhaust memory or trap the processor.
func Runnable(m *onnx.Model) error {
	g, _, err := Load(m)
	if err != nil {
		return err
	}
	if err := divides(g); err != nil {
		return err
	}
	return fits(g)
}

// fits refuses models that a runtime would need too much memory for. Shapes
// that depend on inputs are not known here.
func fits(g *graph.Model) error {
	for n := range g.All() {
		for _, v := range n.Outs() {
			if v == nil {
				continue
			}
			dims, static := v.Shape().Static()
			if !static {
				continue
			}
			count, ok := v.Shape().Elements()
			if bytes, whole := v.Elem().RawSize(count); !ok || whole && bytes > mostValue {
				return diag.New("OP7002", "a value of the model is too large to run it", "node", n.Label(), "value", v.Name(),
					"found", fmt.Sprintf("%s %v", v.Elem(), dims), "limit", Bytes(mostValue)).
					Hinted("passes that need no samples run with --no-verify")
			}
		}
	}
	return nil
}

// maxOperand is how many elements of a constant operand are looked at.
const maxOperand = 1 << 16

// divides refuses integer divisions by constants that stop the process: by
// zero, and of the least 64-bit number by -1, which processors trap.
func divides(g *graph.Model) error {
	for n := range g.All() {
		if n.Domain() != "" || !n.Is("Div", "Mod") || n.NumIn() != 2 || n.In(1) == nil || !n.In(1).Elem().IsInteger() {
			continue
		}
		by := integers(n.In(1))
		zero := slices.Contains(by, 0)
		if zero || slices.Contains(by, -1) && least(integers(n.In(0)), n.In(1).Elem()) {
			found := "a divisor of 0"
			if !zero {
				found = "the least integer divided by -1"
			}
			return diag.New("OP3204", "an integer division has no result", "node", n.Label(), "operator", n.Op(), "found", found)
		}
	}
	return nil
}

func least(x []int64, t onnx.DataType) bool {
	return slices.Contains(x, math.MinInt64) || t == onnx.Int32 && slices.Contains(x, math.MinInt32)
}

// integers is the content of a small constant, as far as it is known.
func integers(v *graph.Value) []int64 {
	if v == nil {
		return nil
	}
	if t := v.Const(); t != nil {
		if n, err := t.NumElements(); err != nil || n > maxOperand {
			return nil
		}
		x, err := t.Int64s()
		if err != nil {
			return nil
		}
		return x
	}
	var out []int64
	for _, d := range v.Ints() {
		if d.Value != infer.Unknown {
			out = append(out, d.Value)
		}
	}
	return out
}
