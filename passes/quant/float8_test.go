package quant

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// slowFloat8 is the value of a code by the definition: sign, exponent, mantissa; NaN and infinity as NaN.
func slowFloat8(elem onnx.DataType, code int) float64 {
	exponent, mantissa, bias := 4, 3, 7
	if elem == onnx.Float8E5M2 {
		exponent, mantissa, bias = 5, 2, 15
	}
	e, m := code>>mantissa&(1<<exponent-1), code&(1<<mantissa-1)
	v := float64(m) / float64(int(1)<<mantissa)
	switch {
	case elem == onnx.Float8E5M2 && e == 31, elem == onnx.Float8E4M3FN && code&127 == 127:
		return math.NaN()
	case e == 0:
		v *= math.Pow(2, float64(1-bias))
	default:
		v = (1 + v) * math.Pow(2, float64(e-bias))
	}
	if code > 127 {
		v = -v
	}
	return v
}

// Every code has the value of the definition, comes back from its value, and every number between two neighbours goes
// to the nearer one, ties to the even code.
func TestFloat8AgainstDefinition(t *testing.T) {
	for _, elem := range []onnx.DataType{onnx.Float8E4M3FN, onnx.Float8E5M2} {
		var values []float64
		codeOf := map[float64]int{}
		for code := range 256 {
			v := slowFloat8(elem, code)
			if got := float64(float8Value(elem, byte(code), 1)); got != v && !(math.IsNaN(got) || math.IsInf(got, 0)) {
				t.Errorf("%s %d: %g, want %g", elem, code, got, v)
			}
			if math.IsNaN(v) {
				continue
			}
			if got := float8Code(elem, float32(v), 1); int(got) != code {
				t.Errorf("%s: %g gets code %d, want %d", elem, v, got, code)
			}
			if v != 0 || code == 0 {
				values = append(values, v)
				codeOf[v] = code
			}
		}
		slices.Sort(values)
		f := float8Of(elem)
		if largest := values[len(values)-1]; largest != f.largest {
			t.Errorf("%s: largest %g, want %g", elem, f.largest, largest)
		}
		for i, a := range values[1:] {
			below := values[i]
			if step := f.step(math.Max(math.Abs(a+below)/2, 0)); a-below != step {
				t.Errorf("%s: step %g at %g, want %g", elem, step, a, a-below)
			}
			p := Params{Elem: elem, Scale: []float32{1}, Zero: []int32{0}}
			for _, share := range []float64{0.25, 0.5, 0.75} {
				want := below
				if share > 0.5 || share == 0.5 && codeOf[a]%2 == 0 {
					want = a
				}
				if got := p.Round(float32(below + share*(a-below))); float64(got) != want {
					t.Errorf("%s: %g between %g and %g becomes %g", elem, share, below, a, got)
				}
			}
		}
		if p := (Params{Elem: elem, Scale: []float32{2}, Zero: []int32{0}}); float64(p.Round(1e9)) != 2*f.largest {
			t.Error("not saturated")
		}
	}
}

// A network in float8 computes in ONNX Runtime what it should, with the placement of INT8 and codes of the type asked for.
func TestFloat8Network(t *testing.T) {
	rt := orttest.Runner(t)
	src := `<ir_version: 9, opset_import: ["" : 19]>
main (float[1, 32, 8, 8] x) => (float[1, 32] y)
< float[32, 32, 3, 3] w = random(1), float[32] b = random(2), float[32, 32, 1, 1] v = random(3), float[32, 32] m = random(4) >
{
   c = Conv <pads = [1, 1, 1, 1]> (x, w, b)
   r = Relu (c)
   d = Conv (r, v)
   e = Clip (d)
   p = GlobalAveragePool (e)
   f = Flatten (p)
   y = MatMul (f, m)
}`
	for _, c := range []struct {
		profile, format string
		elem            onnx.DataType
		least           float64
	}{{"tensorrt", FormatE4M3, onnx.Float8E4M3FN, 20}, {"ort", FormatE4M3, onnx.Float8E4M3FN, 20}, {"ort", FormatE5M2, onnx.Float8E5M2, 14}} {
		before := model(t, src)
		after, _ := quantize(t, src, c.profile, rt, func(_ *passes.Env, o *Options) { o.Format = c.format })
		var n int
		for q := range after.All() {
			if q.Is("DequantizeLinear") && q.In(0).Elem() == c.elem {
				n++
			}
		}
		if n < 4 {
			t.Errorf("%s %s: %d tensors in %s", c.profile, c.format, n, c.elem)
		}
		if err := passes.Verify(after); err != nil {
			t.Error(err)
		}
		a, _ := encode(t, before)
		b, _ := encode(t, after)
		got, err := passes.Compare(context.Background(), calib.Runner(rt), a, b, samples(before, 4), passes.CompareOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got.Worst < c.least { // rounding to 3 (2) bits of mantissa keeps 31 (25) dB of a tensor
			t.Errorf("%s %s: %.1f dB", c.profile, c.format, got.Worst)
		}
	}
}

// Targets without float8 products say so.
func TestFloat8Refused(t *testing.T) {
	g := model(t, `<ir_version: 9, opset_import: ["" : 19]> main (float[1, 2] x) => (float[1, 2] y) { y = Relu (x) }`)
	for profile, code := range map[string]string{"openvino": "OP3462", "portable": "OP3462"} {
		_, err := newPlanner(&passes.Env{Model: g, Target: lookup(profile)}, Options{Format: FormatE4M3})
		checkCode(t, err, code)
	}
}

func lookup(name string) *target.Profile { return target.Lookup(name) }

func checkCode(t *testing.T, err error, code string) {
	t.Helper()
	var d *diag.Error
	if !errors.As(err, &d) || d.Code != code {
		t.Errorf("%v, want %s", err, code)
	}
}
