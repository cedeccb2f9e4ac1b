package target

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// recurrentWeights yields the two weights of a recurrent node.
func recurrentWeights(n *graph.Node) []*graph.Value { return []*graph.Value{n.In(1), n.In(2)} }

// checkDequantizedRecurrence finds recurrent weights that DequantizeLinear computes.
func checkDequantizedRecurrence(s *scope, n *graph.Node) {
	if !n.Is("LSTM", "GRU", "RNN") {
		return
	}
	for _, v := range recurrentWeights(n) {
		if d := restoring(v); d != nil && d.Is("DequantizeLinear") {
			s.at(n, "weight %s comes from DequantizeLinear", v.Name())
			return
		}
	}
}

// checkRestoredRecurrence finds recurrent weights that are restored from 8 bits in a form that the runtime
// takes for quantization, in models with pairs.
func checkRestoredRecurrence(s *scope) {
	pairs := false
	for n := range s.model.All() {
		pairs = pairs || n.Is("QuantizeLinear")
	}
	if !pairs {
		return
	}
	for n := range s.model.All() {
		if !n.Is("LSTM", "GRU") {
			continue
		}
		for _, v := range recurrentWeights(n) {
			if restoring(v) != nil {
				s.at(n, "weight %s is restored from 8 bits", v.Name())
				break
			}
		}
	}
}

// restoring is the node that turns a constant of 8 bits into floats which reach
// v by scaling, subtraction of a zero point and data movement only; nil when there is none.
func restoring(v *graph.Value) *graph.Node {
	for range 8 {
		if v == nil || v.Def() == nil {
			return nil
		}
		n := v.Def()
		switch {
		case n.Is("DequantizeLinear", "Cast"):
			if in := n.In(0); in != nil && in.Const() != nil && slices.Contains([]onnx.DataType{onnx.Int8, onnx.Uint8}, in.Const().Type) {
				return n
			}
			return nil
		case n.Is("Mul", "Sub", "Reshape", "Transpose", "Unsqueeze", "Squeeze"):
			v = n.In(0)
		default:
			return nil
		}
	}
	return nil
}
