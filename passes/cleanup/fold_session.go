package cleanup

import (
	"context"
	"fmt"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// session runs the pending nodes as one model without inputs and returns the
// contents of the frontier.
func (f *folding) session(ctx context.Context) (map[*graph.Value]*onnx.Tensor, error) {
	values := f.frontier(f.pending)
	s, err := f.env.Runner.Open(ctx, f.batch(values), calib.OpenOptions{Optimization: calib.Exact})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	results := make(map[*graph.Value]*onnx.Tensor, len(values))
	err = s.Run(ctx, map[string]calib.Array{}, func(out []calib.Array) error {
		for i, v := range values {
			if out[i].Type != v.Elem() {
				return fmt.Errorf("%s is %v instead of %v", v.Name(), out[i].Type, v.Elem())
			}
			results[v] = onnx.NewTensor(out[i].Type, append([]int64(nil), out[i].Shape...), append([]byte(nil), out[i].Bytes...))
		}
		return nil
	})
	return results, err
}

// batch is the model of the pending nodes. Values are numbered, because nodes
// of different subgraphs may use the same names.
func (f *folding) batch(outputs []*graph.Value) *onnx.Model {
	b := &batch{f: f, names: map[*graph.Value]string{}, graph: &onnx.Graph{Name: "constants"}}
	for _, n := range f.pending {
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
	if t != nil {
		named := *t
		named.Name = name
		b.graph.Initializer = append(b.graph.Initializer, &named)
	}
	return name
}
