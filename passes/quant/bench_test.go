package quant

import (
	"context"
	"fmt"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// residualChain is a network of n blocks of Conv > Relu > Conv > Add, 4n nodes, that share one weight.
func residualChain(b *testing.B, n int) *graph.Model {
	m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 13}}, Graph: &onnx.Graph{Name: "main"}}
	g := m.Graph
	w := onnx.FromFloat32s([]int64{16, 16, 1, 1}, make([]float32, 256))
	w.Name = "w"
	g.Initializer = []*onnx.Tensor{w}
	port := func(name string) *onnx.ValueInfo {
		var dims []onnx.Dim
		for _, d := range []int64{1, 16, 8, 8} {
			dims = append(dims, onnx.Dim{Kind: onnx.DimValue, Value: d})
		}
		return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: &onnx.Shape{Dim: dims}}}}
	}
	node := func(op, out string, in ...string) {
		g.Node = append(g.Node, &onnx.Node{OpType: op, Name: out, Input: in, Output: []string{out}})
	}
	last := "x"
	for i := range n {
		a, r, c, s := fmt.Sprint("a", i), fmt.Sprint("r", i), fmt.Sprint("c", i), fmt.Sprint("s", i)
		node("Conv", a, last, "w")
		node("Relu", r, a)
		node("Conv", c, r, "w")
		node("Add", s, c, last)
		last = s
	}
	g.Input, g.Output = []*onnx.ValueInfo{port("x")}, []*onnx.ValueInfo{port(last)}
	out, err := graph.Import(m)
	if err != nil {
		b.Fatal(err)
	}
	if err := out.Infer(); err != nil {
		b.Fatal(err)
	}
	return out
}

// The time of a plan grows with the number of nodes, not faster.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := residualChain(b, n/4)
			for b.Loop() {
				p, err := newPlanner(&passes.Env{Model: m, Target: target.Lookup("openvino")}, Options{Range: MSE})
				if err != nil {
					b.Fatal(err)
				}
				if err := p.plan(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
