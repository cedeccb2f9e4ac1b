package target

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// constants that the small models share: scales and zero points, and an int8 weight [16, 16, 3, 3] with scales per output channel.
const shared = `
 float s = {0.05}, float s2 = {0.03}, float[16] sc = fill(0.05), float[16] bad = fill(0),
 int8 i0 = {0}, uint8 u0 = {0}, uint8 u9 = {9}, uint8 u128 = {128}, int8[16] ic = fill(0), uint8[16] uc = fill(0),
 int8[16, 16, 3, 3] wq = fill(1), float[16, 16, 3, 3] wf = fill(1), float[16] b = fill(1), int32[16] bq = fill(1), int32[16] bz = fill(0)`

const (
	weightDQ = "w = DequantizeLinear <axis = 0> (wq, sc, ic)\n"
	conv     = "y = Conv <pads = [1, 1, 1, 1]> (xd, w, b)\n"
	pairI8   = "xq = QuantizeLinear (x, s, i0)\nxd = DequantizeLinear (xq, s, i0)\n"
	pairU0   = "xq = QuantizeLinear (x, s, u0)\nxd = DequantizeLinear (xq, s, u0)\n"
	dqR      = "rd = DequantizeLinear <axis = 0> (rr, sc, ic)\nlr = Reshape (rd, rs)\ny = LSTM <hidden_size = 4> (xd, lw, lr)\n"
	dqLSTM   = "wd = DequantizeLinear <axis = 0> (rw, sc, ic)\nlw = Reshape (wd, ws)\n" + dqR
	pairU9   = "xq = QuantizeLinear (x, s, u9)\nxd = DequantizeLinear (xq, s, u9)\n"
)

