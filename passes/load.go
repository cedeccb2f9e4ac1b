package passes

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Load imports a model that somebody else wrote, infers its types and checks
// every rule of the format. What runtimes do without but the format demands is
// supplied: names of graphs, and types of outputs that follow from the nodes.
// Declared shapes that the nodes contradict are replaced by what they compute.
// The notes (OP8006) say what was. m is not changed.
func Load(m *onnx.Model) (*graph.Model, []*diag.Error, error) {
	g, err := graph.Import(m)
	if err != nil {
		return nil, nil, err
	}
	var notes []*diag.Error
	if err := g.Infer(); err != nil {
		if notes = correctShapes(g); notes == nil {
			return nil, nil, err
		}
	}
	notes = append(notes, nameGraphs(g)...)
	notes = append(notes, typeOutputs(g.Main)...)
	return g, notes, Verify(g)
}

// correctShapes declares shapes anew where the file is wrong about them.
func correctShapes(g *graph.Model) []*diag.Error {
	wrong := g.Correct()
	if len(wrong) == 0 {
		return nil
	}
	first := wrong[0]
	return []*diag.Error{diag.New("OP8006", "declared shapes are not what the nodes compute: a written file has the computed ones",
		"values", fmt.Sprint(len(wrong)), "first", first.Name()+" "+first.Type().String())}
}

// nameGraphs names graphs without a name: "graph", and subgraphs after the attribute that holds them.
func nameGraphs(m *graph.Model) []*diag.Error {
	count := 0
	for g := range m.Graphs() {
		if g.Name() != "" || g.Function() != nil && g.Owner() == nil {
			continue
		}
		g.SetName("graph")
		if g.Owner() != nil {
			g.SetName("subgraph")
		}
		count++
	}
	if count == 0 {
		return nil
	}
	return []*diag.Error{diag.New("OP8006", "graphs have no name, which the format demands: a written file gets one", "graphs", fmt.Sprint(count))}
}

// typeOutputs declares the outputs of the model whose element type or number
// of dimensions the file leaves out, as far as they are known.
func typeOutputs(g *graph.Graph) []*diag.Error {
	var notes []*diag.Error
	for i, v := range g.Outputs() {
		info, t := g.OutputInfo(i), v.Type()
		if info == nil || !incomplete(info.Type) || t.Other != nil || !t.Elem.Known() || !t.Shape.Ranked {
			continue
		}
		g.SetOutputType(i, t)
		notes = append(notes, diag.New("OP8006", "an output has no shape, which the format demands: a written file gets the one that the nodes compute",
			"output", g.OutputName(i), "type", t.String()))
	}
	return notes
}

// incomplete reports whether the declaration of a tensor lacks its element type or its shape.
func incomplete(t *onnx.Type) bool {
	switch {
	case t == nil:
		return true
	case t.Tensor != nil:
		return !t.Tensor.Elem.Known() || t.Tensor.Shape == nil
	}
	return t.Sequence == nil && t.Map == nil && t.Optional == nil && t.SparseTensor == nil && t.Opaque == nil
}
