package graph_test

import (
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
)

func read(t *testing.T, src string) *graph.Model {
	t.Helper()
	in, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graph.Import(in)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantType(t *testing.T, v *graph.Value, want string) {
	t.Helper()
	if v == nil || v.Type().String() != want {
		t.Errorf("got %v, want %s", v.Type(), want)
	}
}

func TestInferLoopBody(t *testing.T) {
	m := read(t, `<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3] x, int64 n, bool c) => (float[A,B] y, float[C,D,E] z) {
  y, z = Loop (n, c, x) <body = b (int64 i, bool k, float[P,Q] a) => (bool k2, float[R,S] a2, float[T,U] o) {
    k2 = Identity(k)
    a2 = Add(a, x)
    o = Relu(a2)
  }>
}`)
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	for n := range m.All() {
		if n.Is("Relu") {
			wantType(t, n.Out(0), "float [N,3]")
		}
	}
}

func TestInferFunctions(t *testing.T) {
	m := read(t, `<ir_version: 9, opset_import: ["" : 17, "f" : 1]>
g (float[2,3] x, float[4] z) => (float[A,B] y, float[C] w) {
  y = f.turn <order = [1, 0]> (x)
  w = f.turn (z)
}
<domain: "f", opset_import: ["" : 17]>
turn <order: ints = [0]> (a) => (b) { b = Transpose <perm: ints = @order> (a) }`)
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	wantType(t, m.Main.Value("y"), "float [3,2]")
	wantType(t, m.Main.Value("w"), "float [4]")
	wantType(t, m.Functions[0].Body.Value("b"), "undefined [...]")
}

// TestInferBounded: functions that call each other twice would be 2^40 calls.
func TestInferBounded(t *testing.T) {
	var src strings.Builder
	src.WriteString(`<ir_version: 9, opset_import: ["" : 17, "f" : 1]>
g (float[2] x) => (float[2] y) { y = f.f0 (x) }
`)
	for i := range 40 {
		src.WriteString("<domain: \"f\", opset_import: [\"\" : 17, \"f\" : 1]>\n")
		next := "f.f" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10))
		name := "f" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		if i == 0 {
			name = "f0"
		}
		if i == 39 {
			next = "Relu"
		}
		src.WriteString(name + " (a) => (b) { c = " + next + "(a) b = " + next + "(c) }\n")
	}
	_ = read(t, src.String()).Infer()
}

func TestInferReportsContradictions(t *testing.T) {
	m := read(t, `<ir_version: 8, opset_import: ["" : 17]>
g (float[2,3] x) => (float[2,4] y) <float[5,5] v> {
  [neg] v = Neg (x)
  [relu] y = Relu (v)
}`)
	err := m.Infer()
	if err == nil || !strings.Contains(err.Error(), "relu") || !strings.Contains(err.Error(), "neg") {
		t.Error(err)
	}
	wantType(t, m.Main.Value("v"), "float [2,3]")
	out, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Graph.ValueInfo) != 0 || out.Graph.Output[0].Type.Tensor.Shape.Dim[1].Value != 4 {
		t.Error("a wrong value_info was written, or the interface changed")
	}
}

func TestTypesAfterEdits(t *testing.T) {
	m := read(t, `<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3] x) => (float[N,A] y) <float[3,4] w = random(1), float[N,4] h, float[N,4] r> {
  [mm] h = MatMul (x, w)
  [relu] r = Relu (h)
  y = Neg (r)
}`)
	w := m.Main.Value("w")
	w.SetInit(onnx.From([]int64{3, 2}, make([]float32, 6)))
	m.Forget()
	out, err := m.Export()
	if err != nil || len(out.Graph.ValueInfo) != 0 {
		t.Errorf("entries that may be stale were written: %v", err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	wantType(t, m.Main.Value("r"), "float [N,2]")
	if out, _ = m.Export(); len(out.Graph.ValueInfo) != 0 {
		t.Error("a wrong entry was written")
	}
	w.SetInit(onnx.From([]int64{3, 4}, make([]float32, 12)))
	m.Forget()
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	if out, _ = m.Export(); len(out.Graph.ValueInfo) != 2 {
		t.Errorf("%d entries hold again, want 2", len(out.Graph.ValueInfo))
	}
	m.Main.Value("h").SetType(graph.Type{Elem: onnx.Float16, Shape: m.Main.Value("h").Shape()})
	if out, _ = m.Export(); out.Graph.ValueInfo[0].Type.Tensor.Elem != onnx.Float16 {
		t.Error("SetType did not reach the entry")
	}
}

func TestCursorInfers(t *testing.T) {
	m := read(t, `<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }`)
	end := m.Main.End()
	s := end.Op("Shape", "shape", m.Main.Value("y"))
	wantType(t, s.Out(0), "int64 [2]")
	if d := s.Out(0).Ints(); len(d) != 2 || d[0].Param != "N" || d[1].Value != 3 {
		t.Errorf("content %v", d)
	}
	tr := end.OpN("Transpose", "", "turned", 1, []*onnx.Attribute{{Name: "perm", Type: onnx.AttrInts, Ints: []int64{1, 0}}}, m.Main.Value("y"))
	wantType(t, tr.Out(0), "float [3,N]")
}
