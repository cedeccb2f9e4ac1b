package weights_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/openvino"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/graphtest"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// readers are layers of every kind with a weight called w.
var readers = map[string]string{
	"Conv":            `(float[1,8,9,9] x) => (float[a,b,c,d] y) <float[16,8,3,3] w = random(1), float[16] b = random(2)> { y = Conv (x, w, b) }`,
	"Conv depthwise":  `(float[1,8,9,9] x) => (float[a,b,c,d] y) <float[8,1,3,3] w = random(1)> { y = Conv <group = 8> (x, w) }`,
	"ConvTranspose":   `(float[1,8,9,9] x) => (float[a,b,c,d] y) <float[8,6,3,3] w = random(1)> { y = ConvTranspose (x, w) }`,
	"ConvTranspose g": `(float[1,8,9,9] x) => (float[a,b,c,d] y) <float[8,6,3,3] w = random(1)> { y = ConvTranspose <group = 2> (x, w) }`,
	"ConvTranspose d": `(float[1,8,9,9] x) => (float[a,b,c,d] y) <float[8,1,3,3] w = random(1)> { y = ConvTranspose <group = 8> (x, w) }`,
	"Gemm":            `(float[3,64] x) => (float[a,b] y) <float[64,24] w = random(1), float[24] b = random(2)> { y = Gemm (x, w, b) }`,
	"Gemm transposed": `(float[3,64] x) => (float[a,b] y) <float[24,64] w = random(1), float[24] b = random(2)> { y = Gemm <transB = 1> (x, w, b) }`,
	"MatMul":          `(float[2,3,64] x) => (float[a,b,c] y) <float[64,24] w = random(1)> { y = MatMul (x, w) }`,
	"MatMul ragged":   `(float[2,3,72] x) => (float[a,b,c] y) <float[72,24] w = random(1)> { y = MatMul (x, w) }`,
	"MatMul batched":  `(float[2,3,64] x) => (float[a,b,c] y) <float[2,64,24] w = random(1)> { y = MatMul (x, w) }`,
	"MatMul left":     `(float[64,5] x) => (float[a,b] y) <float[24,64] w = random(1)> { y = MatMul (w, x) }`,
	"Gather": `(float[2,3] x) => (float[a,b,c] y) <float[40,24] w = random(1)> { i = Cast <to = 7> (x)
 y = Gather (w, i) }`,
	"LSTM": `(float[5,2,24] x) => (float[a,b,c,d] y) <float[2,64,24] w = random(1, -0.3, 0.3), float[2,64,16] r = random(2, -0.3, 0.3)> {
 y = LSTM <hidden_size = 16, direction = "bidirectional"> (x, w, r) }`,
	"GRU": `(float[5,2,24] x) => (float[a,b,c,d] y) <float[1,48,24] w = random(1, -0.3, 0.3), float[1,48,16] r = random(2, -0.3, 0.3)> { y = GRU <hidden_size = 16> (x, w, r) }`,
	"through Transpose": `(float[2,3,64] x) => (float[a,b,c] y) <float[24,64] w = random(1)> { t = Transpose <perm = [1, 0]> (w)
 y = MatMul (x, t) }`,
	"through Reshape": `(float[2,3,64] x) => (float[a,b,c] y) <float[8,8,24] w = random(1), int64[2] s = {64, 24}> { t = Reshape (w, s)
 y = MatMul (x, t) }`,
	"tied": `(float[2,3] x) => (float[a,b,c] y) <float[40,24] w = random(1)> { i = Cast <to = 7> (x)
 e = Gather (w, i)
 t = Transpose (w)
 k = Identity (t)
 y = MatMul (e, k) }`,
	"two layers": `(float[3,64] x) => (float[a,b] y) <float[64,64] w = random(1)> { h = MatMul (x, w)
 y = MatMul (h, w) }`,
	"float16": `(float[2,3,64] x) => (float16[a,b,c] y) <float16[64,24] w = random(1)> { h = Cast <to = 10> (x)
 y = MatMul (h, w) }`,
	"float16 Conv": `(float[1,8,9,9] x) => (float16[a,b,c,d] y) <float16[16,8,3,3] w = random(1)> { h = Cast <to = 10> (x)
 y = Conv (h, w) }`,
}

