package region

import (
	"math"

	"github.com/onnxpass/onnxpass/graph"
)

// functions are the activations with a name. An exporter's way of writing one
// out does not matter: what counts is the function that it computes.
var functions = []struct {
	kind Kind
	form string
	f    func(float64) float64
}{
	{GELU, "erf", gelu},
	{GELU, "tanh", geluTanh},
	{GELU, "sigmoid", func(x float64) float64 { return x * logistic(1.702*x) }},
	{SiLU, "decomposed", func(x float64) float64 { return x * logistic(x) }},
	{HardSwish, "decomposed", hardSwish},
	{HardSwish, "slope 0.2", func(x float64) float64 { return x * min(max(0.2*x+0.5, 0), 1) }},
	{Mish, "decomposed", mish},
}

// fusedActivations are the operators that are such a function by themselves.
var fusedActivations = map[string]Kind{
	"Gelu": GELU, "FastGelu": GELU, "QuickGelu": GELU, "BiasGelu": GELU, "Swish": SiLU, "HardSwish": HardSwish, "Mish": Mish,
}

// activations finds functions of one tensor whose branches meet again, and the operators that stand for one.
func (f *finder) activations() {
	for n := range f.graph.Nodes() {
		out := n.Out(0)
		if out == nil || n.In(0) == nil {
			continue
		}
		if kind, ok := fusedActivations[n.Op()]; ok && operator(n, n.Op()) {
			if n.Op() == "QuickGelu" && n.Float("alpha", 1.702) == 1 {
				kind = SiLU
			}
			f.add(&Region{Kind: kind, Form: "fused", In: n.In(0), Out: out}, map[*graph.Node]bool{n: true})
			continue
		}
		if in := f.m.sources[out]; in != nil && n.Is(binary...) && len(distinct(n)) == 2 {
			f.activation(in, out)
		}
	}
}

// activation adds the region from in to out, with the constant factors behind it that belong to its function.
func (f *finder) activation(in, out *graph.Value) {
	kind, form, end := Activation, "decomposed", out
	for v, i := out, 0; v != nil && i < 3; i++ {
		if k, name, ok := named(in, v); ok {
			kind, form, end = k, name, v
			break
		}
		v = scaled(v)
	}
	if nodes := between(in, end); nodes != nil {
		f.add(&Region{Kind: kind, Form: form, In: in, Out: end}, nodes)
	}
}

// scaled is v times a constant, when that is its only use.
func scaled(v *graph.Value) *graph.Value {
	n := soleReader(v)
	if n == nil || !n.Is("Mul", "Div") || len(computed(n)) != 1 || n.Is("Div") && n.In(0) != v {
		return nil
	}
	return n.Out(0)
}

// named compares the function from in to out with those of the table.
func named(in, out *graph.Value) (Kind, string, bool) {
	f := Function(in, out)
	if f == nil {
		return "", "", false
	}
	for _, t := range functions {
		if same(f, t.f) {
			return t.kind, t.form, true
		}
	}
	return "", "", false
}

// same says whether two functions agree from -8 to 8 within what rounding of
// their constants to float32 leaves. The forms of GELU differ by four times that.
func same(f, g func(float64) float64) bool {
	for x := -8.0; x <= 8; x += 0.25 {
		if a, b := f(x), g(x); !(math.Abs(a-b) <= 1e-4*max(1, math.Abs(b))) {
			return false
		}
	}
	return true
}