// small is a model of one input x and one output y with the given nodes.
func small(t *testing.T, opset int, x, y, inits, nodes string) *graph.Model {
	t.Helper()
	if x == "" {
		x = "float[1, 16, 8, 8] x"
	}
	if y == "" {
		y = "float[1, 16, 8, 8] y"
	}
	if inits != "" {
		inits = "," + inits
	}
	src := fmt.Sprintf("<ir_version: 8, opset_import: [\"\" : %d, \"com.microsoft\" : 1, \"other\" : 1]>\nmain (%s) => (%s)\n<%s%s>\n{\n%s}\n", opset, x, y, shared, inits, nodes)
	m, err := text.Parse(src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	g, err := graph.Import(m)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	_ = g.Infer()
	return g
}

// Every checked rule of every target has a model that breaks it.
var violations = []struct {
	target, rule      string
	opset             int
	x, y, init, nodes string
}{
	{"tensorrt", "T01", 13, "", "", "uint16[2] odd = fill(1)", pairI8 + weightDQ + conv},
	{"tensorrt", "T02", 13, "", "", "double[2] odd = fill(1)", "c = Cast <to = 1> (odd)\ny = Relu (x)\n"},
	{"tensorrt", "T04", 13, "", "", "", "c = Cast <to = 2> (x)\ny = Cast <to = 1> (c)\n"},
	{"tensorrt", "T05", 13, "", "", "", "xq = QuantizeLinear (x, s, i0)\nr = Relu (xq)\ny = DequantizeLinear (r, s, i0)\n"},
	{"tensorrt", "T06", 13, "", "", "", "c = Cast <to = 5> (x)\ny = Cast <to = 1> (c)\n"},
	{"tensorrt", "T07", 13, "", "", "", "y = Det (x)\n"},
	{"tensorrt", "T07", 13, "", "", "", "y = other.Thing (x)\n"},
	{"tensorrt", "T07", 13, "", "", "", "y = com.microsoft.FastGelu (x)\n"},
	{"tensorrt", "T08", 13, "", "", "", "y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x)\n"},
	{"tensorrt", "T08", 13, "", "", "", "y, i = MaxPool <kernel_shape = [2, 2]> (x)\n"},
	{"tensorrt", "T08", 17, "", "", "", "y, m = LayerNormalization (x, b)\n"},
	{"tensorrt", "T08", 18, "float[1, 16, 8, 8] x, int64[1] axes", "", "", "y = ReduceMean (x, axes)\n"},
	{"tensorrt", "T08", 13, "", "", "int64[1] k = {4000}", "y, i = TopK (x, k)\n"},
	{"tensorrt", "T08", 18, "", "", "int64[1, 4] at = fill(0), float[1] up = fill(1)", `y = ScatterND <reduction = "add"> (x, at, up)` + "\n"},
	{"tensorrt", "T08", 18, "", "", "int64[4] size = {1, 16, 4, 4}", `y = Resize <antialias = 1, mode = "linear"> (x, , , size)` + "\n"},
	{"tensorrt", "T08", 13, "", "", "float r = {0.5}, bool on = {1}", "y = Dropout (x, r, on)\n"},
	{"tensorrt", "T08", 13, "float[1, 16, 8, 8] x, bool c", "", "", "y = If (c) <then_branch = a () => (float[1, 16, 8, 8] o) { o = Relu (x) }, else_branch = e () => (float[1, 16, 8, 8] o) { o = Abs (x) }>\n"},
	{"tensorrt", "T09", 25, "", "", "", "y = Relu (x)\n"},
	{"tensorrt", "T10", 13, "", "", "float[1, 1, 1, 1, 1, 1, 1, 1, 1] deep = fill(1)", "y = Relu (x)\n"},
	{"tensorrt", "T13", 13, "", "", "", "[s] xq = QuantizeLinear (x, s, i0)\nxd = DequantizeLinear (xq, s, i0)\n" + weightDQ + conv},
	{"tensorrt", "T15", 13, "", "", "", "y = other.TRT_Thing (x)\n"},
	{"tensorrt", "T20", 13, "", "", "", pairU0 + weightDQ + conv},
	{"tensorrt", "T20", 13, "", "", "", pairU9 + weightDQ + conv},
	{"tensorrt", "T21", 13, "", "", "", "xq = QuantizeLinear (x, s)\nxd = DequantizeLinear (xq, s)\n" + weightDQ + conv},
	{"tensorrt", "T22", 13, "", "", "int8 i3 = {3}", "xq = QuantizeLinear (x, s, i3)\nxd = DequantizeLinear (xq, s, i3)\n" + weightDQ + conv},
	{"tensorrt", "T22", 13, "", "", "", pairI8 + "w = DequantizeLinear <axis = 0> (wq, sc, i0)\n" + conv},
	{"tensorrt", "T22", 13, "float[1, 16, 8, 8] x, int8 z", "", "", "xq = QuantizeLinear (x, s, z)\nxd = DequantizeLinear (xq, s, z)\n" + weightDQ + conv},
	{"tensorrt", "T23", 13, "", "", "", pairI8 + "w = DequantizeLinear <axis = 0> (wq, bad, ic)\n" + conv},
	{"tensorrt", "T23", 13, "float[1, 16, 8, 8] x, float v", "", "", "xq = QuantizeLinear (x, v, i0)\nxd = DequantizeLinear (xq, v, i0)\n" + weightDQ + conv},
	{"tensorrt", "T24", 13, "", "", "float[3] three = fill(1), int8[3] z3 = fill(0)", pairI8 + "w = DequantizeLinear <axis = 0> (wq, three, z3)\n" + conv},
	{"tensorrt", "T25", 13, "", "", "", pairI8 + "w = DequantizeLinear (wq, sc, ic)\n" + conv},
	{"tensorrt", "T26", 13, "", "", "", "xq = QuantizeLinear <axis = 1> (x, sc, ic)\nxd = DequantizeLinear <axis = 1> (xq, sc, ic)\n" + weightDQ + conv},
	{"tensorrt", "T27", 13, "", "", "", pairI8 + "w = DequantizeLinear <axis = 1> (wq, sc, ic)\n" + conv},
	{"tensorrt", "T28", 21, "", "", "int4[3] odd = {1, 2, 3}", "y = Relu (x)\n"},
	{"tensorrt", "T29", 13, "", "", "float16[16] hb = fill(1)", pairI8 + weightDQ + "y = Conv <pads = [1, 1, 1, 1]> (xd, w, hb)\n"},
	{"tensorrt", "T30", 13, "float x", "float y", "", "xq = QuantizeLinear (x, s, i0)\ny = DequantizeLinear (xq, s, i0)\n"},
	{"tensorrt", "T31", 13, "", "", "", pairI8 + weightDQ + "bd = DequantizeLinear <axis = 0> (bq, sc, bz)\ny = Conv <pads = [1, 1, 1, 1]> (xd, w, bd)\n"},
	{"tensorrt", "T32", 13, "", "", "", pairI8 + "y = Conv <pads = [1, 1, 1, 1]> (xd, wf, b)\n"},
	{"tensorrt", "T34", 13, "", "", "", pairI8 + "aq = QuantizeLinear (xd, s2, i0)\nad = DequantizeLinear (aq, s2, i0)\n" + weightDQ + "y = Conv <pads = [1, 1, 1, 1]> (ad, w, b)\n"},
	{"tensorrt", "T36", 21, "float[4, 16] x", "float[4, 16] y", "int8[16, 16] bw = fill(1), float[2, 16] bs = fill(1), int8[2, 16] bzp = fill(0)", pairI8 + "w = DequantizeLinear <axis = 0, block_size = 8> (bw, bs, bzp)\ny = MatMul (xd, w)\n"},
	{"tensorrt", "T37", 21, "", "", "int4[16, 16, 3, 3] w4 = fill(1), int4[16] z4 = fill(0)", pairI8 + "w = DequantizeLinear <axis = 0> (w4, sc, z4)\n" + conv},
	{"tensorrt", "TP14", 13, "", "", "", "xq = QuantizeLinear (x, s, i0)\ny = DequantizeLinear (xq, s, i0)\n"},
	{"tensorrt", "TP15", 13, "", "", "", pairI8 + "t = Tanh (xd)\ntq = QuantizeLinear (t, s, i0)\ntd = DequantizeLinear (tq, s, i0)\ny = Relu (td)\n"},

	{"openvino", "O01", 25, "", "", "uint2[4] odd = fill(1)", "y = Relu (x)\n"},
	{"openvino", "O02", 19, "", "", "float8e4m3fn f8 = {0}", "xq = QuantizeLinear (x, s, f8)\ny = DequantizeLinear (xq, s, f8)\n"},
	{"openvino", "O03", 19, "", "", "float16 hs = {1}", "xq = QuantizeLinear (x, s, u0)\nh = DequantizeLinear (xq, hs, u0)\ny = Cast <to = 1> (h)\n"},
	{"openvino", "O04", 13, "", "", "float[3] three = fill(1), int8[3] z3 = fill(0)", pairU0 + "w = DequantizeLinear <axis = 0> (wq, three, z3)\n" + conv},
	{"openvino", "O05", 21, "float[4, 16] x", "float[4, 16] y", "int8[16, 16] bw = fill(1), float[16, 2] bs = fill(1), int8[16, 2] bzp = fill(0)", "w = DequantizeLinear <axis = 1, block_size = 8> (bw, bs, bzp)\ny = MatMul (x, w)\n"},
	{"openvino", "O06", 22, "", "", "", "y = Relu (x)\n"},
	{"openvino", "O07", 13, "", "", "float[0] none = {}", "y = Concat <axis = 0> (x, none)\n"},
	{"openvino", "O09", 13, "", "", "", "y = com.microsoft.Gelu (x)\n"},
	{"openvino", "O10", 13, "float[N, 4, M] x, bool k", "float y", "int64[1] last = {-1}", squeezed("")},
	{"portable", "P07", 13, "float[N, 4, M] x, bool k", "float y", "int64[1] last = {-1}", squeezed("")},
	{"openvino", "O20", 13, "", "", "", pairI8 + weightDQ + conv},
	{"openvino", "O21", 13, "float[1, 8, 8, 8] x", "", "int64[8] pads = {0, 4, 0, 0, 0, 4, 0, 0}", pairU9 + "p = Pad (xd, pads)\n" + weightDQ + "y = Conv <pads = [1, 1, 1, 1]> (p, w, b)\n"},
	{"openvino", "O22", 13, "float[4, 16, 8] x", "float[4, 16] y", "float[16] one = fill(1)", "m = ReduceMean <axes = [2], keepdims = 0> (x)\nmq = QuantizeLinear (m, s, u0)\nmd = DequantizeLinear (mq, s, u0)\ny = BatchNormalization (md, one, one, one, one)\n"},
	{"openvino", "O23", 13, "float[1, 1, 16] x, float[1, 8, 16] z", "float[1, 9, 16] y", "float[16, 16] mw = fill(1)", "c = Concat <axis = 1> (x, z)\ncq = QuantizeLinear (c, s, u9)\ncd = DequantizeLinear (cq, s, u9)\ny = MatMul (cd, mw)\n"},
	{"openvino", "O24", 13, "", "", "", "xq = QuantizeLinear (x, s, u0)\na = DequantizeLinear (xq, s, u0)\nc = DequantizeLinear (xq, s, u0)\ny = Add (a, c)\n"},
	{"openvino", "O25", 13, "", "", "", "xq = QuantizeLinear (x, s, u0)\ny = DequantizeLinear (xq, s2, u0)\n"},
	{"openvino", "O26", 21, "", "", "uint16 w0 = {0}", "xq = QuantizeLinear (x, s, w0)\ny = DequantizeLinear (xq, s, w0)\n"},
	{"openvino", "O27", 13, "", "", "", pairU9 + weightDQ + "y = ConvTranspose <pads = [1, 1, 1, 1]> (xd, w, b)\n"},
	{"openvino", "O28", 13, "", "", "", "xq = QuantizeLinear <axis = 1> (x, sc, uc)\nxd = DequantizeLinear <axis = 1> (xq, sc, uc)\n" + weightDQ + conv},
	{"openvino", "O29", 13, "", "", "uint8[16, 16, 3, 3] wu = fill(1)", pairU0 + "w = DequantizeLinear (wu, s, u128)\n" + conv},
	{"openvino", "O30", 13, "", "", "", pairU0 + "y = Conv <pads = [1, 1, 1, 1]> (xd, wf, b)\n"},
	{"openvino", "O34", 13, "", "", "", pairU0 + weightDQ + "c = Conv <pads = [1, 1, 1, 1]> (xd, w, b)\nh = Cast <to = 10> (c)\ny = Cast <to = 1> (h)\n"},
	{"openvino", "O36", 13, "float[4, 16] x", "float[4, 16] y", "int8[16, 16] g1 = fill(1), int8[16, 16] g2 = fill(2)", pairU0 + "w1 = DequantizeLinear <axis = 1> (g1, sc, ic)\na = MatMul (xd, w1)\naq = QuantizeLinear (a, s, u0)\nad = DequantizeLinear (aq, s, u0)\nw2 = DequantizeLinear <axis = 1> (g2, sc, ic)\ny = MatMul (ad, w2)\n"},
	{"openvino", "O37", 13, "float[5, 2, 8] x", "float[5, 1, 2, 4] y", "int8[16, 8] rw = fill(1), int8[16, 4] rr = fill(1), int64[3] ws = {1, 16, 8}, int64[3] rs = {1, 16, 4}", pairU0 + dqLSTM},
	{"openvino", "O37", 13, "float[5, 2, 8] x", "float[5, 1, 2, 4] y", "int8[16, 8] rw = fill(1), int8[16, 4] rr = fill(1), int64[3] ws = {1, 16, 8}, int64[3] rs = {1, 16, 4}", pairU0 + "wf8 = Cast <to = 1> (rw)\nwm = Mul (wf8, s)\nlw = Reshape (wm, ws)\n" + dqR},
	{"openvino", "O35", 13, "", "", "", everywhere(22)},

	{"ort", "R15", 13, "float[5, 2, 8] x", "float[5, 1, 2, 4] y", "int8[16, 8] rw = fill(1), int8[16, 4] rr = fill(1), int64[3] ws = {1, 16, 8}, int64[3] rs = {1, 16, 4}", pairU0 + dqLSTM},
	{"ort", "R01", 27, "", "", "", "y = Relu (x)\n"},
	{"ort", "R02", 13, "", "", "", pairU0 + weightDQ + conv},
	{"ort", "R03", 13, "", "", "", pairU0 + weightDQ + "c = Conv <pads = [1, 1, 1, 1]> (xd, w, b)\nr = Relu (c)\nrq = QuantizeLinear (r, s, i0)\ny = DequantizeLinear (rq, s, i0)\n"},
	{"ort", "R04", 13, "float[1, 16, 8, 8] x, float[1, 16, 8, 8] z", "", "", pairU0 + "y = Add (xd, z)\n"},
	{"ort", "R05", 13, "", "", "", pairI8 + "a = Relu (xd)\nc = Abs (xd)\ny = Add (a, c)\n"},
	{"ort", "R06", 13, "", "", "", "c = Conv <pads = [1, 1, 1, 1]> (x, wf)\ncq = QuantizeLinear <axis = 1> (c, sc, uc)\ny = DequantizeLinear <axis = 1> (cq, sc, uc)\n"},
	{"ort", "R17", 13, "float[4, 16] x", "float[4, 16] y", "int8[16, 16] g1 = fill(1)", "w = DequantizeLinear <axis = 0> (g1, sc, ic)\ny = Gemm <transB = 1> (x, w)\n"},
	{"ort", "R17", 13, "float[4, 16] x", "float[4, 16] y", "int8[16, 16] g1 = fill(1)", "w = DequantizeLinear <axis = 1> (g1, sc, ic)\nh = MatMul (x, w)\ny = MatMul (h, w)\n"},
	{"ort", "R17", 21, "float[4, 16] x", "float[4, 16] y", "int8[16, 16] bw = fill(1), float[2, 16] bs = fill(1), int8[2, 16] bzp = fill(0)", "w = DequantizeLinear <axis = 0, block_size = 8> (bw, bs, bzp)\ny = MatMul (x, w)\n"},
	{"ort", "R07", 13, "", "", "", weightDQ + "y = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n"},
	{"ort", "R08", 13, "", "", "", pairU9 + "t = Tanh (xd)\ntq = QuantizeLinear (t, s, u9)\ny = DequantizeLinear (tq, s, u9)\n"},
	{"ort", "R09", 13, "", "", "", pairU0 + "t = MaxPool <kernel_shape = [1, 1]> (xd)\ntq = QuantizeLinear (t, s2, u0)\ny = DequantizeLinear (tq, s2, u0)\n"},
	{"ort", "R10", 13, "", "", "", "xq = QuantizeLinear <axis = 1> (x, sc, uc)\nxd = DequantizeLinear <axis = 1> (xq, sc, uc)\nt = AveragePool <kernel_shape = [1, 1]> (xd)\ntq = QuantizeLinear (t, s, u0)\ny = DequantizeLinear (tq, s, u0)\n"},
	{"ort", "R16", 13, "", "", "", pairU0 + "y = Conv <pads = [1, 1, 1, 1]> (xd, wf, b)\n"},
	{"ort", "R12", 13, "float[4, 16] x", "float[4, 16] y", "int8[16, 16] gw = fill(1)", pairU0 + "w = DequantizeLinear <axis = 1> (gw, sc, ic)\ny = Gemm (xd, w, b)\n"},

	{"portable", "P01", 13, "", "", "uint16[2] odd = fill(1)", "y = Relu (x)\n"},
	{"portable", "P02", 18, "", "", "", "y = Relu (x)\n"},
	{"portable", "P03", 13, "", "", "", "y = com.microsoft.Gelu (x)\n"},
	{"portable", "P04", 13, "", "", "", "y = Det (x)\n"},
	{"portable", "P05", 13, "", "", "", pairI8 + "c = Concat <axis = 1> (xd, xd)\ny = Relu (c)\n"},
	{"portable", "C01", 9, "", "", "", pairI8 + weightDQ + conv},
	{"portable", "C01", 12, "", "", "", pairI8 + weightDQ + conv},
	{"portable", "C02", 13, "", "", "", pairI8 + "w = DequantizeLinear <axis = 0> (wq, sc, i0)\n" + conv},
	{"portable", "C03", 13, "", "", "", pairI8 + "w = DequantizeLinear <axis = 0> (wq, bad, ic)\n" + conv},
	{"portable", "C04", 13, "", "", "", "y = Relu (x)\n"},
}

// everywhere is a chain of n Abs with a pair behind each.
func everywhere(n int) string {
	var b strings.Builder
	last := "x"
	for i := range n {
		fmt.Fprintf(&b, "a%d = Abs (%s)\nq%d = QuantizeLinear (a%d, s, u0)\nd%d = DequantizeLinear (q%d, s, u0)\n", i, last, i, i, i, i)
		last = fmt.Sprintf("d%d", i)
	}
	return b.String() + "y = Identity (" + last + ")\n"
}

func TestViolations(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range violations {
		seen[v.target+v.rule] = true
		p := Lookup(v.target)
		found := p.Lint(small(t, v.opset, v.x, v.y, v.init, v.nodes))
		i := slices.IndexFunc(found, func(f Finding) bool { return f.Rule == v.rule })
		if i < 0 {
			t.Errorf("%s %s not found in\n%s\nfindings: %v", v.target, v.rule, v.nodes, found)
			continue
		}
		f := found[i]
		if f.Code == "" || f.Message == "" || f.Severity == "" {
			t.Errorf("incomplete finding %+v", f)
		}
	}
	for _, p := range profiles() {
		for _, r := range p.Rules {
			inherited := p.Name != "portable" && r.ID[0] == 'C' || p.Name == "portable" && r.ID[0] == 'T'
			if r.Checked() && !inherited && !seen[p.Name+r.ID] {
				t.Errorf("%s %s has no model that breaks it", p.Name, r.ID)
			}
		}
	}
}

// A layer as each target wants it breaks no rule but C04, for the constants that it does not use.
func TestCleanLayers(t *testing.T) {
	out := "c = Conv <pads = [1, 1, 1, 1]> (xd, w, b)\nr = Relu (c)\n"
	for name, nodes := range map[string]string{
		"openvino": pairU9 + weightDQ + conv,
		"tensorrt": pairI8 + weightDQ + conv,
		"portable": pairI8 + weightDQ + conv,
		"ort":      pairU9 + weightDQ + out + "rq = QuantizeLinear (r, s, u0)\nrd = DequantizeLinear (rq, s, u0)\ny = Sigmoid (rd)\n",
	} {
		for _, f := range Lookup(name).Lint(small(t, 13, "", "", "", nodes)) {
			if f.Rule != "C04" {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}

// Rows are complete, codes unique for each text and documented, identifiers unique in a profile.
func TestRows(t *testing.T) {
	text := map[string]string{}
	for _, p := range profiles() {
		ids := map[string]bool{}
		for _, r := range p.Rules {
			if r.ID == "" || r.Text == "" || r.Source == "" || r.Severity == "" || ids[r.ID] {
				t.Errorf("%s: row %+v", p.Name, r)
			}
			ids[r.ID] = true
			if r.Checked() != (r.Code != "") || r.Checked() && r.Hint == "" {
				t.Errorf("%s %s: check, code and hint belong together", p.Name, r.ID)
			}
			if r.Code == "" {
				continue
			}
			if had, ok := text[r.Code]; ok && had != r.Text {
				t.Errorf("code %s means both %q and %q", r.Code, had, r.Text)
			}
			text[r.Code] = r.Text
			if _, ok := diag.Explain(r.Code); !ok {
				t.Errorf("code %s has no explanation", r.Code)
			}
		}
		if doc := p.Doc(); !strings.Contains(doc, p.Rules[0].Source) {
			t.Errorf("%s: the reference text lacks sources", p.Name)
		}
	}
}

func TestLookup(t *testing.T) {
	if got := Names(); !slices.Equal(got, []string{"openvino", "tensorrt", "ort", "portable"}) {
		t.Errorf("names %v", got)
	}
	a, b := Lookup("openvino"), Lookup("openvino")
	a.Quant.Movement[0] = "Changed"
	if b.Quant.Movement[0] == "Changed" || Lookup("nonsense") != nil {
		t.Error("profiles are shared or invented")
	}
	if Lookup("tensorrt").Quant.Signed != onnx.Int8 || Lookup("openvino").Quant.Signed != onnx.Uint8 {
		t.Error("activation types")
	}
}

// Nodes without inputs or outputs, or with empty ones, must not stop a lint.
func TestLintOfBrokenNodes(t *testing.T) {
	ops := []string{"QuantizeLinear", "DequantizeLinear", "Conv", "ConvTranspose", "Gemm", "MatMul", "Pad", "Concat", "Split", "Add", "Relu", "Clip", "MaxPool",
		"AveragePool", "GlobalAveragePool", "BatchNormalization", "Resize", "TopK", "Dropout", "If", "Cast", "ReduceMean", "ScatterND", "LayerNormalization", "Constant", "Identity"}
	for _, p := range profiles() {
		for _, op := range ops {
			for _, in := range [][]string{nil, {""}, {"x"}, {"", "x"}, {"x", ""}, {"x", "", "x"}, {"q", "q", "q"}, {"d", "d", "d"}} {
				for _, out := range [][]string{{""}, {"y"}, {"", "y"}} {
					m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 13}}, Graph: &onnx.Graph{Name: "g",
						Input: []*onnx.ValueInfo{{Name: "x", Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float}}}},
						Node: []*onnx.Node{
							{OpType: "QuantizeLinear", Input: []string{"", "x"}, Output: []string{"q"}},
							{OpType: "DequantizeLinear", Input: []string{"", "x"}, Output: []string{"d"}},
							{OpType: op, Input: in, Output: out},
							{OpType: "QuantizeLinear", Input: []string{"x"}, Output: []string{""}},
						}}}
					g, err := graph.Import(m)
					if err != nil {
						continue
					}
					p.Lint(g)
				}
			}
		}
	}
}

