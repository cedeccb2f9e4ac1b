package cleanup

import (
	"context"
	"fmt"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// sessionNodes is how many nodes are computed by one session: loading a model
// takes runtimes more than linear time.
const sessionNodes = 2000

// session runs the pending nodes as models without inputs and returns the
// contents of the frontier.
func (f *folding) session(ctx context.Context) (map[*graph.Value]*onnx.Tensor, error) {
	results := map[*graph.Value]*onnx.Tensor{}
	for nodes := range slices.Chunk(f.pending, sessionNodes) {
		if err := f.runBatch(ctx, nodes, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// runBatch adds what others read of nodes to the results.
func (f *folding) runBatch(ctx context.Context, nodes []*graph.Node, results map[*graph.Value]*onnx.Tensor) error {
	values := f.readOutside(nodes)
	s, err := f.env.Runner.Open(ctx, f.batch(nodes, values, results), calib.OpenOptions{Optimization: calib.Exact})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Run(ctx, map[string]calib.Array{}, func(out []calib.Array) error {
		for i, v := range values {
			if out[i].Type != v.Elem() {
				return fmt.Errorf("%s is %v instead of %v", v.Name(), out[i].Type, v.Elem())
			}
			results[v] = onnx.NewTensor(out[i].Type, append([]int64(nil), out[i].Shape...), append([]byte(nil), out[i].Bytes...))
		}
		return nil
	})
}

// readOutside are the values of nodes that others read, but for those that need no execution.
func (f *folding) readOutside(nodes []*graph.Node) []*graph.Value {
	inside := make(map[*graph.Node]bool, len(nodes))
	for _, n := range nodes {
		inside[n] = true
	}
	waiting := func(n *graph.Node) bool { return !inside[n] && (!f.resolved[n] || f.waits[n]) }
	return frontier(nodes, waiting)
}

// batch is the model of some nodes; known are the results of earlier ones.
// Values are numbered, because nodes of different subgraphs may use the same names.
func (f *folding) batch(nodes []*graph.Node, outputs []*graph.Value, known map[*graph.Value]*onnx.Tensor) *onnx.Model {
	b := &batch{f: f, known: known, names: map[*graph.Value]string{}, graph: &onnx.Graph{Name: "constants"}}
	for _, n := range nodes {
		b.add(n)
	}
	for _, v := range outputs {
		b.graph.Output = append(b.graph.Output, &onnx.ValueInfo{Name: b.names[v], Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: v.Elem()}}})
	}
	h := f.env.Model.Header
	return &onnx.Model{IRVersion: max(h.IRVersion, plainIR), OpsetImport: h.OpsetImport, Graph: b.graph}
}

type batch struct {
	f     *folding
	known map[*graph.Value]*onnx.Tensor
	names map[*graph.Value]string
	graph *onnx.Graph
}

func (b *batch) add(n *graph.Node) {
	p := *n.Proto()
	p.Name = fmt.Sprintf("n%d", len(b.graph.Node))
	p.Input, p.Output = nil, nil
	for _, v := range n.Ins() {
		p.Input = append(p.Input, b.read(v))
	}
	for _, v := range n.Outs() {
		p.Output = append(p.Output, b.name(v))
	}
	b.graph.Node = append(b.graph.Node, &p)
}

func (b *batch) name(v *graph.Value) string {
	if v == nil {
		return ""
	}
	if b.names[v] == "" {
		b.names[v] = fmt.Sprintf("v%d", len(b.names))
	}
	return b.names[v]
}

// read names an input and adds its content when it is a constant.
func (b *batch) read(v *graph.Value) string {
	if v == nil || b.names[v] != "" {
		return b.names[v]
	}
	name := b.name(v)
	t := constant(v)
	if t == nil {
		t = b.f.content[v]
	}
	if t == nil {
		t = b.known[v]
	}
	if t != nil {
		named := *t
		named.Name = name
		b.graph.Initializer = append(b.graph.Initializer, &named)
	}
	return name
}
