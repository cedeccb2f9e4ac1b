package calib_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	onnxtext "github.com/onnxpass/onnxpass/onnx/text"
)

const branches = `<ir_version: 8, opset_import: ["" : 16]> main (float[2] x, bool a, bool b) => (float[2] y) {
  y = If (a) <
    then_branch = yes () => (float[2] p) { p = If (b) <then_branch = deep () => (float[2] q) { d = Mul (x, x)
      q = Neg (d) }, else_branch = flat () => (float[2] r) { r = Identity (x) }> },
    else_branch = no () => (float[2] s) { e = Add (x, x)
      s = Neg (e) }> }`

func boolean(b bool) calib.Array {
	a := calib.Array{Type: onnx.Bool, Bytes: []byte{0}}
	if b {
		a.Bytes[0] = 1
	}
	return a
}

// parsed is the model of a text.
func parsed(t *testing.T, src string) *graph.Model {
	t.Helper()
	p, err := onnxtext.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graph.Import(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	return m
}

// Values of branches are observed in the samples that take them, however deep they lie.
func TestValuesInsideBranches(t *testing.T) {
	rt := orttest.Runner(t)
	m := parsed(t, branches)
	var samples memory
	for i, c := range [][2]bool{{true, true}, {true, false}, {false, true}, {true, true}} {
		x := float32(i + 1)
		samples = append(samples, calib.Sample{Inputs: map[string]calib.Array{"x": array([]int64{2}, x, -x), "a": boolean(c[0]), "b": boolean(c[1])}})
	}
	c := &calib.Calibration{Runner: rt, Samples: calib.NewSet(samples)}
	table, err := c.Collect(context.Background(), m, []calib.Request{{Value: "d"}, {Value: "e"}, {Value: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][3]float64{"d": {4, 1, 16}, "e": {2, -6, 6}, "x": {8, -4, 4}} {
		s := table.Stats(name)
		if s == nil {
			t.Fatalf("%s: %s", name, table.Unobservable(name))
		}
		if got := [3]float64{float64(s.Count), float64(s.Min), float64(s.Max)}; got != want || math.IsNaN(s.Mean()) {
			t.Errorf("%s: count, least, largest %v, want %v", name, got, want)
		}
	}
}

// In a real network of nested branches the values of those that the samples take are observed, the others stay empty.
func TestBranchesOfKitModel(t *testing.T) {
	rt := orttest.Runner(t)
	m := kitModel(t, "silero_vad_v6", "vad")
	c := &calib.Calibration{Runner: rt, Samples: load(t, m.model, m.data, 3)}
	var reqs []calib.Request
	for n := range m.model.All() {
		if n.Is("Conv") {
			reqs = append(reqs, calib.Request{Value: n.Out(0).Name()})
		}
	}
	table := collect(t, c, m, reqs)
	for _, r := range reqs {
		s := table.Stats(r.Value)
		if s == nil {
			t.Fatalf("%s: %s", r.Value, table.Unobservable(r.Value))
		}
		if taken := strings.Contains(r.Value, "then_branch"); (s.Samples == 3) != taken || (s.Finite() > 0) != taken {
			t.Errorf("%s: %d samples, %d elements", r.Value, s.Samples, s.Finite())
		}
	}
}
