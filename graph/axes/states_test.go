package axes_test

import (
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// stream is a recurrent layer that is run piece by piece: its state goes out and comes in again.
const stream = `<ir_version: 9, opset_import: ["" : 17]>
m (float[5, 1, 6] x, float[2, 1, 12] state) => (float[5, 1, 4] y, float[2, 1, 12] stateN)
<float[1, 48, 6] w = random(1), float[1, 48, 12] r = random(2), float[1, 96] b = random(3), float[12, 4] wo = random(4), int64[1] ax = {0}, int64 zero = {0}, int64 one = {1}, int64[1] ax1 = {1}>
{
  [h] h0 = Gather <axis = 0> (state, zero)
  [c] c0 = Gather <axis = 0> (state, one)
  [hu] h1 = Unsqueeze (h0, ax)
  [cu] c1 = Unsqueeze (c0, ax)
  [lstm] a, hn, cn = LSTM <hidden_size = 12> (x, w, r, b, , h1, c1)
  [sq] s = Squeeze (a, ax1)
  [out] y = MatMul (s, wo)
  [cat] stateN = Concat <axis = 0> (hn, cn)
}`

// The hidden units of a state that the options name can go; what is left computes what it did, and the file has the same inputs and outputs.
func TestStatesShrinkInside(t *testing.T) {
	rt := orttest.Runner(t)
	m := parse(t, stream)
	if a := axes.Analyze(m, axes.Options{}); len(a.Pools) != 0 {
		t.Fatalf("without being named a state shrinks:\n%s", describe(a))
	}
	o := axes.Options{State: func(name string) bool { return strings.HasPrefix(name, "state") }}
	work := m.Clone()
	a := axes.Analyze(work, o)
	if len(a.Pools) != 1 || len(a.Pools[0].Classes) != 12 {
		t.Fatalf("pools\n%s", describe(a))
	}
	classes := []int{1, 4, 11}
	masked, err := a.Mask(classes)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Cut(classes); err != nil {
		t.Fatal(err)
	}
	if err := verify.Model(work); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*graph.Model{work} {
		if in, out := n.Main.Inputs()[1].Shape().String(), n.Main.Outputs()[1].Shape().String(); in != out || !strings.Contains(in, "12") {
			t.Errorf("the state became %s and %s", in, out)
		}
	}
	for n := range work.Main.Nodes() {
		if n.Is("LSTM") && n.Int("hidden_size", 0) != 9 {
			t.Errorf("%d units are left", n.Int("hidden_size", 0))
		}
	}
	samples := []map[string]calib.Array{feed("", calib.InputPorts(m), 1), feed("", calib.InputPorts(m), 2)}
	if d := difference(t, outputs(t, rt, masked, samples, calib.Exact), outputs(t, rt, work, samples, calib.Exact)); !(d <= 1e-5) {
		t.Errorf("the outputs differ by %.3g", d)
	}
}

// What stands outside the standard is analysed as well: operators that a set deprecates, and ones that nobody knows.
func TestOutsideTheStandard(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"scales per group of opset 18", `<ir_version: 8, opset_import: ["" : 18]>
m (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
<float[16, 3, 3, 3] w0 = random(1), float[4] s = random(2, 0.5, 1.5), float[4] b = random(3), float[4, 16, 1, 1] w1 = random(4)>
{
  [stem] a = Conv <pads = [1, 1, 1, 1]> (x, w0)
  [gn] c = GroupNormalization <num_groups = 4> (a, s, b)
  [head] y = Conv (c, w1)
}`, "stem: 4 classes of w0.0x4 s.0 b.0 w1.1x4 a.1x4 c.1x4\n"},
		{"an unknown operator", `<ir_version: 8, opset_import: ["" : 17, "example" : 1]>
m (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
<float[16, 3, 3, 3] w0 = random(1), float[16, 16, 1, 1] w1 = random(4), float[12, 16, 1, 1] w2 = random(2), float[4, 12, 1, 1] w3 = random(3)>
{
  [stem] a = Conv <pads = [1, 1, 1, 1]> (x, w0)
  [what] b = example.Scramble (a)
  [c1] c = Conv (b, w1)
  [c2] d = Conv (c, w2)
  [head] y = Conv (d, w3)
}`, "c2: 12 classes of w2.0 w3.1 d.1\nstem: 16 stay, axis 1 of a at what: operator Scramble is not followed\nc1: 16 stay, axis 0 of w1 at c1: the rank of an operand is not known\n"},
	} {
		proto, err := text.Parse(c.src)
		if err != nil {
			t.Fatal(err)
		}
		m, err := graph.Import(proto)
		if err != nil {
			t.Fatal(err)
		}
		_ = m.Infer() // the unknown operator has no shapes
		a := axes.Analyze(m, axes.Options{})
		if got := describe(a); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got\n%s", c.name, got)
		}
		var classes []int
		for _, p := range a.Pools {
			classes = append(classes, p.Classes[0])
		}
		if err := a.Cut(classes); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