// A pair that breaks a rule is one finding; a second pair is another.
func TestPairsAreCountedOnce(t *testing.T) {
	count := func(nodes, rule string) (n int) {
		for _, f := range Lookup("tensorrt").Lint(small(t, 13, "", "", "", nodes)) {
			if f.Rule == rule {
				n++
			}
		}
		return n
	}
	if n := count(pairU9+weightDQ+conv, "T20"); n != 1 {
		t.Errorf("%d findings for one uint8 pair", n)
	}
	two := pairU9 + "yq = QuantizeLinear (xd, s, u0)\nyd = DequantizeLinear (yq, s, u0)\ny = Relu (yd)\n"
	if n := count(two, "T20"); n != 2 {
		t.Errorf("%d findings for two uint8 pairs", n)
	}
	half := "xq = QuantizeLinear (x, s, i0)\nxd = DequantizeLinear (xq, s)\n" + weightDQ + conv
	if n := count(half, "T21"); n != 1 {
		t.Errorf("%d findings for a DequantizeLinear alone at fault", n)
	}
}

// squeezed drops the last dimension of x when cond holds.
func squeezed(cond string) string {
	return cond + "v = If (k) <then_branch = a () => (float[N, 4] p) { p = Squeeze (x, last) }, else_branch = b () => (float[N, 4, M] q) { q = Identity (x) }>\ny = Relu (v)\n"
}

const sizeIsOne = "sh = Shape (x)\nsz = Gather (sh, last)\nk = Equal (sz, one)\n"

// The branches may differ in rank where the sizes of the inputs decide which one runs.
func TestDecidedBranches(t *testing.T) {
	consts := "int64[1] last = {-1}, int64[1] one = {1}"
	for x, want := range map[string]bool{"float[N, 4, M] x": true, "float[2, 4, M] x": true, "float[2, 4, 1] x": false, "float[2, 4, 3] x": false, "float[N, 4, 1] x": false} {
		found := Lookup("openvino").Lint(small(t, 13, x, "float y", consts, squeezed(sizeIsOne)))
		if got := slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == "O10" }); got != want {
			t.Errorf("%s: found %v, want %v", x, got, want)
		}
	}
}
