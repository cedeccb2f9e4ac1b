package quant

import (
	"context"
	"fmt"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Recurrent nodes with 24 inputs and everything that is optional: bias b, lengths n, state s, peepholes p.
var recurrentTexts = map[string]string{
	"forward":       `[rnn] y, h, c = LSTM <hidden_size = 48> (x, w, r)`,
	"reverse":       `[rnn] y, h, c = LSTM <hidden_size = 48, direction = "reverse"> (x, w, r, b)`,
	"bidirectional": `[rnn] y, h, c = LSTM <hidden_size = 48, direction = "bidirectional"> (x, w, r, b, n, s, s)`,
	"last state":    `[rnn] , h = LSTM <hidden_size = 48> (x, w, r, b)`,
	"peepholes":     `[rnn] y, h, c = LSTM <hidden_size = 48, direction = "bidirectional", clip = 3.0> (x, w, r, b, , , , p)`,
	"coupled":       `[rnn] y, h, c = LSTM <hidden_size = 48, input_forget = 1> (x, w, r, b)`,
	"gru":           `[rnn] y, h = GRU <hidden_size = 48> (x, w, r, b)`,
	"reset last":    `[rnn] y, h = GRU <hidden_size = 48, linear_before_reset = 1, direction = "bidirectional"> (x, w, r, b)`,
	"rnn":           `[rnn] y, h = RNN <hidden_size = 48> (x, w, r, b)`,
}

// recurrentModel is a model of one node: 5 steps, a batch of 3, weights that are large enough to be stored.
func recurrentModel(node string) string {
	gates, dirs := map[bool]int{true: 4, false: 3}[strings.Contains(node, "LSTM")], 1
	if strings.Contains(node, "RNN") {
		gates = 1
	}
	if strings.Contains(node, "bidirectional") {
		dirs = 2
	}
	hidden := 48
	rows := gates * hidden
	outs := []string{fmt.Sprintf("float[%d, 3, %d] h", dirs, hidden)}
	if strings.Contains(node, "] y") {
		outs = append(outs, fmt.Sprintf("float[5, %d, 3, %d] y", dirs, hidden))
	}
	return fmt.Sprintf(`<ir_version: 8, opset_import: ["" : 14]>
main (float[5, 3, 24] x) => (%s) <float[%d, %d, 24] w = random(1, -0.3, 0.2), float[%d, %d, %d] r = random(2, -0.2, 0.3),
 float[%d, %d] b = random(3, -0.1, 0.1), float[%d, %d] p = random(4, -0.1, 0.1), int32[3] n = {5, 2, 4}, float[%d, 3, %d] s = random(5, -1, 1)> { %s }`,
		strings.Join(outs, ", "), dirs, rows, dirs, rows, hidden, dirs, 2*rows, dirs, 3*hidden, dirs, hidden, node)
}

// byHand is t rounded to 8 bits with a scale for each row along the last axis.
func byHand(t testing.TB, c *onnx.Tensor) []float32 {
	t.Helper()
	x, err := c.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	n := int(c.Dims[len(c.Dims)-1])
	out := make([]float32, len(x))
	for from := 0; from < len(x); from += n {
		var most float64
		for _, f := range x[from : from+n] {
			most = max(most, math.Abs(float64(f)))
		}
		s := float32(most / 127)
		for i := from; i < from+n; i++ {
			out[i] = float32(math.RoundToEven(float64(x[i]/s))) * s
		}
	}
	return out
}

// The stored weights of recurrent nodes compute exactly what a float model with
// weights rounded by hand computes; in 8-bit arithmetic nearly that.
func TestRecurrent(t *testing.T) {
	rt := orttest.Runner(t)
	for what, node := range recurrentTexts {
		for _, name := range target.Names() {
			t.Run(what+"/"+name, func(t *testing.T) {
				src := recurrentModel(node)
				m, r := quantize(t, src, name, rt, nil)
				if err := verify.Model(m); err != nil {
					t.Fatal(err)
				}
				for _, f := range target.Lookup(name).Lint(m) {
					if f.Severity != target.Advice {
						t.Error(f)
					}
				}
				hand := model(t, src)
				for _, v := range hand.Main.Initializers() {
					if v.Name() == "w" || v.Name() == "r" {
						v.SetInit(onnx.FromFloat32s(v.Const().Dims, byHand(t, v.Const())))
					}
				}
				l := r.Layers[len(r.Layers)-1]
				dynamic := name == "ort" && strings.Contains(node, "LSTM")
				if l.Name != "rnn" || dynamic != (l.Reason == "") || l.BytesAfter > l.BytesBefore*2/5 || l.WeightSQNR == nil {
					t.Errorf("%+v", l)
				}
				c := compared(t, rt, hand, m)
				if !dynamic && c.MaxAbs != 0 {
					t.Errorf("differs by %g from the weights rounded by hand", c.MaxAbs)
				}
				if dynamic && (c.SQNR < 32 || c.MaxAbs == 0) { // 8-bit activations of uniform values keep 35 to 45 dB
					t.Errorf("%.1f dB", c.SQNR)
				}
				edits := m.Edits()
				env := &passes.Env{Model: m, Target: target.Lookup(name), Report: &passes.StepReport{}, Calib: &calib.Calibration{Runner: rt, Samples: samples(m, 2)}}
				if err := run(context.Background(), env, Options{Range: MinMax}); err != nil || m.Edits() != edits {
					t.Errorf("the second run: %v, %d edits", err, m.Edits()-edits)
				}
			})
		}
	}
}

// compared runs two models on random samples.
func compared(t testing.TB, rt calib.Runner, a, b *graph.Model) calib.Agreement {
	t.Helper()
	p, _ := encode(t, a)
	q, _ := encode(t, b)
	c, err := calib.Compare(context.Background(), rt, p, q, samples(a, 4), calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c.All
}

// The codes of DynamicQuantizeLSTM are those of the rows, transposed.
func TestDynamicCodes(t *testing.T) {
	m := model(t, recurrentModel(recurrentTexts["bidirectional"]))
	v := m.Main.Value("r")
	x, _ := v.Const().Float32s()
	f := newDynamicForm(v, x)
	got, err := onnx.Elements[int8](f.tensor())
	if err != nil {
		t.Fatal(err)
	}
	want := byHand(t, v.Const())
	d := v.Const().Dims
	for dir := range int(d[0]) {
		for row := range int(d[1]) {
			for col := range int(d[2]) {
				k := (dir*int(d[1])+row)*int(d[2]) + col
				if q := float32(got[(dir*int(d[2])+col)*int(d[1])+row]) * f.scale[dir*int(d[1])+row]; q != want[k] {
					t.Fatalf("direction %d, row %d, column %d: %g, want %g", dir, row, col, q, want[k])
				}
			}
		}
	}
}

// Weights of an excluded recurrent node, peepholes and biases stay as they are, however large.
func TestRecurrentKeeps(t *testing.T) {
	rt := orttest.Runner(t)
	src := `<ir_version: 8, opset_import: ["" : 14]> main (float[2, 1, 16] x) => (float[2, 2, 1, 200] y)
<float[2, 800, 16] w = random(1, -0.3, 0.3), float[2, 800, 200] r = random(2, -0.1, 0.1), float[2, 1600] b = random(3), float[2, 600] p = random(4)>
{ [rnn] y = LSTM <hidden_size = 200, direction = "bidirectional"> (x, w, r, b, , , , p) }`
	for _, name := range []string{"ort", "openvino"} {
		m, _ := quantize(t, src, name, rt, nil)
		for _, keep := range []string{"b", "p"} {
			if v := m.Main.Value(keep); v == nil || v.Elem() != onnx.Float {
				t.Errorf("%s: %s is gone", name, keep)
			}
		}
		if m.Main.Value("w") != nil || m.Main.Value("r") != nil {
			t.Errorf("%s: a weight stays in float", name)
		}
		m, r := quantize(t, src, name, rt, func(e *passes.Env, _ *Options) {
			e.Select, _ = passes.NewSelector(passes.Selection{Exclude: []string{"rnn"}})
		})
		if m.Main.Value("w") == nil || !strings.Contains(reasons(r)["rnn"], "--exclude") {
			t.Errorf("%s: %v", name, reasons(r))
		}
	}
}

// What a constant is stored as, by its values and its readers.
func TestConstants(t *testing.T) {
	rt := orttest.Runner(t)
	const inputs = "(float[4, 64] x, int64[2] i, bool k) => (float[4, 64] y, float[2, 64] e)"
	for what, c := range map[string]struct {
		init, body, want string // the type of what is stored for w
	}{
		"table":          {"= random(1)", "e = Gather (w, i)\n y = Relu (x)", "int8"},
		"wide range":     {"= random(1)", "v = Pow (w, big)\n e = Gather (v, i)\n y = Relu (x)", "int8"},
		"small":          {"", "e = Gather (few, i)\n y = Add (x, few)", "float32"},
		"excluded":       {"= random(1)", "[no] e = Gather (w, i)\n y = Relu (x)", "float32"},
		"one excluded":   {"= random(1)", "[no] e = Gather (w, i)\n z = MatMul (x, w)\n y = Relu (x)", "float32int8"},
		"other operator": {"= random(1)", "v = Softmax (w)\n e = Gather (v, i)\n y = Relu (x)", "float32"},
		"branch taken":   {"= random(1)", "y = If (no) <then_branch = a () => (float[4, 64] o) { o = Relu (x) }, else_branch = b () => (float[4, 64] p) { p = MatMul (x, w) }>\n e = Gather (few, i)", "int8"},
		"branch never":   {"= random(1)", "y = If (k) <then_branch = a () => (float[4, 64] o) { o = MatMul (x, w) }, else_branch = b () => (float[4, 64] p) { p = Relu (x) }>\n e = Gather (few, i)", "float16"},
		"loop":           {"= random(1)", "y = Loop (two, yes, x) <body = a (int64 j, bool q, float[4, 64] o) => (bool s, float[4, 64] u) { s = Identity (q)\n u = MatMul (o, w) }>\n e = Gather (few, i)", "float16"},
	} {
		for _, name := range []string{"ort", "tensorrt"} {
			src := head + "main " + inputs + " <float[64, 64] w " + c.init + ", float[4, 64] few = random(2), float[1] big = {3.0}, bool no = {0}, bool yes = {1}, int64 two = {2}> { " + c.body + " }"
			if c.init == "" {
				src = strings.Replace(src, "float[64, 64] w , ", "float[4, 4] w = random(1), ", 1)
			}
			m, r := quantize(t, src, name, rt, func(e *passes.Env, _ *Options) {
				e.Select, _ = passes.NewSelector(passes.Selection{Exclude: []string{"no"}})
			})
			want := c.want
			if want == "int8" && name == "tensorrt" {
				want = "uint8"
			}
			got := ""
			for _, v := range m.Main.Initializers() {
				if n := v.Name(); n == "w" || n == "w_q" || n == "w_half" {
					got += v.Elem().String()
				}
			}
			if got != want && !(c.init == "" && got == "float32") {
				t.Errorf("%s, %s: stored as %q, want %q; %+v", what, name, got, want, r.Skips)
			}
			if a := compared(t, rt, model(t, src), m); a.SQNR < 38 {
				t.Errorf("%s, %s: %.1f dB", what, name, a.SQNR)
			}
		}
	}
}

// A weight whose rounding shows in the output of its layer is stored in 16 bits:
// here the large weights meet inputs near zero and the small ones the large inputs.
func TestStoredByDamage(t *testing.T) {
	rt := orttest.Runner(t)
	src := head + `main (float[8, 64] x, bool k) => (float[8, 64] y) <float[64, 64] w = random(1), float[64] a = range(-0.01, 0.0001), float[64] one = fill(1), float[8, 64] z = random(5)> {
 y = If (no) <then_branch = a () => (float[8, 64] o) { o = Relu (x) }, else_branch = b () => (float[8, 64] p) { [mm] p = MatMul (x, w) }> }`
	src = strings.Replace(src, "float[64] a = ", "bool no = {0}, float[64] a = ", 1)
	for large, want := range map[float32]string{1: "8 bits per channel", 4000: "float16"} {
		m := model(t, src)
		w := m.Main.Value("w")
		x, _ := w.Const().Float32s()
		for i := range 64 {
			x[i] *= large // the first row, whose input is zero below
		}
		w.SetInit(onnx.FromFloat32s(w.Const().Dims, x))
		set := samples(m, 4)
		for i := range 4 {
			s, _ := set.Read(context.Background(), i)
			for row := range 8 {
				copy(s.Inputs["x"].Bytes[4*64*row:], []byte{0, 0, 0, 0})
			}
		}
		env := &passes.Env{Model: m, Target: target.Lookup("openvino"), Report: &passes.StepReport{}, Calib: &calib.Calibration{Runner: rt, Samples: set, Threads: 1}}
		if err := run(context.Background(), env, Options{Range: MinMax}); err != nil {
			t.Fatal(err)
		}
		if l := env.Report.Layers[0]; l.Name != "mm" || l.Weight != want || l.Reason == "" {
			t.Errorf("%g: %+v", large, l)
		}
	}
}

// Numbers that neither 8 bits nor float16 hold stay as they are.
func TestConstantsThatStay(t *testing.T) {
	src := head + "main (float[4, 64] x) => (float[4, 64] y) <float[64, 64] w = random(1)> { [mm] y = MatMul (x, w) }"
	for what, c := range map[string]struct {
		first []float32
		bits  int
	}{
		"ordinary":          {[]float32{0.5, -0.5}, 8},
		"infinity":          {[]float32{float32(math.Inf(1))}, 32},
		"NaN":               {[]float32{float32(math.NaN())}, 32},
		"one that is large": {[]float32{3000}, 16},
		"beyond float16":    {[]float32{1e6}, 32},
	} {
		m := model(t, src)
		w := m.Main.Value("w")
		x, _ := w.Const().Float32s()
		copy(x, c.first)
		w.SetInit(onnx.FromFloat32s([]int64{1, 4096}, x))
		k := &constant{value: w, bits: 8, uses: []graph.Use{{Node: m.Main.End().Op("Identity", "i", w), Index: 0}}}
		if err := k.measureCells(); err != nil || k.bits != c.bits || (k.reason == "") != (c.bits == 8) {
			t.Errorf("%s: %d bits, %.1f dB, %q, %v", what, k.bits, k.sqnr, k.reason, err)
		}
	}
}

// Every cell of every division gets the elements that numpy would give it.
func TestCells(t *testing.T) {
	for what, c := range map[string]struct {
		cells cells
		shape []int64
		index func(a, b, c int) int // of the cell, in a tensor of 2 x 3 x 4
	}{
		"rows":     {newCells([]int64{2, 3, 4}, 2, 3), []int64{2, 3, 1}, func(a, b, _ int) int { return 3*a + b }},
		"columns":  {newCells([]int64{2, 3, 4}, 1, 2), []int64{2, 1, 4}, func(a, _, c int) int { return 4*a + c }},
		"blocks":   {newCells([]int64{2, 3, 4}, 1, 3), []int64{2, 1, 1}, func(a, _, _ int) int { return a }},
		"channels": {channelCells([]int64{2, 3, 4}, 1), []int64{1, 3, 1}, func(_, b, _ int) int { return b }},
	} {
		i := 0
		c.cells.each(func(cell, k int) {
			if k != i || cell != c.index(i/12, i/4%3, i%4) {
				t.Errorf("%s: element %d is %d in cell %d", what, i, k, cell)
			}
			i++
		})
		if n := elements(c.shape); i != 24 || int64(c.cells.count()) != n || fmt.Sprint(c.cells.shape) != fmt.Sprint(c.shape) {
			t.Errorf("%s: %d elements, %d cells, shape %v", what, i, c.cells.count(), c.cells.shape)
		}
	}
}

// A small LSTM keeps float arithmetic and stores its weights.
func TestSmallRecurrence(t *testing.T) {
	src := `<ir_version: 8, opset_import: ["" : 14]> main (float[5, 1, 40] x) => (float[5, 1, 1, 32] y)
<float[1, 128, 40] w = random(1, -0.3, 0.3), float[1, 128, 32] r = random(2, -0.1, 0.1)> { [rnn] y = LSTM <hidden_size = 32> (x, w, r) }`
	_, r := quantize(t, src, "ort", orttest.Runner(t), nil)
	if l := r.Layers[0]; l.Dtype != "float32" || !strings.Contains(l.Reason, "small") || l.BytesAfter > l.BytesBefore/3 {
		t.Errorf("%+v", l)
	}
}

// Looking up codes and scales gives exactly the rows of the table rounded by hand, for indices of any rank.
func TestTables(t *testing.T) {
	rt := orttest.Runner(t)
	src := head + `main (int64[2, 3] i, int64[1] j, float[4] x) => (float[2, 3, 4, 16] a, float[1, 4, 16] b, float[4, 16] d, float[4, 4, 16] c)
<float[40, 4, 16] w = random(1, -2, 3), int64[4] k = {3, -1, 0, 39}, int64 one = {1}> { a = Gather (w, i)
 b = Gather (w, j)
 d = Gather (w, one)
 [const] c = Gather (w, k) }`
	for _, name := range target.Names() {
		m, _ := quantize(t, src, name, rt, nil)
		hand := model(t, src)
		w := hand.Main.Value("w")
		w.SetInit(onnx.FromFloat32s(w.Const().Dims, byHand(t, w.Const())))
		if c := compared(t, rt, hand, m); c.MaxAbs != 0 {
			t.Errorf("%s: differs by %g", name, c.MaxAbs)
		}
		looked := m.Main.Value("w_float") == nil // no widened table
		if looked != (target.Lookup(name).Quant.Codes == onnx.Int8) || m.Main.Value("w") != nil {
			t.Errorf("%s: rows looked up %v", name, looked)
		}
		if err := verify.Model(m); err != nil {
			t.Error(err)
		}
	}
}

// A stored weight that meets a dequantized activation is not stored once more by the runtime, with one scale for all channels.
func TestStoredWeightIsGuarded(t *testing.T) {
	rt := orttest.Runner(t)
	src := head + `main (float[1, 64, 8, 8] x) => (float[1, 64, 8, 8] y) <float[64, 64, 1, 1] w = random(1, -0.2, 0.2), float[64, 64, 1, 1] v = random(2)> {
 [first] a = Conv (x, w)
 r = Relu (a)
 [last] y = Conv (r, v) }`
	m := model(t, src)
	f, _ := m.Main.Value("v").Const().Float32s()
	for i := range f {
		f[i] *= float32(math.Pow(1e-3, float64(i/64%2))) // every second channel is small
	}
	m.Main.Value("v").SetInit(onnx.FromFloat32s([]int64{64, 64, 1, 1}, f))
	env := &passes.Env{Model: m, Target: target.Lookup("ort"), Report: &passes.StepReport{}, Calib: &calib.Calibration{Runner: rt, Samples: samples(m, 8), Threads: 1}}
	if err := run(context.Background(), env, Options{Range: MinMax, Bias: "none"}); err != nil {
		t.Fatal(err)
	}
	if l := env.Report.Layers[1]; l.Dtype != "float32" || l.Weight != "8 bits per channel" {
		t.Fatalf("the test needs a stored weight: %+v", l)
	}
	g := m.Main.Value("y").Def().In(0).Def()
	if g == nil || !g.Is("Sum") {
		t.Errorf("the stored convolution reads %v", g)
	}
	p, _ := encode(t, m)
	var s [2]calib.Session
	for i, o := range []calib.Optimization{calib.Exact, calib.Full} {
		var err error
		if s[i], err = rt.Open(context.Background(), p, calib.OpenOptions{Optimization: o, Threads: 1}); err != nil {
			t.Fatal(err)
		}
		defer s[i].Close()
	}
	c, err := calib.CompareSessions(context.Background(), s[0], s[1], samples(m, 4), calib.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Outputs[0].Cosine < 0.9999 || c.All.SQNR < 40 {
		t.Errorf("%.1f dB between the file as written and as the runtime rewrites it", c.All.SQNR)
	}
}
