package weights

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// Shift is added to a layer's bias, one number for each output channel; nil for nothing.
type Shift []float64

// biasable says whether a shift of n channels has a place: a bias input, or
// for MatMul an addition of a constant right behind it.
func biasable(n *graph.Node, channels int) bool {
	if n.Graph().Owner() != nil {
		return false
	}
	switch n.Op() {
	case "Gemm":
		return n.Float("beta", 1) == 1 && constantOf(n.In(2), channels)
	case "MatMul":
		u, ok := addend(n)
		return ok && constantOf(u.Value(), channels)
	}
	return n.Is("Conv", "ConvTranspose") && constantOf(n.In(2), channels)
}

// constantOf says whether a bias of n channels is absent or a float32 constant with one element a channel along its last axis.
func constantOf(v *graph.Value, n int) bool {
	if v == nil {
		return true
	}
	t := v.Const()
	if t == nil || t.Type != onnx.Float || len(t.Dims) == 0 || t.Dims[len(t.Dims)-1] != int64(n) {
		return false
	}
	count, err := t.NumElements()
	return err == nil && count == int64(n)
}

// addend is the constant operand of the addition that alone reads a MatMul.
func addend(n *graph.Node) (graph.Use, bool) {
	out := n.Out(0)
	if out == nil || out.NumUses() != 1 {
		return graph.Use{}, false
	}
	add := out.Uses()[0].Node
	if !add.Is("Add") {
		return graph.Use{}, false
	}
	for i := range 2 {
		if v := add.In(i); v != nil && v.Const() != nil {
			return graph.Use{Node: add, Index: i}, true
		}
	}
	return graph.Use{}, false
}

// apply adds the shift to the bias of n, or gives it one. Other readers of the bias keep theirs.
func (s Shift) apply(n *graph.Node) {
	some := false
	for _, d := range s {
		some = some || d != 0
	}
	if !some {
		return
	}
	at := graph.Use{Node: n, Index: 2}
	if n.Is("MatMul") {
		at, _ = addend(n)
	}
	old := at.Node.In(at.Index)
	if old == nil {
		v := n.Graph().Init(n.In(1).Name()+"_bias", onnx.FromFloat32s([]int64{int64(len(s))}, s.plus(nil)))
		at.Node.SetIn(at.Index, v)
		return
	}
	b, err := old.Const().Float32s()
	if err != nil || len(b) != len(s) {
		return
	}
	at.Set(n.Graph().Init(old.Name()+"_corrected", onnx.FromFloat32s(old.Const().Dims, s.plus(b))))
	Remove(old)
}

// plus is b plus the shift, rounded once; b may be nil.
func (s Shift) plus(b []float32) []float32 {
	out := make([]float32, len(s))
	for i, d := range s {
		if b != nil {
			d += float64(b[i])
		}
		out[i] = float32(d)
	}
	return out
}
