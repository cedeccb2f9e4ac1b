package calib_test

import (
	"context"
	"errors"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

func compare(t *testing.T, ref, out map[string][]calib.Array, names ...string) *calib.Comparison {
	t.Helper()
	ports := make([]calib.Port, len(ref[names[0]]))
	for i := range ports {
		ports[i].Name = string(rune('a' + i))
	}
	c, err := calib.CompareSessions(context.Background(), &fixed{ports, ref}, &fixed{ports, out}, named(names...), calib.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }

// The figures are worked out by hand from the definitions.
func TestCompareFigures(t *testing.T) {
	three := []int64{1, 3}
	c := compare(t,
		map[string][]calib.Array{
			"one": {array(three, 1, 2, 3), array(nil, 5)},
			"two": {array(three, 4, 0, 0), array(nil, 5)},
		},
		map[string][]calib.Array{
			"one": {array(three, 1, 3, 2), array(nil, 5)},
			"two": {array(three, 3, 0, 0), array(nil, 5)},
		}, "one", "two")
	a := c.Outputs[0]
	// sum ref^2 = 14 + 16, sum of squared differences = 2 + 1
	if !near(a.SQNR, 10) || a.MaxAbs != 1 || a.Top1 != 0.5 || a.Positions != 2 {
		t.Errorf("first output %+v", a)
	}
	// cosines 13/14 and 1
	if !near(a.Cosine, 27.0/28) {
		t.Errorf("cosine %v", a.Cosine)
	}
	if b := c.Outputs[1]; b.SQNR != 200 || b.Cosine != 1 || b.Positions != 0 || b.Top1 != 1 {
		t.Errorf("second output %+v", b)
	}
	// 14 + 16 + 25 + 25 over 3
	if !near(c.All.SQNR, 10*math.Log10(80.0/3)) || c.All.Top1 != 0.5 || !near(c.All.Cosine, 27.0/28) || c.All.MaxAbs != 1 {
		t.Errorf("all %+v", c.All)
	}
	if len(c.Worst) != 2 || c.Worst[0].Sample != "one" || !near(c.Worst[0].SQNR, 10*math.Log10(39.0/2)) {
		t.Errorf("worst %+v", c.Worst)
	}
}

func TestCompareMapsAlongChannels(t *testing.T) {
	shape := []int64{1, 2, 1, 3} // two classes for each of three pixels
	c := compare(t,
		map[string][]calib.Array{"s": {array(shape, 1, 1, 0, 0, 0, 1)}},
		map[string][]calib.Array{"s": {array(shape, 1, 0, 0, 0, 1, 1)}}, "s")
	if a := c.All; a.Positions != 3 || !near(a.Top1, 2.0/3) {
		t.Errorf("%+v", a)
	}
}

func TestCompareUndefined(t *testing.T) {
	shape := []int64{4}
	ref := map[string][]calib.Array{"s": {array(shape, nan, inf, 1, 2)}}
	c := compare(t, ref, map[string][]calib.Array{"s": {array(shape, nan, inf, 1, 2)}}, "s")
	if a := c.All; a.Undefined != 2 || a.Broken != 0 || a.SQNR != 200 {
		t.Errorf("equal places: %+v", a)
	}
	for _, other := range [][]float32{{nan, inf, nan, 2}, {nan, -inf, 1, 2}, {0, inf, 1, 2}} {
		c = compare(t, ref, map[string][]calib.Array{"s": {array(shape, other...)}}, "s")
		if a := c.All; a.Broken != 1 || a.SQNR != -200 || a.MaxAbs != math.MaxFloat64 {
			t.Errorf("%v: %+v", other, a)
		}
	}
}

func TestCompareRefusals(t *testing.T) {
	one := map[string][]calib.Array{"s": {array([]int64{2}, 1, 2)}}
	long := map[string][]calib.Array{"s": {array([]int64{3}, 1, 2, 3)}}
	ports := []calib.Port{{Name: "y"}}
	for _, c := range []struct {
		code string
		out  *fixed
		set  *calib.Set
	}{
		{"OP6002", &fixed{ports, one}, nil},
		{"OP6040", &fixed{nil, one}, named("s")},
		{"OP6041", &fixed{ports, long}, named("s")},
	} {
		_, err := calib.CompareSessions(context.Background(), &fixed{ports, one}, c.out, c.set, calib.CompareOptions{})
		var d *diag.Error
		if !errors.As(err, &d) || d.Code != c.code {
			t.Errorf("got %v, want %s", err, c.code)
		}
	}
}

// A model compared with itself agrees in every figure.
func TestCompareKitModelWithItself(t *testing.T) {
	rt := orttest.Runner(t)
	m, data := kit(t, "ppocrv4_rec", "ocr")
	proto, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	c, err := calib.Compare(context.Background(), rt, proto, proto, load(t, m, data, 5), calib.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c.All.SQNR != 200 || c.All.Top1 != 1 || c.All.Positions == 0 || c.Samples != 5 {
		t.Errorf("%+v", c)
	}
}
