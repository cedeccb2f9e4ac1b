package passes

import (
	"context"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// What runtimes load is accepted, completed and said; the original stays as it is.
func TestLoadCompletes(t *testing.T) {
	for _, strip := range []func(*onnx.Graph){
		func(g *onnx.Graph) { g.Output[0].Type.Tensor.Shape = nil },
		func(g *onnx.Graph) { g.Output[0].Type.Tensor.Elem = onnx.Undefined },
		func(g *onnx.Graph) { g.Output[0].Type = nil },
		func(g *onnx.Graph) { g.Name = "" },
	} {
		in := model(t, chain)
		strip(in.Graph)
		before := text.String(in)
		j := job(t, "drop")
		j.Model = in
		done, err := Run(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(done.Result.Notes, func(n *diag.Error) bool { return n.Code == "OP8006" }) {
			t.Errorf("notes: %v", done.Result.Notes)
		}
		g, err := graph.Import(done.Model)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(g); err != nil || g.Main.Outputs()[0].Type().String() != "float [N,4]" {
			t.Errorf("%v, output %v", err, g.Main.Outputs()[0].Type())
		}
		if text.String(in) != before {
			t.Error("the original was changed")
		}
	}
}

// The number of dimensions of an input follows from nothing.
func TestLoadRefusesInputWithoutShape(t *testing.T) {
	in := model(t, chain)
	in.Graph.Input[0].Type.Tensor.Shape = nil
	_, _, err := Load(in)
	if err == nil {
		t.Error("accepted")
	}
}

// Shapes that an edit of the batch size left behind are corrected; a wrong element type is an error.
func TestLoadCorrectsShapes(t *testing.T) {
	const src = `<ir_version: 8, opset_import: ["" : 17]>
main (float[2, 4] x, bool c) => (float[1, 4] y)
<float[4, 4] w = random(1), float[1, 4] h>
{
  h = MatMul (x, w)
  i = If (c) <then_branch = a () => (float[1, 4] u) { u = Neg (h) }, else_branch = b () => (float[1, 4] v) { v = Abs (h) }>
  y = Relu (i)
}`
	g, notes, err := Load(model(t, src))
	if err != nil || len(notes) != 1 || notes[0].Code != "OP8006" {
		t.Fatal(err, notes)
	}
	out, err := g.Export()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = graph.Import(out); err != nil {
		t.Fatal(err)
	}
	if err := Verify(g); err != nil || g.Main.Outputs()[0].Type().String() != "float [2,4]" {
		t.Errorf("%v, output %v", err, g.Main.Outputs()[0].Type())
	}
	in := model(t, chain)
	in.Graph.Output[0].Type.Tensor.Elem = onnx.Int8
	if _, _, err := Load(in); err == nil {
		t.Error("a wrong element type was accepted")
	}
}
