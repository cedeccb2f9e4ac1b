package cleanup

import (
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
)

// bench holds the constants of the models below.
const bench = `<float[4,4,1,1] w = random(1), double[4,4,1,1] wd = random(2), float[4,4] m = random(3), float[4,4,3] w3 = random(4),
float[1] none = {0}, float[1] unit = {1}, float[4] one = {1, 1, 1, 1}, float[4] zero = {0, 0, 0, 0}, float[4] minus = {-1, -1, -1, -1}, float[3] one3 = {1, 1, 1}, float[3] zero3 = {0, 0, 0},
float[2,4] rows = random(5), bool yes = {1}, int64[8] mixed = {0, 0, 1, 1, 0, 0, 1, 1}>`

// What is left alone, and what the report says of it: fold-bn, unless another pass is named.
var reasons = []struct{ pass, reason, nodes string }{
	{"", "a constant operand is not finite", `c = Conv (x, w) y = Div (c, none)`},
	{"", "the batch normalization is in training mode, or not per channel", `c = Conv (x, w) y = BatchNormalization <training_mode = 1> (c, one, zero, zero, one)`},
	{"", "the batch normalization is not finite", `c = Conv (x, w) y = BatchNormalization (c, one, zero, zero, minus)`},
	{"", "the parameters of the batch normalization are not constant", `s = Neg (one) c = Conv (x, w) y = BatchNormalization (c, s, zero, zero, one)`},
	{"", "the batch normalization has another number of channels", `c = Gemm (r, m) y = BatchNormalization (c, one3, zero3, zero3, one3)`},
	{"", "the channels of the batch normalization are not the columns of the matrix product", `c = MatMul (q, m) y = BatchNormalization (c, one3, zero3, zero3, one3)`},
	{"", "the bias is not constant, or not one number for each channel", `c = Gemm (r, m, rows) y = Mul (c, one)`},
	{"", "the weights are not float32", `c = Conv (d, wd) y = BatchNormalization (c, one, zero, zero, one)`},
	{"", "the weights are not constant", `v = Neg (w) c = Conv (x, v) y = BatchNormalization (c, one, zero, zero, one)`},
	{"", "the input is constant", `c = MatMul (rows, m) y = Mul (c, one)`},
	{"", "the weights have an unusual shape", `c = MatMul (r, one) y = Mul (c, none)`},
	{"", "the channels of the batch normalization are not those of the weights", `n = BatchNormalization (r, one, zero, zero, one) y = Gemm <transA = 1> (n, rows)`},
	{"", "the convolution pads with zeros, which a shift in front of it would change", `n = BatchNormalization (x, one, one, zero, one) y = Conv <auto_pad = "SAME_UPPER"> (n, w)`},
	{"", "the result has other readers besides the constant scale or shift", `c = Conv (x, w) k = Mul (c, none) y = Add (c, k)`},
	{"fold-pad", "the amounts of Pad are not constant, or the rank is not known", `p = Pad (x, pads) y = Conv (p, w)`},
	{"fold-pad", "the convolution pads by auto_pad", `p = Pad (x, mixed) y = Conv <auto_pad = "SAME_LOWER"> (p, w)`},
	{"fold", "operators of other domains are not folded", `c = other.Op (one) y = Add (x, c)`},
	{"fold", "nodes with subgraphs are not folded", `c = If (yes) <then_branch = a () => (float[4] u) { u = Neg (one) }, else_branch = b () => (float[4] v) { v = Abs (one) }> y = Add (r, c)`},
	{"fold", "the size of the result is not known", `c = NonZero (one) k = Cast <to = 1> (c) y = Add (r, k)`},
	{"no-ops", "the node changes nothing, but gives a graph output its name", `y = Mul (x, unit)`},
	{"dce", "nothing reads the node, but its domain is unknown: it may have effects", `e = other.Op (x) y = Neg (x)`},
}

func TestReasons(t *testing.T) {
	for _, c := range reasons {
		spec := c.pass
		if spec == "" {
			spec = "fold-bn"
		}
		m, err := graph.Import(parse(t, `<ir_version: 8, opset_import: ["" : 17, "other" : 1]>
g (float[1,4,6,6] x, float[2,4] r, float[2,3,4] q, double[1,4,4,4] d, int64[8] pads) => (float y) `+bench+" {\n"+c.nodes+"\n}"))
		if err != nil {
			t.Fatal(err)
		}
		nodes := m.Main.NumNodes()
		report := apply(t, m, spec, nil)[0]
		if !slices.ContainsFunc(report.Skips, func(s passes.Skip) bool { return s.Reason == c.reason && s.Count == 1 }) {
			t.Errorf("%s: skips %+v, want %q", c.nodes, report.Skips, c.reason)
		}
		if m.Main.NumNodes() != nodes {
			t.Errorf("%s: a node went", c.nodes)
		}
	}
}
