package calib_test

import (
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
)

// A meter gives what a comparison of two models gives.
func TestMeterIsAComparison(t *testing.T) {
	dims := []int64{1, 3}
	ref := map[string][]calib.Array{"one": {array(dims, 1, 2, 3)}, "two": {array(dims, 4, 0, nan)}}
	out := map[string][]calib.Array{"one": {array(dims, 1, 3, 2)}, "two": {array(dims, 3, 0, nan)}}
	want := compare(t, ref, out, "one", "two")
	m := calib.NewMeter([]calib.Port{{Name: "a"}}, nil)
	for _, name := range []string{"one", "two"} {
		if err := m.Add(name, ref[name], out[name]); err != nil {
			t.Fatal(err)
		}
	}
	got := m.Comparison()
	if got.Samples != 2 || got.Outputs[0] != want.Outputs[0] || got.All != want.All {
		t.Errorf("meter %+v, comparison %+v", got, want)
	}
	if got.Outputs[0].Divergence != 0 {
		t.Error("a divergence that nobody asked for")
	}
}

// The divergence of two softmaxes, worked out by hand from the definition.
func TestMeterDivergence(t *testing.T) {
	m := calib.NewMeter([]calib.Port{{Name: "a"}}, []bool{true})
	l := func(p float64) float32 { return float32(math.Log(p)) }
	// softmax of logarithms of probabilities are the probabilities; adding 7 changes nothing
	dims := []int64{2, 2}
	ref := []calib.Array{array(dims, l(0.25), l(0.75), l(0.5), l(0.5))}
	out := []calib.Array{array(dims, l(0.5)+7, l(0.5)+7, l(0.5), l(0.5))}
	if err := m.Add("", ref, out); err != nil {
		t.Fatal(err)
	}
	want := (0.25*math.Log(0.25/0.5) + 0.75*math.Log(0.75/0.5) + 0) / 2
	if got := m.Comparison().Outputs[0].Divergence; math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, want %v", got, want)
	}
}