func parse(t testing.TB, body string, opset int) *graph.Model {
	t.Helper()
	ir := map[int]int{13: 7, 19: 9, 21: 10}[opset]
	return graphtest.Parse(t, fmt.Sprintf(`<ir_version: %d, opset_import: ["" : %d]> m %s`, ir, opset, body))
}

// formats are those that a target may take.
func formats(p *target.Profile) []weights.Format {
	return []weights.Format{
		&weights.Integer{Bits: 8, Target: p}, &weights.Integer{Bits: 8, Target: p, AbsMax: true},
		&weights.Integer{Bits: 4, Target: p}, &weights.Integer{Bits: 4, Block: 32, Target: p}, &weights.Integer{Bits: 4, Block: 16, Asymmetric: true, Target: p},
		&weights.Float8{Type: onnx.Float8E4M3FN, Target: p}, &weights.Float8{Type: onnx.Float8E5M2, Target: p},
		&weights.Half{Type: onnx.Float16},
	}
}

// stored returns the model with stored forms and the one with the rounded floats in their place, and the items.
func stored(t testing.TB, m *graph.Model, f weights.Format) (with, floats *graph.Model, items []*weights.Item) {
	t.Helper()
	found, _ := weights.Find(m, weights.FindOptions{MinElements: 1})
	floats = m.Clone()
	for _, w := range found {
		it := &weights.Item{Weight: w, Format: f}
		if err := it.Plain(); err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
		if it.Stored != nil {
			floats.Main.Value(w.Value.Name()).SetInit(it.Stored)
			if err := it.Store(w, "test"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(m.Main.Sort(), m.Infer(), verify.Model(m)); err != nil {
		t.Fatal(err)
	}
	return m, floats, items
}

func export(t testing.TB, m *graph.Model) *onnx.Model {
	t.Helper()
	p, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// memory is a source of samples made up in memory.
type memory []map[string]calib.Array

func (m memory) Len() int                     { return len(m) }
func (m memory) Name(i int) string            { return fmt.Sprint(i) }
func (m memory) Digest([]int) (string, error) { return "memory", nil }
func (m memory) Read(_ context.Context, i int) (calib.Sample, error) {
	return calib.Sample{Inputs: m[i]}, nil
}

// samples are n samples of the input x; a table's are indices below 40.
func samples(m *graph.Model, n int) *calib.Set {
	rng := rand.New(rand.NewPCG(3, 4))
	indices := slices.ContainsFunc(slices.Collect(m.Main.Nodes()), func(n *graph.Node) bool { return n.Is("Gather") })
	var all memory
	for range n {
		var dims []int64
		count := 1
		for _, d := range m.Main.Inputs()[0].Shape().Dims {
			dims, count = append(dims, d.Value), count*int(d.Value)
		}
		x := make([]float32, count)
		for i := range x {
			if x[i] = float32(rng.NormFloat64()); indices {
				x[i] = float32(rng.IntN(40))
			}
		}
		b, _ := onnx.FromFloat32s(dims, x).Data.Bytes()
		all = append(all, map[string]calib.Array{"x": {Type: onnx.Float, Shape: dims, Bytes: b}})
	}
	return calib.NewSet(all)
}

func compared(t testing.TB, rt calib.Runner, a, b *graph.Model, o calib.Optimization) (calib.Agreement, error) {
	t.Helper()
	set := samples(a, 3)
	s, err := rt.Open(context.Background(), export(t, a), calib.OpenOptions{Optimization: o, Threads: 1})
	if err != nil {
		return calib.Agreement{}, err
	}
	defer s.Close()
	r, err := rt.Open(context.Background(), export(t, b), calib.OpenOptions{Optimization: o, Threads: 1})
	if err != nil {
		return calib.Agreement{}, err
	}
	defer r.Close()
	c, err := calib.CompareSessions(context.Background(), s, r, set, calib.CompareOptions{})
	if err != nil {
		return calib.Agreement{}, err
	}
	return c.All, nil
}

// Every format that a target takes for a layer computes, bit by bit, what the
// layer computes with the rounded floats; what Bytes says is what the file grows
// by, and lint has no objection.
func TestStoredFormsComputeTheRoundedWeights(t *testing.T) {
	rt := orttest.Runner(t)
	seen := map[string]int{}
	for name, body := range readers {
		for _, p := range []string{"ort", "openvino", "tensorrt", "portable"} {
			profile := target.Lookup(p)
			for _, f := range formats(profile) {
				opset := int(min(21, profile.File.OpsetMax))
				if opset == 17 {
					opset = 13
				}
				with, floats, items := stored(t, parse(t, body, opset), f)
				for _, it := range items {
					if it.Why != "" && !expected(it.Why) {
						t.Errorf("%s, %s, %s: %s", name, p, f.Name(), it.Why)
					}
					if it.Stored != nil {
						seen[f.Name()]++
					}
				}
				what := fmt.Sprintf("%s, %s, %s", name, p, f.Name())
				c, err := compared(t, rt, floats, with, calib.Exact)
				most := 0.0
				if strings.HasPrefix(name, "float16") {
					most = 0.016 // one unit in the last place of sums of about 20: the runtime leaves out a rounding between two casts
				}
				if err != nil || c.MaxAbs > most {
					t.Errorf("%s: differs by %g, %v", what, c.MaxAbs, err)
				}
				for _, finding := range profile.Lint(with) {
					if finding.Severity.Failing() || finding.Severity == target.Slow {
						t.Errorf("%s: %v", what, finding)
					}
				}
				checkBytes(t, what, with, items)
			}
		}
	}
	for _, f := range formats(target.Lookup("ort")) {
		if seen[f.Name()] == 0 {
			t.Errorf("%s was never used", f.Name())
		}
	}
}

// expected are the reasons that the models of readers give rise to.
func expected(why string) bool {
	return slices.ContainsFunc([]string{"only matrices", "has no", "does not widen", "blocks and zero points", "needs opset", "of the weight's bytes", "divides the rows", "float16 weights", "several axes", "along the first axis", "right in front"},
		func(s string) bool { return strings.Contains(why, s) })
}

// checkBytes compares what the stored forms say they take with the initializers of the model.
func checkBytes(t *testing.T, what string, m *graph.Model, items []*weights.Item) {
	t.Helper()
	var said, have int64
	names := map[string]bool{}
	for _, it := range items {
		if it.Stored != nil {
			said += it.Coding.Bytes()
			names[it.Value.Name()] = true
		}
	}
	for _, v := range m.Main.Initializers() {
		for n := range names {
			if strings.HasPrefix(v.Name(), n+"_") {
				b, _ := v.Const().Raw()
				have += int64(len(b))
			}
		}
	}
	if said != have {
		t.Errorf("%s: %d bytes, the form says %d", what, have, said)
	}
}

// What ONNX Runtime makes of the files: matrices stay packed, everything else is folded when the file is loaded.
func TestWhatOnnxRuntimeRuns(t *testing.T) {
	rt := orttest.Runner(t)
	profile := target.Lookup("ort")
	packed := map[string]bool{"Gemm": true, "MatMul": true, "MatMul ragged": true}
	for name, body := range readers {
		if strings.HasPrefix(name, "float16") || name == "Gather" || name == "tied" {
			continue // on a CPU float16 is widened around every operator; a table is looked up in at every run
		}
		for _, f := range formats(profile)[:5] {
			with, _, items := stored(t, parse(t, body, 21), f)
			if items[0].Why != "" {
				continue
			}
			ops := optimized(t, rt, with)
			if packed[name] != slices.Contains(ops, "MatMulNBits") {
				t.Errorf("%s, %s: %v", name, f.Name(), ops)
			}
			for _, op := range []string{"DequantizeLinear", "Cast", "Mul"} {
				if slices.Contains(ops, op) && name != "MatMul batched" && name != "MatMul left" {
					t.Errorf("%s, %s: %v at every inference", name, f.Name(), ops)
				}
			}
		}
	}
}

// optimized are the operators that are left when ONNX Runtime has loaded a model.
func optimized(t *testing.T, rt *ort.Runtime, g *graph.Model) []string {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.onnx"), filepath.Join(dir, "out.onnx")
	if err := onnx.Save(in, export(t, g), onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := rt.WriteOptimized(context.Background(), in, out, calib.OpenOptions{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var ops []string
	for _, n := range m.Graph.Node {
		ops = append(ops, n.OpType)
	}
	return ops
}

// OpenVINO computes the same. Where it keeps a matrix in 8 or 4 bits it rounds
// the activations of that product to 8 bits by itself, in groups, which costs about 45 dB.
func TestOpenVINOComputesTheSame(t *testing.T) {
	found, _, err := runtimelib.Find(runtimelib.OpenVINO(), runtimelib.Options{})
	if err != nil {
		t.Skip("no OpenVINO library (set ONNXPASS_OPENVINO_LIB)")
	}
	ov, err := openvino.Load(found.Path)
	if err != nil {
		t.Fatal(err)
	}
	profile := target.Lookup("openvino")
	for name, body := range readers {
		some := formats(profile)
		for _, f := range []weights.Format{some[0], some[4], some[5]} { // each takes time to compile
			with, floats, _ := stored(t, parse(t, body, 21), f)
			c, err := compared(t, ov, floats, with, calib.Full)
			least := 90.0
			if strings.Contains(name, "MatMul") || strings.HasPrefix(name, "Gemm") || strings.HasPrefix(name, "t") || strings.HasPrefix(name, "float16") { // matrices, and float16 sums
				least = 38
			}
			if err != nil || c.SQNR < least {
				t.Errorf("%s, %s: %.1f dB, %v", name, f.Name(), c.SQNR, err)
			}
		}
	}
}

// Rounding what is rounded changes nothing, for any scales and elements.
func TestRoundingTwice(t *testing.T) {
	profile := target.Lookup("ort")
	m := parse(t, readers["MatMul"], 21)
	w, _ := weights.Find(m, weights.FindOptions{MinElements: 1})
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		x := make([]float32, w[0].Elements())
		for i := range x {
			x[i] = float32(rng.NormFloat64() * math.Exp2(float64(rng.IntN(30)-15)))
		}
		for _, f := range formats(profile) {
			c, why, err := f.Fit(&weights.Source{Weight: w[0], X: x})
			if why != "" || err != nil {
				t.Fatal(f.Name(), why, err)
			}
			factor := make([]float32, w[0].Channels)
			for i := range factor {
				factor[i] = float32(0.5 + 1.5*rng.Float64())
			}
			for _, c := range []weights.Coding{c, c.Scaled(factor)} {
				for i := 0; c != nil && i < len(x); i++ {
					once, twice := []float32{x[i]}, []float32{0}
					c.Round(i/w[0].Cols, i%w[0].Cols, once, nil)
					twice[0] = once[0]
					c.Round(i/w[0].Cols, i%w[0].Cols, twice, nil)
					if once[0] != twice[0] {
						t.Fatalf("%s: %g becomes %g, then %g", f.Name(), x[i], once[0], twice[0])
					}
				}
			}
		}
	})
}

// The scales of least error err no more than those that reach the largest
// element; for normal elements the difference is that of the tables: a clipped
// uniform quantizer of 16 levels has 19.4 to 20.2 dB, one that reaches four standard deviations 17 to 19.
func TestSearchedScales(t *testing.T) {
	profile := target.Lookup("ort")
	m := parse(t, `(float[1,512] x) => (float[a,b] y) <float[512,64] w = random(1)> { y = MatMul (x, w) }`, 21)
	w, _ := weights.Find(m, weights.FindOptions{})
	rng := rand.New(rand.NewPCG(5, 6))
	x := make([]float32, w[0].Elements())
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	m.Main.Value("w").SetInit(onnx.FromFloat32s([]int64{512, 64}, x))
	w, _ = weights.Find(m, weights.FindOptions{})
	figure := func(f *weights.Integer) float64 {
		f.Target = profile
		it := &weights.Item{Weight: w[0], Format: f}
		if err := it.Plain(); err != nil || it.Why != "" {
			t.Fatal(err, it.Why)
		}
		return it.SQNR
	}
	for what, c := range map[string]struct {
		f                weights.Integer
		least, most, win float64
	}{
		"4 bits per channel":      {weights.Integer{Bits: 4}, 19.4, 20.2, 1},
		"4 bits in blocks":        {weights.Integer{Bits: 4, Block: 32}, 20.2, 21.5, 0.4},
		"4 bits with zero points": {weights.Integer{Bits: 4, Block: 32, Asymmetric: true}, 20.5, 22.5, 0.3},
		"8 bits":                  {weights.Integer{Bits: 8}, 42, 43, 0},
	} {
		searched := figure(&c.f)
		c.f.AbsMax = true
		if plain := figure(&c.f); searched < c.least || searched > c.most || searched-plain < c.win {
			t.Errorf("%s: %.2f dB, largest element %.2f", what, searched, plain)
		}
	}
}
