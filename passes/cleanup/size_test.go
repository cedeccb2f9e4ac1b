package cleanup

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// large has n nodes with work for every pass: convolutions with batch
// normalization, constants, shape arithmetic, no-ops, duplicates and dead code.
func large(n int) *onnx.Model {
	b := &builder{graph: &onnx.Graph{Name: "large"}}
	shape := &onnx.Shape{}
	for _, d := range []int64{1, 4, 2, 2} {
		shape.Dim = append(shape.Dim, onnx.Dim{Kind: onnx.DimValue, Value: d})
	}
	typ := &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: shape}}
	b.graph.Input = []*onnx.ValueInfo{{Name: "x", Type: typ}}
	at := "x"
	for len(b.graph.Node) < n-10 {
		w := b.init([]int64{4, 4, 1, 1}, 16)
		at = b.node("Conv", at, w)
		at = b.node("BatchNormalization", at, b.init([]int64{4}, 4), b.init([]int64{4}, 4), b.init([]int64{4}, 4), b.init([]int64{4}, 4))
		at = b.node("Identity", b.node("Relu", at))
		to := b.node("Concat", b.node("Shape", at))
		b.graph.Node[len(b.graph.Node)-1].Attribute = []*onnx.Attribute{{Name: "axis", Type: onnx.AttrInt}}
		at = b.node("Reshape", at, to)
		b.node("Neg", at)
		one := b.node("Constant")
		b.graph.Node[len(b.graph.Node)-1].Attribute = []*onnx.Attribute{{Name: "value_float", Type: onnx.AttrFloat, F: 1.5}}
		at = b.node("Add", at, one)
	}
	b.graph.Output = []*onnx.ValueInfo{{Name: at, Type: typ}}
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: b.graph}
}

type builder struct{ graph *onnx.Graph }

func (b *builder) node(op string, in ...string) string {
	out := fmt.Sprint("v", len(b.graph.Node))
	b.graph.Node = append(b.graph.Node, &onnx.Node{OpType: op, Name: "n" + out, Input: in, Output: []string{out}})
	return out
}

func (b *builder) init(dims []int64, n int) string {
	x := make([]float32, n)
	for i := range x {
		x[i] = 0.5 + float32(len(b.graph.Initializer)%7+i)
	}
	t := onnx.From(dims, x)
	t.Name = fmt.Sprint("c", len(b.graph.Initializer))
	b.graph.Initializer = append(b.graph.Initializer, t)
	return t.Name
}

// timed cleans a model of n nodes and writes it, without a runtime.
func timed(t testing.TB, n int) time.Duration {
	in := large(n)
	start := time.Now()
	m, err := graph.Import(in)
	if err != nil {
		t.Fatal(err)
	}
	p := passes.Pipeline{Steps: []passes.Step{Pass.Default()}}
	reports, err := p.Run(context.Background(), &passes.Env{Model: m})
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := onnx.Write(&b, out); err != nil {
		t.Fatal(err)
	}
	d := time.Since(start)
	t.Log(n, "nodes", d, reports[0].NodesAfter, reports[0].Facts)
	return d
}

// TestLinear compares two sizes, so that a slow or busy machine does not fail
// it: ten times the nodes may cost thirty times the time, a quadratic pass
// would cost a hundred times. Three attempts must agree.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	for attempt := 1; ; attempt++ {
		small, large := timed(t, 10_000), timed(t, 100_000)
		if large < 30*small || large < 3*time.Second {
			return
		}
		if attempt == 3 {
			t.Fatalf("10,000 nodes took %v, 100,000 nodes %v", small, large)
		}
	}
}
