package quant

import (
	"bytes"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/passes"
)

// gainSource is a convolution whose weights use one channel by the factor given, between two Relu.
func gainSource(op, weight string) string {
	return head + `main (float[1, 16, 8, 8] x) => (float[1, 16, 8, 8] y)
< float[16, 16, 1, 1] w = random(5), float[16, 1, 3, 3] d = random(6) >
{ r = Relu (x) c = Conv <` + op + `> (r, ` + weight + `) y = Sigmoid (c) }`
}

func gainsOf(t *testing.T, src string) map[string]*gain {
	t.Helper()
	out := map[string]*gain{}
	quantize(t, src, "openvino", orttest.Runner(t), func(e *passes.Env, o *Options) {
		p, err := newPlanner(e, *o)
		if err != nil {
			t.Fatal(err)
		}
		p.opt.Range = Auto
		if err := p.plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		members := map[*tensor][]*tensor{}
		joints := make([]joint, len(p.tensors))
		for i, m := range p.tensors {
			members[m] = []*tensor{m}
			table, err := p.collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			joints[i] = merge(members[m], table)
		}
		gains, err := p.measureGains(t.Context(), members, joints)
		if err != nil {
			t.Fatal(err)
		}
		for root, g := range gains {
			out[root.value.Name()] = g
		}
	})
	return out
}

// Cut-off elements of independent noise are as white as rounding errors: they
// count like those behind a product over all channels, up to what few samples tell.
func TestGainOfNoiseIsOne(t *testing.T) {
	for _, src := range []string{gainSource("", "w"), gainSource("group = 16, pads = [1, 1, 1, 1]", "d")} {
		g := gainsOf(t, src)["r"]
		if g == nil {
			t.Fatal("no gain of r")
		}
		if w := g.weight(1); math.Abs(math.Log(w)) > math.Log(2) {
			t.Errorf("weight %.2f of white noise", w)
		}
		if g.weight(0) != 1 {
			t.Errorf("weight %.2f of an end that cuts nothing", g.weight(0))
		}
	}
}

// A range is replaced only where the weighed error falls clearly.
func TestJudge(t *testing.T) {
	bars := []Bin{{Centre: 10, Width: 1.0 / 64, Count: 150}}
	for i := range 64 {
		bars = append(bars, Bin{Centre: (float64(i) + 0.5) / 64, Width: 1.0 / 64, Count: 1e6})
	}
	j := joint{histogram: newHistogram(0, 10, bars), bounds: Bounds{0, math.Inf(1)}, meanHi: 10}
	o := Options{Range: Auto, MaxClip: 100}
	q := planned(t, gainSource("", "w"), "openvino").profile.Quant
	mse := j.estimate(q, o)
	for _, c := range []struct {
		arrived float64
		narrows bool
	}{{1, false}, {0.01, true}} {
		got := j.judge(q, o, mse, &gain{arrived: [2]float64{0, c.arrived}, white: [2]float64{0, 1}})
		if narrows := got.params.Scale[0] < mse.params.Scale[0]; narrows != c.narrows {
			t.Errorf("gain %g: scale %g against %g", c.arrived, got.params.Scale[0], mse.params.Scale[0])
		}
	}
	wide := j.judge(q, o, mse, &gain{arrived: [2]float64{0, 100}, white: [2]float64{0, 1}})
	if wide.params.Scale[0] < mse.params.Scale[0] {
		t.Errorf("a gain of 100 narrows the range to scale %g", wide.params.Scale[0])
	}
}

// Threads change no byte of a file with automatic ranges.
func TestAutoDoesNotDependOnThreads(t *testing.T) {
	rt := orttest.Runner(t)
	var first []byte
	for _, threads := range []int{1, 2, 4} {
		m, _ := quantize(t, gainSource("", "w"), "openvino", rt, func(e *passes.Env, o *Options) {
			e.Calib.Threads, o.Range = threads, Auto
		})
		_, data := encode(t, m)
		if first == nil {
			first = data
		}
		if !bytes.Equal(first, data) {
			t.Errorf("%d threads give another file", threads)
		}
	}
}

// No pair of ends on a grid over both beats the search of a two-sided range by more than three percent.
func TestSearchOfBothEnds(t *testing.T) {
	xs := heavyTailed(20000, false)
	for i, x := range xs {
		xs[i] = max(x, x/5) // lopsided
	}
	h := dyadic(xs, 1.0/64)
	lo, hi := searchMSE(h, codeAsymmetric, h.Min, h.Max, 1)
	found := meanSquare(xs, codeAsymmetric.params(lo, hi))
	for a := 0.05; a <= 1; a += 0.05 {
		for b := 0.05; b <= 1; b += 0.05 {
			if other := meanSquare(xs, codeAsymmetric.params(h.Min*a, h.Max*b)); other < 0.97*found {
				t.Errorf("factors %.2f and %.2f give %g, search %g", a, b, other, found)
			}
		}
	}
}
