package quant

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/passes"
)

// A convolution whose 8-bit output meets an activation that the runtime is slow at.
var nativeModels = map[string]struct{ body, op string }{
	"swish":        {`s = Sigmoid (c) y = Mul (c, s)`, "QuickGelu"},
	"swish turned": {`s = Sigmoid (c) y = Mul (s, c)`, "QuickGelu"},
	"scaled":       {`a = Mul (c, alpha) s = Sigmoid (a) y = Mul (c, s)`, "QuickGelu"},
	"prelu":        {`y = PRelu (c, slope)`, "Relu"},
	"other gate":   {`s = Sigmoid (x) y = Mul (c, s)`, ""},
	"gate read":    {`s = Sigmoid (c) p = Mul (c, s) y = Add (p, s)`, ""},
	"slope read":   {`n = Abs (x) y = PRelu (c, n)`, ""},
}

func nativeSource(body string) string {
	return head + `main (float[1, 16, 8, 8] x) => (float[1, 16, 8, 8] y)
< float[16, 16, 3, 3] w = random(5), float[16, 1, 1] slope = random(9), float alpha = {1.702} >
{ c = Conv <pads = [1, 1, 1, 1]> (x, w) ` + body + ` }`
}

// The native form computes what the operators of the model compute, in fewer
// passes over the tensor; where it does not apply, nothing changes.
func TestNativeForms(t *testing.T) {
	rt := orttest.Runner(t)
	for name, c := range nativeModels {
		t.Run(name, func(t *testing.T) {
			src := nativeSource(c.body)
			plain, _ := quantize(t, src, "ort", rt, func(e *passes.Env, _ *Options) { e.Target.Quant.Native = nil })
			native, _ := quantize(t, src, "ort", rt, nil)
			if err := verify.Model(native); err != nil {
				t.Fatal(err)
			}
			if got := native.Edits() != plain.Edits(); got != (c.op != "") || got && count(native, c.op) != 1 {
				t.Fatalf("edited: %v, %d x %s", got, count(native, c.op), c.op)
			}
			a, _ := encode(t, plain)
			b, _ := encode(t, native)
			diff, err := calib.Compare(context.Background(), rt, a, b, samples(native, 4), calib.CompareOptions{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			if diff.All.SQNR < 120 { // two float32 formulas of one function
				t.Errorf("SQNR %.1f dB", diff.All.SQNR)
			}
		})
	}
}

func count(m *graph.Model, op string) (n int) {
	for node := range m.All() {
		if node.Op() == op {
			n++
		}
	}
	return n
}

// A Concat with a constant, or with zeros made at run time, runs on 8-bit data.
func TestConcatOfConstant(t *testing.T) {
	rt := orttest.Runner(t)
	made := nativeConcat(`z = ConstantOfShape (shape) `, `int64[4] shape = {1, 4, 8, 8}`)
	stored := nativeConcat(``, `float[1, 4, 8, 8] z = random(3)`)
	for _, src := range []string{made, stored} {
		m, _ := quantize(t, src, "ort", rt, nil)
		for n := range m.All() {
			for _, v := range n.Ins() {
				if n.Is("Concat") && !dequantized(v) {
					t.Errorf("Concat reads %s in float", v.Name())
				}
			}
		}
		a, _ := encode(t, model(t, src))
		b, _ := encode(t, m)
		diff, err := calib.Compare(context.Background(), rt, a, b, samples(m, 4), calib.CompareOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if diff.All.SQNR < 20 {
			t.Errorf("SQNR %.1f dB", diff.All.SQNR)
		}
	}
}

func nativeConcat(node, constant string) string {
	return head + `main (float[1, 16, 8, 8] x) => (float[1, 8, 8, 8] y)
< float[12, 16, 3, 3] w1 = random(5), float[8, 16, 1, 1] w2 = random(6), ` + constant + ` >
{ c = Conv <pads = [1, 1, 1, 1]> (x, w1) ` + node + `k = Concat <axis = 1> (c, z) d = Conv (k, w2) y = Sigmoid (d) }`
}
